"""CSV files: layouts, compression, and rows that cannot be read."""

import bz2
import csv
import gzip
import io
import lzma
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.load import LoadedData, load_bars
from strategy_runtime.simulator.data.numbers import Numerals
from tests.simulator.data.support import HEADER, MINUTE, ROWS, load, only

HOW = "write it with a decimal point and no other marks, or leave it empty if there is none"
EXPECTED = ([10.0, 10.5], [100.0, 200.0], [2, 3])


def columns_of(tmp_path: Path, text: str | bytes, name: str = "X.csv") -> tuple[object, ...]:
    series = only(load(tmp_path, text, name))
    return list(series.opens), list(series.volumes), list(series.marks)


@pytest.mark.parametrize(
    "text",
    [
        (HEADER + ROWS).replace("\n", "\r\n"),
        (HEADER + ROWS).rstrip("\n"),
        (HEADER + ROWS).replace(",", ", "),
        (HEADER + ROWS).replace(",", "|"),
        HEADER + ROWS.replace("\n", ",,\n"),
        HEADER + ROWS + "\n,,\n  \n",
        "\ufeff" + HEADER + ROWS,
        '"' + (HEADER + ROWS).rstrip("\n").replace(",", '","').replace("\n", '"\n"') + '"\n',
    ],
    ids="crlf no-newline blanks pipes trailing-delimiters empty-rows bom quoted".split(),
)
def test_layouts(tmp_path: Path, text: str) -> None:
    assert columns_of(tmp_path, text) == EXPECTED


def test_a_remark_behind_the_rows_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        load(tmp_path, HEADER + ROWS + '"Downloaded from a vendor, 2024-01-05"\n')
    assert str(error.value).endswith(
        "line 4: 1 fields where the header has 6; remove the line if it is only a remark"
    )


def test_lines_count_from_the_top_of_the_file(tmp_path: Path) -> None:
    text = "\n\n" + HEADER + "\n" + ROWS.replace("\n", "\n\n")
    assert columns_of(tmp_path, text)[2] == [5, 7]


def test_a_byte_order_mark_on_standard_input() -> None:
    stream = io.StringIO('\ufeff"timestamp","open","high","low","close"\n2024-01-02,1,1,1,1\n')
    data = load_bars(["-"], timeframe="1d", stdin=stream)
    assert (only(data).symbol, only(data).source) == ("STDIN", "standard input")


@pytest.mark.parametrize("row", ["2024-01-02,1,234.5,1,235.0,1,200,5", "2024-01-02,10,11,9,10"])
def test_a_row_of_another_width_is_refused(tmp_path: Path, row: str) -> None:
    width = row.count(",") + 1
    with pytest.raises(DataError) as error:
        load(tmp_path, HEADER + row + "\n")
    assert str(error.value).endswith(f"X.csv line 2: {width} fields where the header has 6")


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_each_number_is_named(tmp_path: Path, column: str) -> None:
    position = HEADER.strip().split(",").index(column)
    row = ROWS.splitlines()[1].split(",")
    row[position] = "much"
    with pytest.raises(DataError, match=f"line 3, column {column}: 'much' is not a number; {HOW}"):
        load(tmp_path, HEADER + ROWS.splitlines()[0] + "\n" + ",".join(row) + "\n")


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        ('"1,2,1,1,1,1', "line 3: 1 fields where the header has 6"),
        ('1,2,"1,1,1,1', "line 3: 3 fields where the header has 6"),
        ('1,2,1,1,1,"1', "line 3, column volume: '1\\n2024-01-02T14:32:00Z,1,1,1,1,1\\n2024"),
    ],
)
def test_a_quotation_mark_without_a_counterpart_is_named_by_its_line(
    tmp_path: Path, first: str, problem: str
) -> None:
    further = "".join(f"2024-01-02T14:{minute}:00Z,1,1,1,1,1\n" for minute in range(32, 60))
    with pytest.raises(DataError) as error:
        load(tmp_path, HEADER + ROWS.splitlines()[0] + f"\n{first}\n{further}")
    assert f"X.csv {problem}" in str(error.value)
    assert len(str(error.value)) < 400
    with pytest.raises(DataError, match=r"X\.csv after line 2: field larger .*; is a quotation"):
        load(tmp_path, HEADER + ROWS.splitlines()[0] + f"\n{first}\n" + further * 300)


