"""Recordings as market data: the candles and quotes that a proxy sent."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strategy_runtime.clock import ns_of, rfc3339
from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.load import LoadedData, load_bars
from tests.simulator.data.support import MINUTE, only

START = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


def at(minute: int) -> str:
    return rfc3339(ns_of(START + timedelta(minutes=minute)))


def candle(minute: int, close: float, symbol: str = "S:X", timeframe: str = "1m") -> dict[str, Any]:
    bar = {"symbol": symbol, "provider": "p", "timeframe": timeframe, "timestamp": at(minute)}
    bar |= {"open": "10", "high": "20", "low": "5", "close": str(close), "volume": "100"}
    return {"type": "candle", "event_id": f"{symbol}-{minute}", "bar": bar, "timestamp": at(minute)}


def quote(minute: int, bid: float, **fields: str) -> dict[str, Any]:
    inside = {"symbol": "S:X", "provider": "p", "bid": str(bid), "ask": str(bid + 1), **fields}
    return {"type": "quote", "quote": inside, "timestamp": at(minute)}


def recorded(folder: Path, *messages: object, **options: Any) -> LoadedData:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in messages]
    path = folder / "session.jsonl"
    path.write_text("".join(line + "\n" for line in lines))
    return load_bars([path], **options)


def test_candles_by_symbol_and_quotes(tmp_path: Path) -> None:
    data = recorded(
        tmp_path,
        {"type": "connection", "timestamp": at(0), "event": "CONNECTED"},
        candle(0, 11),
        candle(0, 7, "C:Y"),
        quote(0, 9.5, timestamp=at(0)),
        {"type": "ping", "timestamp": at(1)},
        candle(1, 12),
        quote(2, 9.75),
        {"type": "from the future", "timestamp": at(1)},
        candle(1, 8, "C:Y"),
    )
    x, y = data.series
    assert (x.symbol, x.timeframe, x.step) == ("S:X", "1m", MINUTE)
    assert (list(x.closes), list(x.volumes), list(x.marks)) == ([11, 12], [100, 100], [2, 6])
    assert (y.symbol, list(y.closes)) == ("C:Y", [7, 8])
    assert x.starts[0] == ns_of(START)
    (quotes,) = data.quotes
    assert (list(quotes.bids), list(quotes.asks)) == ([9.5, 9.75], [10.5, 10.75])
    assert list(quotes.stamps) == [ns_of(START), ns_of(START + timedelta(minutes=2))]
    assert data.faults == []


def test_candles_are_as_long_as_they_say_however_rare_they_are(tmp_path: Path) -> None:
    messages = [candle(minute, 11) for minute in (0, 5, 10, 15, 20)]
    assert only(recorded(tmp_path, *messages)).timeframe == "1m"
    assert only(recorded(tmp_path, candle(0, 11, timeframe="1h"))).timeframe == "1h"
    assert only(recorded(tmp_path, *messages, timeframe="5m")).timeframe == "1m"


@pytest.mark.parametrize("message", [candle(1, 11), quote(1, 11)], ids=["candle", "quote"])
def test_a_time_that_no_market_had_is_a_fault(tmp_path: Path, message: dict[str, Any]) -> None:
    far = json.dumps(message).replace("2024-01-02", "6024-01-02")
    data = recorded(tmp_path, *(candle(minute, 11) for minute in range(10)), far)
    assert len(only(data)) == 10
    (fault,) = data.faults
    assert str(fault).endswith(
        "line 11: unreadable line: 6024-01-02 is not within the years 1678 to 2261"
    )


def test_a_quote_without_a_time_is_a_fault(tmp_path: Path) -> None:
    timeless = quote(1, 11)
    del timeless["timestamp"]
    data = recorded(tmp_path, quote(0, 11), timeless)
    assert len(data.quotes[0]) == 1
    assert str(data.faults[0]).endswith("line 2: unreadable line: the quote has no time")


def test_bars_of_one_length_are_one_series_whatever_it_is_called(tmp_path: Path) -> None:
    messages = [candle(60 * hour, 11, timeframe=("1h", "60m")[hour % 2]) for hour in range(4)]
    series = only(recorded(tmp_path, *messages))
    assert (series.timeframe, len(series)) == ("1h", 4)


def test_several_timeframes_of_a_symbol(tmp_path: Path) -> None:
    fine = [candle(minute, 11) for minute in range(10)]
    data = recorded(tmp_path, *fine, candle(0, 12, timeframe="5m"), candle(5, 13, timeframe="5m"))
    assert {each.timeframe: len(each) for each in data.series} == {"1m": 10, "5m": 2}


@pytest.mark.parametrize("timeframe", [None, "1m"])
def test_hours_that_keep_to_a_session_stay_hours(tmp_path: Path, timeframe: str | None) -> None:
    messages = [candle(minute, 11) for minute in range(10)]
    messages += [candle(minute, 12, timeframe="1h") for minute in (0, 90, 150, 210)]
    data = recorded(tmp_path, *messages, timeframe=timeframe)
    assert {each.timeframe: len(each) for each in data.series} == {"1m": 10, "1h": 4}


@pytest.mark.parametrize("minutes", [(0,), (0, 15, 30)])
def test_coarser_candles_are_as_long_as_they_say_beside_the_finer_ones_wanted(
    tmp_path: Path, minutes: tuple[int, ...]
) -> None:
    messages = [candle(minute, 11) for minute in range(10)]
    messages += [candle(minute, 12, timeframe="5m") for minute in minutes]
    data = recorded(tmp_path, *messages, timeframe="1m")
    assert {each.timeframe: len(each) for each in data.series} == {"1m": 10, "5m": len(minutes)}
    with pytest.raises(DataError, match="of S:X are months apart, and months differ in length"):
        recorded(tmp_path, *messages, candle(0, 13, timeframe="1M"), timeframe="1m")


@pytest.mark.parametrize(
    ("timeframe", "wanted", "said"),
    [
        ("5m", "1m", "the bars of S:X are 5m, of which no candles of 1m can be made"),
        ("1M", None, "the bars of S:X are months apart, and months differ in length"),
    ],
)
def test_candles_that_do_not_fit(
    timeframe: str, wanted: str | None, said: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"session\.jsonl: " + said):
        recorded(tmp_path, candle(0, 11, timeframe=timeframe), timeframe=wanted)


def test_one_symbol_alone(tmp_path: Path) -> None:
    data = recorded(tmp_path, candle(0, 11), candle(0, 7, "C:Y"), symbol="C:Y")
    assert only(data).symbol == "C:Y"
    with pytest.raises(DataError, match=r"no bars of C:Z in .*; they have S:X, C:Y$"):
        recorded(tmp_path, candle(0, 11), candle(0, 7, "C:Y"), symbol="C:Z")


def test_faults_have_their_lines(tmp_path: Path) -> None:
    messages = candle(0, 11), '{"type":"candle","ba', candle(1, 99), candle(1, 12), candle(1, 13)
    path = tmp_path / "session.jsonl"
    torn, impossible, again = recorded(tmp_path, *messages).faults
    assert str(torn).startswith(f"{path} line 2: unreadable line: ")
    assert str(impossible).startswith(f"{path} line 3: impossible row of S:X: ")
    assert str(again).startswith(f"{path} line 5: duplicate row of S:X: ")
    with pytest.raises(DataError, match=r"3 faults in the data \(strict\)"):
        recorded(tmp_path, *messages, strict=True)


def test_a_compressed_one(tmp_path: Path) -> None:
    text = "".join(json.dumps(candle(minute, 11)) + "\n" for minute in range(3))
    path = tmp_path / "session.jsonl.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert len(only(load_bars([path]))) == 3
    path.write_bytes(gzip.compress(text.encode())[:-12])
    with pytest.raises(DataError, match=r"session\.jsonl\.gz cannot be read"):
        load_bars([path])


@pytest.mark.parametrize("text", ["", "time,open\n1,2\n", "\n\n"])
def test_something_else(text: str, tmp_path: Path) -> None:
    path = tmp_path / "intents.jsonl"
    path.write_text(text)
    with pytest.raises(DataError) as refused:
        load_bars([path])
    assert str(refused.value) == (
        f"{path} is no recording of `strategy-run --record`; other data are read from CSV or "
        "Parquet"
    )


def test_one_without_candles_has_no_bars(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no bars in "):
        recorded(tmp_path, {"type": "ping", "timestamp": at(1)})
