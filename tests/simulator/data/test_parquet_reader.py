"""Parquet files: the same columns, timestamps of every type, rows named by number."""

import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from os import urandom
from pathlib import Path
from struct import pack
from subprocess import PIPE, run
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from strategy_runtime.clock import ns_of, rfc3339
from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.columns import Kind
from strategy_runtime.simulator.data.faults import FaultLog
from strategy_runtime.simulator.data.load import LoadedData, load_bars
from strategy_runtime.simulator.data.parquet_columns import read_batch
from strategy_runtime.simulator.data.rows import BarRows
from strategy_runtime.simulator.data.spool import Spool
from strategy_runtime.simulator.data.timestamps import StampReader
from tests.simulator.data.support import only
from tests.work import steps_of

pyarrow = pytest.importorskip("pyarrow")

MOMENTS = [datetime(2024, 1, 2, 14, minute, tzinfo=UTC) for minute in (30, 31)]
PRICES = {"open": [10.0, 10.5], "high": [11.0, 12.0], "low": [9.0, 10.0], "close": [10.5, 11.0]}


def load(tmp_path: Path, columns: Mapping[str, Any], /, **options: Any) -> LoadedData:
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(dict(columns)), tmp_path / "X.parquet")
    return load_bars([tmp_path / "X.parquet"], **options)


def starts(data: LoadedData) -> list[str]:
    return [rfc3339(start) for start in only(data).starts]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_stamps_of_every_unit_and_zone(tmp_path: Path, unit: str, zone: str | None) -> None:
    moments = [
        ns_of(moment) // 10 ** {"s": 9, "ms": 6, "us": 3, "ns": 0}[unit] for moment in MOMENTS
    ]
    column = pyarrow.array(moments, pyarrow.timestamp(unit, tz=zone))
    data = load(tmp_path, {"timestamp": column, **PRICES})
    assert starts(data) == ["2024-01-02T14:30:00Z", "2024-01-02T14:31:00Z"]
    assert list(only(data).marks) == [1, 2]
    assert list(only(data).volumes) == [0, 0]


def test_nanoseconds_are_kept(tmp_path: Path) -> None:
    column = pyarrow.array([1_704_205_800_123_456_789], pyarrow.timestamp("ns", tz="UTC"))
    one = {name: values[:1] for name, values in PRICES.items()}
    data = load(tmp_path, {"timestamp": column, **one}, timeframe="1m")
    assert list(only(data).starts) == [1_704_205_800_123_456_789]


@pytest.mark.parametrize(
    "column",
    [
        ["2024-01-02 09:30", "2024-01-02 09:31"],
        pyarrow.array([datetime(2024, 1, 2, 9, m) for m in (30, 31)], pyarrow.timestamp("us")),  # noqa: DTZ001
        [1_704_205_800, 1_704_205_860],
        [1_704_205_800_000.0, 1_704_205_860_000.0],
    ],
    ids="texts naive integers floats".split(),
)
def test_stamps_without_a_zone_are_in_the_one_given(tmp_path: Path, column: Any) -> None:
    data = load(tmp_path, {"Date": column, **PRICES}, tz="America/New_York")
    assert starts(data) == ["2024-01-02T14:30:00Z", "2024-01-02T14:31:00Z"]


@pytest.mark.parametrize(
    "days",
    [
        [date(2024, 1, 2)] * 2,
        ["2024-01-02"] * 2,
        pyarrow.array([datetime(2024, 1, 2)] * 2, pyarrow.timestamp("ms")),  # noqa: DTZ001
    ],
    ids="dates texts timestamps".split(),
)
@pytest.mark.parametrize("times", [["14:30", "14:31"], [time(14, 30), time(14, 31)]])
def test_date_and_time_in_two_columns(tmp_path: Path, days: Any, times: Any) -> None:
    data = load(tmp_path, {"date": days, "time": times, **PRICES})
    assert starts(data) == ["2024-01-02T14:30:00Z", "2024-01-02T14:31:00Z"]
    assert data.faults == []


