"""Looking instead of being told: what a venue in process shows to whoever keeps the book.

An event is a copy of an order, a position or the account as it stood when something happened to it.
Where nobody asks for these copies they need not be made: whoever keeps the book then follows the
things themselves, which change only while nobody looks.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from strategy_runtime.protocol.models import Account, Order

__all__ = ["Followed", "Part", "ShownFill", "Statement", "Witness"]


class Followed(Protocol):
    """An order that can be looked at, from its acceptance to its end."""

    @property
    def id(self) -> str:
        """The venue's."""
        ...

    @property
    def name(self) -> str:
        """The client's id, or the venue's where there is none."""
        ...

    @property
    def symbol(self) -> str:
        """As subscribed."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether it has come to its end."""
        ...

    def told(self) -> Order:
        """The order as its last event would have it."""
        ...


class ShownFill(Protocol):
    """What an order got."""

    @property
    def symbol(self) -> str:
        """As subscribed."""
        ...

    @property
    def client_order_id(self) -> str | None:
        """The client's id of the order; None where it has none."""
        ...

    @property
    def price(self) -> Decimal:
        """A unit's."""
        ...

    @property
    def fee(self) -> Decimal:
        """Charged for it, in account currency."""
        ...


class Part(Protocol):
    """An open position: all of a symbol, or one of several on an account that hedges."""

    @property
    def id(self) -> str:
        """The venue's."""
        ...

    @property
    def signed_quantity(self) -> Decimal:
        """Quantity, negative for a short position."""
        ...

    @property
    def average_entry_price(self) -> Decimal:
        """Quantity-weighted average of the entry prices."""
        ...

    @property
    def realized_pnl(self) -> Decimal:
        """Profit realised since it was opened, before fees."""
        ...


class Statement(Protocol):
    """What can be looked at beside the orders and positions that a witness is shown."""

    @property
    def balance(self) -> Decimal:
        """Starting cash and realised profit less costs, as it has been since the last event."""
        ...

    def told_account(self) -> Account:
        """The account as its last event would have it."""
        ...

    def followed(self, order_id: str) -> Followed | None:
        """An order by the venue's id; None where there is none."""
        ...

    def accepted(self, client_order_id: str) -> Followed | None:
        """An order by the client's id; None where it has not been accepted."""
        ...

    def parts_of(self, symbol: str) -> Sequence[Part]:
        """The open positions in a symbol, the longest-standing first."""
        ...


class Witness(Protocol):
    """Is shown what changes."""

    def see_order(self, order: Followed) -> None:
        """An order was accepted, changed, or has come to its end."""
        ...

    def see_fill(self, order: Followed, fill: ShownFill, parts: Sequence[Part]) -> None:
        """An order was executed, and these are now the open positions in its symbol."""
        ...

    def see_position(self, symbol: str, parts: Sequence[Part]) -> None:
        """A position in a symbol changed without an execution; these are now open."""
        ...

    def see_account(self) -> None:
        """The account changed without an execution."""
        ...

    def look_away(self) -> None:
        """Events are made again of whatever happens from here on."""
        ...
