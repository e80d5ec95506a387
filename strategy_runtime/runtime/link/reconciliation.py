"""Reconciliation of the book with the venue, after events may have been missed.

A *snapshot* is the venue's state of account, positions, orders and executions, complete or not at
all: what could not be read is unknown, never flat. What differs from the book becomes ordinary
events, so a strategy learns in its ordinary hooks what it missed. Once they are applied, there is
no difference left, and a second reconciliation yields nothing.
"""

import logging
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import partial
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from strategy_runtime.clock import sleep
from strategy_runtime.errors import AccessDenied, ApiError, ProtocolError, StrategyRuntimeError
from strategy_runtime.protocol.enums import (
    EVENT_OF_STATUS,
    OrderEventKind,
    OrderStatus,
    PositionEventKind,
    PositionSide,
)
from strategy_runtime.protocol.events import AccountEvent, OrderEvent, PositionEvent, TradeEvent
from strategy_runtime.protocol.models import Account, Order, Position, Trade
from strategy_runtime.protocol.witness import Part
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.book.order_states import is_on_its_way, name_of
from strategy_runtime.runtime.concurrency import gather_limited
from strategy_runtime.runtime.venue import Venue

__all__ = [
    "Difference",
    "Snapshot",
    "differences",
    "execution",
    "gone",
    "gone_in_words",
    "order_news",
    "orders_differ",
    "snapshot_after_gap",
    "take_snapshot",
    "unlisted",
    "was_reset",
]

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0
_MOST_ABSENCES = 5
_MOST_READINGS = 5
_FEW_TRADES = 10
_MOST_TRADES = 1000

_log = logging.getLogger("strategy_runtime")

Difference = OrderEvent | TradeEvent | PositionEvent | AccountEvent
"""An event that the strategy has missed."""


class Snapshot(Struct, frozen=True):
    """The state of the venue at one moment.

    Attributes:
        orders: Open orders, and the current state of those that are open in the book.
        trades: Executions that the venue still lists, newest first.
        absent: Orders that are open in the book and unknown to the venue.
        is_of_one_moment: Nothing was filled while it was read. Otherwise its parts may contradict
            each other, and it has to be read again soon.
    """

    account: Account
    positions: list[Position]
    orders: list[Order]
    trades: list[Trade]
    absent: list[Order]
    is_of_one_moment: bool = True


async def take_snapshot(
    venue: Venue, book: Book, ended: dict[str, Order] | None = None
) -> Snapshot:
    """Read everything from the venue.

    Positions and executions are read between two readings of the orders, repeatedly until these are
    equal: then all of them belong to one moment. If orders keep changing, the last of some readings
    is used for the time being.

    Args:
        ended: Collects orders found to have ended, by id, even if the venue fails later on, so
            that they are not asked for again.

    Raises:
        StrategyRuntimeError: Something could not be read, so nothing is known.
    """
    ended = {} if ended is None else ended
    before, _ = await _orders(venue, book, ended)
    readings = 0
    while True:
        positions, account = await venue.positions(), await venue.account()
        trades = await _trades(venue, book)
        orders, absent = await _orders(venue, book, ended)
        readings += 1
        is_settled = _states(before) == _states(orders)
        if is_settled or readings == _MOST_READINGS:
            break
        before = orders
    if not is_settled:
        book.is_contradicted = True
        _log.warning("orders are filled faster than they can be read; they are read again soon")
    return Snapshot(account, positions, orders, trades, absent, is_settled)


async def orders_differ(venue: Venue, book: Book) -> bool:
    """Whether the venue's open orders differ from those in the book; takes one request.

    Raises:
        StrategyRuntimeError: The venue did not answer.
    """
    return _states(await venue.orders()) != _states(_believed_open(book))


async def was_reset(venue: Venue, book: Book) -> bool:
    """Whether a venue was reset: it lists all its executions, and our last ones are not among them.

    Raises:
        StrategyRuntimeError: The venue did not answer.
    """
    recent = set(map(_what, book.recent_trades))
    if not recent:
        return False
    found = await venue.trades(limit=_MOST_TRADES)
    return len(found) < _MOST_TRADES and recent.isdisjoint(map(_what, found))


