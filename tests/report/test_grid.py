"""The intervals of a page's charts, and the rows of a symbol in each."""

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.report import grid as module
from strategy_runtime.report.grid import bars_by, first_after, grid_of, rows_of
from strategy_runtime.simulator.data import series as series_module
from strategy_runtime.simulator.data.series import BarSeries
from tests.report.support import START, STEP, series

END = START + 100_000 * STEP


def at(*rows: int, symbol: str = "S:A", step: int = STEP) -> BarSeries:
    """Make bars that start so many minutes after the first."""
    bars = BarSeries(symbol, "1m", step)
    for row in rows:
        bars.append(START + row * STEP, 1, 1, 1, 1, 1)
    return bars


def test_where_bars_are_few_an_interval_begins_wherever_one_of_any_symbol_does() -> None:
    grid = grid_of([at(0, 1, 5), at(0, 2, 5, 9, symbol="S:B")], END)
    assert [(begin - START) // STEP for begin in grid] == [0, 1, 2, 5, 9]


def test_where_they_are_many_they_share_intervals() -> None:
    grid = grid_of([series([1.0] * 4500), series([1.0] * 4500, symbol="S:B", first=1)], END)
    assert 1000 < len(grid) <= 2000
    assert (grid[0], grid[-1] > START + 4490 * STEP) == (START, True)


def test_bars_that_end_after_a_stopped_run_have_none() -> None:
    assert grid_of([at(0, 1, 2)], START + 2 * STEP) == [START, START + STEP]
    assert grid_of([at(0)], START) == []


def test_one_begins_a_second_at_most() -> None:
    quotes = BarSeries("S:A", "quote", 0)
    for half in range(6):
        quotes.append(START + half * 500_000_000, 1, 1, 1, 1, 0)
    assert grid_of([quotes], END) == [START, START + 1_000_000_000, START + 2_000_000_000]


@given(
    kinds=st.lists(st.sets(st.integers(0, 60), min_size=1).map(sorted), min_size=1, max_size=4),
    most=st.integers(1, 70),
    stretch=st.sampled_from([4, 7, 65_536]),
    end=st.integers(0, 62),
)
def test_every_bar_is_in_one_interval_and_none_is_in_two(
    kinds: list[list[int]], most: int, stretch: int, end: int
) -> None:
    data = [at(*rows, symbol=f"S:{number}") for number, rows in enumerate(kinds)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MOST", most)
        patch.setattr(series_module, "STRETCH", stretch)
        grid = grid_of(data, START + end * STEP)
        assert len(grid) <= most
        assert grid == sorted(set(grid))
        for bars in data:
            found = list(rows_of(bars, grid, START + end * STEP))
            count = bars_by(bars, START + end * STEP)
            assert [row for _, rows in found for row in rows] == list(range(count))
            for number, rows in found:
                for row in rows:
                    assert bisect_right(grid, bars.starts[row]) - 1 == number


@given(st.sets(st.integers(0, 200)).map(sorted), st.integers(-1, 201), st.integers(0, 200))
def test_a_search_from_a_row_on_finds_what_one_through_all_finds(
    starts: list[int], instant: int, row: int
) -> None:
    row = min(row, len(starts))
    expected = max(bisect_right(starts, instant), row)
    assert first_after(starts, row, len(starts), instant) == expected
