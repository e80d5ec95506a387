"""Tickets: what `buy`, `sell`, `close`, `modify`, `cancel` and `target` return."""

from collections.abc import Generator
from typing import Any, Protocol

from msgspec import Struct

from strategy_runtime.errors import OrderRejected, Verb
from strategy_runtime.protocol.models import Order

__all__ = ["Ticket"]


class Clerk(Protocol):
    """What handles tickets: the runtime's outbox."""

    def order_about(self, ticket: "Ticket") -> Order:
        """Return the latest known state of a ticket's order."""
        ...

    async def send_until(self, ticket: "Ticket") -> None:
        """Send queued requests until this one is answered."""
        ...

    async def wait_for_end(self, ticket: "Ticket") -> None:
        """Wait until the order has filled or otherwise ended."""
        ...


class Ticket(Struct, eq=False, weakref=True):
    """A request on its way to the venue.

    If it is ignored, it is sent when the hook returns, and a refusal goes to `on_error`. If it is
    awaited, it returns the order as the venue accepted, changed or cancelled it, and a refusal
    raises `OrderRejected` at once. Either way its events come after the hook.

    A hook can await acceptance only: a fill arrives as an event, and no event is delivered before
    the hook has returned.

    Attributes:
        client_order_id: Id of the order the request is about.
        symbol: Symbol of that order.
        verb: `submit`, `modify` or `cancel`.
        error: Why it was refused, or None.
        is_settled: Whether the venue has answered.
        awaited: Whether it has been awaited.
        answer: The order in the venue's answer to a change or cancellation.
        ended: The final state of the order, in a live run, which forgets old orders.
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
        """The latest known state of the order; PENDING until the venue has answered."""
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
        """Record the venue's answer; for the runtime."""
        self.is_settled = True
        self.error = error

    def __repr__(self) -> str:
        state = "settled" if self.is_settled else "on its way"
        if self.error is not None:
            state = f"refused: {self.error.code}"
        return f"<Ticket {self.verb} {self.symbol} {self.client_order_id} {state}>"


def _is_newer(known: Order, answer: Order) -> bool:
    """Whether an event has updated the order since the venue's answer."""
    if known.status.is_terminal:
        return True
    return (
        known.updated_at is not None
        and answer.updated_at is not None
        and known.updated_at > answer.updated_at
    )
