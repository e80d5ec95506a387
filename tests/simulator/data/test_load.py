"""Loading bars: spellings, times, faults with file and line, errors that say what to do."""

import gzip
import io
import os
from array import array
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strategy_runtime.clock import ns_of
from strategy_runtime.errors import ConfigError, DataError
from strategy_runtime.simulator.data.faults import FaultKind, summarize
from strategy_runtime.simulator.data.load import load_bars
from strategy_runtime.simulator.data.timestamps import StampReader
from tests.simulator.data.support import HEADER, MINUTE, ROWS, load, only


def test_a_plain_file(tmp_path: Path) -> None:
    series = only(load(tmp_path, HEADER + ROWS))
    assert (series.symbol, series.timeframe, series.step) == ("X", "1m", MINUTE)
    assert series.starts[0] == ns_of(datetime(2024, 1, 2, 14, 30, tzinfo=UTC))
    assert (list(series.opens), list(series.volumes)) == ([10, 10.5], [100, 200])
    assert list(series.marks) == [2, 3]


@pytest.mark.parametrize(
    "header",
    [
        "Date,Open,High,Low,Close,Volume",
        "time,o,h,l,c,v",
        "DateTime;OPEN;HIGH;LOW;CLOSE;Vol",
        "Open Time\tOpen\tHigh\tLow\tClose\tVolume",
        "\ufeffts,open_price,high_price,low_price,close_price,qty",
    ],
)
def test_usual_spellings_and_delimiters(tmp_path: Path, header: str) -> None:
    delimiter = next(each for each in ";\t," if each in header)
    text = header + "\n" + ROWS.replace(",", delimiter)
    assert list(only(load(tmp_path, text)).closes) == [10.5, 11]


def test_date_and_time_in_two_columns(tmp_path: Path) -> None:
    text = "date,time,open,high,low,close\n2024-01-02,09:30,1,1,1,1\n2024-01-02,09:31,1,1,1,1\n"
    series = only(load(tmp_path, text, tz="America/New_York"))
    assert series.starts[0] == ns_of(datetime(2024, 1, 2, 14, 30, tzinfo=UTC))
    assert list(series.volumes) == [0, 0]


@pytest.mark.parametrize(
    ("stamp", "nanoseconds"),
    [
        ("1704205800", 1_704_205_800 * 10**9),
        ("1704205800123", 1_704_205_800_123 * 10**6),
        ("1704205800123456", 1_704_205_800_123_456 * 10**3),
        ("1704205800123456789", 1_704_205_800_123_456_789),
        ("2024-01-02T14:30:00.123456789Z", 1_704_205_800_123_456_789),
        ("2024-01-02 14:30", 1_704_205_800 * 10**9),
        ("2024-01-02T09:30:00-05:00", 1_704_205_800 * 10**9),
        ("20240102 14:30:00", 1_704_205_800 * 10**9),
        ("20240102", 1_704_153_600 * 10**9),
        ("2024-01-02", 1_704_153_600 * 10**9),
    ],
)
def test_usual_stamps(tmp_path: Path, stamp: str, nanoseconds: int) -> None:
    series = only(load(tmp_path, HEADER + f"{stamp},1,1,1,1,1\n", timeframe="1m"))
    assert list(series.starts) == [nanoseconds]


@pytest.mark.parametrize(
    ("stamp", "tz", "problem"),
    [
        ("03/04/2024", None, "'03/04/2024' may mean several dates; say which with --dates"),
        ("tomorrow", None, "'tomorrow' is no time; write it as 2024-03-04T14:30:00Z"),
        ("2024-02-30", None, "'2024-02-30' is no date"),
        ("2024-01-02 25:00", None, "'2024-01-02 25:00' is no time of day"),
        ("12", None, "'12' is no time since the epoch"),
        ("2024-03-10 02:30", "America/New_York", "does not exist in America/New_York"),
        ("2024-11-03 01:30", "America/New_York", "is ambiguous in America/New_York"),
    ],
)
def test_an_unusable_stamp_names_file_line_and_column(
    tmp_path: Path, stamp: str, tz: str | None, problem: str
) -> None:
    with pytest.raises(DataError) as error:
        load(tmp_path, HEADER + f"{stamp},1,1,1,1,1\n", tz=tz)
    assert str(error.value).startswith(f"{tmp_path / 'X.csv'} line 2, column timestamp: ")
    assert problem in str(error.value)


