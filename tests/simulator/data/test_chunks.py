"""Text in chunks: many rows at once read the same as row by row."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data import chunks as module
from strategy_runtime.simulator.data.chunks import Chunk, chunks
from strategy_runtime.simulator.data.load import LoadedData, load_bars


def read(text: str, size: int, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[str]]]:
    monkeypatch.setattr(module, "_CHARACTERS", size)
    return [row for chunk in chunks(io.StringIO(text), 1, ",", 2) for row in chunk.rows()]


@pytest.mark.parametrize("size", range(1, 12))
def test_where_a_chunk_ends_does_not_matter(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'a,b\n"c\nc",d\n\ne,"f, ""g"""\nh,i'
    assert read(text, size, monkeypatch) == [
        (1, ["a", "b"]),
        (2, ["c\nc", "d"]),
        (5, ["e", 'f, "g"']),
        (6, ["h", "i"]),
    ]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a,b\nc,d\n", [["a", "c"], ["b", "d"]]),
        ("a,b\r\nc,d", [["a", "c"], ["b", "d"]]),
        ('"a,a",b\n', [["a,a"], ["b"]]),
        ("a, b\n", [["a"], ["b"]]),
        ("a\nb,c,d\n", None),
        ("a,b,c\nd\n", None),
        ("a,b\n\nc,d\n", None),
        ('a,"b\n"\n', None),
        ("a,b\rc,d\r", [["a", "c"], ["b", "d"]]),
    ],
)
def test_columns(text: str, columns: list[list[str]] | None) -> None:
    found = Chunk(text, 1, ",", 2).columns()
    assert (None if found is None else [list(each) for each in found]) == columns


def test_quotation_marks_that_never_end_do_not_fill_the_memory() -> None:
    text = '"a,b\n' + "c,d\n" * 200_000
    first = next(iter(chunks(io.StringIO(text), 1, ",", 2)))
    with pytest.raises(csv.Error, match=r"field larger than field limit \(131072\)"):
        first.columns()


# Reading row by row is the reference; the fast way must give the same.

stamps = st.one_of(
    st.integers(0, 30).map(lambda minute: f"2024-01-02T14:{minute:02d}:00Z"),
    st.integers(0, 30).map(lambda minute: str(1_704_205_800 + 60 * minute)),
    st.sampled_from(["", "soon", "2024-01-02", " 2024-01-02T14:31:00Z", "1704205800000"]),
)
numbers = st.sampled_from(
    ["1", "2", "1.5", "1", "1", "0", "-1", "nan", "inf", "", "x", " 1", "1e3"]
)
cells = st.tuples(st.sampled_from("AAAB"), stamps, numbers, numbers, numbers, numbers, numbers)
good = st.builds(
    lambda symbol, minute, volume: (
        symbol,
        f"2024-01-02 14:{minute:02d}",
        "2",
        "3",
        "1",
        "2",
        volume,
    ),
    st.sampled_from("AB"),
    st.integers(0, 59),
    st.sampled_from(["1", "", "7.5"]),
)
line = st.one_of(
    good.map(",".join),
    good.map(",".join),
    good.map(lambda row: ",".join(f'"{cell}"' for cell in row)),
    good.map(lambda row: ",".join(row) + ","),
    cells.map(",".join),
    st.sampled_from(["", ",,,,,,", "A,1", '"', "A,2024-01-02,1,1,1,1,1,1"]),
)
with_symbols = st.sampled_from(
    [
        "symbol,timestamp,open,high,low,close,volume",
        "symbol,timestamp,bid,ask,price,size,x",
        "symbol,timestamp,bid,ask,x,y,z",
        "id,timestamp,price,size,x,y,z",
    ]
)
without_symbols = st.sampled_from(
    [
        "timestamp,open,high,low,close,volume",
        "timestamp,x,open,high,low,close",
        "timestamp,bid,ask,price,size,x",
        "timestamp,price,size,x,y,z",
    ]
)
texts = st.one_of(
    st.tuples(with_symbols, st.lists(line, max_size=12)),
    st.tuples(without_symbols, st.lists(line.map(lambda row: row[row.find(",") + 1 :]))),
    st.tuples(without_symbols, st.lists(good.map(lambda row: ",".join(row[1:]) + "1"))),
)


def outcome(text: str) -> object:
    try:
        data = load_bars(["-"], timeframe="1m", stdin=io.StringIO(text, newline=""))
    except DataError as error:
        return str(error)
    return [columns_of(data), data.faults]


def columns_of(data: LoadedData) -> list[object]:
    return [
        (each.symbol, [list(getattr(each, name)) for name in each.COLUMNS])
        for each in (*data.series, *data.quotes, *data.ticks)
    ]


@given(
    header_and_lines=texts,
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    size=st.integers(1, 400),
)
@example(header_and_lines=("timestamp,open,high,low,close,volume", [",,,,,"]), newline="\n", size=1)
def test_many_rows_at_once_give_what_each_row_alone_gives(
    header_and_lines: tuple[str, list[str]], newline: str, size: int
) -> None:
    header, lines = header_and_lines
    text = newline.join([header, *lines, ""])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHARACTERS", size)
        together = outcome(text)
        patch.setattr(Chunk, "times_and_numbers", lambda self: None)
        assert outcome(text) == together
        patch.setattr(Chunk, "columns", lambda self: None)
        assert outcome(text) == together
