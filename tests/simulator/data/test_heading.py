"""The header of a CSV: lines above it, headers of several lines, and files without one."""

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest

from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.heading import find_heading
from tests.simulator.data.support import HEADER, ROWS, load, only
from tests.work import growth

OHLCV = ["timestamp", "open", "high", "low", "close", "volume"]


@pytest.mark.parametrize(
    "above",
    [
        "https://www.example.com/prices\n",
        "sep=,\n",
        "Prices of X,,,,,\n,,,,,\n",
        "# downloaded on 2024-01-05\n\n# by hand\n",
    ],
)
def test_lines_above_the_header_are_passed_over(tmp_path: Path, above: str) -> None:
    series = only(load(tmp_path, above + HEADER + ROWS))
    first = above.count("\n") + 2
    assert (list(series.closes), list(series.marks)) == ([10.5, 11], [first, first + 1])


def test_a_header_that_is_not_understood_is_named_and_not_what_stands_above(
    tmp_path: Path,
) -> None:
    with pytest.raises(DataError, match="no column for close; the header has timestamp, open, hi"):
        load(tmp_path, "made by hand\n" + HEADER.replace("close", "shut") + ROWS)


def test_no_header_is_looked_for_among_the_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"X\.csv has no header: it begins with 2024-01-02T14:30"):
        load(tmp_path, ROWS + HEADER + ROWS)
    above = "".join(f"remark {line}\n" for line in range(20))
    with pytest.raises(DataError, match=r"no column for timestamp, .*; the header has remark 0; "):
        load(tmp_path, above + HEADER + ROWS)


# Several symbols side by side, as pandas writes them.

NAMES = "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume"
SYMBOLS = "Ticker" + ",A,B" * 5
TIMES = "Date" + "," * 10


@pytest.mark.parametrize("first", [NAMES, NAMES.replace("Price", "")])
def test_symbols_side_by_side(tmp_path: Path, first: str) -> None:
    rows = "2024-01-02,2,20,3,30,1,10,2,20,5,50\n2024-01-03,2.5,,3,,1,,2,,6,\n"
    for above in (f"{first}\n{SYMBOLS}\n{TIMES}\n", f"{SYMBOLS}\n{first}\n{TIMES}\n"):
        data = load(tmp_path, above + rows + "2024-01-04,2,20,3,30,1,10,2,20,,\n")
        assert data.faults == []
        assert {each.symbol: list(each.marks) for each in data.series} == {
            "A": [4, 5, 6],
            "B": [4, 6],
        }
        a, b = data.series
        assert [list(column) for column in a.columns[1:-1]] == [
            [2, 2, 2],
            [3, 3, 3],
            [1, 1, 1],
            [2, 2.5, 2],
            [5, 6, 0],
        ]
        assert (list(b.closes), list(b.volumes)) == ([20, 20], [50, 0])


def test_a_field_of_one_of_the_symbols_side_by_side_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 4, column Open B: 'much' is not a number; write"):
        load(tmp_path, f"{NAMES}\n{SYMBOLS}\n{TIMES}\n2024-01-02,2,20,3,30,1,10,2,much,5,50\n")


def test_one_of_the_symbols_side_by_side(tmp_path: Path) -> None:
    rows = "2024-01-02,2,20,3,30,1,10,2,20,5,50\n2024-01-03,2.5,25,3,30,1,10,2,20,6,60\n"
    for quote in ("", '"'):
        text = f"{NAMES}\n{SYMBOLS}\n{TIMES}\n" + rows.replace("50", f"{quote}50{quote}")
        series = only(load(tmp_path, text, symbol="B"))
        assert (series.symbol, list(series.closes)) == ("B", [20, 25])


def test_each_further_symbol_side_by_side_takes_as_many_steps() -> None:
    def read(symbols: int) -> object:
        fields = "Open", "High", "Low", "Close"
        names = ",".join(("Price", *(field for field in fields for _ in range(symbols))))
        each = ",".join(("Ticker", *(f"S{number}" for _ in fields for number in range(symbols))))
        return find_heading(StringIO(f"{names}\n{each}\nDate{',' * 4 * symbols}\n"), "X.csv")

    assert growth(read, 20) < 2.2


# Files whose columns the user names.


@pytest.mark.parametrize(
    ("text", "columns", "first"),
    [
        (ROWS, OHLCV, 1),
        (ROWS.replace("Z,", "Z;").replace(",", ";"), OHLCV, 1),
        (ROWS.replace("\n", ",7,x\n"), OHLCV, 1),
        ("Zeit,Auf,Hoch,Tief,Zu,Menge\n" + ROWS, OHLCV, 2),
        ("a title\nwhen,o1,h1,l1,c1,v1\n\n" + ROWS, OHLCV, 4),
        (ROWS.replace("T", ",").replace("Z", ""), ["date", "time", *OHLCV[1:]], 1),
    ],
)
def test_columns_may_be_named(
    tmp_path: Path, text: str, columns: Sequence[str], first: int
) -> None:
    series = only(load(tmp_path, text, columns=columns))
    assert [list(column) for column in series.columns[1:]] == [
        [10, 10.5],
        [11, 12],
        [9, 10],
        [10.5, 11],
        [100, 200],
        [first, first + 1],
    ]


@pytest.mark.parametrize("unread", ["", "-", "number"])
def test_columns_with_other_names_are_not_read(tmp_path: Path, unread: str) -> None:
    rows = "1,10.5,3,1704205800000\n2,10.6,4,1704205800001\n"
    (trades,) = load(tmp_path, rows, columns=[unread, "price", "size", "timestamp"]).ticks
    assert (list(trades.bids), list(trades.sizes)) == ([10.5, 10.6], [3, 4])


def test_more_columns_than_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"X\.csv line 1 has 6 columns, and --columns names 7"):
        load(tmp_path, ROWS, columns=["date", "time", *OHLCV[1:]])


def test_columns_that_are_not_all_needed_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"X\.csv: no column for close; the header has timestamp"):
        load(tmp_path, ROWS, columns=OHLCV[:4])


def test_a_file_without_rows_whose_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no bars in .*X\.csv"):
        load(tmp_path, HEADER, columns=OHLCV)
