"""An order that fills in two parts, with its events in every possible sequence."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from strategy_runtime.protocol.enums import (
    OrderEventKind,
    OrderStatus,
    OrderType,
    PositionEventKind,
    PositionSide,
    Side,
)
from strategy_runtime.protocol.events import OrderEvent, PositionEvent, TradeEvent
from strategy_runtime.protocol.models import Order, OrderHandle, OrderRequest, Position, Trade
from strategy_runtime.runtime.book import Book

X = "S:X"
SIZE = Decimal(3)
TOTALS = (Decimal(1), SIZE)

News = Callable[[Book], None]


def second(number: int) -> datetime:
    return datetime(2024, 3, 4, 14, 0, number, tzinfo=UTC)


def is_known(number: int, filled: Decimal, named: bool) -> News:
    """Apply an event of the order itself."""
    kind, status = {
        Decimal(0): (OrderEventKind.ORDER_CREATED, OrderStatus.OPEN),
        SIZE: (OrderEventKind.ORDER_FILLED, OrderStatus.FILLED),
    }.get(filled, (OrderEventKind.ORDER_PARTIALLY_FILLED, OrderStatus.PARTIALLY_FILLED))
    order = Order(
        id="ord-1",
        symbol=X,
        side=Side.BUY,
        status=status,
        quantity=SIZE,
        filled_quantity=filled,
        average_fill_price=Decimal(10) if filled else None,
        client_order_id="c-1" if named else None,
        updated_at=second(number),
    )
    return lambda book: told(book.apply_order(OrderEvent(event=kind, order=book.marked(order))))


def is_executed(number: int, size: Decimal) -> News:
    trade = Trade(
        id=f"trd-{number}",
        order_id="ord-1",
        symbol=X,
        side=Side.BUY,
        quantity=size,
        price=Decimal(10),
        timestamp=second(number),
    )
    return lambda book: told(book.apply_trade(TradeEvent(trade=trade)))


def is_held(number: int, size: Decimal) -> News:
    position = Position(
        id="pos-1", symbol=X, side=PositionSide.LONG, quantity=size, updated_at=second(number)
    )
    event = PositionEvent(event=PositionEventKind.POSITION_MODIFIED, position=position)
    return lambda book: told(book.apply_position(event))


def is_answered(book: Book) -> None:
    book.accept("c-1", OrderHandle(id="ord-1", status=OrderStatus.OPEN))


def told(is_news: bool) -> None:
    assert is_news


def merged(voices: Sequence[Sequence[News]]) -> Iterator[list[News]]:
    """Yield all interleavings of several sequences, each kept in its own order."""
    if not any(voices):
        yield []
    for number, voice in enumerate(voices):
        if voice:
            rest = (*voices[:number], voice[1:], *voices[number + 1 :])
            yield from ([voice[0], *others] for others in merged(rest))


@pytest.mark.parametrize("named", [True, False])
def test_whoever_speaks_first_nothing_is_booked_twice_or_never(named: bool) -> None:
    voices: list[list[News]] = [
        [is_known(number, filled, named) for number, filled in enumerate((Decimal(0), *TOTALS))],
        [is_executed(1, Decimal(1)), is_executed(2, Decimal(2))],
        [is_held(number, total) for number, total in enumerate(TOTALS, 1)],
        [is_answered],
    ]
    count = 0
    for schedule in merged(voices):
        count += 1
        book = Book(own_prefix="c-")
        book.positions_may_lead = True
        bid = OrderRequest(
            symbol=X,
            side=Side.BUY,
            quantity=SIZE,
            order_type=OrderType.MARKET,
            client_order_id="c-1",
        )
        book.expect(bid, "c-1")
        for news in schedule:
            news(book)
            assert book.position(X).quantity in (0, *TOTALS)
        order = book.order("c-1")
        assert order is not None
        assert (order.id, order.status, order.external) == ("ord-1", OrderStatus.FILLED, False)
        assert book.position(X).quantity == SIZE
        assert book.orders() == []
        assert book.anomalies == []
    assert count == 1680
