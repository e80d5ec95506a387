"""A curve of equity, read once: how deep and how long it fell, where each day ended, and what of it
a chart shows.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from strategy_runtime.report.equity import CurvePart

__all__ = ["NOISE", "EquityPath", "FallDates", "ThinPoint", "day_of", "path_of"]

ThinPoint: TypeAlias = tuple[int, float, float]
"""When an interval of a chart begins, the equity at its end, and the deepest drawdown in it, as a
share."""

NOISE = 1e-12
"""A share of equity too small to be a gain or a loss: floats do not tell it from nothing."""

_NEVER = 2**63
_EPOCH = date(1970, 1, 1)


class FallDates(Struct, frozen=True):
    """When equity fell.

    Attributes:
        peak: The last day on which it was at its peak.
        trough: The day on which it was lowest.
        recovery: The day on which it was at the peak again; None where it never was.
    """

    peak: date
    trough: date
    recovery: date | None


class EquityPath(Struct, frozen=True, kw_only=True):
    """A curve, read once.

    Attributes:
        max_drawdown: Largest fall from an earlier peak, as a share of that peak: 0.25 is 25 %.
        max_drawdown_dates: When that was; None where it never fell.
        longest_drawdown_ns: Longest time from when equity was last at a peak until it was back
            there, or the end.
        by_day: Last equity of each day that has a point.
        points: One for each interval of a chart, also where nothing changed; no drawdown is lost,
            however short it was.
    """

    max_drawdown: float
    max_drawdown_dates: FallDates | None
    longest_drawdown_ns: int
    by_day: dict[int, float]
    points: list[ThinPoint]


def path_of(
    start_equity: Decimal,
    curve: Iterable[CurvePart],
    start_ns: int,
    end_ns: int,
    days: Mapping[int, int],
    grid: Sequence[int] = (),
) -> EquityPath:
    """Read a curve: how deep and long it fell, where each day ended, and what a chart shows.

    Args:
        start_ns, end_ns: Of the time in which orders could fill.
        days: When each ends, see `performance.days_of`; an instant belongs to the next that ends.
        grid: When the intervals of the chart begin, see `grid.grid_of`. An instant at which one
            ends and the next begins belongs to the one that ends, as the close of a bar does; what
            comes before the first belongs to it.
    """
    drawdown = _Drawdown(float(start_equity), start_ns)
    by_day: dict[int, float] = {}
    numbers, nights = list(days), [*list(days.values())[:-1], _NEVER]
    ends = [*grid[1:], _NEVER]
    changed: dict[int, tuple[float, float, float]] = {}
    for part in curve:
        row = 0
        while row < len(part.starts):
            begin = part.starts[row] + part.lag
            day, interval = bisect_left(nights, begin), bisect_left(ends, begin)
            after = min(nights[day], ends[interval]) + 1
            end = bisect_left(part.starts, after - part.lag, row)
            fall, equity = drawdown.follow(part, row, end), part.equities[end - 1]
            if interval in changed:
                fall = max(fall, changed[interval][1])
            changed[interval] = equity, fall, drawdown.at(equity)
            if numbers:
                by_day[numbers[day]] = equity
            row = end
    return EquityPath(
        max_drawdown=drawdown.worst,
        max_drawdown_dates=_dates_of(drawdown.deepest, numbers, nights),
        longest_drawdown_ns=drawdown.longest_until(end_ns),
        by_day=by_day,
        points=_points(float(start_equity), grid, changed),
    )


def day_of(number: int) -> date:
    """A day by its number since the epoch."""
    return _EPOCH + timedelta(days=number)


def _dates_of(fall: "_Fall | None", days: Sequence[int], nights: Sequence[int]) -> FallDates | None:
    if fall is None or not days:
        return None

    def day(instant: int) -> date:
        return day_of(days[bisect_left(nights, instant)])

    recovery = None if fall.recovery is None else day(fall.recovery)
    return FallDates(day(fall.peak), day(fall.trough), recovery)


def _points(
    equity: float, grid: Sequence[int], changed: Mapping[int, tuple[float, float, float]]
) -> list[ThinPoint]:
    """A point for each interval: as the one before where nothing changed.

    Args:
        changed: Equity at the end, deepest drawdown, and drawdown at the end of an interval.
    """
    points: list[ThinPoint] = []
    depth = 0.0
    for interval, begin in enumerate(grid):
        deepest = depth
        if interval in changed:
            equity, deepest, depth = changed[interval]
        points.append((begin, equity, deepest))
    return points


class _Fall(NamedTuple):
    """When a curve was at its peak, at its lowest, and at the peak again, if ever."""

    peak: int
    trough: int
    recovery: int | None


class _Drawdown:
    """How far below its peak a curve is.

    Attributes:
        worst: The deepest fall yet, as a share of the peak.
        deepest: When that was; None where there was none.
    """

    def __init__(self, peak: float, now: int) -> None:
        self.worst = 0.0
        self.deepest: _Fall | None = None
        self._peak, self._peaked = peak, now
        self._floor = peak * (1 - NOISE)
        self._longest = 0
        self._is_below = False

    def follow(self, part: CurvePart, first: int, last: int) -> float:
        """Go through the points from `first` to before `last`; gives back their deepest fall."""
        equities = part.equities[first:last]
        if max(equities) < self._floor:
            self._is_below = True
            lowest = min(equities)
            deepest = self.at(lowest)
            if deepest > self.worst + NOISE:
                self._note(deepest, part, first + equities.index(lowest))
            return deepest
        return self._past_peaks(part, first, last)

    def at(self, equity: float) -> float:
        """How far below the peak an equity is, as a share of it."""
        return (self._peak - equity) / self._peak if equity < self._floor else 0.0

    def longest_until(self, end: int) -> int:
        """The longest time from a peak until the curve was back at it, or the end."""
        return max(self._longest, end - self._peaked) if self._is_below else self._longest

    def _past_peaks(self, part: CurvePart, first: int, last: int) -> float:
        deepest = 0.0
        for row in range(first, last):
            equity = part.equities[row]
            if equity >= self._floor:
                now = part.starts[row] + part.lag
                if self._is_below:
                    self._longest = max(self._longest, now - self._peaked)
                    self._is_below = False
                    if self.deepest is not None and self.deepest.recovery is None:
                        self.deepest = self.deepest._replace(recovery=now)
                if equity > self._peak:
                    self._peak, self._floor = equity, equity * (1 - NOISE)
                self._peaked = now
            else:
                self._is_below = True
                depth = (self._peak - equity) / self._peak  # a call less for each point
                if depth > deepest:
                    deepest = depth
                    if depth > self.worst + NOISE:
                        self._note(depth, part, row)
        return deepest

    def _note(self, depth: float, part: CurvePart, row: int) -> None:
        trough = part.starts[row] + part.lag
        self.worst, self.deepest = depth, _Fall(self._peaked, trough, None)