def test_the_index_of_a_data_frame(tmp_path: Path) -> None:
    column = pyarrow.array(MOMENTS, pyarrow.timestamp("us", tz="UTC"))
    data = load(tmp_path, {"__index_level_0__": column, **PRICES})
    assert len(only(data)) == 2


def test_numbers_of_other_types(tmp_path: Path) -> None:
    columns = {
        "timestamp": ["2024-01-02T14:30:00Z", "2024-01-02T14:31:00Z"],
        "open": [10, 11],
        "high": [Decimal("11.25"), Decimal("12.50")],
        "low": ["9.5", "10"],
        "close": pyarrow.array([10.5, 11.5], pyarrow.float32()),
        "volume": pyarrow.array([None, 7], pyarrow.int64()),
    }
    series = only(load(tmp_path, columns))
    assert (list(series.highs), list(series.lows)) == ([11.25, 12.5], [9.5, 10])
    assert list(series.volumes) == [0, 7]


def test_symbols_and_a_choice_among_them(tmp_path: Path) -> None:
    stamps = ["2024-01-02T14:30:00Z"] * 2
    columns = {"ticker": ["A", "B"], "timestamp": stamps, **PRICES}
    assert [s.symbol for s in load(tmp_path, columns, timeframe="1m").series] == ["A", "B"]
    assert only(load(tmp_path, columns, timeframe="1m", symbol="B")).symbol == "B"
    with pytest.raises(DataError, match=r"no bars of C in .*X\.parquet; they have A, B$"):
        load(tmp_path, columns, timeframe="1m", symbol="C")
    with pytest.raises(DataError, match=r"X\.parquet row 2: the symbol is empty"):
        load(tmp_path, columns | {"ticker": ["A", None]})


def test_a_file_without_symbols_has_that_it_is_given(tmp_path: Path) -> None:
    columns = {"timestamp": ["2024-01-02T14:30:00Z", "2024-01-02T14:31:00Z"], **PRICES}
    assert only(load(tmp_path, columns)).symbol == "X"
    assert only(load(tmp_path, columns, symbol="S:Y")).symbol == "S:Y"
    as_texts = {**columns, "close": ["10.5", "11.5"]}  # read row by row
    assert only(load(tmp_path, as_texts, symbol="S:Y")).symbol == "S:Y"


def test_faults_are_named_by_row(tmp_path: Path) -> None:
    stamps = ["2024-01-02T14:30:00Z"] * 2
    prices = {name: values[:1] * 2 for name, values in PRICES.items()}
    data = load(tmp_path, {"timestamp": stamps, **prices}, timeframe="1m")
    assert [(fault.kind.value, fault.line) for fault in data.faults] == [("duplicate", 2)]


def test_quotes(tmp_path: Path) -> None:
    columns = {
        "timestamp": [f"2024-01-02T14:30:0{second}Z" for second in range(4)],
        "bid": [1.5, None, 1.25, None],
        "ask": [1.75, None, 1.0, 2.0],
    }
    data = load(tmp_path, columns)
    (quotes,) = data.quotes
    assert (list(quotes.bids), list(quotes.asks)) == ([1.5], [1.75])
    assert [(fault.kind.value, fault.line, fault.detail) for fault in data.faults] == [
        ("impossible", 3, "bid 1.25 ask 1"),
        ("impossible", 4, "bid nan ask 2"),
    ]


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"close": ["1", "much"]}, "row 2, column close: 'much' is not a number"),
        ({"timestamp": ["2024-01-02", "soon"]}, "row 2, column timestamp: 'soon' is no time"),
        ({"timestamp": ["2024-01-02", None]}, "row 2, column timestamp: '' is no time"),
        (
            {"timestamp": pyarrow.array([MOMENTS[0], None], pyarrow.timestamp("us", tz="UTC"))},
            "row 2, column timestamp: '' is no time",
        ),
        (
            {"timestamp": pyarrow.array([MOMENTS[0], None], pyarrow.timestamp("us"))},
            "row 2, column timestamp: '' is no time",
        ),
        (
            {"timestamp": pyarrow.array([0, 2**55], pyarrow.timestamp("ms", tz="UTC"))},
            "cannot be read as Parquet: ",
        ),
    ],
)
def test_what_cannot_be_read_names_row_and_column(
    tmp_path: Path, columns: dict[str, Any], problem: str
) -> None:
    replaced = {name.lower() for name in columns}
    usual = {"timestamp": ["2024-01-02", "2024-01-03"], **PRICES}
    kept = {name: values for name, values in usual.items() if name not in replaced}
    with pytest.raises(DataError) as error:
        load(tmp_path, kept | columns)
    assert f"X.parquet {problem}" in str(error.value)


