"""Recording in the journal what the strategy has been told of its own orders.

It is recorded after the hook and after the state is saved: if the process is killed in between, the
next one tells it again rather than never.
"""

from collections.abc import Awaitable

from strategy_runtime.protocol.events import OrderEvent, TradeEvent
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.book.order_states import name_of
from strategy_runtime.runtime.observer import Handler
from strategy_runtime.runtime.store import Journal
from strategy_runtime.strategy.hooks import wants_awaiting

__all__ = ["Heard"]


class Heard:
    """Records events in the journal of a run once they are handled."""

    def __init__(self, book: Book, journal: Journal) -> None:
        self._book = book
        self._journal = journal

    def noting(self, handle: Handler) -> Handler:
        """Wrap a handler of order or trade events to record each, even if its hook fails."""

        def handle_noted(event: OrderEvent | TradeEvent) -> Awaitable[None] | None:
            try:
                result = handle(event)
            except Exception:
                self._note(event)
                raise
            if result is not None and wants_awaiting(result):
                return finish(result, event)
            self._note(event)
            return None

        async def finish(result: Awaitable[None], event: OrderEvent | TradeEvent) -> None:
            try:
                await result
            except Exception:
                self._note(event)
                raise
            self._note(event)

        return handle_noted

    def _note(self, event: OrderEvent | TradeEvent) -> None:
        if isinstance(event, OrderEvent):
            self._note_order(event)
            return
        trade = event.trade
        order = self._book.order(trade.order_id)
        if order is None:
            self._journal.executed_for_nobody(trade.id)
        elif not order.external:
            self._journal.executed(name_of(order), trade.id, trade.quantity)

    def _note_order(self, event: OrderEvent) -> None:
        order = self._book.marked(event.order)
        latest = self._book.order(name_of(order))
        # A late event may be about an order whose name another has taken, or that has ended since.
        if latest is None or latest.id != order.id or order.external:
            return
        if latest.is_open or not order.is_open:
            self._journal.follow(order)
