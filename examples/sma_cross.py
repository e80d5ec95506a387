"""Long while the fast average is above the slow one; also the bundled strategy of --demo."""

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
        symbol = candle.symbol
        quick, calm = self.quick[symbol], self.calm[symbol]
        if crossed_above(quick, calm) and self.position(symbol).is_flat:
            self.buy(symbol, fraction=self.stake, stop_loss=candle.close * 0.92)
        elif crossed_below(quick, calm) and self.position(symbol).is_long:
            self.close(symbol)