def test_a_missing_column_names_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"X\.parquet: no column for timestamp; the header has open"
    ):
        load(tmp_path, PRICES)


@pytest.mark.parametrize("form", [lambda price: int(price * 10**9), float, str])
def test_prices_in_billionths(tmp_path: Path, form: Callable[[float], Any]) -> None:
    prices = {name: list(map(form, values)) for name, values in PRICES.items()}
    others: dict[str, Any] = {"ts_event": MOMENTS, "rtype": [33, 33], "publisher_id": [2, 2]}
    assert list(only(load(tmp_path, others | prices)).closes) == PRICES["close"]


def test_columns_may_be_named(tmp_path: Path) -> None:
    written = {name.upper() + "?": values for name, values in PRICES.items()}
    named = ["date", *PRICES]
    series = only(load(tmp_path, {"when": ["2024-01-02", "2024-01-03"], **written}, columns=named))
    assert list(series.closes) == PRICES["close"]
    with pytest.raises(DataError, match=r"X\.parquet has 5 columns, and --columns names 6"):
        load(tmp_path, {"when": ["2024-01-02"] * 2, **PRICES}, columns=[*named, "volume"])


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "X.parquet").write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    with pytest.raises(DataError, match=r"X\.parquet cannot be read as Parquet: "):
        load_bars([tmp_path / "X.parquet"])


@pytest.mark.parametrize("form", [float, str])
def test_blanks_around_a_symbol_do_not_count(tmp_path: Path, form: type) -> None:
    prices = {name: list(map(form, values)) for name, values in PRICES.items()}
    columns = {"timestamp": ["2024-01-02", "2024-01-03"], **prices}
    assert only(load(tmp_path, {**columns, "symbol": ["A ", " A"]})).symbol == "A"
    with pytest.raises(DataError, match=r"X\.parquet row 2: the symbol is empty"):
        load(tmp_path, {**columns, "symbol": ["A", "  "]})


