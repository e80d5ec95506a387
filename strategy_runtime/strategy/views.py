"""Views of positions and of the account."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from strategy_runtime.protocol.values import decimal_of, in_digits

__all__ = ["AccountView", "NetPosition", "RiskState"]

_ZERO = Decimal(0)


class RiskState(StrEnum):
    """Which orders are allowed at the moment; cancels always are."""

    ACTIVE = "ACTIVE"
    """All within the limits of the run."""

    REDUCING = "REDUCING"
    """Only those that reduce a position, because the daily loss limit was reached."""

    HALTED = "HALTED"
    """None, because the run is ending."""


class NetPosition:
    """The net position in one symbol; the same object throughout a run, flat or not.

    It is true unless flat: `if self.position(symbol):`.

    Attributes:
        symbol: As subscribed.
        quantity: Negative if short.
        average_entry_price: Quantity-weighted; 0 if flat.
        realized_pnl: Profit realised since it was opened, as the venue reports it.
    """

    __slots__ = (
        "_gain",
        "_gained_by",
        "_locked",
        "_prices",
        "average_entry_price",
        "quantity",
        "realized_pnl",
        "symbol",
    )

    def __init__(self, symbol: str, prices: Mapping[str, float]) -> None:
        self.symbol = symbol
        self.quantity = _ZERO
        self.average_entry_price = _ZERO
        self.realized_pnl = _ZERO
        self._prices = prices
        self._locked = _ZERO
        """Profit locked in by positions on both sides, which quantity and average do not show."""
        self._gain = _ZERO
        self._gained_by: tuple[object, ...] = (None, None, None, None)
        """Inputs of the last computation: equity is read much more often than each price changes.
        """

    @property
    def last(self) -> float | None:
        """Last price seen, or None before the first."""
        return self._prices.get(self.symbol)

    def __bool__(self) -> bool:
        return bool(self.quantity)

    def _refuse(self, other: object) -> bool:
        raise TypeError(
            f"a position is not compared with {other!r}: compare its quantity or its symbol, or "
            "ask whether it is_flat, is_long or is_short"
        )

    __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        # By default `== 0` and `symbol in self.positions` would silently be False.
        return self is other or (not isinstance(other, NetPosition) and self._refuse(other))

    @property
    def is_flat(self) -> bool:
        """No position."""
        return not self.quantity

    @property
    def is_long(self) -> bool:
        """A position that gains when the price rises."""
        return self.quantity > 0

    @property
    def is_short(self) -> bool:
        """A position that gains when the price falls."""
        return self.quantity < 0

    @property
    def market_value(self) -> Decimal:
        """Signed value at the last price; 0 before the first."""
        last = self.last
        return _ZERO if last is None else self.quantity * decimal_of(last)

    @property
    def unrealized_pnl(self) -> Decimal:
        """Open profit at the last price; 0 before the first."""
        last, quantity = self._prices.get(self.symbol), self.quantity
        entry, locked = self.average_entry_price, self._locked
        price, size, cost, kept = self._gained_by
        if last is price and quantity is size and entry is cost and locked is kept:
            return self._gain
        self._gained_by = last, quantity, entry, locked
        if not quantity or last is None:
            self._gain = locked
        else:
            self._gain = quantity * decimal_of(last) - quantity * entry + locked
        return self._gain

    def __repr__(self) -> str:
        return f"<NetPosition {self.symbol} {self.quantity:f} @ {self.average_entry_price:f}>"


class AccountView(Struct, eq=False):
    """The account at the last prices seen.

    Attributes:
        balance: Starting cash plus realised profit minus fees.
        unrealized_pnl: Open profit of all positions.
        margin_used, margin_available: As last reported by the venue.
        currency: Of all amounts.
    """

    balance: Decimal
    unrealized_pnl: Decimal
    margin_used: Decimal
    margin_available: Decimal
    currency: str

    @property
    def equity(self) -> Decimal:
        """Balance plus open profit: the value if all positions were closed at the last prices."""
        return self.balance + self.unrealized_pnl

    def __repr__(self) -> str:
        equity, balance = in_digits(self.equity), in_digits(self.balance)
        return f"<AccountView equity {equity}, balance {balance} {self.currency}>"
