"""A backtest whose proxy tells nothing of orders: it is asked for them."""

import logging
from collections.abc import Awaitable
from functools import partial

from strategy_runtime.protocol.events import OrderEvent
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.book.order_states import is_on_its_way
from strategy_runtime.runtime.clock import RunClock
from strategy_runtime.runtime.delivery import Burst, Delivery
from strategy_runtime.runtime.delivery.dispatcher import Table
from strategy_runtime.runtime.link.reconciliation import differences, orders_differ, take_snapshot
from strategy_runtime.runtime.patience import patiently
from strategy_runtime.runtime.venue import Venue

__all__ = ["Asking"]

_INSTANTS = 2

_log = logging.getLogger("strategy_runtime")


class Asking:
    """Asks for open orders where none is ever heard of.

    An order is told of before time moves on. So a proxy from which none has been heard although
    time has moved on twice with one open will tell of none: from then on it is asked before each
    acknowledgement. One that has told of an order tells of all.
    """

    def __init__(self, venue: Venue, book: Book, clock: RunClock, delivery: Delivery) -> None:
        self._venue = venue
        self._book = book
        self._clock = clock
        self._delivery = delivery
        self._has_heard = False
        self._instants = 0
        self._last_instant = 0.0
        delivery.dispatcher.precede(OrderEvent, self._hear)

    def _hear(self, event: OrderEvent) -> None:
        self._has_heard = True

    def deliver(self, burst: Burst, table: Table) -> Awaitable[None]:
        """Deliver events; once it is known that nothing is told, ask behind each of them."""
        deliver = self._delivery.deliver if self._has_heard else self._deliver_and_ask
        return deliver(burst, table)

    async def _deliver_and_ask(self, burst: Burst, table: Table) -> None:
        # Where a question may be due, each event stays in hand until that has been answered.
        may_be_due = self._instants >= _INSTANTS or self._has_open
        for part in (iter((event,)) for event in burst) if may_be_due else (burst,):
            await self._delivery.deliver(part, table)
            if self._delivery.is_stopping:
                return
            if self._has_open and not self._has_heard:
                self._note_the_time()
                if self._instants > _INSTANTS:
                    await self._ask()

    @property
    def _has_open(self) -> bool:
        return not all(map(is_on_its_way, self._book.orders()))

    def _note_the_time(self) -> None:
        instant = self._clock.seconds()
        if instant == self._last_instant:
            return
        self._instants, self._last_instant = self._instants + 1, instant
        if self._instants == _INSTANTS + 1:
            _log.warning("the proxy tells nothing of orders: from now on it is asked for them")

    async def _ask(self) -> None:
        """Have the strategy told what has become of its orders, in its ordinary hooks."""
        venue, book, clock, delivery = self._venue, self._book, self._clock, self._delivery
        if not await patiently(partial(orders_differ, venue, book), "what orders are open"):
            return
        said = await patiently(partial(take_snapshot, venue, book), "what became of the orders")
        instant = clock.event
        news = delivery.dispatcher.apply(differences(book, said))
        clock.event = instant  # they may say what time it is where the proxy runs
        await delivery.deliver(iter(news), delivery.dispatcher.telling)
