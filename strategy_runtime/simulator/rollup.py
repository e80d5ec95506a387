"""Coarser candles made of finer bars (protocol h.2).

Bars are aligned to UTC: an hour begins at a full hour, a week on Monday. A candle is sent when its
time is over, and none where nothing happened in it.
"""

from strategy_runtime.protocol.models import Candle
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.simulator.data.series import BarSeries

__all__ = ["Rollup", "rolled_up"]

_WEEK = 7 * 86_400 * 10**9
_MONDAY = 4 * 86_400 * 10**9  # the epoch began on a Thursday


class Rollup:
    """The candle in the making of one symbol in one timeframe.

    Attributes:
        rank: Place among candles that end at the same instant.
        end: When the candle in the making will be complete.
    """

    __slots__ = ("_candle", "_provider", "_step", "_symbol", "_timeframe", "end", "rank")

    def __init__(self, symbol: str, timeframe: str, rank: int, provider: str) -> None:
        self.rank = rank
        self.end = 0
        self._symbol = symbol
        self._timeframe = timeframe
        self._provider = provider
        self._step = parse_timeframe(timeframe).nanoseconds
        self._candle: Candle | None = None

    def add(self, series: BarSeries, row: int) -> bool:
        """Take in a closed bar; True where a new candle begins with it."""
        high, low = series.highs[row], series.lows[row]
        close, volume = series.closes[row], series.volumes[row]
        part = self._candle
        begins = part is None
        if part is None:
            start = _floor(series.starts[row], self._step)
            # A bar that does not keep to the hours of the coarser one may end after it.
            self.end = max(start + self._step, series.starts[row] + series.step)
            opened = series.opens[row]
        else:
            start, opened = _start_of(part), part.open
            high, low = max(high, part.high), min(low, part.low)
            volume += part.volume
        self._candle = Candle(
            self._symbol, self._timeframe, start, opened, high, low, close, volume, self._provider
        )
        return begins

    def take(self) -> Candle | None:
        """The candle whose time is over."""
        candle, self._candle = self._candle, None
        return candle


def rolled_up(
    series: BarSeries, rows: int, timeframe: str, now_ns: int, provider: str
) -> list[Candle]:
    """The complete candles of a coarser timeframe that the first `rows` bars make."""
    rollup = Rollup(series.symbol, timeframe, 0, provider)
    candles = []
    for row in range(rows):
        if rollup.end and series.starts[row] >= rollup.end:
            candles.append(rollup.take())
        rollup.add(series, row)
    if rollup.end <= now_ns:
        candles.append(rollup.take())
    return [candle for candle in candles if candle is not None]


def _floor(start: int, step: int) -> int:
    shift = _MONDAY if step % _WEEK == 0 else 0
    return (start - shift) // step * step + shift


def _start_of(candle: Candle) -> int:
    return candle.stamp if isinstance(candle.stamp, int) else 0
