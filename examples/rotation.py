"""Hold whichever symbol has risen most; look again once a week.

One class trades all the symbols it is subscribed to. The decision is made by a timer, which fires
in simulated time in a backtest and on the wall clock live.
"""

from collections import deque

from strategy_runtime import Candle, PriceIndicator, Strategy


class Momentum(PriceIndicator):
    """Rise over the last `period` candles, as a share."""

    def __init__(self, period: int) -> None:
        super().__init__(warm_up=period + 1)
        self._closes: deque[float] = deque(maxlen=period + 1)

    def push(self, price: float) -> None:
        """Take in a price."""
        self._closes.append(price)
        if len(self._closes) == self._closes.maxlen:
            self._set(price / self._closes[0] - 1)


class Rotation(Strategy):
    period: int = 60

    def on_start(self) -> None:
        self.momentum = self.indicator(lambda: Momentum(self.period))
        self.every("1w", self.rotate)

    def on_candle(self, candle: Candle) -> None:
        """Nothing: the indicators are fed, and the timer decides."""

    def rotate(self) -> None:
        ready = {symbol: each.value for symbol, each in self.momentum.items() if each.is_ready}
        if not ready:
            return
        best = max(ready, key=ready.__getitem__)
        for symbol in ready:
            wanted = 0.9 if symbol == best and ready[best] > 0 else 0
            self.target(symbol, fraction=wanted)
