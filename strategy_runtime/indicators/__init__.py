"""Indicators, one per symbol, each updated with a candle before the strategy's hook is called.

Write your own by subclassing `PriceIndicator` (fed with closes) or `Indicator` (fed with whole
candles) and calling `_set` with each new value::

    class Momentum(PriceIndicator):
        def __init__(self, period: int) -> None:
            super().__init__(warm_up=period + 1)
            self._closes: deque[float] = deque(maxlen=period + 1)

        def push(self, price: float) -> None:
            self._closes.append(price)
            if len(self._closes) == self._closes.maxlen:
                self._set(price - self._closes[0])

and make a family of it in `on_start`: `self.momentum = self.indicator(lambda: Momentum(10))`.
"""

from strategy_runtime.indicators.averages import Ema, Sma
from strategy_runtime.indicators.base import Indicator, Line, PriceIndicator
from strategy_runtime.indicators.crossings import crossed_above, crossed_below
from strategy_runtime.indicators.families import Family, Indicators
from strategy_runtime.indicators.oscillators import Macd, Rsi
from strategy_runtime.indicators.ranges import Atr, BollingerBands, Highest, Lowest

__all__ = [
    "Atr",
    "BollingerBands",
    "Ema",
    "Family",
    "Highest",
    "Indicator",
    "Indicators",
    "Line",
    "Lowest",
    "Macd",
    "PriceIndicator",
    "Rsi",
    "Sma",
    "crossed_above",
    "crossed_below",
]
