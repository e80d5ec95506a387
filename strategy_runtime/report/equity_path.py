"""What one pass over the equity curve finds: drawdowns, the end of each day, points for a chart."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from strategy_runtime.report.equity import CurvePart

__all__ = ["NOISE", "EquityPath", "FallDates", "ThinPoint", "day_of", "path_of"]

ThinPoint: TypeAlias = tuple[int, float, float]
"""The start of an interval of a chart, the equity at its end, and the deepest drawdown in it, as a
share."""

NOISE = 1e-12
"""A share of equity too small to be a gain or a loss: it may be a rounding error of floats."""

_NEVER = 2**63
_EPOCH = date(1970, 1, 1)


class FallDates(Struct, frozen=True):
    """The dates of a drawdown.

    Attributes:
        peak: The last day on which it was at its peak.
        trough: The day on which it was lowest.
        recovery: The day on which it was back at the peak; None if it never was.
    """

    peak: date
    trough: date
    recovery: date | None


class EquityPath(Struct, frozen=True, kw_only=True):
    """What one pass over the equity curve finds.

    Attributes:
        max_drawdown: Largest fall from an earlier peak, as a share of that peak: 0.25 is 25 %.
        max_drawdown_dates: When that was; None if equity never fell.
        longest_drawdown_ns: Longest time from when equity was last at a peak until it was back
            there, or the end.
        by_day: Last equity of each day that has a point.
        points: One for each interval of a chart, even if nothing changed; they show every drawdown,
            however short.
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
    """Read a curve once, and collect drawdowns, the end of each day, and points for a chart.

    Args:
        start_ns, end_ns: The period in which orders could fill.
        days: When each day ends, see `performance.days_of`; a point belongs to the day that ends
            next.
        grid: The starts of the intervals of the chart, see `grid.grid_of`. A point between two
            intervals belongs to the earlier one, as the close of a bar does; points before the
            first interval belong to it.
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
    """Return the date of a day, given as its number since the epoch."""
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
    """Return a point for each interval; if nothing changed, it repeats the one before.

    Args:
        changed: By interval, the equity at its end, the deepest drawdown, and the drawdown at its
            end.
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
    """The times of a peak, the trough after it, and the recovery, if there was one."""

    peak: int
    trough: int
    recovery: int | None


class _Drawdown:
    """Tracks how far the curve is below its peak.

    Attributes:
        worst: The deepest fall so far, as a share of the peak.
        deepest: When that was; None if there was none.
    """

    def __init__(self, peak: float, now: int) -> None:
        self.worst = 0.0
        self.deepest: _Fall | None = None
        self._peak, self._peaked = peak, now
        self._floor = peak * (1 - NOISE)
        self._longest = 0
        self._is_below = False

    def follow(self, part: CurvePart, first: int, last: int) -> float:
        """Read the points from `first` to before `last`, and return their deepest fall."""
        equities = part.equities[first:last]
        if max(equities) < self._floor:
            self._is_below = True
            lowest = min(equities)
            deepest = self.at(lowest)
            if deepest > self.worst + NOISE:
                self._set_deepest(deepest, part, first + equities.index(lowest))
            return deepest
        return self._past_peaks(part, first, last)

    def at(self, equity: float) -> float:
        """Return how far an equity is below the peak, as a share of the peak."""
        return (self._peak - equity) / self._peak if equity < self._floor else 0.0

    def longest_until(self, end: int) -> int:
        """Return the longest time from a peak until the curve was back there, or the end."""
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
                depth = (self._peak - equity) / self._peak  # inlined for speed
                if depth > deepest:
                    deepest = depth
                    if depth > self.worst + NOISE:
                        self._set_deepest(depth, part, row)
        return deepest

    def _set_deepest(self, depth: float, part: CurvePart, row: int) -> None:
        trough = part.starts[row] + part.lag
        self.worst, self.deepest = depth, _Fall(self._peaked, trough, None)
