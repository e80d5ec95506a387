"""Finding columns by their names."""

from pathlib import Path

import pytest

from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.columns import Kind, Layout, Part, find_layout, padded_names
from strategy_runtime.simulator.data.load import load_bars


def bars(
    timestamp: int,
    *prices: int,
    volume: int | None = None,
    symbol: int | None = None,
    time: int | None = None,
) -> Layout:
    return Layout(timestamp, time, symbol, (Part(Kind.BARS, (*prices, volume)),))


def ticks(
    timestamp: int,
    *,
    quotes: tuple[int, int] | None = None,
    trades: tuple[int, int | None] | None = None,
    symbol: int | None = None,
    time: int | None = None,
) -> Layout:
    parts = [
        Part(kind, positions)
        for kind, positions in ((Kind.QUOTES, quotes), (Kind.TICKS, trades))
        if positions is not None
    ]
    return Layout(timestamp, time, symbol, tuple(parts))


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("timestamp,open,high,low,close,volume", bars(0, 1, 2, 3, 4, volume=5)),
        ("Date,Open,High,Low,Close,Adj Close,Volume", bars(0, 1, 2, 3, 4, volume=6)),
        ("Date,Close/Last,Volume,Open,High,Low", bars(0, 3, 4, 5, 1, volume=2)),
        ("t,o,h,l,c", bars(0, 1, 2, 3, 4)),
        (",Open,High,Low,Close,Volume", bars(0, 1, 2, 3, 4, volume=5)),
        ("Unnamed: 0,Open,High,Low,Close", bars(0, 1, 2, 3, 4)),
        ("index,Open,High,Low,Close", bars(0, 1, 2, 3, 4)),
        ("Date,Open,High,Low,Close,", bars(0, 1, 2, 3, 4)),
        ("Open,High,Low,Close,__index_level_0__,Date", bars(5, 0, 1, 2, 3)),
        ("Open,High,Low,Close,__index_level_0__", bars(4, 0, 1, 2, 3)),
        (
            "ticker,volume,open,close,high,low,window_start,transactions",
            bars(6, 2, 4, 5, 3, volume=1, symbol=0),
        ),
        ("Date,Time,Open,High,Low,Close,Vol", bars(0, 2, 3, 4, 5, volume=6, time=1)),
        (
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
            bars(2, 4, 5, 6, 7, volume=8, symbol=0, time=3),
        ),
        (
            "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD",
            bars(1, 3, 4, 5, 6, volume=7, symbol=2),
        ),
        ("unix,open,high,low,close,Volume_(BTC),Volume_(Currency)", bars(0, 1, 2, 3, 4, volume=5)),
        (
            "Open time,Open,High,Low,Close,Volume,Close time,Number of trades",
            bars(0, 1, 2, 3, 4, volume=5),
        ),
        ('\ufeff"Code", TIMESTAMP ,open,high,low,close', bars(1, 2, 3, 4, 5, symbol=0)),
        ("startTime,openPrice,highPrice,lowPrice,closePrice,volume", bars(0, 1, 2, 3, 4, volume=5)),
        ("date,open,high,low,close,volume,Name", bars(0, 1, 2, 3, 4, volume=5, symbol=6)),
        ("ts_code,trade_date,open,high,low,close,vol", bars(1, 2, 3, 4, 5, volume=6, symbol=0)),
        ("Symbol,Date,Open,High,Low,Close,Name", bars(1, 2, 3, 4, 5, symbol=0)),
        (
            "time_period_start;time_open;price_open;price_high;price_low;price_close;volume_traded",
            bars(0, 2, 3, 4, 5, volume=6),
        ),
        ("Date,PX_OPEN,PX_HIGH,PX_LOW,PX_LAST,PX_VOLUME", bars(0, 1, 2, 3, 4, volume=5)),
        ("date,1. open,2. high,3. low,4. close,5. volume", bars(0, 1, 2, 3, 4, volume=5)),
        ("Ticker,Date/Time,Open,High,Low,Close", bars(1, 2, 3, 4, 5, symbol=0)),
        ("<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>", bars(0, 2, 3, 4, 5, time=1)),
        ("timestamp,open,high,low,close,timeOpen,timeClose", bars(5, 1, 2, 3, 4)),
    ],
)
def test_the_columns_of_bars_are_found_in_many_spellings(header: str, columns: Layout) -> None:
    assert find_layout(header.replace(";", ",").split(","), "x.csv") == columns


def test_adjusted_closes_are_never_taken_for_closes() -> None:
    with pytest.raises(DataError, match="no column for close; the header has Date, Open, High,"):
        find_layout("Date,Open,High,Low,Adj Close,Volume".split(","), "x.csv")


def test_a_missing_column_names_what_is_there_and_what_to_do() -> None:
    with pytest.raises(DataError) as error:
        find_layout(["when", "open", "high", "low", "last"], "x.csv")
    assert str(error.value) == (
        "x.csv: no column for timestamp; the header has when, open, high, low, last; "
        "say what its columns are, from left to right: "
        "--columns timestamp,open,high,low,close,volume"
    )


@pytest.mark.parametrize("header", ["when,bid,ask", "when,price,size"])
def test_of_quotes_and_trades_no_bars_are_demanded(header: str) -> None:
    with pytest.raises(DataError) as error:
        find_layout(header.split(","), "x.csv")
    assert str(error.value).startswith("x.csv: no column for timestamp; the header has when, ")
    assert "quotes have" not in str(error.value)


