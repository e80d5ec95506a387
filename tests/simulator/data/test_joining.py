"""Several files of one symbol: joined in order of time, with overlaps named."""

import tracemalloc
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strategy_runtime.clock import DAY_NS, rfc3339
from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.joining import align
from strategy_runtime.simulator.data.load import LoadedData, load_bars
from strategy_runtime.simulator.data.series import BarSeries
from tests.simulator.data.support import HEADER, ROWS, load, only

FIRST = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


def write(folder: Path, name: str, minutes: Iterable[int], symbol: str = "A") -> Path:
    rows = [
        f"{symbol},{FIRST + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ},1,1,1,1,{minute}\n"
        for minute in minutes
    ]
    path = folder / name
    path.write_text("symbol," + HEADER + "".join(rows))
    return path


def places(data: LoadedData) -> list[str]:
    series = only(data)
    return [Path(series.where(row)).name for row in range(len(series))]


def test_months_of_one_symbol_are_one_series_whatever_the_order_of_the_files(
    tmp_path: Path,
) -> None:
    for month, symbol in (("2024-02", "A"), ("2024-01", "A")):
        rows = "".join(f"{symbol},{month}-{day:02d},1,1,1,1,1\n" for day in (5, 6, 7))
        (tmp_path / f"A-{month}.csv").write_text("symbol," + HEADER + rows)
    early, late = tmp_path / "A-2024-01.csv", tmp_path / "A-2024-02.csv"
    data = load_bars([late, early])
    assert [rfc3339(start)[:10] for start in only(data).starts] == [
        f"2024-0{month}-0{day}" for month in (1, 2) for day in (5, 6, 7)
    ]
    assert places(data)[2:4] == ["A-2024-01.csv line 4", "A-2024-02.csv line 2"]
    assert [(Path(f.source).name, f.line, f.kind.value) for f in data.faults] == [
        ("A-2024-02.csv", 2, "gap")
    ]


def test_the_symbol_given_joins_files_without_such_a_column(tmp_path: Path) -> None:
    first, second = ROWS.splitlines(keepends=True)
    for name, row in (("jan.csv", first), ("feb.csv", second)):
        (tmp_path / name).write_text(HEADER + row)
    data = load_bars([tmp_path], symbol="S:X", timeframe="1m")
    assert (only(data).symbol, list(only(data).volumes)) == ("S:X", [100, 200])


def test_bars_of_two_files_at_one_time_are_named_with_both(tmp_path: Path) -> None:
    one = write(tmp_path, "a.csv", [0, 1, 2, 4])
    other = write(tmp_path, "b.csv", [2, 3, 5])
    data = load_bars([one, other])
    assert list(only(data).volumes) == [0, 1, 2, 3, 4, 5]
    assert places(data)[2:5] == ["a.csv line 4", "b.csv line 3", "a.csv line 5"]
    (fault,) = data.faults
    assert (fault.source, fault.line, fault.kind.value) == (str(other), 2, "duplicate")
    assert fault.detail == f"2024-01-02T14:32:00Z again, with the same values as {one} line 4"
    with pytest.raises(DataError, match=r"b\.csv line 2: duplicate row of A: .*a\.csv line 4"):
        load_bars([one, other], strict=True)


def test_a_bar_that_begins_within_one_of_another_file_is_named_with_both(tmp_path: Path) -> None:
    one = write(tmp_path, "a.csv", [0, 1, 2, 3])
    other = tmp_path / "b.csv"
    other.write_text("symbol," + HEADER + "A,2024-01-02T14:30:30Z,1,1,1,1,9\n")
    data = load_bars([one, other], timeframe="1m")
    (fault,) = data.faults
    assert str(fault).endswith(
        f"b.csv line 2: impossible row of A: 2024-01-02T14:30:30Z is before the bar of {one} "
        "line 2 ends"
    )


