"""Which candles and quotes are wanted, and for which entries none has come."""

from functools import lru_cache

from strategy_runtime.protocol.subscriptions import Subscription, Subscriptions

__all__ = ["Wanted"]

_REMEMBERED = 4096


class Wanted:
    """Answers whether something is wanted, and remembers what it was asked for.

    Attributes:
        candle: Whether a candle is, by symbol and timeframe.
        quote: Whether a quote is, by symbol.
        unmet: Entries that ask for candles or quotes, none of which has come.
        came: What has come, wanted or not, as entries name it; the first thousands of kinds.
    """

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._subscriptions = subscriptions
        self.unmet: list[Subscription] = [
            entry for entry in subscriptions if entry.event in ("candle", "quote", "*")
        ]
        self.came: set[str] = set()
        # What is new is looked at closely, once; what comes again costs a look-up.
        self.candle = lru_cache(_REMEMBERED)(self._candle)
        self.quote = lru_cache(_REMEMBERED)(self._quote)

    def _candle(self, symbol: str, timeframe: str) -> bool:
        self._note(f"{symbol}:candle_{timeframe}")
        self.unmet = [each for each in self.unmet if not each.takes_candle(symbol, timeframe)]
        return self._subscriptions.wants_candle(symbol, timeframe)

    def _quote(self, symbol: str) -> bool:
        self._note(f"{symbol}:quote")
        self.unmet = [each for each in self.unmet if not each.takes_quote(symbol)]
        return self._subscriptions.wants_quote(symbol)

    def _note(self, kind: str) -> None:
        if len(self.came) < _REMEMBERED:
            self.came.add(kind)
