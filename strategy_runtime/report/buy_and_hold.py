"""The benchmark of a run: equal amounts in all symbols, bought at their first opens and held."""

import math
from collections.abc import Sequence
from operator import add
from typing import NamedTuple

from strategy_runtime.clock import ns_of
from strategy_runtime.report.grid import rows_of
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.splits import Split

__all__ = ["buy_and_hold"]

_FEW = 64


class _Closes(NamedTuple):
    """The latest closes of a symbol at some instants.

    Attributes:
        rows: Their rows, each once.
        latest: For each instant, the index into `rows`; -1 before the first close.
    """

    rows: list[int]
    latest: list[int]


def buy_and_hold(
    series: Sequence[BarSeries], splits: Sequence[Split], instants: Sequence[int]
) -> list[float]:
    """Return what one unit of money is worth at each of some instants, in order, without costs.

    The share of a symbol stays in cash until its first bar. The list is empty if there are no bars,
    or if a value is not finite, as when a first price is not above zero.
    """
    if not instants:
        return []
    total, symbols = [0.0] * len(instants), 0
    before: BarSeries | None = None
    closes = _Closes([], [])
    for each in series:
        # Most symbols have bars at the same times.
        if before is None or each.step != before.step or each.starts != before.starts:
            closes, before = _closes(each, instants), each
        if closes.rows:
            mine = [split for split in splits if split.symbol == each.symbol]
            worth = [*_worth(each, mine, closes.rows), 1.0]  # the last is cash, at index -1
            total = list(map(add, total, map(worth.__getitem__, closes.latest)))
            symbols += 1
        each.release()
    mean = [growth / symbols for growth in total] if symbols else []
    return mean if all(map(math.isfinite, mean)) else []


def _closes(series: BarSeries, instants: Sequence[int]) -> _Closes:
    closes = _Closes([], [])
    # A bar has ended by an instant if it starts no later than one step before it.
    begins = [0, *(instant - series.step + 1 for instant in instants[:-1])]
    for number, rows in rows_of(series, begins, instants[-1]):
        closes.latest.extend([len(closes.rows) - 1] * (number - len(closes.latest)))
        closes.rows.append(rows.stop - 1)
    closes.latest.extend([len(closes.rows) - 1] * (len(instants) - len(closes.latest)))
    return closes


def _worth(series: BarSeries, splits: Sequence[Split], rows: Sequence[int]) -> list[float]:
    """Return the worth at some closes of one unit of money invested at the first open."""
    price = series.opens[0] if series.opens[0] > 0 else math.nan  # cannot be bought
    worth = []
    for count, row in enumerate(rows):
        units = _units(series, splits, row) if splits else 1.0
        worth.append(units * series.closes[row] / price)
        if not count % _FEW:  # each row may have loaded a page of memory
            series.release()
    return worth


def _units(series: BarSeries, splits: Sequence[Split], row: int) -> float:
    """Return how many units splits have made of one unit from the first bar to a row."""
    begin, now = series.starts[0], series.starts[row]
    return float(
        math.prod(split.new / split.old for split in splits if begin < ns_of(split.at) <= now)
    )