def test_the_source_of_several_files_names_the_first(tmp_path: Path) -> None:
    paths = [write(tmp_path, f"{n}.csv", [2 * n, 2 * n + 1]) for n in range(3)]
    assert only(load_bars(paths)).source == f"{paths[0]} and 2 more"
    assert only(load_bars(paths[:1])).source == str(paths[0])


def test_a_file_names_only_the_files_its_symbol_came_from(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", [0, 1], "A")
    write(tmp_path, "b.csv", [0, 1], "B")
    one, other = load_bars([tmp_path]).series
    assert (one.source, other.source) == (str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))


@pytest.mark.parametrize(("day", "missing"), [(6, []), (7, ["5 days without a bar"])])
def test_daily_bars_may_be_five_days_apart(tmp_path: Path, day: int, missing: list[str]) -> None:
    rows = "".join(f"2024-01-0{each},1,1,1,1,1\n" for each in (1, day))
    faults = load(tmp_path, HEADER + rows, timeframe="1d").faults
    assert [fault.detail.partition(" after")[0] for fault in faults] == missing


@pytest.mark.parametrize(("hour", "kept"), [(22, 4), (21, 3)])
def test_clocks_go_forward_by_two_hours_at_most(tmp_path: Path, hour: int, kept: int) -> None:
    stamps = [*(f"2024-01-0{day}T00:00Z" for day in (1, 2, 3)), f"2024-01-03T{hour}:00Z"]
    rows = "".join(f"{stamp},1,1,1,1,1\n" for stamp in stamps)
    assert len(only(load(tmp_path, HEADER + rows, timeframe="1d"))) == kept


def write_trades(folder: Path, name: str, trades: Iterable[tuple[int, int]]) -> Path:
    """Write trades, given by second and price."""
    path = folder / name
    rows = (f"A,2024-01-02T14:30:{second:02d}Z,{price}\n" for second, price in trades)
    path.write_text("symbol,timestamp,price\n" + "".join(rows))
    return path


def test_trades_that_two_files_have_count_once(tmp_path: Path) -> None:
    # Two equal trades in one file are two trades.
    one = write_trades(tmp_path, "a.csv", [(0, 1), (1, 2), (1, 2), (1, 3)])
    other = write_trades(tmp_path, "b.csv", [(1, 2), (1, 2), (1, 2), (1, 3), (2, 4)])
    data = load_bars([other, one])
    assert [list(each.bids) for each in data.ticks] == [[1, 2, 2, 3, 2, 4]]
    again = "2024-01-02T14:30:01Z again, with the same values as"
    assert [(fault.source, fault.line, fault.detail) for fault in data.faults] == [
        (str(other), 2, f"{again} {one} line 3"),
        (str(other), 3, f"{again} {one} line 4"),
        (str(other), 5, f"{again} {one} line 5"),
    ]
    with pytest.raises(DataError, match=r"3 faults .*\n.*b\.csv line 2: duplicate row of A"):
        load_bars([one, other], strict=True)


