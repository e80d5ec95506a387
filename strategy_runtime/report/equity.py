"""The equity curve, computed after a run from its bookings and the closes of its bars."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from heapq import merge
from itertools import chain, count, groupby, islice, repeat, zip_longest
from operator import itemgetter, mul
from typing import NamedTuple

from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.data.spool import STRETCH
from strategy_runtime.simulator.outcome import Adjustment, Fill

__all__ = ["CurvePart", "equity_curve"]

_ENOUGH = STRETCH // 8
"""Number of points beyond which longer parts are no faster."""


class CurvePart(NamedTuple):
    """Consecutive points of the curve, at least one.

    Attributes:
        starts, lag: The times of the points minus `lag`, in nanoseconds since the epoch.
        equities: The equity at each point.
    """

    starts: Sequence[int]
    lag: int
    equities: Sequence[float]


def equity_curve(
    start_equity: Decimal,
    bookings: Iterable[Fill | Adjustment],
    series: Sequence[BarSeries],
    end_ns: int,
) -> Iterator[CurvePart]:
    """Yield the equity curve in order of time.

    There is a point at every close of a bar of a symbol that is held; if none closes then, also
    when a position is closed or interest is charged. A point before the entry marks the opening of
    a position from flat. In between, equity does not change for longer than a bar.

    Equity is cash plus positions at their last closes; a position whose symbol has had no close
    since the entry counts at the price of its last fill.

    Args:
        bookings: Fills and adjustments, in order.
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


class _Account:
    """Cash and positions, and the last price of each symbol."""

    __slots__ = ("cash", "held", "marks")

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.held: dict[str, Decimal] = {}
        self.marks: dict[str, float | Decimal] = {}

    @property
    def worth(self) -> float:
        """Cash plus positions at the last prices."""
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
    """Sort the bookings that change the account by when they take effect; also return the times."""
    changes = [each for each in bookings if isinstance(each, Fill) or each.units or each.cash]
    instants = list(map(_takes_effect, changes))
    order = sorted(range(len(changes)), key=instants.__getitem__)
    return [changes[row] for row in order], sorted(instants)


def _takes_effect(booking: Fill | Adjustment) -> int:
    # A fill or split at the open of a bar is later than the close of the previous bar, although
    # both have the same time.
    if isinstance(booking, Fill):
        return booking.time_ns + (booking.bar_ns == booking.time_ns)
    return booking.time_ns + (booking.price is not None)


class _Bars:
    """The bars of one symbol, read once from start to end."""

    def __init__(self, series: BarSeries) -> None:
        self.series = series
        self._row = 0
        self._instant = series.starts[0] if len(series) else 0  # nothing closes before

    def first_from(self, instant: int) -> int:
        """Return the first row that closes at an instant or later; instants must not decrease."""
        ahead = instant - self._instant
        if ahead > 0:
            starts, step, row = self.series.starts, self.series.step, self._row
            start, most = instant - step, len(starts)
            # Bars do not overlap, which limits their number; mostly there are no gaps either.
            furthest = row + ahead // step if step else most
            if row < furthest < most and starts[furthest - 1] < start <= starts[furthest]:
                self._row = furthest
            else:
                self._row = bisect_left(starts, start, row, min(furthest + 1, most))
            self._instant = instant
        return self._row

    def closes_at(self, instant: int) -> bool:
        """Whether a bar closes at an instant."""
        row, starts = self.first_from(instant), self.series.starts
        return row < len(starts) and starts[row] + self.series.step == instant

    def between(self, begin: int, end: int) -> Iterable[range]:
        """Yield the rows that close from `begin` on and before `end`, some at a time."""
        first, last = self.first_from(begin), self.first_from(end)
        if first // STRETCH == last // STRETCH:
            return (range(first, last),) if first < last else ()
        return self.series.stretches(first, last)

    def starts(self, rows: slice, lag: int) -> Sequence[int]:
        """Return the times at which bars close, minus `lag`."""
        starts, further = self.series.starts[rows].tolist(), self.series.step - lag
        return [start + further for start in starts] if further else starts


def _between(
    holdings: Sequence[tuple[_Bars, float]],
    cash: float,
    marks: dict[str, float | Decimal],
    begin: int,
    end: int,
) -> Iterator[CurvePart]:
    """Yield the equity at every close from `begin` on and before `end`, and update the marks."""
    rows = [(bars.first_from(begin), bars.first_from(end)) for bars, _ in holdings]
    held = [bars.series for bars, _ in holdings]
    sizes = [size for _, size in holdings]
    if not _are_together(held, rows):
        latest = [float(marks[each.symbol]) for each in held]
        points = _one_by_one(held, sizes, rows, cash, latest)
        while some := list(islice(points, STRETCH)):
            yield CurvePart([now for now, _ in some], 0, [equity for _, equity in some])
        marks.update(
            (each.symbol, close)
            for each, close, (first, last) in zip(held, latest, rows, strict=True)
            if first < last
        )
        return
    together = rows[0][1] - rows[0][0]
    for first in range(0, together, STRETCH):
        here = [slice(row + first, min(row + first + STRETCH, last)) for row, last in rows]
        closes = [each.closes[some].tolist() for each, some in zip(held, here, strict=True)]
        worth = [
            [size * close for close in column] for size, column in zip(sizes, closes, strict=True)
        ]
        equities = [cash + sum(each) for each in zip(*worth, strict=True)]
        yield CurvePart(held[0].starts[here[0]], held[0].step, equities)
        for each, column in zip(held, closes, strict=True):
            marks[each.symbol] = column[-1]
            if together >= STRETCH:
                each.release()


def _are_together(held: Sequence[BarSeries], rows: Sequence[tuple[int, int]]) -> bool:
    """Whether the bars of all symbols close at the same times."""
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
    latest: list[float],
) -> Iterator[tuple[int, float]]:
    """Yield time and equity at every close, and update the latest closes."""
    columns = map(_closes, held, count(), rows)
    # Most are of a day or so, between two fills.
    few = sum(last - first for first, last in rows) <= STRETCH
    closing = sorted(chain.from_iterable(columns)) if few else merge(*columns)
    for instant, closes in groupby(closing, key=itemgetter(0)):
        for _, place, close in closes:
            latest[place] = close
        yield instant, cash + sum(map(mul, sizes, latest))


def _closes(
    series: BarSeries, place: int, rows: tuple[int, int]
) -> Iterator[tuple[int, int, float]]:
    """Yield the time of each close of some rows, the place of the symbol, and the close."""
    for some in series.stretches(*rows):
        here = slice(some.start, some.stop)
        instants = map(series.step.__add__, series.starts[here])
        yield from zip(instants, repeat(place), series.closes[here])
