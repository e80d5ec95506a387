"""The methods with which a strategy makes its indicators."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from strategy_runtime.indicators import (
    Atr,
    BollingerBands,
    Ema,
    Family,
    Highest,
    Indicator,
    Indicators,
    Lowest,
    Macd,
    Rsi,
    Sma,
)

__all__ = ["IndicatorMethods"]

_I = TypeVar("_I", bound=Indicator)


class IndicatorMethods:
    """Methods that make families of indicators: `family[symbol]` is updated before the hook.

    Call them in `on_start`. Periods are in candles; `timeframe` is as for `indicator`. An invalid
    argument raises ValueError.
    """

    _indicators: Indicators

    def sma(self, period: int, *, timeframe: str | None = None) -> Family[Sma]:
        """Simple moving averages of the close, one per symbol; make them in `on_start`."""
        return self._indicators.add(partial(Sma, period), timeframe)

    def ema(self, period: int, *, timeframe: str | None = None) -> Family[Ema]:
        """Exponential moving averages of the close, one per symbol; make them in `on_start`."""
        return self._indicators.add(partial(Ema, period), timeframe)

    def rsi(self, period: int = 14, *, timeframe: str | None = None) -> Family[Rsi]:
        """Relative strength indices (Wilder), 0 to 100, one per symbol; make them in `on_start`."""
        return self._indicators.add(partial(Rsi, period), timeframe)

    def macd(
        self, fast: int = 12, slow: int = 26, signal: int = 9, *, timeframe: str | None = None
    ) -> Family[Macd]:
        """Moving average convergence/divergence, with `signal` and `histogram`, one per symbol;
        make them in `on_start`.
        """
        return self._indicators.add(partial(Macd, fast, slow, signal), timeframe)

    def bollinger(
        self, period: int = 20, width: float = 2.0, *, timeframe: str | None = None
    ) -> Family[BollingerBands]:
        """Bollinger bands, `upper` and `lower`, `width` standard deviations from the middle, one
        set per symbol; make them in `on_start`.
        """
        return self._indicators.add(partial(BollingerBands, period, width), timeframe)

    def atr(self, period: int = 14, *, timeframe: str | None = None) -> Family[Atr]:
        """Average true ranges (Wilder), one per symbol; make them in `on_start`."""
        return self._indicators.add(partial(Atr, period), timeframe)

    def highest(self, period: int, *, timeframe: str | None = None) -> Family[Highest]:
        """The highest highs of the last candles, one per symbol; make them in `on_start`.

        `previous` is the high without the current candle.
        """
        return self._indicators.add(partial(Highest, period), timeframe)

    def lowest(self, period: int, *, timeframe: str | None = None) -> Family[Lowest]:
        """The lowest lows of the last candles, one per symbol; make them in `on_start`.

        `previous` is the low without the current candle.
        """
        return self._indicators.add(partial(Lowest, period), timeframe)

    def indicator(self, make: Callable[[], _I], *, timeframe: str | None = None) -> Family[_I]:
        """A family of your own indicators, one per symbol; make it in `on_start`.

        Args:
            make: Return a new indicator, as `lambda: Vwap(14)` does; called for each symbol, and
                once before to check the result.
            timeframe: Timeframe of the candles that feed it, such as `1d`. Default: the one that
                arrives first for a symbol, which is the finest.
        """
        return self._indicators.add(make, timeframe)
