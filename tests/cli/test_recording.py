"""A session that is recorded, and replayed."""

from pathlib import Path

import pytest

from tests.cli.support import call, interrupt, proxy, started

BOT = """
from strategy_runtime import Candle, Strategy, crossed_above, crossed_below


class Bot(Strategy):
    def on_start(self) -> None:
        self.fast, self.slow = self.sma(3), self.sma(8)

    def on_candle(self, candle: Candle) -> None:
        symbol = candle.symbol
        if crossed_above(self.fast[symbol], self.slow[symbol]):
            self.buy(symbol, 10)
        elif crossed_below(self.fast[symbol], self.slow[symbol]) and self.position(symbol).is_long:
            self.close(symbol)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bot.py").write_text(BOT)
    return tmp_path


def replayed(folder: Path) -> str:
    """The fills of the recorded candles."""
    replay = "--data=session.jsonl", "--fills=replayed.csv"
    done = call("backtest", "bot:Bot", *replay, cwd=folder)
    assert done.returncode == 0, done.stderr
    return (folder / "replayed.csv").read_text()


def test_a_session_replays_to_the_same_fills(folder: Path) -> None:
    with proxy("--demo", "--fills=traded.csv", "--linger=0", cwd=folder) as (server, urls):
        done = call("run", "bot:Bot", *urls, "--record=session.jsonl", cwd=folder)
        assert done.returncode == 0, done.stderr
        server.communicate(timeout=30)
    traded = (folder / "traded.csv").read_text()
    assert traded.count("\n") > 20
    assert replayed(folder) == traded


def test_a_live_session_is_recorded_to_its_end(folder: Path) -> None:
    live = "--mode=live", "--state-dir=none", "--record=session.jsonl"
    with (
        proxy("--demo", "--fills=traded.csv", "--linger=0", cwd=folder) as (server, urls),
        started("run", "bot:Bot", *urls, *live, cwd=folder) as process,
    ):
        server.communicate(timeout=30)
        interrupt(process)
        process.communicate(timeout=30)
        assert process.returncode == 0
    done = call("backtest", "bot:Bot", "--demo", "--fills=demo.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert replayed(folder) == (folder / "demo.csv").read_text()


def test_a_name_that_is_not_known_again_is_refused(folder: Path) -> None:
    done = call("run", "bot:Bot", cwd=folder, env={"STRATEGY_RECORD": "session.csv"})
    assert done.returncode == 2
    assert (
        "Error: STRATEGY_RECORD: 'session.csv' does not end in .jsonl, by which strategy-backtest "
        "--data knows a recording\n"
    ) in done.stderr


def test_a_file_that_cannot_be_written_is_refused(folder: Path) -> None:
    done = call("run", "bot:Bot", "--record=none/session.jsonl", cwd=folder)
    assert done.returncode == 2
    assert (
        "Error: --record: none/session.jsonl cannot be written: No such file or directory\n"
        in done.stderr
    )
