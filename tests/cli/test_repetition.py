"""A log of a backtest in which the same goes wrong again and again: real processes."""

from pathlib import Path

from tests.cli.support import call

STUBBORN = """
from strategy_runtime import Strategy


class Stubborn(Strategy):
    def on_candle(self, candle):
        self.buy("S:NONE", 1)
        self.buy("S:NONE" if candle.close < 300 else "S:NOTHING", 1)
        {more}
"""


def said_by(folder: Path, *arguments: str, more: str = "", **env: str) -> list[str]:
    (folder / "bot.py").write_text(STUBBORN.format(more=more))
    done = call("backtest", "bot", "--demo", "--json", *arguments, cwd=folder, env=env)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def test_twenty_lines_of_a_kind_are_enough_and_the_others_are_counted(tmp_path: Path) -> None:
    *lines, first, second, all_of_them = said_by(tmp_path)
    for symbol in ("S:NONE", "S:NOTHING"):
        assert sum(f"order refused: {symbol} " in line for line in lines) == 20
    assert len(lines) == 40
    assert first.startswith("4,")
    assert ": order refused: S:NONE Stubborn-bt-21: " in first
    assert ": order refused: S:NOTHING " in second
    counts = [int(each.split()[0].replace(",", "")) for each in (first, second)]
    assert sum(counts) + len(lines) == 2 * 2518
    assert all_of_them == "LOG_LEVEL=debug has all of them."


def test_all_of_them_are_there_where_that_is_asked_for(tmp_path: Path) -> None:
    lines = said_by(tmp_path, LOG_LEVEL="debug")
    assert sum("order refused" in line for line in lines) == 2 * 2518
    assert not any("left out" in line for line in lines)


def test_what_a_strategy_logs_is_all_there(tmp_path: Path) -> None:
    lines = said_by(tmp_path, more='self.log.warning("mine")')
    assert sum("mine" in line for line in lines) == 2518


def test_few_lines_are_left_as_they_are(tmp_path: Path) -> None:
    lines = said_by(tmp_path, "--to", "2008-01-08")
    assert sum("order refused" in line for line in lines) == len(lines) == 16


def test_many_kinds_are_summed_up(tmp_path: Path) -> None:
    more = 'self.buy("ABCDEFGHIJ"[candle.timestamp.day % 10] * 3, 1)'
    lines = said_by(tmp_path, more=more)
    assert sum("more lines like this were left out" in line for line in lines) == 5
    assert lines[-2].endswith(" lines of 7 other kinds were left out.")
