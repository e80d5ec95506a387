"""Jumps of the price overnight that look like a split nobody announced.

Averages and buy and hold take such a jump for a real fall, whether or not a position was open.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from strategy_runtime.clock import DAY_NS, ns_of
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries
from strategy_runtime.simulator.outcome import Outcome
from strategy_runtime.simulator.splits import Split, jump_of, suspected_split, suspicion_of

__all__ = ["suspected_jumps"]

_SHOWN = 3
_NIGHT_NS = DAY_NS // 6
"""The least time without bars that is taken for a night: breaks at noon are shorter."""


def suspected_jumps(outcome: Outcome, splits: Sequence[Split]) -> list[str]:
    """A warning of each jump in the bars and trades of what was sent; of many, the first few.

    Left out are those over an announced split, and those the run has warned of, because a position
    was held over them.
    """
    sent = {each.rpartition(":")[0] for each in outcome.sent}
    found = [
        _said(series, row, split)
        for series in outcome.series
        # At night a quote may be one that nobody means.
        if series.timeframe != QuoteSeries.KIND and series.symbol in sent
        for row in _nights(series, outcome.end_ns)
        if (split := suspected_split(series.closes[row - 1], series.opens[row])) is not None
        and not _is_known(series, row, outcome, splits)
    ]
    more = len(found) - _SHOWN
    return found[:_SHOWN] + [f"{more} more jumps of prices look like splits"] * (more > 0)


def _is_known(series: BarSeries, row: int, outcome: Outcome, splits: Sequence[Split]) -> bool:
    """Whether a split was announced between a bar and the one before, or the run has warned."""
    before, start = series.starts[row - 1], series.starts[row]
    return (series.symbol, start) in outcome.doubted or any(
        split.symbol == series.symbol and before < ns_of(split.at) <= start for split in splits
    )


def _nights(series: BarSeries, end_ns: int) -> Iterator[int]:
    """The bars that begin after a night and before an instant, but for the first of all."""
    starts, step = series.starts, series.step
    for rows in series.stretches(1, bisect_left(starts, end_ns)):
        if step >= DAY_NS:
            yield from rows
            continue
        spans = [(rows.start - 1, rows.stop - 1)]
        while spans:
            first, last = spans.pop()
            if starts[last] - starts[first] - (last - first) * step < _NIGHT_NS:
                continue
            if last - first == 1:
                yield last
                continue
            middle = (first + last) // 2
            spans += (middle, last), (first, middle)


def _said(series: BarSeries, row: int, split: str) -> str:
    jump = jump_of(series.closes[row - 1], series.opens[row])
    return suspicion_of(
        f"{series.symbol} went {jump}", split, series.starts[row], series.where(row)
    )
