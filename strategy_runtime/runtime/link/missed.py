"""What happened to orders while no process ran: found at the start, told once the link is up.

The journal has the orders whose end was not told, and what was told of each. The venue says what
they are now; the difference becomes ordinary events, as after a gap.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from functools import partial

from msgspec import Struct, field
from msgspec.structs import replace

from strategy_runtime.clock import sleep
from strategy_runtime.protocol.enums import OrderStatus
from strategy_runtime.protocol.events import OrderEvent, TradeEvent
from strategy_runtime.protocol.models import Order, Trade
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.book.order_states import name_of
from strategy_runtime.runtime.concurrency import gather_limited
from strategy_runtime.runtime.link.reconciliation import (
    Snapshot,
    execution,
    gone,
    gone_in_words,
    order_news,
    take_snapshot,
    unlisted,
)
from strategy_runtime.runtime.retries import with_retries
from strategy_runtime.runtime.store import Followed, Journal
from strategy_runtime.runtime.venue import Venue

__all__ = ["Missed", "first_snapshot", "follow_open", "what_was_missed"]

_PAUSES_S = (0.5, 1.0, 2.0, 4.0)
_MOST_LEGS = 20

_ZERO = Decimal(0)

_log = logging.getLogger("strategy_runtime")


class Missed(Struct):
    """What the strategy has not been told of its orders.

    Attributes:
        orders: The orders as they are now, ended ones included.
        events: Events to deliver: orders by age, then executions by time.
        anomalies: Anything that no event tells.
    """

    orders: list[Order]
    events: list[OrderEvent | TradeEvent] = field(default_factory=list)
    anomalies: list[str] = field(default_factory=list)


async def first_snapshot(venue: Venue, book: Book, journal: Journal | None) -> Snapshot:
    """Take a snapshot of the venue that includes the orders that earlier runs have left open.

    An order that the venue does not know is requested several times, as after a gap.

    Raises:
        StrategyRuntimeError: The venue does not answer.
    """
    if journal is not None:
        book.recall(followed.order for followed in journal.open.values())
    ended: dict[str, Order] = {}
    ask = partial(take_snapshot, venue, book, ended)
    for pause in _PAUSES_S:
        known = await with_retries(ask, "what is open at the venue")
        if not known.absent:
            return known
        await sleep(pause)
    return await with_retries(ask, "what is open at the venue")


async def what_was_missed(
    venue: Venue, book: Book, journal: Journal, known: Snapshot, resumed: list[Order]
) -> Missed:
    """Find what the strategy has not been told; the book has its orders as last told.

    Args:
        resumed: Orders whose outcome was unknown until now.

    Raises:
        StrategyRuntimeError: The venue does not answer.
    """
    book.recall(replace(order, status=OrderStatus.CANCELLED) for order in known.absent)
    found_again = {order.id for order in resumed}
    book.recall(each.order for each in journal.open.values() if each.order.id in found_again)
    late = await _told_to_have_ended(venue, book, journal, known.trades)
    book.recall(late)
    orders = [*known.orders, *resumed]
    orders += await _legs_that_ended(venue, book, journal, [*orders, *late], known.trades)
    orders = _by_name(book, orders)
    ours = [order for order in orders if _is_followed(book, order)]
    found = Missed(orders)
    found.events += order_news(book, ours)
    found.events += map(gone, known.absent)
    found.anomalies += map(gone_in_words, known.absent)
    told = {order.id: journal.open.get(name_of(order)) for order in ours}
    found.orders += late
    told |= {order.id: journal.ended[name_of(order)] for order in late}
    heard: defaultdict[str, Decimal] = defaultdict(Decimal)
    for trade in _untold(told, known.trades):
        heard[trade.order_id] += trade.quantity
        if trade.id not in journal.strays:
            found.events.append(execution(trade))
    for event in found.events:
        if isinstance(event, OrderEvent):
            order, before = event.order, told.get(event.order.id)
            traded = heard[order.id] + (_ZERO if before is None else before.traded)
            if traded < order.filled_quantity:
                found.anomalies.append(
                    f"{order.symbol} {name_of(order)} has filled {order.filled_quantity:f}, of "
                    f"which the venue lists executions of {traded:f}: on_order tells of all of it, "
                    "on_trade does not"
                )
    if found.events:
        _log.info("no earlier run has told of %d events of its orders", len(found.events))
    return found


def follow_open(book: Book, journal: Journal, missed: Missed, trades: list[Trade]) -> None:
    """Have the journal follow our open orders that it does not yet, as they are now.

    Orders with an event still to deliver are followed once it has been delivered.
    """
    untold = {each.order.id for each in missed.events if isinstance(each, OrderEvent)}
    for order in book.orders(external=False):
        name = name_of(order)
        if name in journal.open or name in journal.unsettled or order.id in untold:
            continue
        journal.follow(order)
        for trade in trades:
            if trade.order_id == order.id:
                journal.executed(name, trade.id, trade.quantity)


def _is_followed(book: Book, order: Order) -> bool:
    """Return whether the journal knows an order, or the entry of which it is a leg."""
    return book.counterpart(order) is not None or bool(
        order.parent_order_id and book.order(order.parent_order_id)
    )


def _by_name(book: Book, orders: list[Order]) -> list[Order]:
    """Mark the orders as ours, and leave out those replaced by another of the same name."""
    marked = list({order.id: book.marked(order) for order in orders}.values())
    still_open = {name_of(order) for order in marked if order.is_open}
    return [order for order in marked if order.is_open or name_of(order) not in still_open]


def _untold(told: dict[str, Followed | None], trades: list[Trade]) -> Iterator[Trade]:
    """Yield executions that were not told, oldest first."""
    for trade in reversed(trades):
        if trade.order_id in told:
            followed = told[trade.order_id]
            if followed is None or trade.id not in followed.trades:
                yield trade


async def _legs_that_ended(
    venue: Venue, book: Book, journal: Journal, orders: list[Order], trades: list[Trade]
) -> list[Order]:
    """Find legs that were placed and filled while no process ran, by their executions."""
    entries: dict[str, Order] = {}
    listed = {order.id for order in orders}
    for order in orders:
        name = name_of(book.marked(order))
        told = journal.open.get(name) or journal.ended.get(name)
        if told is not None and Followed(order, legs=told.legs).awaits_legs:
            entries[order.id] = order
            listed |= told.legs
    asked = {
        trade.order_id: None
        for trade in trades
        if trade.order_id not in listed
        and any(
            order.symbol == trade.symbol and order.side is not trade.side
            for order in entries.values()
        )
    }
    found = await gather_limited(partial(venue.order, each) for each in list(asked)[:_MOST_LEGS])
    return [order for order in found if order is not None and order.parent_order_id in entries]


async def _told_to_have_ended(
    venue: Venue, book: Book, journal: Journal, trades: list[Trade]
) -> list[Order]:
    """Find ended orders that were told as such, but not all their executions or legs."""
    ended = {followed.order.id: followed for followed in journal.ended.values()}
    untold = {trade.order_id for trade in _untold(dict(ended), trades)}
    asked = [
        followed.order
        for order_id, followed in ended.items()
        if order_id in untold or followed.awaits_legs
    ]
    found = await gather_limited(partial(unlisted, venue, book, order) for order in asked)
    return [order for order, answer in zip(asked, found, strict=True) if answer is not None]
