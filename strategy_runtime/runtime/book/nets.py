"""Net positions by symbol, from fills or from the venue's positions."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import chain, compress, repeat
from operator import attrgetter, is_not

from strategy_runtime.protocol.witness import Part
from strategy_runtime.strategy.views import NetPosition
from strategy_runtime.sums import MANY, Sum

__all__ = ["Nets", "check_symbol"]

_ZERO = Decimal(0)

_gain_of = attrgetter("unrealized_pnl")


def check_symbol(symbol: object) -> None:
    """Check that a symbol is a string.

    Raises:
        TypeError: It is not; the message says what a symbol is.
    """
    if not isinstance(symbol, str):
        raise TypeError(
            f"a symbol is a text such as candle.symbol or 'S:AAPL', not a {type(symbol).__name__}"
        )


class Nets(dict[str, NetPosition]):
    """Net positions by symbol, flat ones included, created when a symbol is first asked for.

    Attributes:
        held: The positions that are open, oldest first.
    """

    __slots__ = ("_gain", "_gained_at", "_gains", "_prices", "held")

    def __init__(self, prices: Mapping[str, float]) -> None:
        super().__init__()
        self._prices = prices
        self.held: dict[str, NetPosition] = {}
        self._gain = _ZERO
        self._gains = Sum({})
        """Unrealised profit of each position, if there are many."""
        self._gained_at: list[float] | None = None
        """Prices from which the unrealised profit was last computed; None if positions have changed
        since. A strategy that sizes orders in many symbols by equity needs it for each of them."""

    def __missing__(self, symbol: str) -> NetPosition:
        check_symbol(symbol)
        net = self[symbol] = NetPosition(symbol, self._prices)
        return net

    @property
    def unrealized_pnl(self) -> Decimal:
        """Unrealised profit of all positions at the last prices."""
        prices = list(self._prices.values())
        if prices != self._gained_at:
            self._gain = self._gain_at(prices)
            self._gained_at = prices
        return self._gain

    def _gain_at(self, prices: list[float]) -> Decimal:
        held, before = self.held, self._gained_at
        if len(held) < MANY:
            return sum(map(_gain_of, held.values()), _ZERO)
        if before is None:
            self._gains = Sum(dict(zip(held, map(_gain_of, held.values()), strict=True)))
        else:
            others = map(is_not, prices, chain(before, repeat(None)))
            moved = [symbol for symbol in compress(self._prices, others) if symbol in held]
            self._gains.update({symbol: held[symbol].unrealized_pnl for symbol in moved})
        return self._gains.total()

    def move(self, symbol: str, signed: Decimal, price: Decimal) -> Decimal:
        """Book a fill, and return its realised profit; a negative quantity is a sale."""
        net = self[symbol]
        before, after, entry = net.quantity, net.quantity + signed, net.average_entry_price
        closed = _ZERO
        if before * signed < 0:
            closed = -signed if abs(signed) <= abs(before) else before
            if before * after < 0:
                net.average_entry_price = price
        else:
            net.average_entry_price = (before * entry + signed * price) / after
        if not after:
            net.average_entry_price = _ZERO
        self._hold(net, after)
        return closed * (price - entry)

    def open_apart(self, symbol: str, signed: Decimal, price: Decimal) -> None:
        """Book a fill that opened a separate position, whatever else is held."""
        net = self[symbol]
        self._hold_at(net, net.quantity + signed, _cost_of(net) + signed * price)

    def reduce(self, symbol: str, signed: Decimal, price: Decimal, entry: Decimal) -> Decimal:
        """Book a fill that reduced one of several positions, and return its realised profit.

        Args:
            entry: Average entry price of that position.
        """
        net = self[symbol]
        self._hold_at(net, net.quantity + signed, _cost_of(net) + signed * entry)
        return -signed * (price - entry)

    def renew(self, symbol: str, parts: Sequence[Part]) -> None:
        """Replace the net position in a symbol by the sum of the venue's open positions."""
        net = self[symbol]
        self._gained_at = None
        if len(parts) == 1:
            (part,) = parts
            net.quantity = part.signed_quantity
            net.realized_pnl = part.realized_pnl
            net.average_entry_price = part.average_entry_price
            net._locked = _ZERO
            self.held[symbol] = net
            return
        if not parts:
            net.quantity = net.realized_pnl = net.average_entry_price = net._locked = _ZERO
            self.held.pop(symbol, None)
            return
        net.realized_pnl = sum((part.realized_pnl for part in parts), _ZERO)
        self._hold_at(
            net,
            sum((part.signed_quantity for part in parts), _ZERO),
            sum((part.signed_quantity * part.average_entry_price for part in parts), _ZERO),
        )

    def _hold_at(self, net: NetPosition, quantity: Decimal, cost: Decimal) -> None:
        """Set a net position that is the sum of several."""
        self._gained_at = None
        net.quantity = quantity
        net.average_entry_price = cost / quantity if quantity else _ZERO
        net._locked = quantity * net.average_entry_price - cost
        self.held[net.symbol] = net

    def _hold(self, net: NetPosition, quantity: Decimal) -> None:
        self._gained_at = None
        net.quantity = quantity
        if quantity:
            self.held[net.symbol] = net
        else:
            self.held.pop(net.symbol, None)


def _cost_of(net: NetPosition) -> Decimal:
    return net.quantity * net.average_entry_price - net._locked
