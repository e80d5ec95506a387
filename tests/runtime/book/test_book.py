"""The book at its start."""

from decimal import Decimal

from msgspec.structs import replace

from strategy_runtime.protocol.enums import (
    OrderEventKind,
    OrderStatus,
    OrderType,
    PositionEventKind,
    PositionSide,
    Side,
)
from strategy_runtime.protocol.events import OrderEvent, PositionEvent, TradeEvent
from strategy_runtime.protocol.models import Account, Order, OrderRequest, Position, Trade
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


def test_a_fill_of_an_order_that_had_ended_is_booked_and_told() -> None:
    book = Book()
    book.load(ACCOUNT, [], [order(OrderStatus.OPEN)])
    for status, filled, held in [
        (OrderStatus.CANCELLED, 0, 0),
        (OrderStatus.FILLED, 5, 5),
        (OrderStatus.CANCELLED, 0, 5),
    ]:
        event = OrderEvent(event=OrderEventKind.ORDER_FILLED, order=order(status, filled))
        book.apply_order(event)
        assert book.position("S:X").quantity == held
    assert book.anomalies == [
        "S:X c-1 was CANCELLED and has been filled all the same; the fill is booked"
    ]


def test_an_execution_of_an_order_that_had_ended_is_booked_once_and_told() -> None:
    book = Book()
    book.load(ACCOUNT, [], [order(OrderStatus.OPEN)])
    cancelled = order(OrderStatus.CANCELLED, 2)
    book.apply_order(OrderEvent(event=OrderEventKind.ORDER_CANCELLED, order=cancelled))
    assert book.position("S:X").quantity == 2
    for name, held in [("t-1", 2), ("t-2", 5), ("t-2", 5)]:
        quantity = Decimal(2) if name == "t-1" else Decimal(3)
        trade = Trade(
            id=name,
            order_id="ord-1",
            symbol="S:X",
            side=Side.BUY,
            quantity=quantity,
            price=Decimal(10),
        )
        book.apply_trade(TradeEvent(trade=trade))
        assert book.position("S:X").quantity == held
    assert len(book.anomalies) == 1


def test_an_order_never_becomes_less_filled() -> None:
    book = Book()
    book.load(ACCOUNT, [], [order(OrderStatus.OPEN)])
    for status, filled, is_news in [
        (OrderStatus.PARTIALLY_FILLED, 3, True),
        (OrderStatus.PARTIALLY_FILLED, 2, False),
        (OrderStatus.FILLED, 5, True),
        (OrderStatus.PARTIALLY_FILLED, 4, False),
    ]:
        event = OrderEvent(event=OrderEventKind.ORDER_MODIFIED, order=order(status, filled))
        assert book.apply_order(event) is is_news
    assert book.position("S:X").quantity == 5


def test_each_part_of_an_order_is_booked_at_its_own_price() -> None:
    book = Book()
    book.load(ACCOUNT, [], [order(OrderStatus.OPEN)])
    for filled, average in [(2, "10"), (5, "13")]:
        news = replace(
            order(OrderStatus.PARTIALLY_FILLED, filled), average_fill_price=Decimal(average)
        )
        book.apply_order(OrderEvent(event=OrderEventKind.ORDER_PARTIALLY_FILLED, order=news))
    assert book.position("S:X").average_entry_price == 13
    assert book.nets.move("S:X", Decimal(-2), Decimal(15)) == 4


def test_a_flat_position_is_neither_long_nor_short() -> None:
    net = Book().position("S:X")
    assert (net.is_flat, net.is_long, net.is_short) == (True, False, False)


def at(quantity: int, name: str) -> PositionEvent:
    side = PositionSide.SHORT if quantity < 0 else PositionSide.LONG
    kind = PositionEventKind.POSITION_MODIFIED if quantity else PositionEventKind.POSITION_CLOSED
    held = replace(position(abs(quantity)), id=name, side=side)
    return PositionEvent(event=kind, position=held)


def execution(side: Side, quantity: int, price: int, number: int, name: str) -> TradeEvent:
    return TradeEvent(
        trade=Trade(
            id=f"t-{number}",
            order_id=f"ord-{number}",
            symbol="S:X",
            side=side,
            quantity=Decimal(quantity),
            price=Decimal(price),
            position_id=name,
        )
    )


def test_a_position_that_a_fill_turned_round_is_not_flat_in_between() -> None:
    book = Book()
    book.apply_trade(execution(Side.BUY, 1, 10, 1, "p-1"))
    book.apply_position(at(1, "p-1"))
    book.apply_trade(execution(Side.SELL, 3, 11, 2, "p-2"))
    book.apply_position(at(0, "p-1"))
    net = book.position("S:X")
    assert [net.quantity, net.average_entry_price] == [-2, 11]
    book.apply_position(at(-2, "p-2"))
    assert book.position("S:X").quantity == -2
    assert not book.is_torn


def test_a_position_that_the_venue_closed_is_flat_whatever_the_fills_said() -> None:
    book = Book()
    book.apply_trade(execution(Side.BUY, 2, 10, 1, "p-1"))
    book.apply_position(at(2, "p-1"))
    book.apply_trade(execution(Side.SELL, 1, 11, 2, "p-1"))
    book.apply_position(at(0, "p-1"))
    assert book.position("S:X").is_flat
    assert book.is_contradicted


def test_one_of_several_positions_grows_at_the_price_of_the_fill() -> None:
    book = Book()
    book.is_hedging = True
    book.apply_trade(execution(Side.BUY, 1, 10, 1, "p-1"))
    book.apply_position(at(1, "p-1"))
    book.apply_trade(execution(Side.BUY, 1, 20, 2, "p-1"))
    net = book.position("S:X")
    assert [net.quantity, net.average_entry_price] == [2, 15]
    book.apply_position(at(2, "p-1"))
    book.apply_trade(execution(Side.SELL, 1, 12, 3, "p-1"))
    assert net.quantity == 1


def test_the_name_of_an_order_that_was_turned_away_may_be_given_again() -> None:
    book = Book()
    request = OrderRequest(
        symbol="S:X",
        side=Side.BUY,
        quantity=Decimal(5),
        order_type=OrderType.LIMIT,
        client_order_id="c-1",
    )
    book.expect(request, "c-1")
    book.refuse("c-1")
    assert book.orders() == []
    book.apply_order(OrderEvent(event=OrderEventKind.ORDER_CREATED, order=order(OrderStatus.OPEN)))
    assert [each.id for each in book.orders()] == ["ord-1"]
    assert book.order_count == 1
