"""A stretch of bars that several symbols have in common, and their candles."""

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
        is_alone: Whether there is but one of them.
        starts: When the bars begin.
        first: When the first of them does.
        is_even: Whether they follow each other without a gap.
        done: How many of them have closed.
        closed: How many of them have been closed in all lanes.
        is_in_parts: Whether the run in hand is made an instant at a time, and new orders are dealt
            with as the next instant is asked for; else `CandleRun.goes_on` has to deal with them.
        looked_at: How many of them had closed when somebody last looked ahead.
        run: The candles that are being handed over, if any are.
        caught_up: The candle in hand when time was last kept.
        candles: Those that have not been handed over yet, one instant after the other; where there
            are several lanes, as far as they go before something else has to be done.
        instants: Where there are several lanes, those that have not begun to be handed over.
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
        "is_in_parts",
        "lanes",
        "looked_at",
        "run",
        "starts",
        "step",
    )

    def __init__(self, lanes: list[Instrument], starts: Sequence[int]) -> None:
        self.lanes = lanes
        self.is_alone = len(lanes) == 1
        self.is_in_parts = False
        self.starts = starts
        self.step = lanes[0].series.step
        self.first = starts[0]
        self.is_even = is_even(starts, self.step)
        self.done = self.closed = self.looked_at = 0
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
        """How many candles of the same instant come behind this one."""
        return len(self.lanes) - self._places[candle.symbol] - 1

    def bound(self, symbol: str, below: bool) -> float | None:
        """The lowest close of a symbol, or the highest; None where it has none."""
        bounds = self._bounds[below]
        found = bounds.get(symbol)
        if found is None and symbol in self._places:
            lane = self.lanes[self._places[symbol]]
            closes = part_of(lane.series.closes, lane.first_row, len(self.starts))
            found = bounds[symbol] = min(closes) if below else max(closes)
        return found


def _candles(lane: Instrument, starts: Sequence[int]) -> Iterator[Candle]:
    """The candles of the bars to come, each made when it is asked for."""
    series, row, rows = lane.series, lane.row, len(starts)
    columns = series.opens, series.highs, series.lows, series.closes, series.volumes
    parts = (part_of(column, row, rows) for column in columns)
    return map(
        Candle, repeat(series.symbol), repeat(series.timeframe), starts, *parts, repeat(PROVIDER)
    )


def part_of(column: Any, first: int, rows: int) -> Any:
    """Some numbers of a column, as an array of their own."""
    part = column[first : first + rows]
    # To walk through a view is to unpack each number anew, and a list has all of them made at once,
    # which takes the room in the caches that the rest of a bar needs.
    return array(part.format, part.tobytes()) if isinstance(part, memoryview) else part


def is_even(starts: Sequence[int], step: int) -> bool:
    """Whether bars follow each other without a gap."""
    return starts[-1] - starts[0] == (len(starts) - 1) * step


def in_common(one: Sequence[int], other: Sequence[int]) -> Sequence[int]:
    """What two lists have in common at their beginning."""
    if one == other:
        return one
    pairs = enumerate(zip(one, other, strict=False))
    return one[: next((row for row, (a, b) in pairs if a != b), len(other))]
