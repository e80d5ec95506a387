"""Polling of orders, for a backtest whose proxy sends no events of orders."""

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
from strategy_runtime.runtime.retries import with_retries
from strategy_runtime.runtime.venue import Venue

__all__ = ["OrderPolling"]

_INSTANTS = 2

_log = logging.getLogger("strategy_runtime")


class OrderPolling:
    """Polls open orders if the proxy sends no events of orders.

    An event of an order comes before time advances. So if time has advanced twice with an order
    open but without any such event, there will be none: from then on, orders are polled before each
    acknowledgement. A proxy that has sent one such event sends them all.
    """

    def __init__(self, venue: Venue, book: Book, clock: RunClock, delivery: Delivery) -> None:
        self._venue = venue
        self._book = book
        self._clock = clock
        self._delivery = delivery
        self._has_heard = False
        self._instants = 0
        self._last_instant = 0.0
        delivery.dispatcher.precede(OrderEvent, self._note_event)

    def _note_event(self, event: OrderEvent) -> None:
        self._has_heard = True

    def deliver(self, burst: Burst, table: Table) -> Awaitable[None]:
        """Deliver events; if there are none of orders, poll after each of them."""
        deliver = self._delivery.deliver if self._has_heard else self._deliver_and_ask
        return deliver(burst, table)

    async def _deliver_and_ask(self, burst: Burst, table: Table) -> None:
        # If a poll may be due, each event stays unacknowledged until it is answered.
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
            _log.warning("the proxy sends no events of orders: from now on it is asked for them")

    async def _ask(self) -> None:
        """Poll the orders, and deliver what has changed as ordinary events."""
        venue, book, clock, delivery = self._venue, self._book, self._clock, self._delivery
        if not await with_retries(partial(orders_differ, venue, book), "what orders are open"):
            return
        said = await with_retries(partial(take_snapshot, venue, book), "what became of the orders")
        instant = clock.event
        news = delivery.dispatcher.apply(differences(book, said))
        clock.event = instant  # their timestamps may be wall-clock times of the proxy
        await delivery.deliver(iter(news), delivery.dispatcher.hooks_only)