def test_closes_alone_can_be_read_like_trades(tmp_path: Path) -> None:
    (tmp_path / "X.csv").write_text(
        "Date,Close,Vol.\n2024-01-01,5,2\n2024-01-02,6,2\n2024-01-03,7,2\n"
    )
    with pytest.raises(DataError) as error:
        load_bars([tmp_path / "X.csv"])
    told = "--columns date,price,vol and --timeframe 1d"
    assert str(error.value) == (
        f"{tmp_path / 'X.csv'}: no column for open, high, low; the header has Date, "
        f"Close, Vol.; closes alone can be read like trades, of which candles are made: {told}"
    )
    columns, timeframe = told.split()[1].split(","), told.split()[-1]
    (trades,) = load_bars([tmp_path / "X.csv"], columns=columns, timeframe=timeframe).ticks
    assert (list(trades.bids), list(trades.sizes)) == ([5, 6, 7], [2, 2, 2])


def test_a_header_without_end_is_not_shown_to_its_end() -> None:
    with pytest.raises(DataError) as error:
        find_layout(["x" * 100_000], "x.csv")
    assert len(str(error.value)) < 1000


def test_two_columns_of_one_name_are_refused() -> None:
    header = ["date", "open", "high", "low", "Close Price", "close_price"]
    with pytest.raises(DataError, match=r"x\.csv: two columns are named Close Price; rename or"):
        find_layout(header, "x.csv")


@pytest.mark.parametrize("row", ["2024-01-02,1,2,3,4,5", "AAPL,1704205800,1,2,3,4"])
def test_a_file_without_a_header_is_told_the_option(row: str) -> None:
    with pytest.raises(DataError) as error:
        find_layout(row.split(","), "x.csv")
    assert str(error.value) == (
        f"x.csv has no header: it begins with {row.replace(',', ', ')}; say what its columns are, "
        "from left to right: --columns timestamp,open,high,low,close,volume; quotes have bid and "
        "ask instead, trades a price"
    )


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("symbol,timestamp,bid,ask", ticks(1, quotes=(2, 3), symbol=0)),
        ("Date,Time,Bid Price,Ask Price", ticks(0, quotes=(2, 3), time=1)),
        ("DATE,TIME_M,EX,SYM_ROOT,SIZE,PRICE", ticks(0, trades=(5, 4), time=1)),
        ("ts,best_ask,best_bid", ticks(0, quotes=(2, 1))),
        ("timestamp,askPrice,bidPrice,askVolume,bidVolume", ticks(0, quotes=(2, 1))),
        (
            "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,event_time",
            ticks(5, quotes=(1, 3)),
        ),
        ("symbol,timestamp,price,size", ticks(1, trades=(2, 3), symbol=0)),
        ("Time,Price,Quantity,Side", ticks(0, trades=(1, 2))),
        ("timestamp,price", ticks(0, trades=(1, None))),
        ("agg_trade_id,price,quantity,transact_time", ticks(3, trades=(1, 2))),
        ("recv_ns,kind,bid,bid_qty,ask,ask_qty,price,qty", ticks(0, quotes=(2, 4), trades=(6, 7))),
        ("timestamp,open,high,low,close,bid,ask", bars(0, 1, 2, 3, 4)),
        ("timestamp,open,high,low,close,price", bars(0, 1, 2, 3, 4)),
    ],
)
def test_files_without_opens_have_quotes_or_trades(header: str, columns: Layout) -> None:
    assert find_layout(header.split(","), "x.csv") == columns


def test_bid_without_ask_is_no_quote() -> None:
    with pytest.raises(DataError) as error:
        find_layout(["timestamp", "bid"], "x.csv")
    assert "no column for open, high, low, close; the header has time" in str(error.value)
    assert str(error.value).endswith("; quotes have bid and ask instead, trades a price")


def test_columns_behind_those_that_were_given_are_not_listed_as_blanks() -> None:
    given = padded_names(["timestamp", "open", "high", "low"], 9, "x.csv")
    with pytest.raises(DataError, match="; the header has timestamp, open, high, low; say what"):
        find_layout(given, "x.csv")


BOOK = "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side"


@pytest.mark.parametrize(
    ("header", "telling"),
    [
        (f"{BOOK},price,size,channel_id,order_id,flags,ts_in_delta,sequence,symbol", "order_id"),
        (f"{BOOK},depth,price,size,flags,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00", "bid_px_00"),
        ("ts_recv,ts_event,rtype,side,price,size,flags,bid_px_00,ask_px_00", "bid_px_00"),
    ],
)
def test_the_events_of_an_order_book_are_not_taken_for_trades(header: str, telling: str) -> None:
    with pytest.raises(DataError) as caught:
        find_layout(header.split(","), "mbo.csv line 1")
    assert str(caught.value) == (
        f"mbo.csv line 1: the column {telling} is one of an order book's events, most of which "
        "are no trades; give trades, quotes or bars of the same market instead"
    )


def test_trades_may_say_that_they_are() -> None:
    header = f"{BOOK},depth,price,size,flags,ts_in_delta,sequence,symbol".split(",")
    assert find_layout(header, "trades.csv").parts == (Part(Kind.TICKS, (8, 9)),)