@pytest.mark.parametrize("columns", ["timestamp", "timestamp;symbol"])
def test_decimals_behind_commas(tmp_path: Path, columns: str) -> None:
    more = ";S" * columns.count(";")
    rows = f"2024-01-02{more};1.187,15;1.188;1.183,8;1185;82.488\n2024-01-03{more};1;2;1;2;\n"
    text = f"{columns};open;high;low;close;volume\n{rows}"
    series = only(load(tmp_path, text, decimals="comma"))
    assert [column[0] for column in series.columns[1:-1]] == [1187.15, 1188, 1183.8, 1185, 82488]
    with pytest.raises(DataError) as error:
        load(tmp_path, text)
    assert str(error.value).endswith(
        "line 2, column open: '1.187,15' is not a number; say what its marks are: --decimals "
        "comma, with points for the thousands, or --decimals point, with commas for the thousands"
    )
    with pytest.raises(DataError, match=r"line 2, column open: '1\.187,15' is not a number"):
        load(tmp_path, text, decimals="point")


OF_DATABENTO = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume"


@pytest.mark.parametrize("symbol", ["", ",symbol"])
def test_prices_in_billionths(tmp_path: Path, symbol: str) -> None:
    more = ",X" if symbol else ""
    for prices in ("10100000000,11000000000,9000000000,10500000000", "10.1,11.0,9,10.5"):
        rows = "".join(
            f"{1_704_205_800_000_000_000 + minute * MINUTE},33,2,32,{prices},100{more}\n"
            for minute in range(9)
        )
        for text in (rows, rows.replace(",100", ',"100"', 1)):
            series = only(load(tmp_path, OF_DATABENTO + symbol + "\n" + text))
            first = [column[0] for column in series.columns[1:-1]]
            assert first == [10.1, 11, 9, 10.5, 100]


def test_points_are_not_taken_for_commas_where_rows_are_plain(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2, column high: '11\.5' is not a number"):
        load(tmp_path, HEADER + ROWS.replace(",11,", ",11.5,"), decimals="comma")


def test_an_empty_symbol_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"X\.csv line 2: the symbol is empty"):
        load(tmp_path, "symbol," + HEADER + "," + ROWS)
    with pytest.raises(DataError, match=r"X\.csv line 2: the symbol is empty"):
        load(tmp_path, "symbol,timestamp,bid,ask\n,2024-01-02T14:30:00Z,1,2\n")


@pytest.mark.parametrize("symbols", [("A ",), ("A ", "B", " B  "), ("A", "A  ")])
def test_blanks_around_a_symbol_do_not_count(tmp_path: Path, symbols: tuple[str, ...]) -> None:
    rows = [
        f"{symbol},2024-01-02T14:{10 * place + minute}:00Z,1,1,1,1,1\n"
        for place, symbol in enumerate(symbols, 1)
        for minute in range(10)
    ]
    for some in (rows, rows[:1], [*rows, 'A,2024-01-02T15:50:00Z,1,1,1,1,"1"\n']):
        data = load(tmp_path, "symbol," + HEADER + "".join(some), timeframe="1m")
        assert {each.symbol for each in data.series} <= {"A", "B"}
        assert sum(map(len, data.series)) == len(some)
    with pytest.raises(DataError, match=r"line 2: the symbol is empty"):
        load(tmp_path, "symbol," + HEADER + '" ",' + rows[0].partition(",")[2])


@pytest.mark.parametrize("missing", ["", "NaN", "null", "-1"])
def test_a_volume_that_is_missing_is_unknown(tmp_path: Path, missing: str) -> None:
    data = load(tmp_path, HEADER + ROWS.replace(",100\n", f",{missing}\n"))
    assert (list(only(data).volumes), data.faults) == ([0, 200], [])
    if missing == "-1":
        return  # Interactive Brokers writes -1, but only for bars
    trades = f"timestamp,price,size\n2024-01-02,1,{missing}\n"
    assert list(load(tmp_path, trades).ticks[0].sizes) == [0]


@pytest.mark.parametrize("further", [0, 10])
def test_a_row_without_a_price_is_reported(tmp_path: Path, further: int) -> None:
    rows = "".join(f"2024-01-02T15:{minute}:00Z,1,1,1,1,1\n" for minute in range(10, 10 + further))
    data = load(tmp_path, HEADER + ROWS + "2024-01-02T14:32:00Z,,,,,\n" + rows)
    assert len(only(data)) == 2 + further
    assert str(data.faults[0]).endswith(
        "X.csv line 4: impossible row of X: open nan high nan low nan close nan volume 0"
    )


