"""Indicators of how far prices range."""

from abc import abstractmethod
from collections import deque
from math import dist, fsum, inf, sqrt
from typing import ClassVar

from strategy_runtime.indicators.base import Indicator, Line, PriceIndicator, checked_period
from strategy_runtime.protocol.models import Candle

__all__ = ["Atr", "BollingerBands", "Highest", "Lowest"]


class Atr(Indicator):
    """Average true range (Wilder, 1978).

    The true range of a candle is from high to low, extended to the previous close if that lies
    outside. The first average is the mean of `period` true ranges; after that, each new one has a
    weight of 1 in `period`.
    """

    __slots__ = ("_before", "_count", "_period", "_total")

    def __init__(self, period: int = 14) -> None:
        self._period = checked_period(period)
        super().__init__(8 * self._period)  # by then the first range has a weight of 1 in 1,000
        self._before: float | None = None
        self._count, self._total = 0, 0.0

    def update(self, candle: Candle) -> None:
        """Take in a closed candle."""
        before = candle.close if self._before is None else self._before
        self._before = candle.close
        true_range = max(candle.high, before) - min(candle.low, before)
        if self._count < self._period:
            self._count += 1
            self._total += true_range
            if self._count == self._period:
                self._set(self._total / self._period)
        else:
            self._set(self.value + (true_range - self.value) / self._period)


class BollingerBands(PriceIndicator):
    """Bollinger bands; the line itself is the middle band, the simple average of `period` closes.

    Args:
        width: Distance of the bands from the middle, in population standard deviations of those
            closes.

    Attributes:
        upper, lower: The outer bands.
    """

    __slots__ = ("_closes", "_size", "_width", "lower", "upper")

    def __init__(self, period: int = 20, width: float = 2.0) -> None:
        self._size = checked_period(period)
        super().__init__(self._size)
        if not 0.0 < width < inf:
            raise ValueError(f"the width of the bands must be a number above 0, not {width!r}")
        self._closes = deque[float](maxlen=self._size)
        self._width = float(width) / sqrt(self._size)
        self.upper = Line()
        self.lower = Line()

    def push(self, price: float) -> None:
        """Take in a price."""
        closes, size = self._closes, self._size
        closes.append(price)
        if len(closes) == size:
            middle = fsum(closes) / size
            reach = self._width * dist(closes, [middle] * size)
            self._set(middle)
            self.upper._set(middle + reach)
            self.lower._set(middle - reach)


class _Extreme(Indicator):
    """The extreme price, in one direction, of the last `period` candles including the current one.

    `previous` is the extreme without the current candle.
    """

    __slots__ = ("_candidates", "_count")
    _direction: ClassVar[float]

    def __init__(self, period: int = 20) -> None:
        super().__init__(checked_period(period))
        self._count = 0
        self._candidates: deque[tuple[int, float]] = deque()
        """Prices that no later one has reached, most extreme first, and the count at which each
        leaves the window."""

    @abstractmethod
    def _price(self, candle: Candle) -> float:
        """Return the extreme price of a candle."""

    def update(self, candle: Candle) -> None:
        """Take in a closed candle."""
        candidates, reached = self._candidates, self._direction * self._price(candle)
        while candidates and candidates[-1][1] <= reached:
            candidates.pop()
        candidates.append((self._count + self.warm_up, reached))
        if candidates[0][0] == self._count:
            candidates.popleft()
        self._count += 1
        if self._count >= self.warm_up:
            self._set(self._direction * candidates[0][1])


class Highest(_Extreme):
    """The highest high of the last `period` candles, including the current one.

    A close above its `previous` is a breakout.
    """

    __slots__ = ()
    _direction = 1.0

    def _price(self, candle: Candle) -> float:
        return candle.high


class Lowest(_Extreme):
    """The lowest low of the last `period` candles, as in `Highest`."""

    __slots__ = ()
    _direction = -1.0

    def _price(self, candle: Candle) -> float:
        return candle.low
