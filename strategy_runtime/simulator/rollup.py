"""Coarser candles made of finer bars, and candles made of trades.

They are aligned as `Timeframe.span_around` says. A bar belongs to the candle that contains its
middle, so that daily bars of any time zone up to 12 hours ahead of UTC make weeks that start on
Monday. A candle is sent once its time and all of its bars are over, and not at all if it is empty.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from functools import reduce
from itertools import islice
from operator import add

from strategy_runtime.protocol.models import Candle
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.simulator.data.series import PROVIDER, BarSeries, TickSeries

__all__ = ["BarRollup", "GivenBars", "Rollup", "TradeRollup", "made_of_trades", "rolled_up"]


class Rollup(ABC):
    """The candles of one symbol and timeframe, one at a time, made of finer parts.

    A candle is made when its time is over, of the parts that the data then have for it.

    Attributes:
        rank: Place among candles that end at the same instant, set by `listing`.
        end: When the candle that has begun will be complete.
        next_row: Row of the first part behind the last candle.
    """

    __slots__ = ("_first", "_span_around", "_start", "end", "next_row", "rank", "timeframe")

    def __init__(self, timeframe: str) -> None:
        self.rank = 0
        self.end = 0
        self.next_row = 0
        self.timeframe = timeframe
        self._span_around = parse_timeframe(timeframe).span_around
        self._start = 0
        self._first = -1

    def begin(self, row: int) -> bool:
        """Begin a candle with the part of a row; return False if one has begun already."""
        if self._first >= 0:
            return False
        self._first = row
        self._start, self.end = self._span_from(row)
        return True

    @abstractmethod
    def _span_from(self, row: int) -> tuple[int, int]:
        """Return start and end of the candle that begins with the part of a row."""

    @abstractmethod
    def take(self) -> Candle:
        """Return the candle that has begun, whose time is over."""


class BarRollup(Rollup):
    """Candles made of bars."""

    __slots__ = ("_series",)

    def __init__(self, series: BarSeries, timeframe: str) -> None:
        super().__init__(timeframe)
        self._series = series

    def _span_from(self, row: int) -> tuple[int, int]:
        starts, step = self._series.starts, self._series.step
        middle = starts[row] + step // 2
        start, end = self._span_around(middle)
        # If bars are not aligned with the coarser candle, the last may end after it.
        most = row + (end - middle) // step + 1
        last = bisect_left(starts, end - step // 2, row, min(most, len(starts))) - 1
        return start, max(end, starts[last] + step)

    def take(self) -> Candle:
        """Return the candle that has begun, whose time is over."""
        series, first = self._series, self._first
        self.next_row = bisect_right(series.starts, self.end - series.step, first)
        self._first, rows = -1, slice(first, self.next_row)
        return Candle(
            series.symbol,
            self.timeframe,
            self._start,
            series.opens[first],
            max(series.highs[rows]),
            min(series.lows[rows]),
            series.closes[self.next_row - 1],
            reduce(add, series.volumes[rows]),  # unlike `sum`, the same in all versions of Python
            PROVIDER,
        )


class TradeRollup(Rollup):
    """Candles made of market trades."""

    __slots__ = ("_trades",)

    def __init__(self, trades: TickSeries, timeframe: str) -> None:
        super().__init__(timeframe)
        self._trades = trades

    def _span_from(self, row: int) -> tuple[int, int]:
        return self._span_around(self._trades.stamps[row])

    def take(self) -> Candle:
        """Return the candle that has begun, whose time is over."""
        trades, first = self._trades, self._first
        self.next_row = bisect_left(trades.stamps, self.end, first)
        self._first, prices = -1, trades.bids[first : self.next_row]
        return Candle(
            trades.symbol,
            self.timeframe,
            self._start,
            prices[0],
            max(prices),
            min(prices),
            prices[-1],
            reduce(add, trades.sizes[first : self.next_row]),
            PROVIDER,
        )


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
        for candle in _complete(BarRollup(series, timeframe), range(first, count), now_ns)
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
    found = _complete(TradeRollup(trades, timeframe), range(first, count), now_ns)
    return _chosen(found, start_ns, limit)


def _chosen(found: Iterator[Candle], start_ns: int | None, limit: int) -> list[Candle]:
    """Return the first candles if there is a start, else the last."""
    return list(deque(found, limit) if start_ns is None else islice(found, limit))


def _complete(rollup: Rollup, rows: range, now_ns: int) -> Iterator[Candle]:
    """Yield the complete candles of some parts; the first one begins a candle."""
    row = rows.start
    while row < rows.stop:
        rollup.begin(row)
        if rollup.end > now_ns:
            return
        yield rollup.take()
        row = rollup.next_row


def _start_of(candle: Candle) -> int:
    return candle.stamp if isinstance(candle.stamp, int) else 0
