"""Orders of unknown fate: they were sent, and may have arrived or not.

No more orders are sent in the symbol of one until its fate is known, from an event with the order
or from the venue, which is asked again.
"""

from contextlib import suppress
from functools import partial
from typing import NamedTuple

from msgspec.structs import replace

from strategy_runtime.clock import monotonic
from strategy_runtime.errors import FateUnknown, StrategyRuntimeError
from strategy_runtime.protocol.models import Order, OrderHandle
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.book.order_states import newly_placed
from strategy_runtime.runtime.desk.refusals import halted
from strategy_runtime.runtime.retries import with_retries
from strategy_runtime.runtime.store import Journal
from strategy_runtime.runtime.venue import Venue

__all__ = ["ASK_AGAIN_AFTER_S", "Doubts"]

ASK_AGAIN_AFTER_S = 10.0
"""Seconds after which a venue that did not have an order is asked for it again."""


class _Doubt(NamedTuple):
    symbol: str
    since: float


class Doubts:
    """The orders of one run whose fate is unknown; reports go to the book's anomalies.

    Args:
        journal: Records their outcome; None if none is kept.

    Attributes:
        have_ended: Whether one was found to have ended, so that its events may have been lost,
            too. Reset by whoever has checked for them.
    """

    def __init__(self, venue: Venue, book: Book, journal: Journal | None) -> None:
        self._venue = venue
        self._book = book
        self._journal = journal
        self._orders: dict[str, _Doubt] = {}
        self.have_ended = False

    def __bool__(self) -> bool:
        return bool(self._orders)

    @property
    def symbols(self) -> list[str]:
        """The symbols in which no orders are sent."""
        return sorted({doubt.symbol for doubt in self._orders.values()})

    def enter(self, doubt: FateUnknown) -> None:
        """Add an order whose fate is unknown."""
        self._orders[doubt.client_order_id] = _Doubt(doubt.symbol, monotonic())
        self._book.anomalies.append(f"{doubt}; no more orders in {doubt.symbol} until it is known")

    def order_seen(self, order: Order) -> None:
        """Remove an order that an event has shown to be accepted."""
        if self._orders and order.client_order_id in self._orders:
            self._end(order.client_order_id, order)

    async def clear(self, symbol: str | None = None, *, min_age: float = 0.0) -> None:
        """Ask the venue what became of the orders.

        Args:
            symbol: Only those in this symbol.
            min_age: Only those whose fate has been unknown for so many seconds.

        Raises:
            StrategyRuntimeError: The venue did not answer, so their fate is still unknown.
        """
        for own_id, doubt in list(self._orders.items()):
            is_meant = symbol is None or doubt.symbol == symbol
            if not is_meant or monotonic() - doubt.since < min_age:
                continue
            found = await self._venue.orders(client_order_id=own_id)
            if own_id not in self._orders:
                continue  # resolved meanwhile, by an event or another request
            if found:
                order = found[0]
                self._book.accept(own_id, OrderHandle(id=order.id, status=order.status))
                self.have_ended = self.have_ended or not order.is_open
                verdict = f"arrived and is {order.status}"
            else:
                self._book.refuse(own_id)
                verdict = "never arrived"
            self._book.anomalies.append(
                f"{doubt.symbol} {own_id} {verdict}; orders in {doubt.symbol} are sent again"
            )
            self._end(own_id, found[0] if found else None)

    async def check_symbol_clear(self, symbol: str) -> None:
        """Check that the fate of all earlier orders in a symbol is known.

        Raises:
            ApiError: That of one is not.
        """
        with suppress(StrategyRuntimeError):
            await self.clear(symbol, min_age=ASK_AGAIN_AFTER_S)
        if all(doubt.symbol != symbol for doubt in self._orders.values()):
            return
        raise halted(f"the fate of an earlier order in {symbol} is not known")

    async def resume(self) -> list[Order]:
        """Ask for orders that earlier runs were placing when they ended, and return those found.

        The fate of the others is unknown: the venue is asked for them again later.

        Raises:
            StrategyRuntimeError: The venue did not answer.
        """
        taken_up: list[Order] = []
        unsettled = {} if self._journal is None else dict(self._journal.unsettled)
        for own_id, request in unsettled.items():
            orders = partial(self._venue.orders, client_order_id=own_id)
            found = await with_retries(orders, f"what became of {own_id}")
            self._book.expect(request, own_id)
            self._orders[own_id] = _Doubt(request.symbol, monotonic())
            if found:
                taken_up.append(found[0])
                self._end(own_id, found[0])
            verdict = f"arrived and is {found[0].status}" if found else "has not arrived so far"
            self._book.anomalies.append(
                f"an earlier run ended while it gave {request.symbol} {own_id}, which {verdict}"
            )
        return taken_up

    def _end(self, client_order_id: str, found: Order | None) -> None:
        del self._orders[client_order_id]
        if self._journal is None:
            return
        if found is None:
            self._journal.settle(client_order_id, "refused")
        else:
            placed = replace(newly_placed(found), client_order_id=client_order_id)
            self._journal.settle(client_order_id, "accepted", placed)