@pytest.mark.parametrize("further", [0, 10])
def test_a_quote_of_one_side_is_reported_and_no_row_of_another_kind(
    tmp_path: Path, further: int
) -> None:
    rows = "2024-01-02,1,2,\n2024-01-02,1.5,,\n2024-01-02,,,3\n2024-01-02,,2.5,3\n"
    data = load(tmp_path, "timestamp,bid,ask,price\n" + rows + "2024-01-02,1,2,\n" * further)
    assert [len(each) for each in (*data.quotes, *data.ticks)] == [1 + further, 2]
    assert [(fault.line, fault.detail) for fault in data.faults] == [
        (3, "bid 1.5 ask nan"),
        (5, "bid nan ask 2.5"),
    ]


def test_quotes_with_date_and_time_in_two_columns(tmp_path: Path) -> None:
    rows = "2024-01-02,09:30:00.5,1,2\n2024-01-02,09:30:01,1.5,2\n2024-01-02,09:30:02,,\n"
    (quotes,) = load(tmp_path, "date,time,bid,ask\n" + rows).quotes
    assert [stamp % (86_400 * 10**9) for stamp in quotes.stamps] == [
        34_200_500_000_000,
        34_201_000_000_000,
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("2024-01-02,1,x", "line 2, column ask: 'x' is not a number"),
        ("soon,1,2", "line 2, column timestamp: 'soon' is no time"),
        ("2024-01-02,1", "line 2: 2 fields where the header has 3"),
    ],
)
def test_a_quote_that_cannot_be_read(tmp_path: Path, row: str, problem: str) -> None:
    with pytest.raises(DataError) as error:
        load(tmp_path, f"timestamp,bid,ask\n{row}\n")
    assert problem in str(error.value)


# Compressed files.


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_mark_tells_utf_16(tmp_path: Path, encoding: str) -> None:
    text = (HEADER + ROWS).replace(",", "\t").replace("\n", "\r\n")
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    assert columns_of(tmp_path, (mark + text).encode(encoding), "X.txt") == EXPECTED


@pytest.mark.parametrize("ending", ["csv.gz", "csv.xz", "tsv.bz2", "txt.xz", "CSV.XZ"])
def test_compressed_files(tmp_path: Path, ending: str) -> None:
    packed = {
        "gz": gzip.compress((HEADER + ROWS).encode()),
        "xz": lzma.compress((HEADER + ROWS).encode()),
        "bz2": bz2.compress((HEADER + ROWS).encode()),
    }
    assert columns_of(tmp_path, packed[ending[4:].lower()], f"X.{ending}") == EXPECTED
    assert only(load_bars([tmp_path / f"X.{ending}"])).symbol == "X"


def zipped(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.mark.parametrize("name", ["X.zip", "X.csv.zip"])
def test_archives_of_one_file(tmp_path: Path, name: str) -> None:
    for content in (
        zipped({"a.csv": HEADER + ROWS}),
        zipped({"a.csv": HEADER + ROWS, "about.txt": "Gaps: none"}),
        zipped({"a.txt": HEADER + ROWS}),
        zipped({"__MACOSX/._a.csv": "x", "in/": "", "in/a.csv": HEADER + ROWS}),
    ):
        assert columns_of(tmp_path, content, name) == EXPECTED
    assert only(load_bars([tmp_path / name])).symbol == "X"


def test_an_archive_that_is_not_one_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"X\.zip has a\.csv, b\.csv in it, and not one"):
        load(tmp_path, zipped({"a.csv": HEADER, "b.csv": HEADER}), "X.zip")
    with pytest.raises(DataError, match=r"X\.zip has nothing in it, and not"):
        load(tmp_path, zipped({}), "X.zip")


def test_an_archive_with_a_password(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.csv": HEADER + ROWS}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataError, match=r"X\.zip cannot be read: .*password required"):
        load(tmp_path, bytes(content), "X.zip")


# Files that cannot be read.


def test_a_compressed_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"X\.csv\.gz cannot be read: Not a gzipped file"):
        load(tmp_path, HEADER, "X.csv.gz")
    for ending in ("csv.xz", "csv.bz2", "zip"):
        with pytest.raises(DataError, match=rf"X\.{ending} cannot be read: "):
            load(tmp_path, HEADER, f"X.{ending}")
    pytest.importorskip("backports.zstd")
    with pytest.raises(DataError, match=r"X\.csv\.zst cannot be read: .*decompress"):
        load(tmp_path, HEADER, "X.csv.zst")


def test_a_compressed_file_that_was_cut_off(tmp_path: Path) -> None:
    text = (HEADER + ROWS).encode()
    packed = gzip.compress(text)
    with pytest.raises(DataError, match=r"X\.csv\.gz cannot be read: .*ended before"):
        load(tmp_path, packed[:-12], "X.csv.gz")
    for ending, whole in (("xz", lzma.compress(text)), ("bz2", bz2.compress(text))):
        with pytest.raises(DataError, match=rf"X\.csv\.{ending} cannot be read: .*ended before"):
            load(tmp_path, whole[:-12], f"X.csv.{ending}")
    zstd = pytest.importorskip("backports.zstd")
    packed = zstd.compress((HEADER + ROWS).encode())
    with pytest.raises(DataError, match=r"X\.csv\.zst cannot be read: .*ended before"):
        load(tmp_path, packed[:-3], "X.csv.zst")


