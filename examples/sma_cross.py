"""Long while the fast average is above the slow one; the strategy of the demonstration."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from strategy_runtime import Candle, Strategy, crossed_above, crossed_below


class SmaCross(Strategy):
    """Long while the fast average is above the slow one."""

    fast: Annotated[int, Meta(gt=1)] = 10
    slow: Annotated[int, Meta(gt=1)] = 30
    stake: Decimal = Decimal("0.40")

    def on_start(self) -> None:
        self.quick, self.calm = self.sma(self.fast), self.sma(self.slow)

    def on_candle(self, candle: Candle) -> None:
        quick, calm = self.quick[candle.symbol], self.calm[candle.symbol]
        position = self.position(candle.symbol)
        if crossed_above(quick, calm) and position.is_flat:
            self.buy(candle.symbol, fraction=self.stake, stop_loss=candle.close * 0.92)
        elif crossed_below(quick, calm) and position.is_long:
            self.close(candle.symbol)
