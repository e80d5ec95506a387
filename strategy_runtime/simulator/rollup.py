"""Coarser candles made of finer bars.

They are aligned as `Timeframe.span_around` says. A bar belongs to the candle that its middle is in,
so that the days of any time zone make weeks from Monday on. A candle is sent when its time and all
of its bars are over, and none where nothing happened in it.
"""

from bisect import bisect_left, bisect_right

from strategy_runtime.protocol.models import Candle
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.simulator.data.series import BarSeries

__all__ = ["GivenBars", "Rollup", "candle_of", "rolled_up"]


class Rollup:
    """The candle in the making of one symbol in one timeframe.

    Attributes:
        rank: Place among candles that end at the same instant, given by who lists them all.
        end: When the candle in the making will be complete.
    """

    __slots__ = ("_candle", "_provider", "_span_around", "_symbol", "end", "rank", "timeframe")

    def __init__(self, symbol: str, timeframe: str, provider: str) -> None:
        self.rank = 0
        self.end = 0
        self._symbol = symbol
        self.timeframe = timeframe
        self._provider = provider
        self._span_around = parse_timeframe(timeframe).span_around
        self._candle: Candle | None = None

    def add(self, series: BarSeries, row: int) -> bool:
        """Take in a closed bar; True where a new candle begins with it."""
        starts, step = series.starts, series.step
        middle = starts[row] + step // 2
        begins = self.add_prices(
            middle,
            series.opens[row],
            series.highs[row],
            series.lows[row],
            series.closes[row],
            series.volumes[row],
        )
        if begins:
            # Of bars that do not keep to the hours of the coarser one, the last may end after it.
            most = row + (self.end - middle) // step + 1
            last = bisect_left(starts, self.end - step // 2, row, min(most, len(starts))) - 1
            self.end = max(self.end, starts[last] + step)
        return begins

    def add_prices(
        self, instant: int, opened: float, high: float, low: float, close: float, volume: float
    ) -> bool:
        """Take in what was traded at an instant; True where a new candle begins with it."""
        part = self._candle
        begins = part is None
        if part is None:
            start, self.end = self._span_around(instant)
        else:
            start, opened = _start_of(part), part.open
            high, low = max(high, part.high), min(low, part.low)
            volume += part.volume
        self._candle = Candle(
            self._symbol, self.timeframe, start, opened, high, low, close, volume, self._provider
        )
        return begins

    def take(self) -> Candle | None:
        """The candle whose time is over."""
        candle, self._candle = self._candle, None
        return candle


class GivenBars:
    """Coarser bars that the data has itself, of a symbol that executes in finer ones.

    Attributes:
        rank, end, timeframe: As of a `Rollup`.
        subscribed: Whether they are sent.
    """

    __slots__ = ("_next", "_provider", "end", "rank", "series", "subscribed", "timeframe")

    def __init__(self, series: BarSeries, provider: str, *, subscribed: bool) -> None:
        self.series = series
        self.timeframe = series.timeframe
        self.rank = 0
        self.subscribed = subscribed
        self.end = series.starts[0] + series.step
        self._next = 0
        self._provider = provider

    def take(self) -> Candle:
        """The bar whose time is over."""
        series, row = self.series, self._next
        self._next = row + 1
        if self._next < len(series):
            self.end = series.starts[self._next] + series.step
        return candle_of(series, row, self._provider)

    def count(self, now_ns: int) -> int:
        """How many bars are over."""
        return bisect_right(self.series.starts, now_ns - self.series.step)


def candle_of(series: BarSeries, row: int, provider: str) -> Candle:
    """A bar as an event."""
    return Candle(
        series.symbol,
        series.timeframe,
        series.starts[row],
        series.opens[row],
        series.highs[row],
        series.lows[row],
        series.closes[row],
        series.volumes[row],
        provider,
    )


def rolled_up(
    series: BarSeries, rows: int, timeframe: str, now_ns: int, provider: str
) -> list[Candle]:
    """The complete candles of a coarser timeframe that the first `rows` bars make."""
    rollup = Rollup(series.symbol, timeframe, provider)
    candles = []
    for row in range(rows):
        if rollup.end and series.starts[row] + series.step > rollup.end:
            candles.append(rollup.take())
        rollup.add(series, row)
    if rollup.end <= now_ns:
        candles.append(rollup.take())
    return [candle for candle in candles if candle is not None]


def _start_of(candle: Candle) -> int:
    return candle.stamp if isinstance(candle.stamp, int) else 0
