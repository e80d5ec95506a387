"""Tickets: what `buy`, `sell`, `close`, `modify`, `cancel` and `target` give back."""

from collections.abc import Awaitable, Callable, Generator
from typing import Any

from strategy_runtime.errors import OrderRejected
from strategy_runtime.protocol.models import Order

__all__ = ["Ticket"]


class Ticket(Awaitable[Order]):
    """A request on its way to the venue.

    Leave it, and it is sent when the hook returns; a refusal then goes to `on_error`. Or await it
    for the order as the venue accepted it; a refusal then raises `OrderRejected` on the spot.
    Acceptance is all that can be awaited in a hook: a fill arrives as an event, and no event is
    delivered before the hook has returned.

    Attributes:
        client_order_id: Id of the order the request is about.
        symbol: Symbol of that order.
        verb: `submit`, `modify` or `cancel`.
        error: Why it was refused, or None.
        awaited: Whether somebody has asked for the answer.
    """

    __slots__ = (
        "_order",
        "_send",
        "_wait_for_fill",
        "awaited",
        "client_order_id",
        "error",
        "is_settled",
        "symbol",
        "verb",
    )

    def __init__(
        self,
        verb: str,
        symbol: str,
        client_order_id: str,
        *,
        order: Callable[[], Order],
        send: Callable[["Ticket"], Awaitable[None]],
        wait_for_fill: Callable[["Ticket"], Awaitable[None]],
    ) -> None:
        self.verb = verb
        self.symbol = symbol
        self.client_order_id = client_order_id
        self.error: OrderRejected | None = None
        self.is_settled = False
        self.awaited = False
        self._order = order
        self._send = send
        self._wait_for_fill = wait_for_fill

    @property
    def order(self) -> Order:
        """The order as far as it is known now; PENDING until the venue has answered."""
        return self._order()

    def __await__(self) -> Generator[Any, None, Order]:
        self.awaited = True
        if not self.is_settled:
            yield from self._send(self).__await__()
        if self.error is not None:
            raise self.error
        return self._order()

    async def filled(self) -> Order:
        """Wait until the order has filled or otherwise come to an end; for live background tasks.

        Raises:
            WouldDeadlock: At once, when called from a hook.
            OrderRejected: The order was refused.
        """
        await self
        await self._wait_for_fill(self)
        return self._order()

    def settle(self, error: OrderRejected | None = None) -> None:
        """Note the venue's answer; for the runtime."""
        self.is_settled = True
        self.error = error

    def __repr__(self) -> str:
        state = "refused" if self.error else "settled" if self.is_settled else "on its way"
        return f"<Ticket {self.verb} {self.symbol} {self.client_order_id} {state}>"
