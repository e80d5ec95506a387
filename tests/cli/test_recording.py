"""Recording a session, and replaying it."""

import signal
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from strategy_runtime.clock import monotonic
from tests.cli.support import DEMO, call, insist, interrupt, line_of, proxy, started

STRATEGY = DEMO, "--set=fast=3", "--set=slow=8"


def replayed(tmp_path: Path) -> str:
    """The fills of the recorded candles."""
    replay = "--data=session.jsonl", "--fills=replayed.csv"
    done = call("backtest", *STRATEGY, *replay, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return (tmp_path / "replayed.csv").read_text()


def test_a_session_replays_to_the_same_fills(tmp_path: Path) -> None:
    with proxy("--demo", "--fills=traded.csv", "--linger=0", cwd=tmp_path) as (server, urls):
        done = call("run", *STRATEGY, *urls, "--record=session.jsonl", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        server.communicate(timeout=30)
    traded = (tmp_path / "traded.csv").read_text()
    assert traded.count("\n") > 20
    assert replayed(tmp_path) == traded


@pytest.mark.timeout(120)
def test_a_live_session_is_recorded_to_its_end(tmp_path: Path) -> None:
    # Nobody reads its log until the proxy has ended, and a line for each order would fill the pipe.
    quiet = "--log-level=warning"
    live = "--mode=live", "--state-dir=none", "--record=session.jsonl", quiet
    with (
        # It lingers, so that late orders are answered, too.
        proxy("--demo", "--fills=traded.csv", cwd=tmp_path) as (server, urls),
        started("run", *STRATEGY, *urls, *live, cwd=tmp_path) as process,
    ):
        server.communicate(timeout=50)
        process.communicate(timeout=50)  # which ends with the proxy's backtest
        assert process.returncode == 0
    done = call("backtest", *STRATEGY, "--demo", "--fills=demo.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert replayed(tmp_path) == (tmp_path / "demo.csv").read_text()


STUCK = """
import threading
from strategy_runtime import Candle, Strategy


class Stuck(Strategy):
    def on_candle(self, candle: Candle) -> None:
        print("stuck", flush=True)
        threading.Event().wait()
"""


def test_a_hook_that_never_returns_does_not_take_the_recording_along(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(STUCK)
    recorded = tmp_path / "session.jsonl"
    with (
        proxy("--demo", cwd=tmp_path) as (_, urls),
        started("run", "bot", *urls, "--record=session.jsonl", cwd=tmp_path) as process,
    ):
        line_of(process.stdout, "stuck")
        give_up = monotonic() + 10
        while '"candle"' not in recorded.read_text() and monotonic() < give_up:
            with suppress(TimeoutExpired):
                process.wait(0.1)
        interrupt(process, signal.SIGTERM)
        line_of(process.stderr, "second signal")
        insist(process, signal.SIGTERM)
        assert process.returncode == 143
    assert '"candle"' in recorded.read_text()


def test_a_name_that_is_not_known_again_is_refused(tmp_path: Path) -> None:
    done = call("run", *STRATEGY, cwd=tmp_path, env={"STRATEGY_RECORD": "session.csv"})
    assert done.returncode == 2
    assert (
        "Error: STRATEGY_RECORD: 'session.csv' does not end in .jsonl, by which strategy-backtest "
        "--data knows a recording\n"
    ) in done.stderr


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    done = call("run", *STRATEGY, "--record=none/session.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert (
        "Error: --record: none/session.jsonl cannot be written: No such file or directory\n"
        in done.stderr
    )
