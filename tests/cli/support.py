"""Running commands as a user does, in processes of their own, or with click's test runner."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
DEMO = "strategy_runtime.demo.strategy:SmaCross"

BUYER = """
from strategy_runtime import Candle, Strategy


class Buyer(Strategy):
    quantity: int = 10

    def on_candle(self, candle: Candle) -> None:
        if self.position(candle.symbol).is_flat:
            self.buy(candle.symbol, self.quantity)
"""

PRICES = """timestamp,open,high,low,close,volume
2024-03-04,100,110,90,105,1000
2024-03-05,106,112,104,110,1000
2024-03-06,109,111,95,96,1000
2024-03-07,97,120,96,118,1000
"""


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without our settings, and with the package on the path."""
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ
    }
    return {**kept, "PYTHONPATH": str(ROOT), **(given or {})}


def command(name: str, *arguments: object) -> list[str]:
    """Return the command line of `strategy-<name>`, whether or not the package is installed."""
    return [sys.executable, "-m", f"strategy_runtime.cli.{name}", *map(str, arguments)]


def call(
    name: str,
    *arguments: object,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return finished(command(name, *arguments), cwd=cwd, env=env, stdin=stdin)


def finished(
    line: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end."""
    return subprocess.run(
        line,
        cwd=cwd,
        env=environment(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@contextmanager
def started(
    name: str,
    *arguments: object,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stderr: IO[str] | int = subprocess.PIPE,
) -> Iterator[subprocess.Popen[str]]:
    """Start a command in the background, and end it after the block."""
    process = subprocess.Popen(
        command(name, *arguments),
        cwd=cwd,
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@contextmanager
def proxy(*arguments: object, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Start a `strategy-proxy`; yield it with the options by which `strategy-run` finds it."""
    with started("proxy", "--ws-port", 0, "--rest-port", 0, *arguments, cwd=cwd) as process:
        urls = json.loads(line_of(process.stdout))
        yield process, ["--ws-url", urls["ws_url"], "--rest-url", urls["rest_url"]]


def line_of(stream: IO[str] | None, containing: str = "") -> str:
    """Wait for the next line that contains a text, and return it."""
    assert stream is not None
    seen = []
    for line in stream:
        seen.append(line)
        if containing in line:
            return line
    raise AssertionError(f"the stream ended without {containing!r}: {''.join(seen)}")


def interrupt(process: subprocess.Popen[str], number: int = signal.SIGINT) -> None:
    """Send a signal."""
    process.send_signal(number)


def insist(process: subprocess.Popen[str], number: int = signal.SIGINT) -> None:
    """Send signals until the process has ended; signals in quick succession count as one."""
    while process.poll() is None:
        interrupt(process, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