@pytest.mark.parametrize("order", [-1, 1])
def test_rows_out_of_order_need_no_memory_for_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: int
) -> None:
    for module in ("joining", "spool"):
        monkeypatch.setattr(f"strategy_runtime.simulator.data.{module}.STRETCH", 250)
    minutes = [*range(30_000)][::order]
    path = write(tmp_path, "a.csv", [*minutes[:-5], 4000, *minutes[-5:]])
    tracemalloc.start()
    try:
        data = load_bars([path], most_in_memory=50_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert list(only(data).volumes) == list(range(30_000))
    assert peak < 6_000_000


# Properties.


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    files=st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=30), min_size=1, max_size=4),
    most_in_memory=st.sampled_from([0, 300, 10**6]),
)
def test_however_bars_are_spread_over_files_and_wherever_they_are_kept(
    tmp_path: Path, files: list[list[int]], most_in_memory: int
) -> None:
    # Each bar is followed by another, so that all files show their timeframe.
    files = [[*minutes, *(minute + 1 for minute in minutes)] for minutes in files]
    paths = [write(tmp_path, f"{n}.csv", minutes) for n, minutes in enumerate(files)]
    data = load_bars(paths, timeframe="1m", most_in_memory=most_in_memory)
    together = [minute for minutes in files for minute in minutes]
    assert list(only(data).volumes) == sorted({*together})
    duplicates = [fault for fault in data.faults if fault.kind.value == "duplicate"]
    assert len(duplicates) == len(together) - len({*together})
    assert data.faults == load_bars(paths, timeframe="1m").faults


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2)), min_size=1, max_size=25),
    parts=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=3),
    most_in_memory=st.sampled_from([0, 300, 10**6]),
)
def test_however_often_files_have_a_trade_it_counts_once(
    tmp_path: Path,
    steps: list[tuple[int, int]],
    parts: list[tuple[int, int]],
    most_in_memory: int,
) -> None:
    seconds = accumulate(later for later, _ in steps)
    trades = [(second, price) for second, (_, price) in zip(seconds, steps, strict=True)]
    paths = [write_trades(tmp_path, "0.csv", trades)]
    for number, (first, last) in enumerate(parts, 1):
        some = [trade for trade in trades if first <= trade[0] <= last]
        paths.append(write_trades(tmp_path, f"{number}.csv", some))
    data = load_bars(paths, most_in_memory=most_in_memory)
    assert [list(each.bids) for each in data.ticks] == [[price for _, price in trades]]


def test_days_of_several_symbols_stay_together_where_clocks_go_forward(tmp_path: Path) -> None:
    year = [date(2024, 1, 1) + timedelta(day) for day in range(366)]
    missing = {
        "ALL": set[date](),
        "NOT_THEN": {date(2024, 3, 10)},
        "NOR_IN_JULY": {date(2024, 3, 10), date(2024, 7, 4)},
        "WORKDAYS": {day for day in year if day.weekday() > 4},
        "SPRING_ONLY": {day for day in year if day > date(2024, 5, 1)},
    }
    for symbol, days in missing.items():
        rows = "".join(f"{day},10,11,9,10,1\n" for day in year if day not in days)
        (tmp_path / f"{symbol}.csv").write_text(HEADER + rows)
    for symbols in (["ALL", *list(missing)[1:]], ["WORKDAYS", "SPRING_ONLY", "NOT_THEN", "ALL"]):
        paths = [tmp_path / f"{symbol}.csv" for symbol in symbols]
        data = load_bars(paths, tz="America/New_York")
        starts = {series.symbol: list(series.starts) for series in data.series}
        day_of = dict(zip(starts["ALL"], year, strict=True))
        for symbol in symbols:
            assert [day_of[start] for start in starts[symbol]] == [
                day for day in year if day not in missing[symbol]
            ]


def test_days_alone_begin_when_they_do(tmp_path: Path) -> None:
    (tmp_path / "X.csv").write_text(HEADER + "2024-03-08,1,1,1,1,1\n2024-03-11,1,1,1,1,1\n")
    (series,) = load_bars([tmp_path / "X.csv"], tz="America/New_York", timeframe="1d").series
    assert list(map(rfc3339, series.starts)) == ["2024-03-08T05:00:00Z", "2024-03-11T04:00:00Z"]


@given(
    st.sets(st.integers(0, 30)).map(sorted),
    st.dictionaries(st.integers(0, 30), st.integers(1, 2)),
)
def test_bars_that_are_moved_never_overlap(days: list[int], shifts: dict[int, int]) -> None:
    series = BarSeries("X", "1d", DAY_NS)
    for day in days:
        series.append(day * DAY_NS, 1, 1, 1, 1, 1)
    hour = DAY_NS // 24
    align(series, {day * DAY_NS: day * DAY_NS + shift * hour for day, shift in shifts.items()})
    starts = list(series.starts)
    assert all(after - before >= DAY_NS for before, after in pairwise(starts))
    moved = [start - day * DAY_NS for start, day in zip(starts, days, strict=True)]
    assert all(0 <= each <= 2 * hour for each in moved)