def test_a_compressed_file_with_broken_bytes(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress((HEADER + ROWS * 200).encode()))
    packed[20:30] = bytes(byte ^ 0xFF for byte in packed[20:30])
    with pytest.raises(DataError, match=r"X\.csv\.gz cannot be read: "):
        load(tmp_path, bytes(packed), "X.csv.gz")
    packed = bytearray(zipped({"X.csv": HEADER + ROWS * 200}))
    packed[40:60] = bytes(byte ^ 0xFF for byte in packed[40:60])
    with pytest.raises(DataError, match=r"X\.zip cannot be read: "):
        load(tmp_path, bytes(packed), "X.zip")


def test_zstandard_without_the_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("backports.zstd", "compression.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DataError, match=r"pip install 'strategy-runtime\[zstd\]'"):
        load(tmp_path, b"", "X.csv.zst")


@pytest.mark.parametrize(
    "content",
    [
        lzma.compress(HEADER.encode()),
        bytes(range(256)),
        "Eröffnung".encode("latin-1"),
    ],
    ids="lzma bytes latin-1".split(),
)
def test_other_bytes_are_no_csv(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"X\.csv is not a text in UTF-8 \(.*\); is it a CSV, "):
        load(tmp_path, content)


def test_zero_bytes_at_the_end(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"X\.csv (line 4: 1 fields|cannot be read)"):
        load(tmp_path, HEADER.encode() + ROWS.encode() + bytes(64))


# Properties.

numbers = st.floats(1e-300, 1e300, allow_nan=False)


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=20))
def test_numbers_keep_every_digit(prices: list[tuple[float, ...]]) -> None:
    rows = [
        (n, first, max(row), min(row), last)
        for n, row in enumerate(prices)
        for first, *_, last in [row]
    ]
    text = io.StringIO()
    csv.writer(text).writerow("timestamp open high low close".split())
    csv.writer(text).writerows([1_704_205_800 + 60 * n, *map(repr, rest)] for n, *rest in rows)
    text.seek(0)
    data = load_bars(["-"], timeframe="1m", stdin=text)
    series = only(data)
    assert data.faults == []
    for column, position in (("opens", 1), ("highs", 2), ("lows", 3), ("closes", 4)):
        assert list(getattr(series, column)) == [row[position] for row in rows]


def outcome(text: str) -> LoadedData | str:
    try:
        return load_bars(["-"], stdin=io.StringIO(text))
    except DataError as error:
        return str(error)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    refusal = outcome(text)
    assert isinstance(refusal, str)
    assert refusal.startswith(("standard input", "no bars in -"))


cells = st.sampled_from(
    [
        "2024-01-02",
        "2024-01-03 09:30",
        "1",
        "2.5",
        "-1",
        "",
        "nan",
        "inf",
        "x",
        '"',
        "\x00",
        "1e999",
    ]
)


@given(st.lists(st.lists(cells, min_size=5, max_size=7).map(",".join), max_size=8))
def test_any_rows_are_read_or_refused_with_their_place(rows: list[str]) -> None:
    data = outcome(HEADER + "\n".join(rows))
    if isinstance(data, str):
        assert data.startswith(("standard input", "no bars in -"))
    else:
        for series in data.series:
            assert all(map(float.__le__, series.lows, series.highs))


@pytest.mark.parametrize("asked", [None, "S7"])
def test_columns_are_read_once_however_many_symbols_take_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str | None
) -> None:
    read, sizes = Numerals.read, []

    def counted(self: Numerals, texts: Sequence[str], missing: float) -> list[float]:
        sizes.append(len(texts))
        return read(self, texts, missing)

    monkeypatch.setattr(Numerals, "read", counted)
    rows = [f"S{row % 40},2024-01-0{1 + row // 40},50,200,1,{row + 1}\n" for row in range(120)]
    data = load(
        tmp_path, "symbol,date,open,high,low,close\n" + "".join(rows), symbol=asked, timeframe="1d"
    )
    assert sizes == [120 if asked is None else 3] * 4
    (seventh,) = (each for each in data.series if each.symbol == "S7")
    assert (list(seventh.closes), list(seventh.marks)) == ([8.0, 48.0, 88.0], [9, 49, 89])
