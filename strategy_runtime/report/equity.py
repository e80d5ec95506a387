"""Equity over time, worked out after a run from its bookings and the closes of its bars."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from heapq import merge
from itertools import groupby
from typing import TypeAlias

from msgspec import Struct

from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.outcome import Adjustment, Fill

__all__ = ["CurvePoint", "EquityPath", "ThinPoint", "equity_curve", "path_of"]

CurvePoint: TypeAlias = tuple[int, float]
"""An instant in nanoseconds since the epoch, and the equity at it."""

ThinPoint: TypeAlias = tuple[int, float, float]
"""An instant, the equity at it, and the deepest drawdown since the point before, as a share."""

_DAY = 86_400_000_000_000


class EquityPath(Struct, frozen=True, kw_only=True):
    """A curve, read once.

    Attributes:
        max_drawdown: Largest fall from an earlier peak, as a share of that peak: 0.25 is 25 %.
        longest_drawdown_ns: Longest time from a peak until equity was back at it, or the end.
        by_day: Last equity of each UTC day that has a point, by days since the epoch; midnight
            belongs to the day it ends.
        points: As many as a chart can show; no drawdown is lost, however short it was.
    """

    max_drawdown: float
    longest_drawdown_ns: int
    by_day: dict[int, float]
    points: list[ThinPoint]


def equity_curve(
    start_equity: Decimal,
    bookings: Iterable[Fill | Adjustment],
    series: Sequence[BarSeries],
    end_ns: int,
) -> Iterator[CurvePoint]:
    """Equity in the order of time: at every close of a bar of a symbol that is held, and whenever
    the last position has been closed. In between, nothing changes it.

    It is cash plus positions at their last closes; what no bar has closed for since it was bought
    counts at the price of its last fill.

    Args:
        bookings: What changed the account, in order.
        end_ns: Bars that close later are left out; a run may have been stopped early.
    """
    by_symbol = {each.symbol: each for each in series}
    cash = start_equity
    held: dict[str, Decimal] = {}
    marks: dict[str, float] = {}
    # A fill or split at the open of a bar comes behind the close of the bar before, at one instant.
    moving = (each for each in bookings if isinstance(each, Fill) or each.units or each.cash)
    due = [
        (begin, list(group))
        for begin, group in groupby(sorted(moving, key=_takes_effect), key=_takes_effect)
    ]
    upto = end_ns + 1
    for index, (begin, group) in enumerate(due):
        for each in group:
            symbol = each.symbol
            if isinstance(each, Fill):
                units = each.quantity * each.side.sign
                cash -= units * each.price + each.fee
                marks[symbol] = float(each.price)
            else:
                units = each.units
                cash += each.cash
                if each.price is not None:
                    marks[symbol] = each.price
            held[symbol] = held.get(symbol, Decimal(0)) + units
            if not held[symbol]:
                del held[symbol]
        following = due[index + 1][0] if index + 1 < len(due) else upto
        if not held:
            yield begin, float(cash)
        elif len(held) == 1:
            ((symbol, quantity),) = held.items()
            bars, balance, size = by_symbol[symbol], float(cash), float(quantity)
            starts, closes, step = bars.starts, bars.closes, bars.step
            rows = _rows(bars, begin, following)
            for some in bars.stretches(rows.start, rows.stop):
                for row in some:
                    yield starts[row] + step, balance + size * closes[row]
            if rows:
                marks[symbol] = closes[rows[-1]]
        else:
            yield from _several(
                [(by_symbol[s], float(q)) for s, q in held.items()],
                float(cash),
                marks,
                begin,
                following,
            )


def path_of(
    start_equity: Decimal,
    curve: Iterable[CurvePoint],
    start_ns: int,
    end_ns: int,
    width: int = 2000,
) -> EquityPath:
    """Read a curve: how deep and long it fell, where each day ended, and what a chart shows.

    Args:
        start_ns, end_ns: Of the run.
        width: How many points to keep at most.
    """
    peak, worst = float(start_equity), 0.0
    peaked, longest, is_below = start_ns, 0, False
    by_day: dict[int, float] = {}
    grain = max((end_ns - start_ns) // max(width - 2, 1), 1)
    points: list[ThinPoint] = [(start_ns, peak, 0.0)]
    shown = -1
    for now, equity in curve:
        if equity >= peak:
            if is_below:
                longest = max(longest, now - peaked)
                is_below = False
            peak, peaked = equity, now
            fall = 0.0
        else:
            is_below = True
            fall = (peak - equity) / peak
            worst = max(worst, fall)
        bucket = (now - start_ns) // grain
        if bucket != shown:
            shown = bucket
            points.append((now, equity, fall))
        else:
            points[-1] = (now, equity, max(points[-1][2], fall))
        by_day[(now - 1) // _DAY] = equity
    if is_below:
        longest = max(longest, end_ns - peaked)
    return EquityPath(max_drawdown=worst, longest_drawdown_ns=longest, by_day=by_day, points=points)


def _takes_effect(booking: Fill | Adjustment) -> int:
    if isinstance(booking, Fill):
        return booking.time_ns + (booking.bar_ns == booking.time_ns)
    return booking.time_ns + (booking.price is not None)


def _rows(series: BarSeries, begin: int, end: int) -> range:
    """Rows of the bars that close from `begin` on and before `end`."""
    starts, step = series.starts, series.step
    return range(bisect_left(starts, begin - step), bisect_left(starts, end - step))


def _several(
    held: Sequence[tuple[BarSeries, float]],
    cash: float,
    marks: dict[str, float],
    begin: int,
    end: int,
) -> Iterator[CurvePoint]:
    closing = merge(*(_closes(series, begin, end) for series, _ in held))
    for instant, closes in groupby(closing, key=lambda item: item[0]):
        for _, symbol, close in closes:
            marks[symbol] = close
        yield instant, cash + sum(quantity * marks[series.symbol] for series, quantity in held)


def _closes(series: BarSeries, begin: int, end: int) -> Iterator[tuple[int, str, float]]:
    rows = _rows(series, begin, end)
    for some in series.stretches(rows.start, rows.stop):
        for row in some:
            yield series.starts[row] + series.step, series.symbol, series.closes[row]
