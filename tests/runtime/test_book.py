"""The book at its start."""

from decimal import Decimal

from strategy_runtime.protocol.enums import (
    OrderEventKind,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
)
from strategy_runtime.protocol.events import OrderEvent
from strategy_runtime.protocol.models import Account, Order, Position
from strategy_runtime.runtime.book import Book

ACCOUNT = Account(balance=Decimal(1000), equity=Decimal(1000))


def position(quantity: int) -> Position:
    return Position(
        id="p-1",
        symbol="S:X",
        side=PositionSide.LONG,
        quantity=Decimal(quantity),
        average_entry_price=Decimal(10),
    )


def order(status: OrderStatus, filled: int = 0) -> Order:
    return Order(
        id="ord-1",
        symbol="S:X",
        side=Side.BUY,
        status=status,
        order_type=OrderType.LIMIT,
        quantity=Decimal(5),
        client_order_id="c-1",
        filled_quantity=Decimal(filled),
        average_fill_price=Decimal(10) if filled else None,
    )


def test_what_a_snapshot_holds_is_not_booked_again() -> None:
    book = Book()
    book.load(ACCOUNT, [position(2)], [order(OrderStatus.PARTIALLY_FILLED, 2)])
    filled = order(OrderStatus.FILLED, 5)
    book.apply_order(OrderEvent(event=OrderEventKind.ORDER_FILLED, order=filled))
    assert book.position("S:X").quantity == 5