@pytest.mark.parametrize("rows_together", [1, 3, 100])
@pytest.mark.parametrize("compression", ["lz4", "uncompressed"])
def test_feather_gives_what_parquet_gives(
    tmp_path: Path, rows_together: int, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyarrow import feather

    monkeypatch.setattr("strategy_runtime.simulator.data.parquet_reader._BATCH", 2)
    stamps = [datetime(2024, 1, 2, 14, minute, tzinfo=UTC) for minute in range(7)]
    prices = {name: [values[0]] * 7 for name, values in PRICES.items()}
    columns = {"note": ["x"] * 7, "date": stamps, **prices, "volume": [*range(7)]}
    feather.write_feather(
        pyarrow.table(columns),
        str(tmp_path / "X.feather"),
        compression=compression,
        chunksize=rows_together,
    )
    expected, found = only(load(tmp_path, columns)), only(load_bars([tmp_path / "X.feather"]))
    assert [list(each) for each in found.columns] == [list(each) for each in expected.columns]


def test_a_file_that_is_no_feather(tmp_path: Path) -> None:
    (tmp_path / "X.feather").write_bytes(b"FEA1" + bytes(100))
    with pytest.raises(DataError, match=r"X\.feather cannot be read as Feather: "):
        load_bars([tmp_path / "X.feather"])
    (tmp_path / "X.arrow").touch()
    with pytest.raises(DataError, match=r"X\.arrow cannot be read as Feather: "):
        load_bars([tmp_path / "X.arrow"])


def test_a_page_that_differs_from_its_checksum(tmp_path: Path) -> None:
    from pyarrow import parquet

    table = pyarrow.table({"timestamp": ["2024-01-02", "2024-01-03"], **PRICES})
    plain = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    parquet.write_table(table, tmp_path / "X.parquet", **plain)
    content = (tmp_path / "X.parquet").read_bytes()
    (tmp_path / "X.parquet").write_bytes(content.replace(pack("d", 10.5), pack("d", 10.75)))
    with pytest.raises(DataError, match=r"X\.parquet cannot be read as Parquet: .*checksum"):
        load_bars([tmp_path / "X.parquet"])


def test_a_symbol_that_is_no_text(tmp_path: Path) -> None:
    bytes_ = pyarrow.array([b"A", b"\xc1"])
    symbols = pyarrow.Array.from_buffers(pyarrow.string(), 2, bytes_.buffers())
    with pytest.raises(DataError, match=r"X\.parquet cannot be read as Parquet: 'utf-8' codec"):
        load(tmp_path, {"timestamp": ["2024-01-02", "2024-01-03"], "symbol": symbols, **PRICES})


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "X.pq").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pip install 'strategy-runtime\[parquet\]'"):
        load_bars([tmp_path / "X.pq"])


# Columns of numbers are read as a whole, columns of texts row by row.

numbers = st.sampled_from([1.0, 2.0, 1.5, 1.0, 2.0, 0.0, -1.0, float("nan"), float("inf"), None])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 20), st.sampled_from("AB"), numbers, numbers, numbers, numbers, numbers
        ),
        min_size=1,
        max_size=20,
    ),
    zone=st.sampled_from([None, "UTC", "America/New_York"]),
    kind=st.sampled_from(["open high low close volume", "bid ask", "price size"]),
    stamped=st.sampled_from(["instants", "texts"]),
    symbols=st.sampled_from(["none", "texts", "categories"]),
)
@example(
    rows=[(0, "A", None, 1.0, 1.0, 1.0, 1.0)],
    zone=None,
    kind="price size",
    stamped="instants",
    symbols="none",
)
def test_whole_columns_give_what_row_by_row_gives(
    tmp_path: Path,
    rows: list[tuple[Any, ...]],
    zone: str | None,
    kind: str,
    stamped: str,
    symbols: str,
) -> None:
    minutes, names, *values = (list(column) for column in zip(*rows, strict=True))
    stamps = [1_704_205_800_000 + 60_000 * int(minute) for minute in minutes]
    columns: dict[str, Any] = {"timestamp": pyarrow.array(stamps, pyarrow.timestamp("ms", tz=zone))}
    if stamped == "texts":
        columns = {"timestamp": [rfc3339(stamp * 10**6) for stamp in stamps]}
    if symbols == "texts":
        columns["symbol"] = names
    elif symbols == "categories":
        columns["symbol"] = pyarrow.DictionaryArray.from_arrays(
            ["AB".index(name) for name in names], ["A", "B", "C"]
        )
    measured = dict(zip(kind.split(), values, strict=False))

    def outcome(more: dict[str, Any]) -> object:
        try:
            data = load(tmp_path, columns | more, timeframe="1m")
        except DataError as error:
            return re.sub(r"'([-\w.]+)'", r"\1", str(error))
        every = (*data.series, *data.quotes, *data.ticks)
        return {
            each.symbol: [list(column) for column in each.columns] for each in every
        }, data.faults

    texts = {
        name: ["" if number is None else repr(number) for number in column]
        for name, column in measured.items()
    }
    assert outcome(measured) == outcome(texts)


