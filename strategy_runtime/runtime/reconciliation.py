"""The book brought in line with what the venue says, when nothing or not everything was heard."""

import logging

from strategy_runtime.clock import sleep
from strategy_runtime.errors import AccessDenied, StrategyRuntimeError
from strategy_runtime.protocol.enums import OrderStatus
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.venue import Venue

__all__ = ["read_book", "reread_book"]

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0
_log = logging.getLogger("strategy_runtime")


async def read_book(venue: Venue, book: Book) -> None:
    """Take over account, positions and orders, all of them or none.

    Orders that the book has as open and the venue no longer lists are asked for one by one; those
    on their way to the venue are left alone.

    Raises:
        StrategyRuntimeError: The venue did not say; the book is as it was.
    """
    believed_open = [order for order in book.orders() if order.status is not OrderStatus.PENDING]
    orders = await venue.orders()
    listed = {order.id for order in orders}
    for order in believed_open:
        if order.id not in listed and order.client_order_id:
            found = await venue.orders(client_order_id=order.client_order_id)
            orders += [each for each in found if each.id == order.id]
    account, positions = await venue.account(), await venue.positions()
    book.load(account, positions, orders)


async def reread_book(venue: Venue, book: Book) -> None:
    """The same after a gap, as often as it takes: what cannot be read is unknown, never flat.

    Raises:
        AccessDenied: The venue no longer takes the key.
    """
    pause = _FIRST_PAUSE_S
    while True:
        try:
            await read_book(venue, book)
            return
        except AccessDenied:
            raise
        except StrategyRuntimeError as error:
            _log.warning("positions and orders cannot be read after the gap: %s", error)
        await sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)
