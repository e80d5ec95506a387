"""Equity over time, worked out after a run from its bookings and the closes of its bars."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from heapq import merge
from itertools import groupby, islice, zip_longest
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.data.spool import STRETCH
from strategy_runtime.simulator.outcome import Adjustment, Fill

__all__ = [
    "NOISE",
    "CurvePart",
    "EquityPath",
    "FallDates",
    "ThinPoint",
    "day_of",
    "equity_curve",
    "path_of",
]


class CurvePart(NamedTuple):
    """Some points of the curve, one behind the other; at least one.

    Attributes:
        starts, lag: The instants of the points less `lag`, in nanoseconds since the epoch.
        equities: The equity at each.
    """

    starts: Sequence[int]
    lag: int
    equities: Sequence[float]


ThinPoint: TypeAlias = tuple[int, float, float]
"""When an interval of a chart begins, the equity at its end, and the deepest drawdown in it, as a
share."""

NOISE = 1e-12
"""A share of equity too small to be a gain or a loss: floats do not tell it from nothing."""

_ENOUGH = STRETCH // 8
"""Points from which on a part is as good as a longer one."""
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


def equity_curve(
    start_equity: Decimal,
    bookings: Iterable[Fill | Adjustment],
    series: Sequence[BarSeries],
    end_ns: int,
) -> Iterator[CurvePart]:
    """Equity in the order of time: at every close of a bar of a symbol that is held; where none
    closes, when a position has been closed or interest was charged; and, still without the entry,
    when one is opened and none was held. In between, nothing changes it for longer than a
    bar.

    It is cash plus positions at their last closes; what no bar has closed for since it was bought
    counts at the price of its last fill.

    Args:
        bookings: What changed the account, in order.
        end_ns: Bars that close later are left out; a run may have been stopped early.
    """
    by_symbol = {each.symbol: _Bars(each) for each in series}
    account = _Account(start_equity)
    held, marks = account.held, account.marks
    lag = series[0].step if series else 0
    starts: list[int] = []
    equities: list[float] = []
    has_changed, was_flat, before = False, True, float(start_equity)
    due, instants = _by_instant(bookings)
    for each, begin, following in zip_longest(due, instants, instants[1:]):
        account.enter(each)
        has_changed = has_changed or not each.units or each.symbol not in held
        if following == begin:
            continue
        cash, end = float(account.cash), end_ns + 1 if following is None else following
        if was_flat:
            starts.append(begin - lag)
            equities.append(before)
        if has_changed and not any(by_symbol[name].closes_at(begin) for name in held):
            starts.append(begin - lag)
            equities.append(account.worth)
        has_changed, was_flat, before = False, not held, cash
        if not held:
            continue
        if len(held) == 1:
            ((symbol, quantity),) = held.items()
            bars, size = by_symbol[symbol], float(quantity)
            for rows in bars.between(begin, end):
                here = slice(rows.start, rows.stop)
                closes = bars.series.closes[here].tolist()
                starts += bars.starts(here, lag)
                equities += [cash + size * close for close in closes]
                marks[symbol] = closes[-1]
                if len(starts) >= _ENOUGH:
                    yield CurvePart(starts, lag, equities)
                    starts, equities = [], []
        else:
            if starts:
                yield CurvePart(starts, lag, equities)
                starts, equities = [], []
            holdings = [(by_symbol[name], float(quantity)) for name, quantity in held.items()]
            yield from _between(holdings, cash, marks, begin, end)
    if starts:
        yield CurvePart(starts, lag, equities)


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


class _Account:
    """Cash and positions, and the last price of each symbol."""

    __slots__ = ("cash", "held", "marks")

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.held: dict[str, Decimal] = {}
        self.marks: dict[str, float | Decimal] = {}

    @property
    def worth(self) -> float:
        """Cash and positions at the last prices."""
        marks = self.marks
        held = (float(units) * float(marks[symbol]) for symbol, units in self.held.items())
        return float(self.cash) + sum(held)

    def enter(self, booking: Fill | Adjustment) -> None:
        symbol, units, held = booking.symbol, booking.units, self.held
        if isinstance(booking, Fill):
            self.cash -= units * booking.price + booking.fee
            self.marks[symbol] = booking.price
        else:
            self.cash += booking.cash
            if booking.price is not None:
                self.marks[symbol] = booking.price
        if symbol in held:
            units += held[symbol]
        if units:
            held[symbol] = units
        else:
            held.pop(symbol, None)


def _by_instant(
    bookings: Iterable[Fill | Adjustment],
) -> tuple[list[Fill | Adjustment], list[int]]:
    """What changes the account, in the order in which it takes effect, and when that is."""
    changes = [each for each in bookings if isinstance(each, Fill) or each.units or each.cash]
    instants = list(map(_takes_effect, changes))
    order = sorted(range(len(changes)), key=instants.__getitem__)
    return [changes[row] for row in order], sorted(instants)


def _takes_effect(booking: Fill | Adjustment) -> int:
    # A fill or split at the open of a bar comes behind the close of the bar before, at one instant.
    if isinstance(booking, Fill):
        return booking.time_ns + (booking.bar_ns == booking.time_ns)
    return booking.time_ns + (booking.price is not None)


class _Bars:
    """The bars of one symbol, gone through once."""

    def __init__(self, series: BarSeries) -> None:
        self.series = series
        self._row = 0
        self._instant = series.starts[0] if len(series) else 0  # nothing closes before

    def first_from(self, instant: int) -> int:
        """The first row that closes at an instant or later; instants never fall."""
        ahead = instant - self._instant
        if ahead > 0:
            starts, step, row = self.series.starts, self.series.step, self._row
            start, most = instant - step, len(starts)
            # Bars do not overlap, so there is only room for so many; mostly there are as many.
            furthest = row + ahead // step if step else most
            if row < furthest < most and starts[furthest - 1] < start <= starts[furthest]:
                self._row = furthest
            else:
                self._row = bisect_left(starts, start, row, min(furthest + 1, most))
            self._instant = instant
        return self._row

    def closes_at(self, instant: int) -> bool:
        """Whether one of them closes then."""
        row, starts = self.first_from(instant), self.series.starts
        return row < len(starts) and starts[row] + self.series.step == instant

    def between(self, begin: int, end: int) -> Iterable[range]:
        """The rows that close from `begin` on and before `end`, some at a time."""
        first, last = self.first_from(begin), self.first_from(end)
        if first // STRETCH == last // STRETCH:
            return (range(first, last),) if first < last else ()
        return self.series.stretches(first, last)

    def starts(self, rows: slice, lag: int) -> Sequence[int]:
        """When bars close, less `lag`."""
        starts, further = self.series.starts[rows].tolist(), self.series.step - lag
        return [start + further for start in starts] if further else starts


def _between(
    holdings: Sequence[tuple[_Bars, float]],
    cash: float,
    marks: dict[str, float | Decimal],
    begin: int,
    end: int,
) -> Iterator[CurvePart]:
    """The equity at every close from `begin` on and before `end`; leaves the last ones as marks."""
    rows = [(bars.first_from(begin), bars.first_from(end)) for bars, _ in holdings]
    held = [bars.series for bars, _ in holdings]
    sizes = [size for _, size in holdings]
    if not _are_together(held, rows):
        points = _one_by_one(held, sizes, rows, cash, marks)
        while some := list(islice(points, STRETCH)):
            yield CurvePart([now for now, _ in some], 0, [equity for _, equity in some])
        return
    count = rows[0][1] - rows[0][0]
    for first in range(0, count, STRETCH):
        here = [slice(row + first, min(row + first + STRETCH, last)) for row, last in rows]
        closes = [each.closes[some].tolist() for each, some in zip(held, here, strict=True)]
        worth = [
            [size * close for close in column] for size, column in zip(sizes, closes, strict=True)
        ]
        equities = [cash + sum(each) for each in zip(*worth, strict=True)]
        yield CurvePart(held[0].starts[here[0]], held[0].step, equities)
        for each, column in zip(held, closes, strict=True):
            marks[each.symbol] = column[-1]
            if count >= STRETCH:
                each.release()


def _are_together(held: Sequence[BarSeries], rows: Sequence[tuple[int, int]]) -> bool:
    """Whether all close at the same instants."""
    first, (begin, end) = held[0], rows[0]
    instants = first.starts[begin:end]
    return all(
        each.step == first.step and each.starts[begin:end] == instants
        for each, (begin, end) in zip(held[1:], rows[1:], strict=True)
    )


def _one_by_one(
    held: Sequence[BarSeries],
    sizes: Sequence[float],
    rows: Sequence[tuple[int, int]],
    cash: float,
    marks: dict[str, float | Decimal],
) -> Iterator[tuple[int, float]]:
    latest = {each.symbol: float(marks[each.symbol]) for each in held}
    closing = merge(*(_closes(each, *some) for each, some in zip(held, rows, strict=True)))
    for instant, closes in groupby(closing, key=lambda item: item[0]):
        for _, symbol, close in closes:
            marks[symbol] = latest[symbol] = close
        worth = (size * latest[each.symbol] for each, size in zip(held, sizes, strict=True))
        yield instant, cash + sum(worth)


def _closes(series: BarSeries, first: int, last: int) -> Iterator[tuple[int, str, float]]:
    for some in series.stretches(first, last):
        for row in some:
            yield series.starts[row] + series.step, series.symbol, series.closes[row]
