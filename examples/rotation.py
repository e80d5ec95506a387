"""Hold the symbol that has risen most, and choose again once a week.

One class trades all the symbols it is subscribed to. It decides in `on_candles`, at the first
instant at which candles end in a new week, so it compares prices of one instant, and trades at the
same opens in a backtest and live.
"""

from collections import deque

from strategy_runtime import (
    Candle,
    PositionEvent,
    PositionEventKind,
    PriceIndicator,
    Strategy,
)


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
        self.best: str | None = None
        self.week: int | None = None
        self.momentum = self.indicator(lambda: Momentum(self.period))

    def on_candles(self, candles: list[Candle]) -> None:
        before, self.week = self.week, candles[0].end.isocalendar().week
        if before not in (None, self.week):
            self.rotate()

    def rotate(self) -> None:
        rises = {symbol: each.value for symbol, each in self.momentum.items() if each.value > 0}
        self.best = max(rises, key=rises.__getitem__, default=None)
        for symbol in self.momentum:
            if symbol != self.best:
                self.close(symbol)
        self.enter()

    def on_position(self, event: PositionEvent) -> None:
        # The sale pays for the purchase: placed together with the sale, the buy order would be
        # refused for lack of margin.
        if event.event is PositionEventKind.POSITION_CLOSED:
            self.enter()

    def enter(self) -> None:
        is_flat = all(self.position(symbol).is_flat for symbol in self.momentum)
        if self.best and is_flat and not self.orders(self.best):
            self.buy(self.best, fraction=0.9)