async def snapshot_after_gap(venue: Venue, book: Book) -> Snapshot:
    """Read everything from the venue, and retry until it answers.

    An order that the venue does not know is asked for several times before it is given up, since a
    venue may answer from a replica that lags behind.

    Raises:
        AccessDenied: The venue no longer accepts the key.
    """
    pause, absences = _FIRST_PAUSE_S, 0
    ended: dict[str, Order] = {}
    while True:
        try:
            snapshot = await take_snapshot(venue, book, ended)
        except AccessDenied:
            raise
        except StrategyRuntimeError as error:
            _log.warning("positions and orders cannot be read after the gap: %s", error)
        else:
            absences += 1
            if not snapshot.absent or absences >= _MOST_ABSENCES:
                return snapshot
        await sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def differences(book: Book, snapshot: Snapshot) -> Iterator[Difference]:
    """Yield events for what differs from the snapshot: orders, executions, positions, account.

    Their sequence is fixed: orders by creation and id, executions by time, positions by symbol. Ask
    for one only when those before it have been applied to the book, since positions are compared
    with the result of the fills.
    """
    yield from order_news(book, snapshot.orders)
    yield from map(gone, snapshot.absent)
    for trade in reversed(snapshot.trades):
        if not book.has_trade(trade.id):
            yield execution(trade)
    yield from _moved(book, snapshot)
    if snapshot.account.balance != book.account.balance:
        yield AccountEvent(
            event_id=f"rec:{snapshot.account.balance:f}", account=snapshot.account, synthetic=True
        )


def order_news(book: Book, orders: Iterable[Order]) -> Iterator[OrderEvent]:
    """What orders have become that the book has otherwise, or not at all."""
    for order in sorted(orders, key=_age):
        known = book.counterpart(order)
        if known is None or _state(known) != _state(order):
            yield OrderEvent(
                event_id=f"rec:{order.id}:{order.status}:{order.filled_quantity:f}",
                event=EVENT_OF_STATUS.get(
                    order.status,
                    OrderEventKind.ORDER_CREATED
                    if known is None or known.status is OrderStatus.PENDING
                    else OrderEventKind.ORDER_MODIFIED,
                ),
                order=order,
                synthetic=True,
            )


def gone(order: Order) -> OrderEvent:
    """The end of an order that the venue does not know."""
    return OrderEvent(
        event_id=f"rec:{order.id}:absent",
        event=OrderEventKind.ORDER_CANCELLED,
        order=replace(order, status=OrderStatus.CANCELLED),
        synthetic=True,
    )


def gone_in_words(order: Order) -> str:
    """The same for whoever is told of anomalies."""
    return (
        f"{order.symbol} {name_of(order)} was open and is no longer known to the venue; it is "
        "treated as cancelled"
    )


def execution(trade: Trade) -> TradeEvent:
    """An execution that was not heard of."""
    return TradeEvent(event_id=f"rec:{trade.id}", trade=trade, synthetic=True)


def _moved(book: Book, snapshot: Snapshot) -> Iterator[Difference]:
    reported: dict[str, dict[str, Position]] = {}
    for part in snapshot.positions:
        reported.setdefault(part.symbol, {})[part.id] = part
    for symbol in sorted(reported.keys() | book.nets.keys()):
        now = reported.get(symbol, {})
        for before in book.parts_of(symbol):
            if before.id not in now:
                yield _position(PositionEventKind.POSITION_CLOSED, _flat(before))
        known = {part.id: part for part in book.parts_of(symbol)}
        for part in now.values():
            if part.id not in known:
                yield _position(PositionEventKind.POSITION_OPENED, part)
            elif _size(known[part.id]) != _size(part):
                yield _position(PositionEventKind.POSITION_MODIFIED, part)
        total = sum((part.signed_quantity for part in now.values()), Decimal(0))
        if book.position(symbol).quantity != total:
            # Fills have changed it, and the venue's positions contradict them.
            last = next(reversed(now.values()), None) or Position(
                id=symbol, symbol=symbol, side=PositionSide.LONG, quantity=Decimal(0)
            )
            kinds = PositionEventKind
            kind = kinds.POSITION_MODIFIED if last.quantity else kinds.POSITION_CLOSED
            yield _position(kind, last)


