"""Numbers that are worked out after a run, from its fills and the closes of its bars."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby

from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.outcome import Fill

__all__ = ["equity_points", "max_drawdown"]


def equity_points(
    start_equity: Decimal, fills: Iterable[Fill], series: Sequence[BarSeries], end_ns: int
) -> Iterator[float]:
    """Equity in the order of time: at every close of a bar of a symbol that is held, and whenever
    the last position has been closed. In between, nothing changes it.

    It is cash plus positions at their last closes; what no bar has closed for since it was bought
    counts at the price of its last fill.

    Args:
        end_ns: Bars that close later are left out; a run may have been stopped early.
    """
    by_symbol = {each.symbol: each for each in series}
    cash = start_equity
    held: dict[str, Decimal] = {}
    marks: dict[str, float] = {}
    # A fill at the open of a bar comes after the close of the bar before, at the same instant.
    due = [
        (begin, list(group))
        for begin, group in groupby(sorted(fills, key=_takes_effect), key=_takes_effect)
    ]
    upto = end_ns + 1
    for index, (begin, group) in enumerate(due):
        for fill in group:
            signed = fill.quantity * fill.side.sign
            cash -= signed * fill.price + fill.fee
            held[fill.symbol] = held.get(fill.symbol, Decimal(0)) + signed
            marks[fill.symbol] = float(fill.price)
            if not held[fill.symbol]:
                del held[fill.symbol]
        following = due[index + 1][0] if index + 1 < len(due) else upto
        if not held:
            yield float(cash)
        elif len(held) == 1:
            ((symbol, quantity),) = held.items()
            each, balance, units = by_symbol[symbol], float(cash), float(quantity)
            rows = _rows(each, begin, following)
            for close in each.closes[rows.start : rows.stop]:
                yield balance + units * close
            if rows:
                marks[symbol] = each.closes[rows[-1]]
        else:
            yield from _several(
                [(by_symbol[s], float(q)) for s, q in held.items()],
                float(cash),
                marks,
                begin,
                following,
            )


def max_drawdown(start_equity: Decimal, points: Iterable[float]) -> float:
    """The largest fall of equity from an earlier peak, as a share of that peak: 0.25 is 25 %."""
    peak, worst = float(start_equity), 0.0
    for equity in points:
        if equity > peak:
            peak = equity
        elif peak - equity > worst * peak:
            worst = (peak - equity) / peak
    return worst


def _takes_effect(fill: Fill) -> int:
    return fill.time_ns + (fill.bar_ns == fill.time_ns)


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
) -> Iterator[float]:
    closing = sorted(
        (series.starts[row] + series.step, series.symbol, series.closes[row])
        for series, _ in held
        for row in _rows(series, begin, end)
    )
    for _, closes in groupby(closing, key=lambda item: item[0]):
        for _, symbol, close in closes:
            marks[symbol] = close
        yield cash + sum(quantity * marks[series.symbol] for series, quantity in held)
