"""Oscillators: how strongly prices move, and in which direction."""

from collections.abc import Generator

from strategy_runtime.indicators.averages import Ema
from strategy_runtime.indicators.base import Line, Running

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
            self.previous = self.value
            self.value = 100.0 * gained / moved if moved else _NEITHER
            price = yield
            change, before = price - before, price
            # Comparisons and no `max`, which takes a third of the time of all this.
            if change > 0.0:
                gained = (gained * older + change) / period
                lost = lost * older / period
            else:
                gained = gained * older / period
                lost = (lost * older - change) / period


class Macd(Running):
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
        self.histogram = Line()
        super().__init__(slow)
        self.warm_up = self._slow.warm_up + self.signal.warm_up

    def _states(self, period: int) -> Generator[None, float, None]:
        fast, slow, signal, histogram = self._fast, self._slow, self.signal, self.histogram
        push_fast, push_slow, push_signal = fast.feed, slow.feed, signal.feed
        for _ in range(period - 1):
            price = yield
            push_fast(price)
            push_slow(price)
        while True:
            price = yield
            push_fast(price)
            push_slow(price)
            self.previous = self.value
            self.value = value = fast.value - slow.value
            push_signal(value)
            histogram.previous = histogram.value
            histogram.value = value - signal.value
