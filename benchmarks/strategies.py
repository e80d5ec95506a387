"""The strategies that are measured; they import what a user's would."""

from benchmarks.engines import FAST, SLOW
from strategy_runtime import Candle, Strategy, crossed_above, crossed_below

__all__ = ["LooksOn", "SmaCross"]


class SmaCross(Strategy):
    """One unit while the fast average is above the slow one."""

    def on_start(self) -> None:
        self.quick, self.calm = self.sma(FAST), self.sma(SLOW)

    def on_candle(self, candle: Candle) -> None:
        symbol = candle.symbol
        quick, calm = self.quick[symbol], self.calm[symbol]
        if crossed_above(quick, calm) and self.position(symbol).is_flat:
            self.buy(symbol, 1)
        elif crossed_below(quick, calm) and self.position(symbol).is_long:
            self.close(symbol)


class LooksOn(Strategy):
    """The same averages, and no orders."""

    def on_start(self) -> None:
        self.quick, self.calm = self.sma(FAST), self.sma(SLOW)
        self.crossings = 0

    def on_candle(self, candle: Candle) -> None:
        if crossed_above(self.quick[candle.symbol], self.calm[candle.symbol]):
            self.crossings += 1
