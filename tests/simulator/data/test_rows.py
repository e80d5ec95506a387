"""Rows to columns: what is dropped, sorted, moved and noted."""

from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.clock import rfc3339
from strategy_runtime.simulator.data.faults import DataFault, FaultKind, FaultLog
from strategy_runtime.simulator.data.joining import join_bars
from strategy_runtime.simulator.data.rows import BarRows, QuoteRows
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.data.spool import Spool
from tests.simulator.data.support import HEADER, MINUTE, load, only
from tests.work import steps_of

NAN, INF = float("nan"), float("inf")


def collected(*rows: tuple[float, ...], step: int = MINUTE) -> tuple[BarSeries, list[DataFault]]:
    faults, spool = FaultLog(), Spool()
    part = BarRows("S:X", 0, "x.csv", faults, spool)
    for line, (start, *values) in enumerate(rows, start=2):
        part.add(line, int(start), *values)
    series = BarSeries("S:X", "1m", step)
    join_bars(series, [part], spool.room(), faults)
    return series, faults.in_order(["x.csv"])


@pytest.mark.parametrize(
    "values",
    [
        (10, 9, 11, 10, 1),
        (12, 11, 9, 10, 1),
        (8, 11, 9, 10, 1),
        (10, 11, 9, 12, 1),
        (10, 11, 9, 8, 1),
        (0, 11, 0, 10, 1),
        (-1, 11, -2, 10, 1),
        (10, 11, 9, 10, -2),
        (10, 11, 9, 10, INF),
        (NAN, 11, 9, 10, 1),
        (10, NAN, 9, 10, 1),
        (10, INF, 9, 10, 1),
        (10, 11, NAN, 10, 1),
        (10, 11, 9, NAN, 1),
    ],
)
def test_impossible_rows_are_dropped_and_named(values: tuple[float, ...]) -> None:
    series, (fault,) = collected((0, *values))
    assert len(series) == 0
    shown = [format(value, "g") for value in values]
    why = " (prices have to be above zero)" if min(values[:4]) <= 0 else ""
    assert (
        str(fault)
        == "x.csv line 2: impossible row of S:X: "
        + " ".join(
            f"{name} {text}"
            for name, text in zip("open high low close volume".split(), shown, strict=True)
        )
        + why
    )


def test_a_tiny_violation_is_visible_in_its_message() -> None:
    _, (fault,) = collected((0, 12345.67, 12345.66, 12345.5, 12345.6, 1000000.0))
    assert fault.detail == "open 12345.67 high 12345.66 low 12345.5 close 12345.6 volume 1000000"


@pytest.mark.parametrize(
    ("row", "high", "low"),
    [
        ((21.0, 21.578775270904995, 20.9, 21.578775270905, 1), 21.578775270905, 20.9),
        ((21.0, 21.5, 20.900000000000002, 20.9, 1), 21.5, 20.9),
    ],
)
def test_a_high_or_low_that_misses_by_rounding_reaches_as_far_as_the_close(
    row: tuple[float, ...], high: float, low: float
) -> None:
    series, faults = collected((0, *row))
    assert (list(series.highs), list(series.lows), faults) == ([high], [low], [])


def test_a_bar_without_movement_and_volume_is_possible() -> None:
    series, faults = collected((0, 1, 1, 1, 1, 0))
    assert (len(series), faults) == (1, [])


def test_one_missing_bar_is_a_gap() -> None:
    _, (fault,) = collected((0, 1, 1, 1, 1, 0), (2 * MINUTE, 1, 1, 1, 1, 0))
    assert (fault.kind, fault.line) == (FaultKind.GAP, 3)
    assert fault.detail == "1 bar missing after 1970-01-01T00:00:00Z"