def test_an_unknown_zone_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'Mars/Base' is no time zone; write its IANA name"):
        load(tmp_path, HEADER + ROWS, tz="Mars/Base")


@pytest.mark.parametrize("text", ["abc", "1,5", "12$", "nil", "1 000"])
def test_a_number_that_is_none_names_file_line_column_and_text(tmp_path: Path, text: str) -> None:
    row = f'2024-01-02T14:30:00Z,10,11,9,"{text}",100\n'
    with pytest.raises(DataError) as error:
        load(tmp_path, HEADER + row)
    assert f"X.csv line 2, column close: {text!r} is not a number" in str(error.value)


# Faults.


def test_faults_are_reported_with_file_and_line_and_mended(tmp_path: Path) -> None:
    rows = [
        "2024-01-02T14:30:00Z,10,11,9,10,1",
        "2024-01-02T14:32:00Z,10,11,9,10,3",
        "2024-01-02T14:31:00Z,10,11,9,10,2",
        "2024-01-02T14:31:00Z,10,11,9,10,2",
        "2024-01-02T14:31:00Z,10,11,9,10,9",
        "2024-01-02T14:33:00Z,10,9,11,10,4",
        "2024-01-02T14:34:00Z,12,11,9,10,5",
        "2024-01-02T14:35:00Z,nan,11,9,10,5",
        "2024-01-02T14:36:00Z,0,0,0,0,5",
        "2024-01-02T14:40:00Z,10,11,9,10,-2",
        "2024-01-02T14:41:00Z,10,11,9,10,6",
    ]
    data = load(tmp_path, HEADER + "\n".join(rows) + "\n")
    series = only(data)
    assert list(series.volumes) == [1, 2, 3, 6]
    assert [(fault.kind.value, fault.line) for fault in data.faults] == [
        ("out of order", 4),
        ("duplicate", 5),
        ("duplicate", 6),
        ("impossible", 7),
        ("impossible", 8),
        ("impossible", 9),
        ("impossible", 10),
        ("impossible", 11),
        ("gap", 12),
    ]
    texts = [str(fault) for fault in data.faults]
    assert texts[0].endswith(
        "X.csv line 4: out of order row of X: 2024-01-02T14:31:00Z after 2024-01-02T14:32:00Z"
    )
    assert "with the same values as line 4" in texts[1]
    assert "with other values than line 4" in texts[2]
    assert texts[3].endswith("line 7: impossible row of X: open 10 high 9 low 11 close 10 volume 4")
    assert texts[8].endswith("gap in X: 8 bars missing after 2024-01-02T14:32:00Z")
    summary = {each.kind: each.count for each in summarize(data.faults)}
    assert summary == {
        FaultKind.OUT_OF_ORDER: 1,
        FaultKind.IMPOSSIBLE: 5,
        FaultKind.DUPLICATE: 2,
        FaultKind.GAP: 1,
    }


