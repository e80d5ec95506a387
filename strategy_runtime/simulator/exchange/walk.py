"""A stretch of bars that several symbols step through together, and their candles."""

from array import array
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

from strategy_runtime.protocol.events import CandleRun
from strategy_runtime.protocol.models import Candle
from strategy_runtime.simulator.data.series import PROVIDER
from strategy_runtime.simulator.market import Instrument

__all__ = ["Walk", "in_common", "is_even", "part_of"]


class Walk:
    """A stretch of instants at each of which all lanes have a bar.

    Attributes:
        lanes: The symbols, by rank.
        is_alone: Whether there is only one of them.
        starts: Start times of the bars.
        first: Start time of the first bar.
        is_even: Whether the bars follow each other without a gap.
        done: How many bars have closed, by the candles delivered.
        closed: How many bars have been closed in all lanes.
        is_stepwise: Whether the current run is made one instant at a time, so that new orders are
            handled when the next instant is requested; else `CandleRun.may_continue` handles them.
        last_lookahead: How many bars had closed at the last look-ahead.
        run: The run of candles being delivered, if any.
        caught_up: The current candle when time was last advanced.
        candles: Candles not yet delivered, instant by instant; with several lanes, only up to the
            next instant that needs anything else.
        instants: With several lanes, the candles of each instant whose delivery has not started.
    """

    __slots__ = (
        "_bounds",
        "_places",
        "candles",
        "caught_up",
        "closed",
        "done",
        "first",
        "instants",
        "is_alone",
        "is_even",
        "is_stepwise",
        "lanes",
        "last_lookahead",
        "run",
        "starts",
        "step",
    )

    def __init__(self, lanes: list[Instrument], starts: Sequence[int]) -> None:
        self.lanes = lanes
        self.is_alone = len(lanes) == 1
        self.is_stepwise = False
        self.starts = starts
        self.step = lanes[0].series.step
        self.first = starts[0]
        self.is_even = is_even(starts, self.step)
        self.done = self.closed = self.last_lookahead = 0
        self.run: CandleRun | None = None
        self.caught_up: Candle | None = None
        self._places = {lane.series.symbol: place for place, lane in enumerate(lanes)}
        self._bounds: tuple[dict[str, float], dict[str, float]] = {}, {}
        for lane in lanes:
            lane.first_row = lane.row
        columns = [_candles(lane, starts) for lane in lanes]
        self.instants = zip(*columns, strict=True)
        self.candles: Iterator[Candle] = columns[0] if self.is_alone else iter(())

    def left(self, candle: Candle) -> int:
        """Return how many candles of the same instant follow this one."""
        return len(self.lanes) - self._places[candle.symbol] - 1

    def bound(self, symbol: str, below: bool) -> float | None:
        """Return the lowest close of a symbol, or the highest; None if it has no lane."""
        bounds = self._bounds[below]
        found = bounds.get(symbol)
        if found is None and symbol in self._places:
            lane = self.lanes[self._places[symbol]]
            closes = part_of(lane.series.closes, lane.first_row, len(self.starts))
            found = bounds[symbol] = min(closes) if below else max(closes)
        return found


def _candles(lane: Instrument, starts: Sequence[int]) -> Iterator[Candle]:
    """Return the candles of the coming bars, each made when it is requested."""
    series, row, rows = lane.series, lane.row, len(starts)
    columns = series.opens, series.highs, series.lows, series.closes, series.volumes
    parts = (part_of(column, row, rows) for column in columns)
    return map(
        Candle, repeat(series.symbol), repeat(series.timeframe), starts, *parts, repeat(PROVIDER)
    )


def part_of(column: Any, first: int, rows: int) -> Any:
    """Return some numbers of a column as an array of their own."""
    part = column[first : first + rows]
    # Iterating over a view unpacks each number through its format, and a list creates all numbers
    # at once, which evicts from the CPU caches what the rest of a bar needs.
    return array(part.format, part.tobytes()) if isinstance(part, memoryview) else part


def is_even(starts: Sequence[int], step: int) -> bool:
    """Return whether bars follow each other without a gap."""
    return starts[-1] - starts[0] == (len(starts) - 1) * step


def in_common(one: Sequence[int], other: Sequence[int]) -> Sequence[int]:
    """Return the common prefix of two lists."""
    if one == other:
        return one
    pairs = enumerate(zip(one, other, strict=False))
    return one[: next((row for row, (a, b) in pairs if a != b), len(other))]
