"""The benchmark of a run: equal amounts in all symbols, bought at their first opens and held."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, repeat
from operator import add
from typing import NamedTuple

from strategy_runtime.clock import DAY_NS, ns_of
from strategy_runtime.report.grid import bars_by, rows_of
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.data.spool import STRETCH
from strategy_runtime.simulator.splits import Split

__all__ = ["buy_and_hold"]


class _Closes(NamedTuple):
    """The latest closes of a symbol at some instants.

    Attributes:
        rows: Their rows, each once.
        latest: For each instant, the index into `rows`; -1 before the first close.
    """

    rows: Sequence[int]
    latest: list[int]


class _Ends(dict[int, int]):
    """By the start of a bar of some length, the number of the first instant by which it has
    ended; found when it is first asked for.
    """

    def __init__(self, instants: Sequence[int], step: int) -> None:
        super().__init__()
        self._instants = instants
        self._step = step

    def __missing__(self, start: int) -> int:
        number = self[start] = bisect_left(self._instants, start + self._step)
        return number


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
    ends: dict[int, _Ends] = {}
    for each in series:
        # Most symbols have bars at the same times.
        if before is None or each.step != before.step or each.starts != before.starts:
            before = each
            if each.step >= DAY_NS:
                known = ends.setdefault(each.step, _Ends(instants, each.step))
                closes = _closes_of_days(each, known, instants)
            else:
                closes = _closes(each, instants)
        if closes.rows:
            mine = [split for split in splits if split.symbol == each.symbol]
            worth = [*_worth(each, mine, closes.rows), 1.0]  # the last is cash, at index -1
            total = list(map(add, total, map(worth.__getitem__, closes.latest)))
            symbols += 1
        each.release()
    mean = [growth / symbols for growth in total] if symbols else []
    return mean if all(map(math.isfinite, mean)) else []


def _closes(series: BarSeries, instants: Sequence[int]) -> _Closes:
    last: list[int] = []
    latest: list[int] = []
    # A bar has ended by an instant if it starts no later than one step before it.
    begins = [0, *(instant - series.step + 1 for instant in instants[:-1])]
    for number, rows in rows_of(series, begins, instants[-1]):
        latest.extend([len(last) - 1] * (number - len(latest)))
        last.append(rows.stop - 1)
    latest.extend([len(last) - 1] * (len(instants) - len(latest)))
    return _Closes(last, latest)


def _closes_of_days(series: BarSeries, ends: _Ends, instants: Sequence[int]) -> _Closes:
    """Return the same for bars of a day or longer.

    There is hardly more than one between two instants, and although symbols begin late or miss some
    bars, most bars start when those of other symbols do.
    """
    rows = range(bars_by(series, instants[-1]))
    last = dict(zip(map(ends.__getitem__, series.starts[: rows.stop]), rows, strict=True))
    known = map(last.get, range(len(instants)), repeat(-1))
    return _Closes(rows, list(accumulate(known, max)))


def _worth(series: BarSeries, splits: Sequence[Split], rows: Sequence[int]) -> list[float]:
    """Return the worth at some closes of one unit of money invested at the first open."""
    price = series.opens[0] if series.opens[0] > 0 else math.nan  # cannot be bought
    worth = []
    before = 0
    for row in rows:
        units = _units(series, splits, row) if splits else 1.0
        worth.append(units * series.closes[row] / price)
        if row // STRETCH != before // STRETCH:  # each row may have loaded a page of memory
            series.release()
        before = row
    return worth


def _units(series: BarSeries, splits: Sequence[Split], row: int) -> float:
    """Return how many units splits have made of one unit from the first bar to a row."""
    begin, now = series.starts[0], series.starts[row]
    return float(
        math.prod(split.new / split.old for split in splits if begin < ns_of(split.at) <= now)
    )
