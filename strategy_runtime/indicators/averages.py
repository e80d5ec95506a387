"""Moving averages."""

from collections.abc import Generator
from math import fsum

from strategy_runtime.indicators.base import Running

__all__ = ["Ema", "Sma"]

_RESUM_AFTER = 1024  # prices, at least, after which the sum is recomputed without rounding errors


class Sma(Running):
    """Simple moving average: the mean of the last `period` prices."""

    __slots__ = ()

    def _states(self, period: int) -> Generator[None, float, None]:
        window: list[float] = []
        for _ in range(period):
            window.append((yield))
        size, places, windows = float(period), range(period), 1 + _RESUM_AFTER // period
        total = fsum(window)
        self.value = value = total / size
        while True:
            for _ in range(windows):
                for place in places:
                    price = yield
                    total = total + (price - window[place])  # exact in a flat market
                    window[place] = price
                    self.previous = value
                    self.value = value = total / size
            total = fsum(window)


class Ema(Running):
    """Exponential moving average with weight `2 / (period + 1)`, seeded with the simple average.

    It never quite forgets a price: four periods after the first value, its weight is 1 in 2,000.
    """

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, periods=5)

    def _states(self, period: int) -> Generator[None, float, None]:
        weight = 2 / (period + 1)
        total = 0.0
        for _ in range(period):
            total += yield
        self.value = value = total / period
        while True:
            price = yield
            self.previous = value
            value = value + weight * (price - value)
            self.value = value
