"""The strategies that are measured, with the imports of a user's strategy."""

from benchmarks.engines import DISTANCE, FAST, SLOW
from strategy_runtime import Candle, Strategy, crossed_above, crossed_below

__all__ = ["NoOrders", "ReplacedLimits", "ReplacedStops", "SmaCross"]


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


class NoOrders(Strategy):
    """The same averages, without orders."""

    def on_start(self) -> None:
        self.quick, self.calm = self.sma(FAST), self.sma(SLOW)
        self.crossings = 0

    def on_candle(self, candle: Candle) -> None:
        if crossed_above(self.quick[candle.symbol], self.calm[candle.symbol]):
            self.crossings += 1


class ReplacesOrder(Strategy):
    """Replaces its order at each bar, at some distance from the close, and sells what it bought.

    It starts with the second bar, because some engines skip the first.
    """

    def on_start(self) -> None:
        self.is_first = True

    def on_candle(self, candle: Candle) -> None:
        if not self.is_first:
            self.cancel_all(candle.symbol)
            self.order_at(candle)
            if self.position(candle.symbol).is_long:
                self.close(candle.symbol)
        self.is_first = False

    def order_at(self, candle: Candle) -> None:
        raise NotImplementedError


class ReplacedLimits(ReplacesOrder):
    """Limit orders below the close."""

    def order_at(self, candle: Candle) -> None:
        self.buy(candle.symbol, 1, limit=candle.close - DISTANCE)


class ReplacedStops(ReplacesOrder):
    """Stop orders above the close."""

    def order_at(self, candle: Candle) -> None:
        self.buy(candle.symbol, 1, stop=candle.close + DISTANCE)