@pytest.mark.parametrize("by", ["which", "hour"])
def test_bars_that_a_column_tells_apart_that_is_not_read(tmp_path: Path, by: str) -> None:
    rows = [f"2024-01-0{day},1,9,1,{n},1,{n}:00\n" for day in (2, 3, 4) for n in (2, 3)]
    text = HEADER.replace("\n", f",{by}\n")
    for ordered in (rows, rows[::2] + rows[1::2]):
        with pytest.raises(DataError) as error:
            load(tmp_path, text + "".join(ordered))
        assert str(error.value) == (
            f"{tmp_path / 'X.csv'}: 3 of 6 bars of X start at the same time as another one, with "
            "other values; if a column tells them apart, by symbol or time of day, say which: "
            "--columns symbol,date,time,open,high,low,close"
        )
    named = ["date", "open", "high", "low", "close", "volume"]
    found = [
        [list(each.closes) for each in load(tmp_path, text + "".join(rows), columns=columns).series]
        for columns in ([*named, "symbol"], [*named, "time"])
    ]
    assert found == [[[2, 2, 2], [3, 3, 3]], [[2, 3, 2, 3, 2, 3]]]


def test_the_same_bars_of_two_files_are_not_mixed(tmp_path: Path) -> None:
    for name, close in (("a.csv", 1), ("b.csv", 2)):
        rows = "".join(f"2024-01-0{day},1,9,1,{close},1\n" for day in (2, 3, 4))
        (tmp_path / name).write_text(HEADER + rows)
    data = load_bars([tmp_path], symbol="X")
    assert (list(only(data).closes), len(data.faults)) == ([1, 1, 1], 3)


def test_what_was_read_shows_itself_in_few_lines(tmp_path: Path) -> None:
    (tmp_path / "Q.csv").write_text("timestamp,bid,ask\n2024-03-04T14:30:00.5Z,1,2\n")
    (tmp_path / "D.csv").write_text(
        HEADER
        + "2024-03-04,1,1,1,1,0\n2024-03-05,1,2,3,1,0\n2024-03-07,1,1,1,1,0\n2024-03-08,1,1,1,1,0\n"
    )
    data = load_bars([tmp_path / "D.csv", tmp_path / "Q.csv"], timeframe="1w")
    (fault,) = data.faults
    assert repr(data).splitlines() == [
        "D  1d  3 rows  2024-03-04 to 2024-03-08",
        "Q  quote  1 rows  2024-03-04T14:30:00.5Z to 2024-03-04T14:30:00.5Z",
        "candles of 1w",
        f"{tmp_path / 'D.csv'}: 1 x impossible; the first: {fault}",
    ]


def test_strict_refuses_faults_but_not_gaps(tmp_path: Path) -> None:
    late = "2024-01-02T15:00:00Z,10,11,9,10,1\n"
    assert len(only(load(tmp_path, HEADER + ROWS + late, strict=True))) == 3
    with pytest.raises(DataError, match=r"1 fault in the data \(strict\):\n.*line 4: duplicate"):
        load(tmp_path, HEADER + ROWS + ROWS.splitlines()[1] + "\n", strict=True)


def test_weekends_are_no_gaps_in_daily_bars(tmp_path: Path) -> None:
    days = ["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09", "2024-01-22"]
    data = load(tmp_path, HEADER + "".join(f"{day},1,1,1,1,1\n" for day in days))
    (fault,) = data.faults
    assert fault.detail == "12 days without a bar after 2024-01-09T00:00:00Z"


@pytest.mark.parametrize(
    ("start", "end", "gaps"), [(4, 19, 1), (5, 19, 0), (4, 18, 0), (None, None, 1)]
)
def test_gaps_beyond_the_time_that_is_wanted_are_not_told(
    tmp_path: Path, start: int | None, end: int | None, gaps: int
) -> None:
    days = ["2024-01-04", "2024-01-18", "2024-01-19"]
    first, last = (day and datetime(2024, 1, day, tzinfo=UTC) for day in (start, end))
    text = HEADER + "".join(f"{day},1,1,1,1,1\n" for day in days)
    assert len(load(tmp_path, text, start=first, end=last).faults) == gaps


