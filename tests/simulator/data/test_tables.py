"""Tables in memory are read like files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from strategy_runtime import Candle, Strategy
from strategy_runtime.backtesting import backtest, read_data
from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data import parquet_columns
from strategy_runtime.simulator.data.faults import FaultKind

START = datetime(2024, 3, 4, tzinfo=UTC)


def table(closes: list[float], **more: Any) -> pyarrow.Table:
    times = [START + timedelta(days=day) for day in range(len(closes))]
    prices = dict.fromkeys(("open", "high", "low", "close"), closes)
    return pyarrow.table({"timestamp": times, **prices, "volume": [10] * len(closes), **more})


class Buyer(Strategy):
    def on_candle(self, candle: Candle) -> None:
        if self.position(candle.symbol).is_flat:
            self.buy(candle.symbol, 1)


def test_a_table_is_read_like_the_file_it_would_be(tmp_path: Path) -> None:
    data = table([10, 11, 12])
    parquet.write_table(data, tmp_path / "AAPL.parquet")
    here, there = (
        read_data({"AAPL": data}).series[0],
        read_data(tmp_path / "AAPL.parquet").series[0],
    )
    assert (here.symbol, here.timeframe) == (there.symbol, there.timeframe) == ("AAPL", "1d")
    for one, other in zip(here.columns, there.columns, strict=True):
        assert list(one) == list(other)
    results = backtest(Buyer(), {"AAPL": data})
    assert results.summary.data[0].source == "the table of AAPL"
    assert [fill.price for fill in results.outcome.fills] == [11]


def test_tables_have_the_symbols_that_they_are_given_by() -> None:
    data = read_data(
        {"A": table([10, 11]), "B": table([20, 21])}, table([30, 31], symbol=["C", "D"])
    )
    assert [(each.symbol, each.closes[0]) for each in data.series] == [
        *(("A", 10), ("B", 20), ("C", 30), ("D", 31))
    ]


@pytest.mark.parametrize("is_category", [False, True])
def test_texts_may_be_as_those_of_polars(is_category: bool) -> None:
    column = pyarrow.array(["A", "B", "A", "B"]).cast(pyarrow.string_view())
    if is_category:
        kinds = pyarrow.array(["B", "A"]).cast(pyarrow.string_view())
        column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([1, 0, 1, 0]), kinds)
    data = read_data(table([10, 20, 11, 21], symbol=column), timeframe="1d")
    assert [(each.symbol, list(each.closes)) for each in data.series] == [
        *(("A", [10, 11]), ("B", [20, 21]))
    ]


def test_a_table_has_the_symbol_that_is_asked_for() -> None:
    assert [each.symbol for each in read_data(table([10, 11]), symbol="S:AAPL").series] == [
        "S:AAPL"
    ]


def test_a_table_without_a_symbol_is_refused_with_how_to_give_one() -> None:
    with pytest.raises(
        DataError, match=r"the table has no column .* read_data\(\{'AAPL': table\}\)"
    ):
        read_data(table([10, 11]))


def test_what_is_wrong_with_a_table_is_named_by_row() -> None:
    data = read_data({"A": table([10, 11, 12, -1, 14, 15])})
    assert [str(fault) for fault in data.faults if fault.kind is FaultKind.IMPOSSIBLE] == [
        "the table of A line 4: impossible row of A: open -1 high -1 low -1 close -1 volume 10 "
        "(prices have to be above zero)"
    ]
    with pytest.raises(DataError, match=r"^the table of A: no column for close"):
        read_data({"A": table([10, 11]).drop_columns(["close"])})


class Broken:
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        raise ValueError("nothing here")


def test_a_table_that_cannot_be_read_says_so() -> None:
    with pytest.raises(DataError, match="the table of A cannot be read: nothing here"):
        read_data({"A": Broken()})


def test_rows_are_gone_through_once_however_many_symbols_take_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used, compute = [], parquet_columns._compute

    def counted() -> Any:
        used.append(1)
        return compute()

    monkeypatch.setattr(parquet_columns, "_compute", counted)
    days, names = 3, [f"S{number}" for number in (7, *range(7), *range(8, 40))]
    rows = [(START + timedelta(days=day), name) for day in range(days) for name in names]
    closes = [float(number) for number in range(1, len(rows) + 1)]
    columns = {"timestamp": [at for at, _ in rows], "symbol": [name for _, name in rows]}
    data = read_data(table(closes, **columns))
    assert len(used) == 1
    seventh, *_ = (each for each in data.series if each.symbol == "S7")
    assert (list(seventh.closes), list(seventh.marks)) == ([1.0, 41.0, 81.0], [1, 41, 81])
    assert sum(map(len, data.series)) == len(rows)
