"""The strategies that are measured; they import what a user's would."""

from benchmarks.engines import FAST, SLOW
from strategy_runtime import Candle, Strategy, crossed_above, crossed_below

__all__ = ["LooksOn", "SmaCross"]


class SmaCross(Strategy):
    """One unit while the fast average is above the slow one."""

    def on_start(self) -> None:
        self.quick, self.calm = self.sma(FAST), self.sma(SLOW)

    def on_candle(self, candle: Candle) -> None:
        quick, calm = self.quick[candle.symbol], self.calm[candle.symbol]
        position = self.position(candle.symbol)
        if crossed_above(quick, calm) and position.is_flat:
            self.buy(candle.symbol, 1)
        elif crossed_below(quick, calm) and position.is_long:
            self.close(candle.symbol)


class LooksOn(Strategy):
    """The same averages, and no orders."""

    def on_start(self) -> None:
        self.quick, self.calm = self.sma(FAST), self.sma(SLOW)
        self.crossings = 0

    def on_candle(self, candle: Candle) -> None:
        if crossed_above(self.quick[candle.symbol], self.calm[candle.symbol]):
            self.crossings += 1