def _position(kind: PositionEventKind, part: Position) -> PositionEvent:
    event_id = f"rec:{part.id}:{part.signed_quantity:f}"
    return PositionEvent(event_id=event_id, event=kind, position=part, synthetic=True)


def _flat(part: Part) -> Position:
    # Live, every part in the book is a Position.
    return replace(cast(Position, part), quantity=Decimal(0))


def _size(part: Part) -> tuple[Decimal, Decimal]:
    return part.signed_quantity, part.average_entry_price


def _what(trade: Trade) -> tuple[object, ...]:
    return trade.id, trade.order_id, trade.symbol, trade.side, trade.quantity, trade.price


def _age(order: Order) -> tuple[str, str]:
    return ("" if order.created_at is None else order.created_at.isoformat(), order.id)


def _state(order: Order) -> tuple[object, ...]:
    prices = order.limit_price, order.stop_price
    return order.status, order.filled_quantity, order.quantity, *prices


def _states(orders: list[Order]) -> dict[str, tuple[object, ...]]:
    return {order.id: _state(order) for order in orders}


def _believed_open(book: Book) -> list[Order]:
    """Return the open orders of the book, without those still on their way to the venue."""
    return [order for order in book.orders() if not is_on_its_way(order)]


async def _orders(
    venue: Venue, book: Book, ended: dict[str, Order]
) -> tuple[list[Order], list[Order]]:
    """Return the orders and the absent orders of a snapshot."""

    async def look_for(order: Order) -> Order | None:
        found = await unlisted(venue, book, order)
        if found is not None and not found.is_open:
            ended[found.id] = found
        return found

    believed_open = _believed_open(book)
    orders = await venue.orders()
    listed = {order.id: order for order in orders} | ended
    missing = [order for order in believed_open if not _is_same(book, order, listed.get(order.id))]
    found = await gather_limited(partial(look_for, order) for order in missing)
    absent = [order for order, answer in zip(missing, found, strict=True) if answer is None]
    still_open = (order for order in found if order is not None and order.is_open)
    return [*orders, *still_open, *ended.values()], absent


async def unlisted(venue: Venue, book: Book, order: Order) -> Order | None:
    """Find an order that is not among the venue's open ones, by either of its ids.

    Not every venue lists ended orders. Return None if the venue does not know it.
    """
    named = await venue.orders(client_order_id=name_of(order))
    for each in named:
        if each.id == order.id:
            return each
    found = await venue.order(order.id)
    return found if _is_same(book, order, found) else None


def _is_same(book: Book, order: Order, found: Order | None) -> bool:
    """Whether the order that a venue has under an id is the one we know.

    A venue that was reset uses the same ids for other orders.
    """
    if found is None:
        return False
    if (order.symbol, order.side) != (found.symbol, found.side):
        return False
    names = {order.client_order_id, book.marked(found).client_order_id}
    return None in names or len(names) == 1


async def _trades(venue: Venue, book: Book) -> list[Trade]:
    """Read the last executions.

    These are a few more than have been booked since the last list, so that a lost one shows. If one
    does, all that the venue lists are read.
    """
    enough = min(book.unlisted_trades + _FEW_TRADES, _MOST_TRADES)
    try:
        found = await venue.trades(limit=enough)
        if enough <= len(found) < _MOST_TRADES and not _all_known(book, found):
            found = await venue.trades(limit=_MOST_TRADES)
    except (ApiError, ProtocolError) as refusal:
        _log.info("the venue does not list executions: %s", refusal)
        return []
    if _all_known(book, found):
        book.unlisted_trades = 0
    return found


def _all_known(book: Book, trades: list[Trade]) -> bool:
    return all(book.has_trade(trade.id) for trade in trades)
