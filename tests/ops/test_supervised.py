"""A run under a supervisor: it loses its proxy and recovers, is killed and restarted."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.cli.support import call, command, environment
from tests.ops.support import ask, free_port

BOT = """
from strategy_runtime import Candle, Strategy


class Bot(Strategy):
    def on_candle(self, candle: Candle) -> None:
        pass
"""


def wait_for(what: str, holds: Callable[[], bool], seconds: float = 40.0) -> None:
    """Poll until a condition holds."""
    end = time.monotonic() + seconds  # noqa: TID251
    while time.monotonic() < end:  # noqa: TID251
        try:
            if holds():
                return
        except OSError:
            pass
        time.sleep(0.1)  # noqa: TID251
    raise AssertionError(f"not within {seconds:g} s: {what}")


def readiness(url: str) -> tuple[int, Any]:
    return ask(url + "/readyz")


def metric(url: str, name: str) -> float:
    text = ask(url + "/metrics")[1]
    return next(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    )


@contextmanager
def process(folder: Path, name: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """A command whose output goes to a file."""
    with (folder / f"{name}.log").open("ab") as log:
        running = subprocess.Popen(
            command(name, *arguments), cwd=folder, env=environment(), stdout=log, stderr=log
        )
        try:
            yield running
        finally:
            running.kill()
            running.wait()


def test_loses_its_proxy_recovers_is_killed_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    rows = [f"{1_700_000_040 + 60 * n},10,11,9,10,1" for n in range(2000)]
    (tmp_path / "X.csv").write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows))
    ws, rest, ops = free_port(), free_port(), free_port()
    url = f"http://127.0.0.1:{ops}"
    proxy = ("--data", "X.csv", "--ws-port", ws, "--rest-port", rest, "--speed", "120x")
    run = ("bot", "--ws-url", f"ws://127.0.0.1:{ws}", "--rest-url", f"http://127.0.0.1:{rest}")
    run = (*run, "--mode", "live", "--ops-port", ops)  # type: ignore[assignment]
    with ExitStack() as stack:
        exchange = stack.enter_context(process(tmp_path, "proxy", *proxy))
        bot = stack.enter_context(process(tmp_path, "run", *run))
        wait_for("ready at first", lambda: readiness(url)[0] == 200)
        assert call("run", "--healthcheck", "--ops-port", ops, cwd=tmp_path).returncode == 0
        wait_for("candles", lambda: metric(url, "strategy_last_event_timestamp_seconds") > 0)
        assert metric(url, "strategy_reconnects_total") == 0

        exchange.kill()
        exchange.wait()
        wait_for("unready without a proxy", lambda: readiness(url)[0] == 503)
        code, said = readiness(url)
        assert (code, said["checks"]["connected"], said["checks"]["loop_turns"]) == (
            503,
            False,
            True,
        )
        assert call("run", "--healthcheck", "--ops-port", ops, cwd=tmp_path).returncode == 1
        assert ask(url + "/livez")[0] == 200
        assert metric(url, "strategy_connected") == 0

        stack.enter_context(process(tmp_path, "proxy", *proxy))
        wait_for("ready again", lambda: readiness(url)[0] == 200)
        assert metric(url, "strategy_reconnects_total") >= 1
        assert bot.poll() is None

        bot.kill()
        bot.wait()
        # As a supervisor does.
        stack.enter_context(process(tmp_path, "run", *run))
        wait_for("ready after a restart", lambda: readiness(url)[0] == 200)
        assert metric(url, "strategy_reconnects_total") == 0
