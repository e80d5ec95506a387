"""Oscillators: how strongly prices move, and in which direction."""

from collections.abc import Generator

from strategy_runtime.indicators.averages import Ema
from strategy_runtime.indicators.base import Line, PriceIndicator, Running

__all__ = ["Macd", "Rsi"]

_NEITHER = 50.0


class Rsi(Running):
    """Relative strength index (Wilder, 1978), from 0 to 100: average gain over average move.

    Gains and losses are averaged as the range is in `Atr`, from the first `period` changes on. It
    is 50 if no close has moved.
    """

    __slots__ = ()

    def __init__(self, period: int = 14) -> None:
        super().__init__(period, periods=8)
        self.warm_up += 1  # a change takes two closes

    def _states(self, period: int) -> Generator[None, float, None]:
        gained = lost = 0.0
        before = yield
        for _ in range(period):
            price = yield
            gained += max(price - before, 0.0)
            lost += max(before - price, 0.0)
            before = price
        gained, lost, older = gained / period, lost / period, period - 1
        while True:
            moved = gained + lost
            self._set(100.0 * gained / moved if moved else _NEITHER)
            price = yield
            change, before = price - before, price
            gained = (gained * older + max(change, 0.0)) / period
            lost = (lost * older + max(-change, 0.0)) / period


class Macd(PriceIndicator):
    """Moving average convergence/divergence: a fast exponential average minus a slow one.

    Attributes:
        signal: Exponential average of the line itself.
        histogram: The line minus its signal.
    """

    __slots__ = ("_fast", "_slow", "histogram", "signal")

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        self._fast, self._slow, self.signal = Ema(fast), Ema(slow), Ema(signal)
        if fast >= slow:
            raise ValueError(f"the fast period, {fast!r}, must be shorter than the slow, {slow!r}")
        super().__init__(self._slow.warm_up + self.signal.warm_up)
        self.histogram = Line()

    def push(self, price: float) -> None:
        """Take in a price."""
        self._fast.push(price)
        self._slow.push(price)
        if self._slow.is_ready:
            self._set(self._fast.value - self._slow.value)
            self.signal.push(self.value)
            self.histogram._set(self.value - self.signal.value)
