"""The strategies that are measured; they import what a user's would."""

from benchmarks.engines import APART, FAST, SLOW
from strategy_runtime import Candle, Strategy, crossed_above, crossed_below

__all__ = ["LimitsAnew", "LooksOn", "SmaCross", "StopsAnew"]


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


class Anew(Strategy):
    """An order at some distance from each close, in the place of the last one; what it buys is
    sold again. From the second bar on, since there are engines that leave out the first.
    """

    def on_start(self) -> None:
        self.has_begun = False

    def on_candle(self, candle: Candle) -> None:
        if self.has_begun:
            self.cancel_all(candle.symbol)
            self.order_at(candle)
            if self.position(candle.symbol).is_long:
                self.close(candle.symbol)
        self.has_begun = True

    def order_at(self, candle: Candle) -> None:
        raise NotImplementedError


class LimitsAnew(Anew):
    """A limit order below."""

    def order_at(self, candle: Candle) -> None:
        self.buy(candle.symbol, 1, limit=candle.close - APART)


class StopsAnew(Anew):
    """A stop order above."""

    def order_at(self, candle: Candle) -> None:
        self.buy(candle.symbol, 1, stop=candle.close + APART)
