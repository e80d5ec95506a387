"""Filter of candles and quotes by the subscriptions, and which entries were never matched."""

from functools import lru_cache

from strategy_runtime.protocol.subscriptions import Subscription, Subscriptions

__all__ = ["Wanted"]

_REMEMBERED = 4096


class Wanted:
    """Tells whether candles and quotes are wanted, and remembers which ones arrived.

    Attributes:
        candle: Whether a candle is wanted, by symbol and timeframe.
        quote: Whether a quote is wanted, by symbol.
        unmet: Entries for candles or quotes of which none has arrived.
        came: What has arrived, wanted or not, written like entries; limited to some thousands.
    """

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._subscriptions = subscriptions
        self.unmet: list[Subscription] = [
            entry for entry in subscriptions if entry.event in ("candle", "quote", "*")
        ]
        self.came: set[str] = set()
        # Only the first of a kind is examined; later ones cost a cache look-up.
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
