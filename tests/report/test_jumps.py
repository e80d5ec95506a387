"""Jumps that look like a split nobody announced, whether or not a position was held over them."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strategy_runtime import Candle, Strategy
from strategy_runtime.backtesting import backtest, read_data
from strategy_runtime.simulator.data.load import LoadedData
from strategy_runtime.simulator.data.series import BarSeries

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MONDAY = datetime(2024, 1, 8, tzinfo=UTC)


class Idle(Strategy):
    def on_candle(self, candle: Candle) -> None:
        pass


class Holder(Strategy):
    def on_candle(self, candle: Candle) -> None:
        if self.position(candle.symbol).is_flat:
            self.buy(candle.symbol, 1)


def bars(*prices: tuple[datetime, float], step: timedelta = DAY, symbol: str = "S:A") -> BarSeries:
    """Bars whose prices are all one."""
    name = {DAY: "1d", HOUR: "1h"}[step]
    series = BarSeries(symbol, name, int(step.total_seconds()) * 10**9)
    for start, price in prices:
        series.append(int(start.timestamp()) * 10**9, price, price, price, price, 1.0)
    return series


def days(*prices: float, symbol: str = "S:A") -> BarSeries:
    return bars(*((MONDAY + DAY * day, each) for day, each in enumerate(prices)), symbol=symbol)


def warnings(
    *series: BarSeries,
    strategy: Strategy | None = None,
    splits: tuple[str, ...] = (),
    subscriptions: str = "",
) -> list[str]:
    results = backtest(
        strategy or Idle(),
        LoadedData([*series], [], [], []),
        subscriptions=subscriptions,
        splits=[*splits],
    )
    return results.summary.warnings


def test_a_suspected_split_is_in_the_result_though_nothing_was_held(tmp_path: Path) -> None:
    rows = ["2024-01-08,9,9,9,9", "2024-01-09,9,9,9,9", "2024-01-10,3,3,3,3"]
    (tmp_path / "prices.csv").write_text("\n".join(["date,open,high,low,close", *rows]))
    file = tmp_path / "prices.csv"
    assert backtest(Idle(), str(file)).summary.warnings == [
        "prices went from 9 to 3 overnight: it looks like a 3:1 split at 2024-01-10T00:00:00Z that "
        f"the prices are not adjusted for, {file} line 4; the run takes it for a real move: use "
        "adjusted prices"
    ]
    assert backtest(Idle(), read_data(file, end="2024-01-10")).summary.warnings == []


class Watcher(Strategy):
    def on_event(self, event: object) -> None:
        pass


@pytest.mark.parametrize(("columns", "is_suspected"), [("price", True), ("bid,ask", False)])
def test_trades_are_looked_at_like_bars_and_quotes_are_not(
    tmp_path: Path, columns: str, is_suspected: bool
) -> None:
    number = len(columns.split(","))
    rows = ["2024-01-08" + ",9" * number, "2024-01-09" + ",3" * number]
    (tmp_path / "X.csv").write_text("\n".join([f"date,{columns}", *rows]))
    warnings = backtest(Watcher(), str(tmp_path / "X.csv")).summary.warnings
    assert len(warnings) == is_suspected


def test_each_jump_is_told_once() -> None:
    (warning,) = warnings(days(9, 9, 9, 3), strategy=Holder())
    assert "with a position open" in warning


def test_a_split_that_was_announced_is_no_suspicion() -> None:
    jump = days(9, 9, 3, 3)
    assert warnings(jump, splits=("S:A 3:1 2024-01-10",)) == []
    assert len(warnings(jump, splits=("S:A 3:1 2024-01-11",))) == 1
    other = days(9, 9, 9, 9, symbol="S:B")
    assert len(warnings(jump, other, splits=("S:B 3:1 2024-01-10",))) == 1


def test_of_many_jumps_the_first_are_told_and_the_rest_are_counted() -> None:
    found = warnings(days(4, 2, 1, 2, 4, 8))
    assert len(found) == 4
    assert found[-1] == "2 more jumps of prices look like splits"
    found = warnings(days(4, 2, 1, 2))
    assert len(found) == 3
    assert "more jumps" not in found[-1]


def test_symbols_that_were_not_sent_and_bars_that_were_not_reached_are_left_out() -> None:
    both = days(9, 9, 9), days(9, 9, 3, symbol="S:B")
    assert len(warnings(*both)) == 1
    assert warnings(*both, subscriptions="S:A:candle_1d") == []

    class Quitter(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.quit("enough")

    assert warnings(days(9, 9, 3), strategy=Quitter()) == []


@pytest.mark.parametrize(
    ("hours", "is_suspected"), [((0, 1, 2, 17, 18), True), ((0, 1, 2, 4, 5), False)]
)
def test_bars_shorter_than_a_day_jump_over_a_night(
    hours: tuple[int, ...], is_suspected: bool
) -> None:
    """A night need not be around midnight in UTC, and a break at noon is none."""
    starts = (MONDAY + HOUR * hour for hour in hours)
    night = bars(*zip(starts, (8, 8, 8, 4, 4), strict=True), step=HOUR)
    assert len(warnings(night)) == is_suspected


@pytest.mark.skipif("MARKET_DATA" not in os.environ, reason="MARKET_DATA names no folder")
def test_the_splits_of_real_stocks_are_found_and_a_real_fall_is_none() -> None:
    stocks = read_data(Path(os.environ["MARKET_DATA"]) / "stocks_1d_2000_2013.csv")
    found = backtest(Idle(), stocks).summary.warnings
    assert [(text[:4], text.partition(" at ")[2][:10]) for text in found] == [
        ("AAPL", "2000-06-21"),
        ("AAPL", "2005-02-28"),
        ("MSFT", "2003-02-18"),
    ]