def test_less_than_a_bar_missing_is_no_gap() -> None:
    _, faults = collected((0, 1, 1, 1, 1, 0), (MINUTE + MINUTE // 2, 1, 1, 1, 1, 0))
    assert faults == []


def test_a_duplicate_of_a_dropped_row_is_none() -> None:
    series, faults = collected((0, 0, 0, 0, 0, 0), (0, 1, 1, 1, 1, 0))
    assert (list(series.opens), [fault.kind.value for fault in faults]) == ([1], ["impossible"])


def test_the_first_of_duplicates_is_kept_also_where_rows_are_out_of_order() -> None:
    series, faults = collected((MINUTE, 2, 2, 2, 2, 0), (0, 1, 1, 1, 1, 0), (MINUTE, 3, 3, 3, 3, 0))
    assert (list(series.opens), list(series.marks)) == ([1, 2], [3, 2])
    assert [(fault.kind.value, fault.line) for fault in faults] == [
        ("out of order", 3),
        ("duplicate", 4),
    ]
    assert faults[1].detail == "1970-01-01T00:01:00Z again, with other values than line 2"


# Clock changes: local days of 23 and 25 hours, local weeks likewise.


def test_days_in_a_zone_whose_clocks_change_are_all_kept(tmp_path: Path) -> None:
    days = [f"2024-03-{day:02d}" for day in range(1, 32)] + [
        f"2024-11-{d:02d}" for d in range(1, 9)
    ]
    text = HEADER + "".join(f"{day},1,1,1,1,{n}\n" for n, day in enumerate(days))
    data = load(tmp_path, text, tz="America/New_York")
    series = only(data)
    assert list(series.volumes) == list(range(len(days)))
    assert [fault.kind for fault in data.faults] == [FaultKind.GAP]  # from March to November
    assert rfc3339(series.starts[9]) == "2024-03-10T05:00:00Z"
    # Sunday the tenth had 23 hours. No bar starts before the previous one is over.
    assert rfc3339(series.starts[10]) == "2024-03-11T05:00:00Z"
    ends = [start + series.step for start in series.starts]
    assert all(end <= start for end, start in zip(ends, series.starts[1:], strict=False))


def test_weeks_in_a_zone_whose_clocks_change(tmp_path: Path) -> None:
    mondays = ["2024-02-26", "2024-03-04", "2024-03-11", "2024-03-18", "2024-04-01"]
    data = load(
        tmp_path, HEADER + "".join(f"{day},1,1,1,1,1\n" for day in mondays), tz="Europe/Rome"
    )
    assert (only(data).timeframe, len(only(data))) == ("1w", 5)
    assert [(fault.line, fault.detail) for fault in data.faults] == [
        (6, "1 bar missing after 2024-03-17T23:00:00Z")
    ]


def test_minutes_are_never_moved() -> None:
    series, (fault,) = collected((0, 1, 1, 1, 1, 0), (MINUTE - 1, 1, 1, 1, 1, 0))
    assert (len(series), fault.kind) == (1, FaultKind.IMPOSSIBLE)
    assert fault.detail == "1970-01-01T00:00:59.999999999Z is before the bar of line 2 ends"


# Quotes.


@pytest.mark.parametrize(
    ("bid", "ask"), [(2.0, 1.0), (0.0, 1.0), (NAN, 1.0), (1.0, NAN), (1.0, INF)]
)
def test_impossible_quotes_are_dropped(bid: float, ask: float) -> None:
    faults, spool = FaultLog(), Spool()
    part = QuoteRows("S:X", 0, "a.csv", faults, spool)
    others = [1.0] * 9
    part.extend(range(2, 12), range(10, 20), [bid, *others], [ask, *others])
    part.finish()
    assert len(part) == 9
    (fault,) = faults.in_order(["a.csv"])
    assert (fault.kind, fault.line) == (FaultKind.IMPOSSIBLE, 2)
    assert fault.detail.startswith("bid ")


# Properties.

slots = st.lists(st.integers(0, 50), min_size=1, max_size=60)


@given(slots)
def test_whatever_the_order_the_bars_are_the_same(minutes: list[int]) -> None:
    """Duplicates are equal, so that it does not matter which comes first."""
    rows = [(minute * MINUTE, minute + 1.0, 60.0, 0.5, 1.0, minute) for minute in minutes]
    wanted = sorted(set(minutes))
    series, faults = collected(*rows)
    assert [start // MINUTE for start in series.starts] == wanted
    assert list(series.opens) == [minute + 1 for minute in wanted]
    assert [rows[line - 2][5] for line in series.marks] == wanted
    kinds = [fault.kind for fault in faults]
    assert kinds.count(FaultKind.DUPLICATE) == len(minutes) - len(wanted)
    falls = sum(after[0] < before[0] for before, after in pairwise(rows))
    assert kinds.count(FaultKind.OUT_OF_ORDER) == falls
    holes = sum(after - before > 1 for before, after in pairwise(wanted))
    assert kinds.count(FaultKind.GAP) == holes


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60), st.integers(1, 10**5))
def test_bars_never_overlap(starts: list[int], step: int) -> None:
    series, _ = collected(*[(start, 1, 1, 1, 1, 0) for start in starts], step=step)
    begins = list(series.starts)
    assert all(a + step <= b for a, b in pairwise(begins))


def in_parts(*sizes: int) -> tuple[BarSeries, list[DataFault]]:
    """Read minute bars, so many at a time; one has no price, and one comes too early."""
    faults, spool = FaultLog(), Spool()
    part, line = BarRows("S:X", 0, "x.csv", faults, spool), 2
    for size in sizes:
        lines = range(line, line + size)
        stamps = [MINUTE * (each if each != 60 else 1) for each in lines]
        numbers = ([NAN if each == 50 else 10.0 for each in lines] for _ in range(5))
        if size == 1:
            part.add(line, stamps[0], *(column[0] for column in numbers))
        else:
            part.extend(lines, stamps, *numbers)
        line += size
    part.finish()
    series = BarSeries("S:X", "1m", MINUTE)
    join_bars(series, [part], spool.room(), faults)
    return series, faults.in_order(["x.csv"])


@given(st.lists(st.integers(1, 40), min_size=3, max_size=30))
def test_rows_are_the_same_however_many_come_at_a_time(sizes: list[int]) -> None:
    series, faults = in_parts(*sizes)
    whole, all_faults = in_parts(sum(sizes))
    assert series.columns == whole.columns
    assert faults == all_faults


def test_a_few_rows_at_a_time_are_checked_together() -> None:
    """If thousands of symbols lie side by side, each has hardly a row at a time."""
    few, one = (steps_of(partial(in_parts, *sizes)) for sizes in ([4] * 12, [1] * 48))
    assert few < one / 2
