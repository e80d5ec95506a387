"""Which column is which."""

import pytest

from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.columns import (
    Columns,
    QuoteColumns,
    TickColumns,
    find_columns,
    find_quote_columns,
    find_tick_columns,
)


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("timestamp,open,high,low,close,volume", Columns(0, 1, 2, 3, 4, 5)),
        ("Date,Open,High,Low,Close,Adj Close,Volume", Columns(0, 1, 2, 3, 4, 6)),
        ("Date,Close/Last,Volume,Open,High,Low", Columns(0, 3, 4, 5, 1, 2)),
        ("t,o,h,l,c", Columns(0, 1, 2, 3, 4)),
        (",Open,High,Low,Close,Volume", Columns(0, 1, 2, 3, 4, 5)),
        ("Unnamed: 0,Open,High,Low,Close", Columns(0, 1, 2, 3, 4)),
        ("Date,Open,High,Low,Close,", Columns(0, 1, 2, 3, 4)),
        ("Open,High,Low,Close,__index_level_0__,Date", Columns(5, 0, 1, 2, 3)),
        ("Date,Time,Open,High,Low,Close,Vol", Columns(0, 2, 3, 4, 5, 6, None, 1)),
        (
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
            Columns(2, 4, 5, 6, 7, 8, 0, 3),
        ),
        (
            "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD",
            Columns(1, 3, 4, 5, 6, 7, 2),
        ),
        ("unix,open,high,low,close,Volume_(BTC),Volume_(Currency)", Columns(0, 1, 2, 3, 4, 5)),
        (
            "Open time,Open,High,Low,Close,Volume,Close time,Number of trades",
            Columns(0, 1, 2, 3, 4, 5),
        ),
        ('\ufeff"Code", TIMESTAMP ,open,high,low,close', Columns(1, 2, 3, 4, 5, None, 0)),
    ],
)
def test_spellings(header: str, columns: Columns) -> None:
    assert find_columns(header.split(","), "x.csv") == columns


def test_adjusted_closes_are_never_taken_for_closes() -> None:
    with pytest.raises(DataError, match="no column for close; the header has Date, Open, High,"):
        find_columns("Date,Open,High,Low,Adj Close,Volume".split(","), "x.csv")


def test_a_missing_column_names_what_is_there_and_what_is_understood() -> None:
    with pytest.raises(DataError) as error:
        find_columns(["when", "open", "high", "low", "last"], "x.csv")
    assert str(error.value).startswith(
        "x.csv: no column for timestamp; the header has when, open, high, low, last; "
        "timestamp may be timestamp or datetime or "
    )


def test_a_header_without_end_is_not_shown_to_its_end() -> None:
    with pytest.raises(DataError) as error:
        find_columns(["x" * 100_000], "x.csv")
    assert len(str(error.value)) < 1000


def test_two_columns_of_one_name_are_refused() -> None:
    header = ["date", "open", "high", "low", "close", "Close"]
    with pytest.raises(DataError, match=r"x\.csv: two columns are named close; rename or remove"):
        find_columns(header, "x.csv")


@pytest.mark.parametrize("row", ["2024-01-02,1,2,3,4,5", "AAPL,1704205800,1,2,3,4"])
def test_a_file_without_a_header_is_told_what_to_add(row: str) -> None:
    with pytest.raises(DataError, match="put a header before it, such as timestamp,open,high,low"):
        find_columns(row.split(","), "x.csv")


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("symbol,timestamp,bid,ask", QuoteColumns(1, 2, 3, symbol=0)),
        ("Date,Time,Bid Price,Ask Price", QuoteColumns(0, 2, 3, time=1)),
        ("ts,best_ask,best_bid", QuoteColumns(0, 2, 1)),
        ("recv_ns,kind,bid,ask,price,qty", QuoteColumns(0, 2, 3, price=4, size=5)),
        ("timestamp,open,high,low,close,bid,ask", None),
        ("timestamp,open,high,low,close", None),
        ("timestamp,bid", None),
    ],
)
def test_files_with_bid_and_ask_have_quotes(header: str, columns: QuoteColumns | None) -> None:
    assert find_quote_columns(header.split(","), "x.csv") == columns


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("timestamp,price,size", TickColumns(0, 1, 2)),
        ("Date,Time,Ticker,Price,Quantity", TickColumns(0, 3, 4, symbol=2, time=1)),
        ("ts,px", TickColumns(0, 1)),
        ("timestamp,open,high,low,close,price", None),
        ("timestamp,size", None),
    ],
)
def test_files_with_a_price_and_no_open_have_trades(
    header: str, columns: TickColumns | None
) -> None:
    assert find_tick_columns(header.split(","), "x.csv") == columns
