"""Tickets: what `buy`, `sell`, `close`, `modify`, `cancel` and `target` return."""

from collections.abc import Generator
from typing import Any, Literal, Protocol

from msgspec import Struct

from strategy_runtime.errors import OrderRejected
from strategy_runtime.protocol.models import Order

__all__ = ["Ticket", "Verb"]

Verb = Literal["submit", "modify", "cancel"]
"""What is asked for an order."""


class Clerk(Protocol):
    """Who sees to tickets; the runtime's outbox."""

    def order_about(self, ticket: "Ticket") -> Order:
        """The order that a ticket is about, as far as it is known."""
        ...

    async def send_until(self, ticket: "Ticket") -> None:
        """Have requests sent until this one is answered."""
        ...

    async def wait_for_end(self, ticket: "Ticket") -> None:
        """Wait until the order has come to an end."""
        ...


class Ticket(Struct, eq=False, weakref=True):
    """A request on its way to the venue.

    Ignore it, and it is sent when the hook returns; a refusal then goes to `on_error`. Or await it
    for the order as the venue accepted, changed or cancelled it; a refusal then raises
    `OrderRejected` at once. Its events come after the hook in either case.

    A hook can await only acceptance: a fill arrives as an event, and no event is delivered before
    the hook has returned.

    Attributes:
        client_order_id: Id of the order the request is about.
        symbol: Symbol of that order.
        verb: `submit`, `modify` or `cancel`.
        error: Why it was refused, or None.
        is_settled: Whether it has been answered.
        awaited: Whether somebody has asked for the answer.
        answer: The order as the venue answered a change or a cancellation.
        ended: The order as it ended; in a live run, which does not remember it for ever.
    """

    _clerk: Clerk
    verb: Verb
    symbol: str
    client_order_id: str
    error: OrderRejected | None = None
    is_settled: bool = False
    awaited: bool = False
    answer: Order | None = None
    ended: Order | None = None

    @property
    def order(self) -> Order:
        """The order as far as it is known now; PENDING until the venue has answered."""
        return self._clerk.order_about(self)

    def __await__(self) -> Generator[Any, None, Order]:
        self.awaited = True
        if not self.is_settled:
            yield from self._clerk.send_until(self).__await__()
        if self.error is not None:
            raise self.error
        known, answer = self.order, self.answer
        return known if answer is None or _is_newer(known, answer) else answer

    async def filled(self) -> Order:
        """Wait until the order has filled or otherwise ended; for background tasks of a live run.

        Raises:
            WouldDeadlock: At once, when called from a hook, or in a backtest.
            OrderRejected: The order was refused.
        """
        await self
        await self._clerk.wait_for_end(self)
        return self.order

    def settle(self, error: OrderRejected | None = None) -> None:
        """Note the venue's answer; for the runtime."""
        self.is_settled = True
        self.error = error

    def __repr__(self) -> str:
        state = "settled" if self.is_settled else "on its way"
        if self.error is not None:
            state = f"refused: {self.error.code}"
        return f"<Ticket {self.verb} {self.symbol} {self.client_order_id} {state}>"


def _is_newer(known: Order, answer: Order) -> bool:
    """Whether an event has told more of an order since it was answered for."""
    if known.status.is_terminal:
        return True
    return (
        known.updated_at is not None
        and answer.updated_at is not None
        and known.updated_at > answer.updated_at
    )
