"""Bracket prices that are slips: on the wrong side of the market, or shares instead of prices."""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from strategy_runtime.protocol.enums import Side
from strategy_runtime.protocol.values import decimal_of, in_digits

__all__ = ["MisplacedLegs"]

_LEGS = ("stop_loss", "take_profit")
_TIMES_LOWER = 20  # a price so much lower than the market is a share of it, such as 0.05
_WRONG_SIDE = "on the wrong side of the price, where it closes the position at once"
_SHARE = (
    "so far below the price that it looks like a share of it; stop_loss= and take_profit= are "
    "prices, as in stop_loss=candle.close * 0.95"
)


class MisplacedLegs:
    """Counts the brackets of one run that have such prices, and keeps the first of each kind."""

    def __init__(self) -> None:
        self._brackets = 0
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def check(
        self, symbol: str, side: Side, prices: Mapping[str, Any], last: float | None
    ) -> str | None:
        """Take in the prices of an order; return what is wrong if nothing was wrong so before.

        Args:
            prices: Those that the order names, as fields of its request.
            last: The last price of the symbol; None before there is one.
        """
        entry = _entry_price(side, prices, None if last is None else decimal_of(last))
        if entry is None:
            return None
        faults: dict[str, str] = {}
        for name in _LEGS:
            price: Decimal | None = prices[name]
            if price is not None and (fault := _fault_of(name, price, entry, side)) is not None:
                order = f"{side.lower()} of {symbol} at {in_digits(entry)}"
                faults.setdefault(fault, f"{name}={in_digits(price)} of a {order} is {fault}")
        self._brackets += 1
        self._counts.update(faults.keys())
        new = {fault: said for fault, said in faults.items() if fault not in self._first}
        self._first |= new
        return "; ".join(new.values()) or None

    def __iter__(self) -> Iterator[str]:
        """What to say of a whole run, a sentence for each kind."""
        for fault, said in self._first.items():
            yield f"{said} ({self._counts[fault]:,} of {self._brackets:,} brackets)"


def _fault_of(name: str, price: Decimal, entry: Decimal, side: Side) -> str | None:
    """What is wrong with a leg, in words; None if nothing is."""
    if price * _TIMES_LOWER < entry:
        return _SHARE
    if ((price - entry) * side.sign > 0) is (name == "stop_loss") and price != entry:
        return _WRONG_SIDE
    return None


def _entry_price(side: Side, prices: Mapping[str, Any], last: Decimal | None) -> Decimal | None:
    """What the order would fill at if it were matched now; None if nobody knows."""
    limit: Decimal | None = prices["limit_price"]
    stop: Decimal | None = prices["stop_price"]
    own = limit if stop is None else stop
    if own is None or last is None:
        return own or last
    # A limit is filled at no worse a price, a stop at no better one.
    return min(own, last) if (side is Side.BUY) is (stop is None) else max(own, last)