def test_a_bar_that_begins_before_the_last_one_ended_is_dropped(tmp_path: Path) -> None:
    stamps = ["14:30:00", "14:31:00", "14:31:30", "14:32:00", "14:33:00", "14:34:00"]
    rows = "".join(f"2024-01-02T{stamp}Z,1,1,1,1,1\n" for stamp in stamps)
    data = load(tmp_path, HEADER + rows)
    assert len(only(data)) == 5
    assert "line 4: impossible row of X" in str(data.faults[0])


# Errors.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("timestamp,open,high,low\n", "no column for close; the header has timestamp, open"),
        ("1704205800,1,2,3,4\n", "has no header: it begins with 1704205800, 1, 2, 3, 4; say"),
        (HEADER, "no bars in"),
        (HEADER + "2024-01-02,1,1\n", "line 2: 3 fields where the header has 6"),
        (HEADER + "2024-01-02,1,1,1,1,1\n", "one bar of X does not show its timeframe"),
        (
            HEADER + "2024-01-02T00:00:00Z,1,1,1,1,1\n2024-01-02T00:00:07Z,1,1,1,1,1\n",
            "are mostly 7 s apart, which is no usual timeframe; say which with --timeframe",
        ),
    ],
)
def test_what_cannot_be_loaded_says_why(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as error:
        load(tmp_path, text)
    assert message in str(error.value)
    assert "X.csv" in str(error.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "X.csv").write_bytes(HEADER.encode() + b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match=r"X\.csv is not a text in UTF-8"):
        load_bars([tmp_path / "X.csv"])


def test_a_missing_file_suggests_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text(HEADER + ROWS)
    with pytest.raises(DataError, match=r"price\.csv does not exist; did you mean 'prices\.csv'"):
        load_bars([tmp_path / "price.csv"])


def minutes(first: int, count: int, symbol: str = "") -> str:
    """Return minute bars as rows; each close is the number of the minute."""
    row = f"{symbol}," if symbol else ""
    return "".join(
        f"{row}2024-01-02T{14 + number // 60}:{number % 60:02d}:00Z,1,99,1,{number},1\n"
        for number in range(first, first + count)
    )


def test_files_of_one_symbol_are_joined_in_the_order_of_time(tmp_path: Path) -> None:
    # Monthly files may come in any order, and repeat the last bar of one month in the next.
    (tmp_path / "a.csv").write_text("symbol," + HEADER + minutes(13, 4, "Y"))
    (tmp_path / "b.csv").write_text("symbol," + HEADER + minutes(10, 4, "Y"))
    data = load_bars([tmp_path])
    series = only(data)
    assert list(series.closes) == [10, 11, 12, 13, 14, 15, 16]
    assert series.where(3) == f"{tmp_path / 'b.csv'} line 5"
    assert series.where(4) == f"{tmp_path / 'a.csv'} line 3"
    assert series.source == f"{tmp_path / 'a.csv'} and 1 more"
    (fault,) = data.faults
    assert (Path(fault.source).name, fault.line, fault.kind) == ("a.csv", 2, FaultKind.DUPLICATE)
    assert fault.detail == (
        f"2024-01-02T14:13:00Z again, with the same values as {tmp_path / 'b.csv'} line 5"
    )


def test_a_gap_between_files_is_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("symbol," + HEADER + minutes(10, 4, "Y"))
    (tmp_path / "b.csv").write_text("symbol," + HEADER + minutes(16, 4, "Y"))
    (fault,) = load_bars([tmp_path]).faults
    assert (Path(fault.source).name, fault.line) == ("b.csv", 2)
    assert fault.detail == "2 bars missing after 2024-01-02T14:13:00Z"


def test_a_file_with_one_bar_is_like_the_symbol_s_others(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("symbol," + HEADER + minutes(10, 4, "Y"))
    (tmp_path / "b.csv").write_text("symbol," + HEADER + minutes(14, 1, "Y"))
    days = "X,2024-01-02,1,1,1,1,1\nX,2024-01-03,1,1,1,1,1\n"
    (tmp_path / "c.csv").write_text("symbol," + HEADER + days)
    found = {each.symbol: (each.timeframe, len(each)) for each in load_bars([tmp_path]).series}
    assert found == {"Y": ("1m", 5), "X": ("1d", 2)}


def test_bars_of_several_timeframes_stay_apart(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("symbol," + HEADER + minutes(10, 4, "Y"))
    days = "".join(f"Y,2024-01-0{day},1,1,1,1,1\n" for day in (1, 2, 3))
    (tmp_path / "b.csv").write_text("symbol," + HEADER + days)
    for timeframe in (None, "1m", "5m", "1d"):
        data = load_bars([tmp_path], timeframe=timeframe)
        found = [(each.symbol, each.timeframe, len(each)) for each in data.series]
        assert found == [("Y", "1m", 4), ("Y", "1d", 3)], timeframe


def test_faults_come_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    rows = [
        "2024-01-02T14:31:00Z,1,1,1,1,1",
        "2024-01-02T14:30:00Z,1,1,1,1,1",
        "2024-01-02T14:31:00Z,1,1,1,1,1",
        "2024-01-02T14:32:00Z,0,1,1,1,1",
        "2024-01-02T14:30:00Z,1,1,1,1,1",
    ]
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(HEADER + "\n".join(rows) + "\n")
    data = load_bars([tmp_path])
    places = [(Path(fault.source).name, fault.line) for fault in data.faults]
    assert places == [(name, line) for name in ("a.csv", "b.csv") for line in (3, 4, 5, 6, 6)]
    firsts = [fault for fault in data.faults if fault.line < 6]
    assert [each.first for each in summarize(data.faults)] == [*map(str, firsts)]


def test_strict_lists_the_first_twenty(tmp_path: Path) -> None:
    rows = "".join(f"2024-01-02T14:{minute:02d}:00Z,0,1,1,1,1\n" for minute in range(25))
    with pytest.raises(DataError) as error:
        load(tmp_path, HEADER + ROWS + rows, strict=True)
    lines = str(error.value).splitlines()
    assert lines[0] == "25 faults in the data (strict):"
    assert "X.csv line 4: impossible row of X" in lines[1]
    assert (len(lines), lines[-1]) == (22, "  and 5 more")


# Sources.


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("BRK.B.csv", "BRK.B"), ("aapl.CSV", "aapl"), ("S:X.Csv.GZ", "S:X"), (".csv", ".csv")],
)
def test_the_symbol_is_the_name_of_the_file_without_its_ending(
    tmp_path: Path, name: str, symbol: str
) -> None:
    content = (HEADER + ROWS).encode()
    if name.lower().endswith(".gz"):
        content = gzip.compress(content)
    assert only(load(tmp_path, content, name)).symbol == symbol


def test_a_symbol_that_no_message_may_have_is_refused(tmp_path: Path) -> None:
    long = "BTCUSDT-1m-2024-01-01-to-2024-12-31-binance-spot-klines"
    with pytest.raises(DataError) as refusal:
        load(tmp_path, HEADER + ROWS, f"{long}.csv")
    assert str(refusal.value) == (
        f"{tmp_path / long}.csv: the symbol {long[:50]}… has 55 characters, of 50 that it may "
        "have; give it another name, as with --symbol"
    )
    assert only(load(tmp_path, HEADER + ROWS, f"{long}.csv", symbol="X")).symbol == "X"
    named = "symbol," + HEADER + "".join(f"{long},{row}\n" for row in ROWS.splitlines())
    with pytest.raises(DataError, match=r"that it may have; give it another name$"):
        load(tmp_path, named, "some.csv")
    with pytest.raises(DataError, match=r"the symbol 'A\\x00B' has a NUL character; give it"):
        load(tmp_path, named.replace(long, "A\0B"), "other.csv")
    with pytest.raises(DataError, match="the symbol is empty; give it another name, as with --sym"):
        load(tmp_path, HEADER + ROWS, "X.csv", symbol="")


def test_a_file_whose_name_is_no_utf_8_is_read_under_another_symbol(tmp_path: Path) -> None:
    name = os.fsdecode(b"B\xf6rse.csv")
    with pytest.raises(DataError) as refusal:
        load(tmp_path, HEADER + ROWS, name)
    assert str(refusal.value) == (
        f"{tmp_path}/B\\xf6rse.csv: the symbol 'B\\udcf6rse' has bytes that are no UTF-8; give it "
        "another name, as with --symbol"
    )
    series = only(load(tmp_path, HEADER + ROWS, name, symbol="X"))
    assert series.source == f"{tmp_path}/B\\xf6rse.csv"


def test_a_folder_gives_its_files_and_nothing_else(tmp_path: Path) -> None:
    for name in ("B.csv", "A.B.csv", "A.csv"):
        (tmp_path / name).write_text(HEADER + ROWS)
    (tmp_path / "._A.csv").write_bytes(bytes([0, 255]))
    (tmp_path / "old.csv").mkdir()
    assert [series.symbol for series in load_bars([tmp_path]).series] == ["A.B", "A", "B"]


def test_a_folder_without_data_and_a_file_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no data files, which are CSV \(\.csv, \.tsv, "):
        load_bars([tmp_path])
    with pytest.raises(DataError, match=r"X\.xlsx is not named as data are, which are CSV "):
        load(tmp_path, HEADER + ROWS, "X.xlsx")
    with pytest.raises(DataError, match=r"; there is no folder .*nowhere either"):
        load_bars([tmp_path / "nowhere" / "X.csv"])


@pytest.mark.parametrize("symbol", [None, "X"])
def test_rows_without_anything_in_them_are_no_rows(tmp_path: Path, symbol: str | None) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, HEADER + ",,,,,\n", symbol=symbol)
    assert str(caught.value) == f"no bars{' of X' if symbol else ''} in {tmp_path / 'X.csv'}"


def test_quotes_of_one_symbol_may_span_files(tmp_path: Path) -> None:
    for name, second in (("mon.csv", 0), ("tue.csv", 1)):
        rows = f"X,2024-01-02T00:00:0{second}Z,1,2\nX,2024-01-02T00:00:0{second}Z,0,2\n"
        (tmp_path / name).write_text("symbol,timestamp,bid,ask\n" + rows)
    data = load_bars([tmp_path])
    assert [len(series) for series in data.quotes] == [2]
    assert [Path(fault.source).name for fault in data.faults] == ["mon.csv", "tue.csv"]


def test_a_symbol_column_and_a_choice_among_symbols(tmp_path: Path) -> None:
    rows = "".join(f"{s},{row}\n" for s in ("S:B", "S:A") for row in ROWS.splitlines())
    data = load(tmp_path, "Ticker," + HEADER + rows)
    assert [series.symbol for series in data.series] == ["S:B", "S:A"]
    assert only(load(tmp_path, "Ticker," + HEADER + rows, symbol="S:A")).symbol == "S:A"
    with pytest.raises(DataError, match=r"no bars of S:C in .*; they have S:B, S:A$"):
        load(tmp_path, "Ticker," + HEADER + rows, symbol="S:C")
    many = "".join(f"S:{n:02}," + ROWS.splitlines()[0] + "\n" for n in range(23))
    with pytest.raises(DataError, match=r"they have S:00, S:01, .*, S:19 and 3 more$"):
        load(tmp_path, "Ticker," + HEADER + many, symbol="S:C")


def test_of_files_named_after_symbols_those_of_the_one_asked_for_are_read(tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text(HEADER + ROWS)
    (tmp_path / "B.csv").write_text(HEADER + minutes(40, 2))
    (tmp_path / "c.csv").write_text("symbol," + HEADER + minutes(42, 1, "B"))
    assert list(only(load_bars([tmp_path], symbol="A")).closes) == [10.5, 11]
    data = load_bars([tmp_path], symbol="B")
    assert (len(only(data)), only(data).source) == (3, f"{tmp_path / 'B.csv'} and 1 more")


def test_texts_beside_data_are_notes_and_else_data(tmp_path: Path) -> None:
    for name in ("A.us.txt", "B.txt.gz"):
        content = (HEADER + ROWS).encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if "gz" in name else content)
    assert [series.symbol for series in load_bars([tmp_path]).series] == ["A.us", "B"]
    (tmp_path / "C.csv").write_text(HEADER + ROWS)
    assert [series.symbol for series in load_bars([tmp_path]).series] == ["C"]


def test_a_folder_gzip_and_standard_input(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "A.csv.gz", "wt") as file:
        file.write(HEADER + ROWS)
    (tmp_path / "B.csv").write_text(HEADER + ROWS)
    (tmp_path / "notes.txt").write_text("not data")
    assert [series.symbol for series in load_bars([tmp_path]).series] == ["A", "B"]
    piped = only(load_bars(["-"], symbol="S:P", stdin=io.StringIO(HEADER + ROWS)))
    assert (piped.symbol, len(piped)) == ("S:P", 2)


def test_the_standard_input_is_read_as_files_are(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"Ö,{row}\n" for row in ROWS.splitlines())
    stdin = io.TextIOWrapper(io.BytesIO(("symbol," + HEADER + rows).encode()), "latin-1")
    monkeypatch.setattr("sys.stdin", stdin)
    assert only(load_bars(["-"])).symbol == "Ö"
    with pytest.raises(DataError, match="standard input is empty"):
        load_bars(["-"])
    stdin = io.TextIOWrapper(io.BytesIO(b"\xff" + HEADER.encode()), "ascii", "surrogateescape")
    monkeypatch.setattr("sys.stdin", stdin)
    with pytest.raises(DataError, match=r"standard input is not a text in UTF-8 \(invalid start"):
        load_bars(["-"])
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(DataError, match="there is no standard input: it is closed"):
        load_bars(["-"])


def test_zstandard(tmp_path: Path) -> None:
    zstd = pytest.importorskip("backports.zstd")
    (tmp_path / "A.csv.zst").write_bytes(zstd.compress((HEADER + ROWS).encode()))
    assert len(only(load_bars([tmp_path / "A.csv.zst"]))) == 2


def test_parquet_gives_what_csv_gives(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    moments = [datetime(2024, 1, 2, 14, minute, tzinfo=UTC) for minute in (30, 31)]
    columns = {
        "Timestamp": pyarrow.array(moments, pyarrow.timestamp("us", tz="UTC")),
        "Open": [10.0, 10.5],
        "High": [11.0, 12.0],
        "Low": [9.0, 10.0],
        "Close": [10.5, 11.0],
        "Volume": [100, 200],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "X.parquet")
    one = only(load_bars([tmp_path / "X.parquet"]))
    other = only(load(tmp_path, HEADER + ROWS))
    for name in ("symbol", "timeframe", "starts", "opens", "highs", "lows", "closes", "volumes"):
        assert getattr(one, name) == getattr(other, name)


def test_from_and_to(tmp_path: Path) -> None:
    start = datetime(2024, 1, 2, 14, 31, tzinfo=UTC)
    assert list(only(load(tmp_path, HEADER + ROWS, start=start)).volumes) == [200]
    assert list(only(load(tmp_path, HEADER + ROWS, end=start)).volumes) == [100]
    span = "the first are of 2024-01-02T14:30:00Z, the last of 2024-01-02T14:31:00Z"
    with pytest.raises(DataError, match=f"^no data from 2025-01-01T00:00:00Z; {span}$"):
        load(tmp_path, HEADER + ROWS, start=datetime(2025, 1, 1, tzinfo=UTC))
    with pytest.raises(DataError, match=f"^no data before 2023-01-01T00:00:00Z; {span}$"):
        load(tmp_path, HEADER + ROWS, end=datetime(2023, 1, 1, tzinfo=UTC))
    start, end = datetime(2022, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC)
    between = "from 2022-01-01T00:00:00Z and before 2023-01-01T00:00:00Z"
    with pytest.raises(DataError, match=f"^no data {between}; {span}$"):
        load(tmp_path, HEADER + ROWS, start=start, end=end)


def test_where_no_row_can_be_used_it_is_said_why(tmp_path: Path) -> None:
    quotes = "timestamp,bid,ask\n2024-03-04,11,10\n2024-03-05,12,10\n"
    with pytest.raises(DataError) as caught:
        load(tmp_path, quotes)
    path = tmp_path / "X.csv"
    assert str(caught.value) == (
        f"no quotes in {path} that can be used:\n"
        f"  {path}: 2 x impossible; the first: {path} line 2: impossible row of X: bid 11 ask 10"
    )
    huge = "9" * 400
    with pytest.raises(DataError, match=r"no bars in .*\n.* 1 x impossible; .* open inf high inf"):
        load(tmp_path, f"{HEADER}2024-03-04,{huge},{huge},{huge},{huge},1\n")
    with pytest.raises(DataError, match=r"^no bars of Y in .*; they have A$"):
        load(tmp_path, "time,symbol,bid,ask\n2024-03-04,A,11,10\n", symbol="Y")


def test_real_minute_bars() -> None:
    folder = os.environ.get("MARKET_DATA")
    if folder is None:
        pytest.skip("MARKET_DATA names no folder of market data")
    data = load_bars([Path(folder) / "crypto_1m_trades_2017-09-03_04.csv.gz"])
    assert [(s.symbol, s.timeframe, len(s)) for s in data.series] == [
        ("BTC-USD", "1m", 2880),
        ("ETH-USD", "1m", 2880),
    ]
    assert data.faults == []


# Properties.

price = st.floats(0.0001, 1e6, allow_nan=False)


@st.composite
def bar(draw: st.DrawFn) -> tuple[float, float, float, float]:
    low, one, other, high = sorted(draw(st.tuples(price, price, price, price)))
    return draw(st.sampled_from([(one, high, low, other), (other, high, low, one)]))


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(bar(), min_size=2, max_size=30), shuffled=st.randoms(use_true_random=False))
def test_what_is_written_is_read_in_whatever_order(
    tmp_path: Path, rows: list[tuple[float, ...]], shuffled: object
) -> None:
    lines = [
        f"{1_704_205_800 + 60 * n},{','.join(map(repr, row))},{n}\n" for n, row in enumerate(rows)
    ]
    series = only(load(tmp_path, HEADER + "".join(lines)))
    assert series.opens == array("d", [row[0] for row in rows])
    assert series.closes == array("d", [row[3] for row in rows])
    shuffled.shuffle(lines)  # type: ignore[attr-defined]
    mixed = only(load(tmp_path, HEADER + "".join(lines), timeframe="1m"))
    assert (mixed.starts, mixed.closes) == (series.starts, series.closes)


def test_the_days_of_files_are_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed, parse = [], StampReader._parse

    def counted(self: StampReader, text: str) -> int:
        parsed.append(text)
        return parse(self, text)

    monkeypatch.setattr(StampReader, "_parse", counted)
    rows = "".join(f"2024-01-{day:02},10,10,10,10\n" for day in range(1, 31))
    for name in "ABC":
        (tmp_path / f"{name}.csv").write_text("date,open,high,low,close\n" + rows)
    first, *others = load_bars([tmp_path]).series
    assert len(parsed) == 30 + len(others)
    assert [each.starts for each in others] == [first.starts] * 2
