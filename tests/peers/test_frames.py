"""Data frames of pandas in common shapes, and data frames made of results."""

from math import nan
from pathlib import Path
from typing import Any, get_args

import pytest

from strategy_runtime.backtesting import backtest, read_data, write_results
from strategy_runtime.demo import PRICES
from strategy_runtime.demo.strategy import SmaCross
from strategy_runtime.report.results import TableName

pandas: Any = pytest.importorskip("pandas", reason="pandas is not installed")

OPENS, CLOSES = [10.0, 11.0, 12.0], [11.0, 12.0, 13.0]


def frame(zone: str | None = None) -> Any:
    times = pandas.date_range("2024-03-04", periods=3, freq="1D", tz=zone)
    prices = {"Open": OPENS, "High": CLOSES, "Low": OPENS, "Close": CLOSES, "Volume": [1, 2, 3]}
    return pandas.DataFrame(prices, index=times)


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
@pytest.mark.parametrize("name", [None, "Date", "index"])
def test_times_may_be_the_index(zone: str | None, name: str | None) -> None:
    given = frame(zone)
    given.index.name = name
    (series,) = read_data({"AAPL": given}).series
    assert (series.symbol, list(series.opens), list(series.closes)) == ("AAPL", OPENS, CLOSES)
    assert list(series.starts) == [int(each.value) for each in given.index]


def test_times_may_be_a_column() -> None:
    given = frame().rename_axis("Date").reset_index()
    (series,) = read_data(given, symbol="AAPL").series
    assert list(series.closes) == CLOSES


def test_periods_are_known_by_their_beginnings() -> None:
    given = frame()
    (series,) = read_data({"AAPL": given.to_period("D")}).series
    assert list(series.starts) == [int(each.value) for each in given.index]


def test_a_column_alone_is_refused() -> None:
    with pytest.raises(TypeError, match=r"takes paths and data frames, .* and no Series$"):
        read_data(frame()["Close"])
    with pytest.raises(TypeError, match=r"takes paths and data frames, .* and no Series$"):
        read_data({"MSFT": frame(), "AAPL": frame()["Close"]})


def test_closes_alone_are_read_like_trades() -> None:
    wide = pandas.DataFrame({"AAPL": CLOSES, "MSFT": [nan, 5.0, 6.0]}, index=frame().index)
    parts = {name: wide[[name]] for name in wide}
    data = read_data(parts, columns=["time", "price"], timeframe="1d")
    found = {each.symbol: list(each.bids) for each in data.ticks}
    assert found == {"AAPL": CLOSES, "MSFT": [5.0, 6.0]}


@pytest.mark.parametrize("levels", [("Price", "Ticker"), ("Ticker", "Price"), (None, None)])
def test_symbols_may_stand_side_by_side(levels: tuple[str | None, str | None]) -> None:
    wide = pandas.concat({"AAPL": frame(), "MSFT": frame() * 2}, axis=1)
    if levels != ("Ticker", "Price"):
        wide = wide.swaplevel(axis=1)
    wide.columns.names = levels
    data = {each.symbol: list(each.closes) for each in read_data(wide).series}
    assert data == {"AAPL": CLOSES, "MSFT": [2 * close for close in CLOSES]}


def test_of_symbols_side_by_side_one_may_have_no_prices_where_others_have() -> None:
    """As yfinance gives those that were listed at different times."""
    late = frame().astype(float)
    late.iloc[:1] = nan
    wide = pandas.concat({"AAPL": frame(), "MSFT": late}, axis=1)
    data = read_data(wide, strict=True)
    assert {each.symbol: len(each) for each in data.series} == {
        "AAPL": len(CLOSES),
        "MSFT": len(CLOSES) - 1,
    }
    assert data.faults == []


def test_tables_make_data_frames_of_what_the_files_hold(tmp_path: Path) -> None:
    results = backtest(SmaCross(fast=5), PRICES, fee_rate=0.001)
    write_results(tmp_path, results)
    times = {"fills": ["time", "bar"], "orders": ["created", "updated"]}
    times |= {"trips": ["opened", "closed"], "equity": ["date"]}
    for name in get_args(TableName):
        frame = pandas.DataFrame(results.table(name))
        file = pandas.read_csv(tmp_path / f"{name}.csv", parse_dates=times[name])
        pandas.testing.assert_frame_equal(frame.replace("", nan), file, check_dtype=False)
        assert len(frame) > 10
    frame = pandas.DataFrame(results.table("trips"))
    profits = {each.symbol: 0.0 for each in results.trips}
    for each in results.trips:
        profits[each.symbol] += float(each.profit)
    assert frame.groupby("symbol").profit.sum().to_dict() == pytest.approx(profits)
