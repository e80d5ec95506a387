"""Coarser candles made of finer bars (protocol h.2).

They are aligned as `Timeframe.span_around` says. A candle is sent when its time is over, and none
where nothing happened in it.
"""

from strategy_runtime.protocol.models import Candle
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.simulator.data.series import BarSeries

__all__ = ["Rollup", "rolled_up"]


class Rollup:
    """The candle in the making of one symbol in one timeframe.

    Attributes:
        rank: Place among candles that end at the same instant.
        end: When the candle in the making will be complete.
    """

    __slots__ = ("_candle", "_provider", "_span_around", "_symbol", "_timeframe", "end", "rank")

    def __init__(self, symbol: str, timeframe: str, rank: int, provider: str) -> None:
        self.rank = rank
        self.end = 0
        self._symbol = symbol
        self._timeframe = timeframe
        self._provider = provider
        self._span_around = parse_timeframe(timeframe).span_around
        self._candle: Candle | None = None

    def add(self, series: BarSeries, row: int) -> bool:
        """Take in a closed bar; True where a new candle begins with it."""
        high, low = series.highs[row], series.lows[row]
        close, volume = series.closes[row], series.volumes[row]
        part = self._candle
        begins = part is None
        if part is None:
            start, end = self._span_around(series.starts[row])
            # A bar that does not keep to the hours of the coarser one may end after it.
            self.end = max(end, series.starts[row] + series.step)
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


def _start_of(candle: Candle) -> int:
    return candle.stamp if isinstance(candle.stamp, int) else 0
