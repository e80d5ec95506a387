"""The intervals that all charts of a page share, so that they line up."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from strategy_runtime.clock import NANOSECONDS
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.data.spool import STRETCH

__all__ = ["bars_by", "first_after", "grid_of", "rows_of"]

_MOST = 2000


def grid_of(series: Sequence[BarSeries], end_ns: int) -> list[int]:
    """Return the starts of the intervals, in nanoseconds since the epoch, in order.

    Intervals start when bars do: at every bar if there are few, else at some of them, so that times
    without bars take no room. There is at most one per second, because charts count in seconds.

    Args:
        end_ns: Bars that end later are left out.
    """
    # Most symbols have bars at the same times, and bytes are quick to compare.
    kinds = {_thinned(each, bars_by(each, end_ns)).tobytes() for each in series}
    begins = sorted({begin for kind in kinds for begin in array("q", kind)})
    a_second: dict[int, int] = {}
    for begin in begins[:: _grain(len(begins))]:
        a_second.setdefault(begin // NANOSECONDS, begin)
    return list(a_second.values())


def rows_of(series: BarSeries, grid: Sequence[int], end_ns: int) -> Iterator[tuple[int, range]]:
    """Yield number and rows of each interval in which bars of a symbol start.

    Memory of rows that have been read is released along the way.

    Args:
        end_ns: Bars that end later are left out.
    """
    row, count = 0, bars_by(series, end_ns)
    for number, begin in enumerate([*grid[1:], None]):
        first = row
        row = count if begin is None else first_after(series.starts, row, count, begin - 1)
        if first < row:
            yield number, range(first, row)
            if first // STRETCH != row // STRETCH:
                series.release()


def bars_by(series: BarSeries, end_ns: int) -> int:
    """Return how many bars of a symbol have ended by an instant."""
    return bisect_right(series.starts, end_ns - series.step)


def first_after(starts: Sequence[int], row: int, count: int, instant: int) -> int:
    """Return the first row from `row` on, of `count`, that starts after an instant.

    The search widens from `row`, so that little of the column is read.
    """
    jump, low = 1, row
    while low + jump <= count and starts[low + jump - 1] <= instant:
        low += jump
        jump *= 2
    return bisect_right(starts, instant, low, min(low + jump, count))


def _thinned(series: BarSeries, count: int) -> "array[int]":
    grain = _grain(count)
    some = array("q")
    for rows in series.stretches(0, count):
        some.extend(series.starts[rows.start + -rows.start % grain : rows.stop : grain])
    return some


def _grain(count: int) -> int:
    """Return how many bars share an interval."""
    return max(-(-count // _MOST), 1)
