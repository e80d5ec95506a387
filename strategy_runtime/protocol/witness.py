"""Shared state in place of events: what a venue in process shows to the keeper of the book.

An event holds a copy of an order, a position or the account as it was at that moment. If nobody
needs these copies they are not made: the book then reads the venue's own objects, which never
change while the strategy's code runs.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from strategy_runtime.protocol.models import Account, Order

__all__ = ["Followed", "Part", "ShownFill", "Statement", "Witness"]


class Followed(Protocol):
    """The venue's own order, readable from its acceptance to its end."""

    @property
    def id(self) -> str:
        """The venue's id."""
        ...

    @property
    def name(self) -> str:
        """The client's id, or the venue's if there is none."""
        ...

    @property
    def symbol(self) -> str:
        """As subscribed."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        ...

    def announced(self) -> Order:
        """Return the order as its last event would have shown it."""
        ...


class ShownFill(Protocol):
    """One execution of an order."""

    @property
    def symbol(self) -> str:
        """As subscribed."""
        ...

    @property
    def client_order_id(self) -> str | None:
        """The client's id of the order, or None."""
        ...

    @property
    def price(self) -> Decimal:
        """Price per unit."""
        ...

    @property
    def fee(self) -> Decimal:
        """Fee charged, in account currency."""
        ...


class Part(Protocol):
    """An open position: the only one of its symbol, or one of several on a hedging account."""

    @property
    def id(self) -> str:
        """The venue's id."""
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
    """State to read besides the orders and positions that a witness is shown."""

    @property
    def balance(self) -> Decimal:
        """Starting cash plus realised profit less costs, as of the last event."""
        ...

    def announced_account(self) -> Account:
        """Return the account as its last event would have shown it."""
        ...

    def followed(self, order_id: str) -> Followed | None:
        """Return an order by the venue's id, or None."""
        ...

    def accepted(self, client_order_id: str) -> Followed | None:
        """Return an order by the client's id; None if it was not accepted."""
        ...

    def parts_of(self, symbol: str) -> Sequence[Part]:
        """Return the open positions in a symbol, oldest first."""
        ...


class Witness(Protocol):
    """Is shown changes directly while it is attached to a venue, in place of events."""

    def see_order(self, order: Followed) -> None:
        """An order was accepted, changed or ended."""
        ...

    def see_fill(self, order: Followed, fill: ShownFill, parts: Sequence[Part]) -> None:
        """An order was filled; `parts` are now the open positions in its symbol."""
        ...

    def see_position(self, symbol: str, parts: Sequence[Part]) -> None:
        """A position changed without a fill; `parts` are now the open positions in its symbol."""
        ...

    def see_account(self) -> None:
        """The account changed without a fill."""
        ...

    def detached(self) -> None:
        """The witness is detached: from now on, changes are events again."""
        ...