@pytest.mark.parametrize("kind", ["int8", "uint16", "int64", "float", "double"])
def test_numbers_of_every_width(tmp_path: Path, kind: str) -> None:
    columns = {
        "timestamp": pyarrow.array(MOMENTS, pyarrow.timestamp("us", tz="UTC")),
        "open": pyarrow.array([10, 11], kind),
        "high": pyarrow.array([12, 13], kind),
        "low": pyarrow.array([9, 10], kind),
        "close": pyarrow.array([11, 12], kind),
        "volume": pyarrow.array([None, 100], kind),
    }
    series = only(load(tmp_path, columns))
    found = [list(column) for column in series.columns[1:]]
    assert found == [[10, 11], [12, 13], [9, 10], [11, 12], [0, 100], [1, 2]]


def test_numbers_of_32_bits_are_as_their_digits_say(tmp_path: Path) -> None:
    texts = {name: list(map(str, values)) for name, values in PRICES.items()}
    for others in (PRICES, texts):
        columns = {"timestamp": pyarrow.array(MOMENTS, pyarrow.timestamp("us", tz="UTC")), **others}
        columns["close"] = pyarrow.array([10.1, 11.3], pyarrow.float32())
        assert list(only(load(tmp_path, columns)).closes) == [10.1, 11.3]


def test_whole_numbers_that_no_float_can_hold(tmp_path: Path) -> None:
    columns = {
        "timestamp": pyarrow.array(MOMENTS, pyarrow.timestamp("us", tz="UTC")),
        **PRICES,
        "volume": [2**53 + 1, 1],
    }
    assert list(only(load(tmp_path, columns)).volumes) == [float(2**53 + 1), 1]


def test_a_batch_is_converted_once_for_all_of_its_symbols() -> None:
    """Of thousands of symbols side by side, each has few rows in a batch."""

    def steps(symbols: int) -> int:
        names = [f"S{row % symbols}" for row in range(160)]
        stamps = pyarrow.array(range(160), pyarrow.timestamp("s", tz="UTC"))
        columns = {name: pyarrow.array([1.0] * 160) for name in Kind.BARS.value}
        columns |= {"symbol": pyarrow.array(names), "timestamp": stamps}
        reader = StampReader(UTC, None, {})
        faults, spool = FaultLog(), Spool()
        known = {name: BarRows(name, 0, "x", faults, spool) for name in names}
        return steps_of(lambda: read_batch(columns, Kind.BARS, reader, 1, known.get))  # type: ignore[arg-type]

    steps(2)  # warm up
    assert steps(40) - steps(20) < 20 * 200


READ = """
import sys
from datetime import UTC
from pathlib import Path

import pyarrow

from strategy_runtime.simulator.data.parquet_reader import read_parquet
from strategy_runtime.simulator.data.timestamps import StampReader

read_parquet(Path(sys.argv[1]), "X", StampReader(UTC, None, {}), lambda *_: None)
print(pyarrow.default_memory_pool().max_memory())
"""


def test_a_file_is_not_read_ahead_into_memory(tmp_path: Path) -> None:
    from pyarrow import parquet

    rows, path = 8 * 65_536, tmp_path / "X.parquet"
    noise = pyarrow.array(memoryview(urandom(8 * rows)).cast("q"))
    names = ("timestamp", "open", "high", "low", "close", "volume")
    parquet.write_table(pyarrow.table(dict.fromkeys(names, noise)), path, row_group_size=8192)
    most = run([sys.executable, "-c", READ, path], stdout=PIPE, check=True, text=True).stdout
    assert 0 < int(most) < path.stat().st_size / 2
