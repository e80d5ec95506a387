"""Indicators of how far prices range."""

from collections import deque
from collections.abc import Generator
from math import dist, fsum, inf, sqrt
from typing import ClassVar

from strategy_runtime.indicators.base import Generated, Indicator, Line, Running, checked_period
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
        high, low, before = candle.high, candle.low, self._before
        self._before = candle.close
        # Two comparisons take a fourth of the time of `max` and `min`.
        if before is not None:
            if before > high:
                high = before
            elif before < low:
                low = before
        true_range, period = high - low, self._period
        if self._count < period:
            self._count += 1
            self._total += true_range
            if self._count == period:
                self._set(self._total / period)
        else:
            self.previous = average = self.value
            self.value = average + (true_range - average) / period


class BollingerBands(Running):
    """Bollinger bands; the line itself is the middle band, the simple average of `period` closes.

    Args:
        width: Distance of the bands from the middle, in population standard deviations of those
            closes.

    Attributes:
        upper, lower: The outer bands.
    """

    __slots__ = ("_width", "lower", "upper")

    def __init__(self, period: int = 20, width: float = 2.0) -> None:
        self.upper = Line()
        self.lower = Line()
        self._width = width
        super().__init__(period)
        if not 0.0 < width < inf:
            raise ValueError(f"the width of the bands must be a number above 0, not {width!r}")

    def _states(self, period: int) -> Generator[None, float, None]:
        upper, lower = self.upper, self.lower
        window: list[float] = []
        for _ in range(period):
            window.append((yield))
        share = float(self._width) / sqrt(period)
        while True:
            middle = fsum(window) / period
            reach = share * dist(tuple(window), (middle,) * period)
            self.previous, self.value = self.value, middle
            upper.previous, upper.value = upper.value, middle + reach
            lower.previous, lower.value = lower.value, middle - reach
            window.append((yield))
            del window[0]


class _Extreme(Generated):
    """The extreme price, in one direction, of the last `period` candles including the current one.

    `previous` is the extreme without the current candle.
    """

    __slots__ = ()
    _direction: ClassVar[float]

    def __init__(self, period: int = 20) -> None:
        super().__init__(period)

    def _states(self, period: int) -> Generator[None, float, None]:
        # The prices are those of candles, each multiplied by the direction.
        direction, count = self._direction, 0
        candidates = deque[float]()  # those that no later one has reached, most extreme first
        leaving = deque[int]()  # the count at which each leaves the window
        while True:
            reached = yield
            while candidates and candidates[-1] <= reached:
                candidates.pop()
                leaving.pop()
            candidates.append(reached)
            leaving.append(count + period)
            if leaving[0] == count:
                candidates.popleft()
                leaving.popleft()
            count += 1
            if count >= period:
                self.previous, self.value = self.value, direction * candidates[0]


class Highest(_Extreme):
    """The highest high of the last `period` candles, including the current one.

    A close above its `previous` is a breakout.
    """

    __slots__ = ()
    _direction = 1.0

    def update(self, candle: Candle) -> None:
        """Take in a closed candle."""
        self._send(candle.high)


class Lowest(_Extreme):
    """The lowest low of the last `period` candles, as in `Highest`."""

    __slots__ = ()
    _direction = -1.0

    def update(self, candle: Candle) -> None:
        """Take in a closed candle."""
        self._send(-candle.low)
