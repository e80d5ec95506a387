"""Ending a backtest by signals, whatever its hooks are doing."""

import os
import signal
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.cli.support import (
    PRICES,
    call,
    command,
    environment,
    insist,
    interrupt,
    line_of,
    started,
)

ENDLESS = """
import sys
from strategy_runtime import Strategy

class Endless(Strategy):
    async def on_candle(self, candle):
        if candle.close == 110:
            print("ready", file=sys.stderr, flush=True)
            import asyncio
            await asyncio.sleep(3600)
"""

BUSY = ENDLESS.replace("import asyncio", "while True: pass").replace(
    "            await asyncio.sleep(3600)\n", ""
)


def replaying(folder: Path, bot: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """Start a backtest of a strategy with this source."""
    (folder / "bot.py").write_text(bot)
    (folder / "prices.csv").write_text(PRICES)
    return started("backtest", "bot", "--data", "prices.csv", cwd=folder)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_what_there_is_is_shown(
    tmp_path: Path, number: int, code: int
) -> None:
    with replaying(tmp_path, ENDLESS) as process:
        line_of(process.stderr, "ready")
        interrupt(process, number)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Stopped before the end of the data, at 2024-03-06T00:00:00Z." in out
    assert not (tmp_path / "results").exists()


def test_a_signal_ends_the_run_in_good_order_where_no_thread_can_be_started(tmp_path: Path) -> None:
    # No system has room for such a stack; the error is the same at a container's process limit.
    with replaying(
        tmp_path, f"import threading\nthreading.stack_size(2**47)\n{ENDLESS}"
    ) as process:
        line_of(process.stderr, "ready")
        interrupt(process, signal.SIGTERM)
        out, said = process.communicate(timeout=30)
    assert process.returncode == 143, said
    assert "Traceback" not in said
    assert "Stopped before the end of the data, at 2024-03-06T00:00:00Z." in out


def test_a_second_signal_ends_even_a_busy_hook(tmp_path: Path) -> None:
    with replaying(tmp_path, BUSY) as process:
        line_of(process.stderr, "ready")
        interrupt(process)
        line_of(process.stderr, "stopping")
        insist(process)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "ended at once by a second signal" in said


def test_the_deadline_ends_a_busy_hook(tmp_path: Path) -> None:
    with replaying(tmp_path, BUSY) as process:
        line_of(process.stderr, "ready")
        interrupt(process, signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 143
    assert said.endswith("did not stop within 7.5 s of SIGTERM; ended\n")
    assert f'it was busy at\n  File "{tmp_path / "bot.py"}", line ' in said
    assert "in on_candle\n    while True: pass" in said


LEFT_BEHIND = """
import asyncio
import os
import threading
from strategy_runtime import Strategy


def wait():
    threading.Event().wait()


class LeftBehind(Strategy):
    async def on_candle(self, candle):
        print("ready", flush=True)
        {work}

    def on_stop(self):
        print("on_stop was called", flush=True)
"""
IN_A_POOL = LEFT_BEHIND.format(work="await asyncio.to_thread(wait)")
ON_ITS_OWN = LEFT_BEHIND.format(
    work="threading.Thread(target=wait).start(), os.kill(os.getpid(), 2)"
)


def test_a_thread_of_a_pool_that_goes_on_is_ended_at_the_deadline(tmp_path: Path) -> None:
    with replaying(tmp_path, IN_A_POOL) as process:
        line_of(process.stdout, "ready")
        interrupt(process, signal.SIGTERM)
        printed, said = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "on_stop was called" in printed
    assert said.endswith("did not stop within 7.5 s of SIGTERM; ended\n")
    assert said.count("was busy at") == 1
    assert f'the thread asyncio_0 was busy at\n  File "{tmp_path / "bot.py"}", line ' in said
    assert "in wait\n    threading.Event().wait()" in said


def test_a_thread_that_outlives_the_results_is_ended_by_a_second_signal(tmp_path: Path) -> None:
    with replaying(tmp_path, ON_ITS_OWN) as process:
        line_of(process.stdout, "Stopped before the end of the data")
        insist(process)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.endswith("ended at once by a second signal\n")
    assert "Traceback" not in said


SIGNALLED = """
import os
import signal
from strategy_runtime import Strategy


class Signalled(Strategy):
    count = 0

    {hook}
        self.count += 1
        if self.count == 3:
            os.kill(os.getpid(), signal.SIGINT)
            self.buy("prices", 1)

    def on_error(self, error):
        print(error)

    def on_stop(self):
        print(f"stopped at {{self.count}}")
"""
QUOTES = "timestamp,bid,ask\n" + "".join(
    f"2024-03-04T00:00:{second:02},10,11\n" for second in range(60)
)
HOOKS = [
    "def on_candle(self, candle):",
    "async def on_candle(self, candle):",
    "def on_event(self, event):",
    "def on_quote(self, quote):",
]


@pytest.mark.parametrize("hook", HOOKS)
def test_no_event_follows_the_one_in_whose_hook_the_signal_came(tmp_path: Path, hook: str) -> None:
    (tmp_path / "bot.py").write_text(SIGNALLED.format(hook=hook))
    (tmp_path / "prices.csv").write_text(QUOTES if "quote" in hook else PRICES)
    done = call("backtest", "bot", "--data", "prices.csv", cwd=tmp_path)
    assert done.returncode == 130
    assert done.stdout.startswith("stopped at 3\n")
    assert "Stopped before the end of the data" in done.stdout
    assert "stopping; a second signal ends at once" in done.stderr


def test_a_signal_at_the_very_end_cuts_nothing_short(tmp_path: Path) -> None:
    at_the_end = SIGNALLED.format(hook="def on_complete(self, event):")
    (tmp_path / "bot.py").write_text(at_the_end.replace("== 3", "== 1"))
    (tmp_path / "prices.csv").write_text(PRICES)
    done = call("backtest", "bot", "--data", "prices.csv", cwd=tmp_path)
    assert done.returncode == 0
    assert "Stopped before the end of the data" not in done.stdout


AS_PROCESS_1 = ["unshare", "--map-root-user", "--pid", "--fork", "--kill-child"]
CONTAINS = not subprocess.call(["sh", "-c", f"{' '.join(AS_PROCESS_1)} true 2>/dev/null"])


@pytest.mark.skipif(not CONTAINS, reason="processes cannot be given a tree of their own here")
@pytest.mark.parametrize("name", ["backtest", "run"])
def test_process_1_is_ended_before_its_run_has_begun(tmp_path: Path, name: str) -> None:
    (tmp_path / "bot.py").write_text("print('importing', flush=True)\nwhile True: pass\n")
    with subprocess.Popen(
        [*AS_PROCESS_1, *command(name, "bot:Bot")],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        line_of(process.stdout, "importing")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        try:
            assert process.wait(timeout=30) == 143
        finally:
            process.kill()
