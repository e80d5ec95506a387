"""Coarser candles made of finer bars, and candles made of trades.

They are aligned as `Timeframe.span_around` says. A bar belongs to the candle that contains its
middle, so that daily bars of any time zone up to 12 hours ahead of UTC make weeks that start on
Monday. A candle is sent once its time and all of its bars are over, and not at all if it is empty.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from functools import reduce
from itertools import islice
from operator import add

from strategy_runtime.protocol.models import Candle
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.simulator.data.series import PROVIDER, BarSeries, TickSeries

__all__ = ["GivenBars", "Rollup", "made_of_trades", "rolled_up"]


class Rollup:
    """The incomplete candle of one symbol and timeframe.

    Attributes:
        rank: Place among candles that end at the same instant, set by `listing`.
        end: When the incomplete candle will be complete.
    """

    __slots__ = ("_candle", "_span_around", "_symbol", "end", "rank", "timeframe")

    def __init__(self, symbol: str, timeframe: str) -> None:
        self.rank = 0
        self.end = 0
        self._symbol = symbol
        self.timeframe = timeframe
        self._span_around = parse_timeframe(timeframe).span_around
        self._candle: Candle | None = None

    def add(self, series: BarSeries, row: int) -> bool:
        """Add a closed bar; return whether it starts a new candle."""
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
            # If bars are not aligned with the coarser candle, the last may end after it.
            most = row + (self.end - middle) // step + 1
            last = bisect_left(starts, self.end - step // 2, row, min(most, len(starts))) - 1
            self.end = max(self.end, starts[last] + step)
        return begins

    def add_prices(
        self, instant: int, opened: float, high: float, low: float, close: float, volume: float
    ) -> bool:
        """Add prices and volume at an instant; return whether they start a new candle."""
        part = self._candle
        begins = part is None
        if part is None:
            start, self.end = self._span_around(instant)
        else:
            start, opened = _start_of(part), part.open
            high, low = max(high, part.high), min(low, part.low)
            volume += part.volume
        self._candle = Candle(
            self._symbol, self.timeframe, start, opened, high, low, close, volume, PROVIDER
        )
        return begins

    def take(self) -> Candle | None:
        """Remove and return the candle, whose time is over, or None."""
        candle, self._candle = self._candle, None
        return candle


class GivenBars:
    """Coarser bars that the data have, of a symbol whose orders fill in finer ones.

    Attributes:
        rank, end, timeframe: As for a `Rollup`.
        subscribed: Whether they are sent.
    """

    __slots__ = ("_next", "end", "rank", "series", "subscribed", "timeframe")

    def __init__(self, series: BarSeries, *, subscribed: bool) -> None:
        self.series = series
        self.timeframe = series.timeframe
        self.rank = 0
        self.subscribed = subscribed
        self.end = series.starts[0] + series.step
        self._next = 0

    def take(self) -> Candle:
        """Return the bar whose time is over, and move on to the next."""
        series, row = self.series, self._next
        self._next = row + 1
        if self._next < len(series):
            self.end = series.starts[self._next] + series.step
        return series.candle(row)

    def count(self, now_ns: int) -> int:
        """Return how many bars are over."""
        return bisect_right(self.series.starts, now_ns - self.series.step)


def rolled_up(
    series: BarSeries,
    count: int,
    timeframe: str,
    now_ns: int,
    *,
    start_ns: int | None,
    end_ns: int | None,
    limit: int,
) -> list[Candle]:
    """Return the complete candles of a coarser timeframe made of the first `count` bars.

    Of those that start from `start_ns` to `end_ns`, the first `limit`, or the last if there is no
    start. Only bars near them are read.
    """
    coarse = parse_timeframe(timeframe)
    half = series.step // 2
    if end_ns is not None:
        count = bisect_left(series.starts, coarse.span_around(end_ns)[1] - half, 0, count)
    first = 0
    if start_ns is not None:
        first = bisect_left(series.starts, coarse.span_around(start_ns)[0] - half, 0, count)
    else:
        # A candle has at most as many bars as fit into it, and no month is twice another.
        most = 2 * (limit + 1) * (coarse.nanoseconds // series.step)
        if most < count:
            begin = coarse.span_around(series.starts[count - most] + half)[0]
            first = bisect_left(series.starts, begin - half, 0, count)
    found = (
        candle
        for candle in _complete(series, range(first, count), timeframe, now_ns)
        if (start_ns is None or _start_of(candle) >= start_ns)
        and (end_ns is None or _start_of(candle) <= end_ns)
    )
    return _chosen(found, start_ns, limit)


def made_of_trades(
    trades: TickSeries,
    count: int,
    timeframe: str,
    now_ns: int,
    *,
    start_ns: int | None,
    end_ns: int | None,
    limit: int,
) -> list[Candle]:
    """Return the complete candles made of the first `count` trades; selected as in `rolled_up`."""
    stamps, span_around = trades.stamps, parse_timeframe(timeframe).span_around
    if end_ns is not None:
        count = bisect_left(stamps, span_around(end_ns)[1], 0, count)
    if start_ns is not None:
        begin, end = span_around(start_ns)
        first = bisect_left(stamps, begin if begin == start_ns else end, 0, count)
    else:
        first = count
        for _ in range(limit + 1):  # the last candle may be incomplete
            if first:
                first = bisect_left(stamps, span_around(stamps[first - 1])[0], 0, first)
    found = _complete_of_trades(trades, range(first, count), timeframe, now_ns)
    return _chosen(found, start_ns, limit)


def _chosen(found: Iterator[Candle], start_ns: int | None, limit: int) -> list[Candle]:
    """Return the first candles if there is a start, else the last."""
    return list(deque(found, limit) if start_ns is None else islice(found, limit))


def _complete_of_trades(
    trades: TickSeries, rows: range, timeframe: str, now_ns: int
) -> Iterator[Candle]:
    """Yield the complete candles of some trades; the first trade starts a candle."""
    span_around, row = parse_timeframe(timeframe).span_around, rows.start
    while row < rows.stop:
        start, end = span_around(trades.stamps[row])
        if end > now_ns:
            return
        last = bisect_left(trades.stamps, end, row, rows.stop)
        prices = trades.bids[row:last]
        yield Candle(
            trades.symbol,
            timeframe,
            start,
            prices[0],
            max(prices),
            min(prices),
            prices[-1],
            reduce(add, trades.sizes[row:last]),  # as a `Rollup` does; `sum` may be more exact
            PROVIDER,
        )
        row = last


def _complete(series: BarSeries, rows: range, timeframe: str, now_ns: int) -> Iterator[Candle]:
    """Yield the complete candles of some bars; the first bar starts a candle."""
    rollup = Rollup(series.symbol, timeframe)
    for row in rows:
        if series.starts[row] + series.step > rollup.end:
            candle = rollup.take()
            if candle is not None:
                yield candle
        rollup.add(series, row)
    candle = rollup.take()
    if candle is not None and rollup.end <= now_ns:
        yield candle


def _start_of(candle: Candle) -> int:
    return candle.stamp if isinstance(candle.stamp, int) else 0
