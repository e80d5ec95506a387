"""What the strategy has heard of its own orders, for the journal to have it told only the rest.

It is noted behind the hook, and behind what saves the state: where the process is killed in
between, the next one tells it again rather than never.
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
    """Has the journal of a run note what was told."""

    def __init__(self, book: Book, journal: Journal) -> None:
        self._book = book
        self._journal = journal

    def noting(self, handle: Handler) -> Handler:
        """A handler of order or trade events that notes each of them, also where its hook fails."""

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
        # Late news may be of one whose name another has taken, or that has ended since.
        if latest is None or latest.id != order.id or order.external:
            return
        if latest.is_open or not order.is_open:
            self._journal.follow(order)
