"""Drawdown, days and points of a curve, against values computed by hand and point by point."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.report.equity import CurvePart
from strategy_runtime.report.equity_path import EquityPath, FallDates, path_of
from tests.report.support import START, STEP, curve_of

CASH = Decimal(1000)
DAY = 86_400_000_000_000
END = START + 1000 * STEP


def path(*equities: float, step: int = STEP, grid: Sequence[int] = ()) -> EquityPath:
    """Read a curve of equities that are `step` apart."""
    curve = [(START + (index + 1) * step, equity) for index, equity in enumerate(equities)]
    return path_of(CASH, curve_of(curve), START, START + len(curve) * step, {}, grid)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([], 0.0),
        ([1100, 990, 1200, 900], 0.25),
        ([900, 1000], 0.1),
        ([1001, 1002], 0.0),
        ([1000, 1000], 0.0),
    ],
)
def test_drawdown_is_the_largest_fall_from_a_peak(curve: list[float], expected: float) -> None:
    assert path(*curve).max_drawdown == pytest.approx(expected)


def test_a_peak_that_floats_put_a_hair_lower_is_reached_again() -> None:
    back = path(1100, 1000, 1099.9999999999998, 1099.9999999999998)
    assert back.max_drawdown == pytest.approx(1 / 11)
    assert back.longest_drawdown_ns == 2 * STEP


@pytest.mark.parametrize(
    ("equities", "steps"),
    [
        ([1100, 1000, 1050, 1100], 3),
        ([900, 950], 2),
        ([1100, 1200, 1150], 1),
        ([1001], 0),
        ([1001, 1002, 1003], 0),
    ],
)
def test_the_longest_drawdown_is_from_a_peak_to_its_return_or_the_end(
    equities: list[float], steps: int
) -> None:
    assert path(*equities).longest_drawdown_ns == steps * STEP


def test_midnight_belongs_to_the_day_it_ends() -> None:
    half = 43_200_000_000_000
    midnight = 20_000 * 2 * half
    curve = [(midnight - half, 990.0), (midnight, 980.0), (midnight + 1, 970.0)]
    days = {19_999: midnight, 20_000: midnight + DAY}
    found = path_of(CASH, curve_of(curve), midnight - 2 * half, midnight + half, days)
    assert found.by_day == {19_999: 980.0, 20_000: 970.0}


def test_what_changes_between_days_with_bars_counts_to_the_next_and_at_the_end_to_the_last() -> (
    None
):
    curve = [(START + DAY, 990.0), (START + DAY + 1, 980.0), (START + 9 * DAY, 970.0)]
    days = {3: START + DAY, 5: START + 7 * DAY, 8: START + 8 * DAY}
    found = path_of(CASH, curve_of(curve), START, START + 9 * DAY, days)
    assert found.by_day == {3: 990.0, 5: 980.0, 8: 970.0}


def test_few_points_keep_the_deepest_drawdown() -> None:
    equities = [1000.0] * 500
    equities[123] = 600.0
    grid = range(START, START + 500 * STEP, 25 * STEP)
    found = path(*equities, grid=grid)
    assert [begin for begin, _, _ in found.points] == list(grid)
    assert max(depth for _, _, depth in found.points) == 0.4 == found.max_drawdown
    assert found.points[123 // 25] == (grid[4], 1000.0, 0.4)


def test_a_time_in_which_nothing_changes_has_its_points_too() -> None:
    curve = [(START + 3 * STEP, 1100.0), (START + 4 * STEP, 990.0), (START + 7 * STEP, 1045.0)]
    grid = [START + row * STEP for row in range(9)]
    found = path_of(CASH, curve_of(curve), START, START + 9 * STEP, {}, grid)
    assert [equity for _, equity, _ in found.points] == [
        *(1000.0, 1000.0, 1100.0, 990.0, 990.0, 990.0, 1045.0, 1045.0, 1045.0)
    ]
    assert [round(depth, 9) for _, _, depth in found.points] == [
        *(0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05)
    ]


def point_by_point(
    curve: Sequence[tuple[int, float]], end: int, grid: Sequence[int]
) -> tuple[float, FallDates | None, int, dict[int, float], list[tuple[int, float, float]]]:
    """Compute the figures of a path point by point."""
    peak, peaked, longest, worst, is_below = float(CASH), START, 0, 0.0, False
    dates: FallDates | None = None
    by_day: dict[int, float] = {}
    falls: list[tuple[int, float, float]] = []
    for now, equity in curve:
        if equity >= peak:
            longest = max(longest, now - peaked) if is_below else longest
            if dates is not None and dates.recovery is None:
                dates = FallDates(dates.peak, dates.trough, day_in(now))
            peak, peaked, is_below, fall = equity, now, False, 0.0
        else:
            is_below, fall = True, (peak - equity) / peak
        if fall > worst:
            worst, dates = fall, FallDates(day_in(peaked), day_in(now), None)
        by_day[(now - 1) // DAY] = equity
        falls.append((now, equity, fall))
    points: list[tuple[int, float, float]] = []
    equity, fall = float(CASH), 0.0
    for begin, ends in zip(grid, [*grid[1:], 2**63][: len(grid)], strict=True):
        first = begin if points else START - 1
        here = [each for each in falls if first < each[0] <= ends]
        deepest = max((each[2] for each in here), default=fall)
        if here:
            _, equity, fall = here[-1]
        points.append((begin, equity, deepest))
    return worst, dates, max(longest, end - peaked) if is_below else longest, by_day, points


def day_in(instant: int) -> date:
    return date(1970, 1, 1) + timedelta(days=(instant - 1) // DAY)


def test_the_dates_of_the_deepest_fall_are_those_of_its_peak_its_trough_and_its_end() -> None:
    first = START // DAY
    days = {day: (day + 1) * DAY for day in range(first, first + 20)}

    def dates(*equities: float) -> FallDates | None:
        curve = [(START + day * DAY, equity) for day, equity in enumerate(equities)]
        return path_of(CASH, curve_of(curve), START, curve[-1][0], days).max_drawdown_dates

    def on(peak: int, trough: int, recovery: int | None) -> FallDates:
        end = None if recovery is None else day_in(START + recovery * DAY)
        return FallDates(day_in(START + peak * DAY), day_in(START + trough * DAY), end)

    assert dates(1000, 1010, 1010) is None
    assert dates(1000, 1010, 900, 950) == on(1, 2, None)
    assert dates(1000, 1010, 900.0000000000001, 900) == on(1, 2, None)  # lower for floats alone
    assert dates(1000, 1010, 900, 950, 1010, 1000, 1020) == on(1, 2, 4)
    assert dates(1000, 1010, 900.0000000000001, 1000, 900, 1010) == on(1, 2, 5)
    assert dates(900, 1000, 1100, 700, 700, 1000) == on(2, 3, None)
    assert dates(1010, 1010, 1000, 1020, 600, 1030, 500, 1040, 900) == on(5, 6, 7)
    assert path_of(CASH, curve_of([(START, 900.0)]), START, END, {}).max_drawdown_dates is None


@given(
    equities=st.lists(st.integers(900, 1100).map(float), min_size=1, max_size=60),
    cuts=st.lists(st.integers(1, 59), max_size=6).map(sorted),
    step=st.sampled_from([STEP, DAY // 7, DAY]),
    begins=st.sets(st.integers(-2, 62)).map(sorted),
)
def test_a_path_is_that_of_its_points_however_they_come(
    equities: list[float], cuts: list[int], step: int, begins: list[int]
) -> None:
    points = [(START + (row + 1) * step, equity) for row, equity in enumerate(equities)]
    end = points[-1][0] + step
    parts = [
        CurvePart([now - step for now, _ in some], step, [equity for _, equity in some])
        for first, last in pairwise([0, *cuts, 60])
        if (some := points[first:last])
    ]
    grid = [START + begin * step for begin in begins]
    days = {day: (day + 1) * DAY for day in range(START // DAY, end // DAY + 1)}
    found = path_of(CASH, parts, START, end, days, grid)
    assert (
        found.max_drawdown,
        found.max_drawdown_dates,
        found.longest_drawdown_ns,
        found.by_day,
        found.points,
    ) == point_by_point(points, end, grid)
