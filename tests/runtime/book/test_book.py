"""How the book applies events: each fill once, and each order under its key."""

import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal

import pytest
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
from strategy_runtime.protocol.models import (
    Account,
    Candle,
    Order,
    OrderHandle,
    OrderRequest,
    Position,
    Trade,
)
from strategy_runtime.runtime.book import Book
from tests.work import growth

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


def test_fills_that_were_forgotten_are_news_if_their_ids_are_used_again() -> None:
    book, fill = Book(), execution(Side.BUY, 5, 10, 1, "p-1")
    assert book.apply_trade(fill)
    assert not book.apply_trade(fill)
    book.forget_fills()
    assert book.apply_trade(fill)
    assert book.position("S:X").quantity == 10
    assert len(book.recent_trades) == 1


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


def test_a_partial_fill_that_is_told_again_is_no_news() -> None:
    book = Book()
    book.load(ACCOUNT, [], [order(OrderStatus.OPEN)])
    partly = OrderEvent(
        event=OrderEventKind.ORDER_PARTIALLY_FILLED, order=order(OrderStatus.PARTIALLY_FILLED, 2)
    )
    assert [book.apply_order(partly) for _ in range(2)] == [True, False]
    assert book.position("S:X").quantity == 2


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


def test_a_position_is_true_while_there_is_one() -> None:
    book = Book()
    held = [bool(book.position("S:X"))]
    for quantity in (5, -5, 0):
        book.apply_position(at(quantity, "pos"))
        held.append(bool(book.position("S:X")))
    assert held == [False, True, True, False]


def test_the_account_shows_what_it_is_worth() -> None:
    book = Book()
    book.load(ACCOUNT, [], [])
    assert repr(book.account) == "<AccountView equity 1000, balance 1000 USD>"


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
    assert not book.is_inconsistent


def test_a_position_that_the_venue_closed_is_flat_whatever_the_fills_said() -> None:
    book = Book()
    book.apply_trade(execution(Side.BUY, 2, 10, 1, "p-1"))
    book.apply_position(at(2, "p-1"))
    book.apply_trade(execution(Side.SELL, 1, 11, 2, "p-1"))
    book.apply_position(at(0, "p-1"))
    assert book.position("S:X").is_flat
    assert book.is_contradicted


def test_a_position_that_fills_bear_out_is_all_there_is_where_the_end_of_another_was_lost() -> None:
    book = Book()
    book.apply_trade(execution(Side.BUY, 5, 10, 1, "p-1"))
    book.apply_position(at(5, "p-1"))
    book.apply_trade(execution(Side.SELL, 5, 11, 2, "p-1"))
    book.apply_trade(execution(Side.SELL, 3, 12, 3, "p-2"))
    book.apply_position(at(-3, "p-2"))
    net = book.position("S:X")
    assert [net.quantity, net.average_entry_price] == [-3, 12]
    assert book.is_inconsistent  # so the venue is asked, which has only one
    book.apply_position(at(0, "p-1"))
    assert book.position("S:X").quantity == -3
    assert not book.is_inconsistent


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


def second(number: int) -> datetime:
    return datetime(2024, 3, 4, 14, 0, number, tzinfo=UTC)


def position_at(number: int, quantity: int) -> PositionEvent:
    event = at(quantity, "p-1")
    return replace(event, position=replace(event.position, updated_at=second(number)))


def fill_at(number: int | None, quantity: int, name: str) -> list[OrderEvent | TradeEvent]:
    """Return the events of a filled order and its execution, at some second or without a time."""
    side = Side.BUY if quantity > 0 else Side.SELL
    filled = replace(
        order(OrderStatus.FILLED, abs(quantity)),
        id=f"ord-{name}",
        client_order_id=name,
        side=side,
        quantity=Decimal(abs(quantity)),
        updated_at=None if number is None else second(number),
    )
    fill = execution(side, abs(quantity), 10, number or 0, "p-1")
    trade = replace(fill.trade, id=f"t-{name}", order_id=filled.id, timestamp=filled.updated_at)
    return [
        OrderEvent(event=OrderEventKind.ORDER_FILLED, order=filled),
        replace(fill, trade=trade),
    ]


@pytest.mark.parametrize(
    ("events", "held"),
    [
        # The event of the position comes first.
        ([position_at(1, 5), *fill_at(1, 5, "a")], [5, 5, 5]),
        ([position_at(2, 5), *fill_at(1, 5, "a")], [5, 5, 5]),
        ([position_at(2, 5), *fill_at(1, 2, "a"), *fill_at(2, 3, "b")], [5] * 5),
        ([position_at(1, 2), position_at(2, 5), *fill_at(1, 2, "a"), *fill_at(2, 3, "b")], None),
        ([position_at(1, 5), *fill_at(1, 5, "a"), position_at(2, 0), *fill_at(2, -5, "b")], None),
        # It comes last, and meanwhile somebody else has traded.
        ([*fill_at(1, 5, "a"), position_at(1, 5), *fill_at(1, 5, "b")], [5, 5, 5, 10, 10]),
        ([position_at(1, 3), *fill_at(2, 5, "a"), position_at(2, 8)], [3, 8, 8, 8]),
        ([position_at(1, 3), *fill_at(2, 3, "a"), position_at(2, 6)], [3, 6, 6, 6]),
        ([position_at(1, 3), *fill_at(None, 3, "a"), position_at(2, 6)], [3, 6, 6, 6]),
        ([position_at(1, 3), *fill_at(1, -1, "a"), position_at(1, 2)], [3, 2, 2, 2]),
        ([position_at(1, 3), *fill_at(1, 4, "a"), position_at(1, 7)], [3, 7, 7, 7]),
        ([position_at(1, 3), position_at(1, 0), *fill_at(1, 4, "a")], [3, 0, 4, 4]),
    ],
)
def test_a_fill_moves_a_position_once_though_the_venue_tells_of_that_first(
    events: list[OrderEvent | TradeEvent | PositionEvent], held: list[int] | None
) -> None:
    book = Book()
    book.positions_may_lead = True
    found: list[int] = []
    for event in events:
        if isinstance(event, PositionEvent):
            book.apply_position(event)
            last = event.position.signed_quantity
        elif isinstance(event, OrderEvent):
            book.apply_order(event)
        else:
            book.apply_trade(event)
        found.append(int(book.position("S:X").quantity))
        if held is None:
            assert found[-1] == last
    assert found == held or held is None


def bid() -> OrderRequest:
    return OrderRequest(
        symbol="S:X",
        side=Side.BUY,
        quantity=Decimal(5),
        order_type=OrderType.LIMIT,
        client_order_id="c-1",
    )


def test_the_name_of_an_order_that_was_turned_away_may_be_given_again() -> None:
    book = Book()
    book.expect(bid(), "c-1")
    book.refuse("c-1")
    assert book.orders() == []
    book.apply_order(OrderEvent(event=OrderEventKind.ORDER_CREATED, order=order(OrderStatus.OPEN)))
    assert [each.id for each in book.orders()] == ["ord-1"]
    assert book.order_count == 1


def test_a_name_is_taken_by_an_open_order_and_by_one_that_has_ended() -> None:
    book = Book()
    assert not book.has_order("c-1")
    book.expect(bid(), "c-1")
    assert book.has_order("c-1")
    book.refuse("c-1")
    assert book.has_order("c-1")


def test_a_leg_without_a_name_is_ours_if_its_entry_is() -> None:
    book, entry = Book(own_prefix="c-"), order(OrderStatus.OPEN)
    told(book, OrderEventKind.ORDER_CREATED, entry)
    for parent in ("ord-1", "ord-9"):
        leg = replace(entry, id=f"leg-{parent}", client_order_id=None, parent_order_id=parent)
        told(book, OrderEventKind.ORDER_CREATED, leg)
    assert [key for key, _ in book.own_open(None)] == ["c-1", "leg-ord-1"]


def test_an_answer_that_an_order_has_ended_is_for_its_event_to_tell() -> None:
    book = Book()
    book.expect(bid(), "c-1")
    book.accept("c-1", OrderHandle(id="ord-1", status=OrderStatus.FILLED))
    assert [each.status for each in book.orders()] == [OrderStatus.OPEN]


@pytest.mark.parametrize(
    ("status", "known"),
    [
        (OrderStatus.PENDING, OrderStatus.OPEN),
        (OrderStatus.PARTIALLY_FILLED, OrderStatus.PARTIALLY_FILLED),
    ],
)
def test_an_answer_that_comes_after_an_event_takes_nothing_back(
    status: OrderStatus, known: OrderStatus
) -> None:
    book = Book()
    book.expect(bid(), "c-1")
    book.apply_order(OrderEvent(event=OrderEventKind.ORDER_CREATED, order=order(status)))
    book.accept("c-1", OrderHandle(id="ord-1", status=OrderStatus.OPEN))
    assert [each.status for each in book.orders()] == [known]


def test_an_answer_is_no_news_that_an_event_could_be_behind() -> None:
    book, pending = Book(), order(OrderStatus.PENDING)
    book.expect(bid(), "c-1")
    book.accept("c-1", OrderHandle(id="ord-1", status=OrderStatus.OPEN))
    assert told(book, OrderEventKind.ORDER_CREATED, pending)
    assert book.orders() == [pending]
    assert told(book, OrderEventKind.ORDER_MODIFIED, order(OrderStatus.OPEN))
    assert not told(book, OrderEventKind.ORDER_CREATED, pending)


def told(book: Book, kind: OrderEventKind, news: Order) -> bool:
    """Whether an event of an order is new to a book."""
    return book.apply_order(OrderEvent(event=kind, order=book.marked(news)))


@pytest.mark.parametrize("ended", [False, True])
def test_an_order_whose_events_come_without_our_id_is_ours_once_it_is_answered(
    ended: bool,
) -> None:
    book = Book(own_prefix="c-")
    book.expect(bid(), "c-1")
    nameless = replace(order(OrderStatus.OPEN), client_order_id=None)
    told(book, OrderEventKind.ORDER_CREATED, nameless)
    if ended:
        told(book, OrderEventKind.ORDER_CANCELLED, replace(nameless, status=OrderStatus.CANCELLED))
    book.accept("c-1", OrderHandle(id="ord-1", status=OrderStatus.OPEN))
    assert [each.client_order_id for each in book.orders()] == ([] if ended else ["c-1"])
    known = book.order("c-1")
    assert known == book.order("ord-1")
    assert known is not None
    assert known.client_order_id == "c-1"
    assert not known.external


@pytest.mark.parametrize("name", ["c-1", "another", None])
@pytest.mark.parametrize("is_answered_first", [False, True])
def test_an_order_placed_instead_of_a_changed_one_goes_on_under_its_name(
    name: str | None, is_answered_first: bool
) -> None:
    book = Book(own_prefix="c-")
    book.load(ACCOUNT, [], [order(OrderStatus.PARTIALLY_FILLED, 2)])
    first = book.order("c-1")
    assert first is not None
    second = replace(order(OrderStatus.OPEN), id="ord-2", client_order_id=name)
    if is_answered_first:
        book.replace_order(first, second)
    gone = order(OrderStatus.CANCELLED, 2)
    is_told = told(book, OrderEventKind.ORDER_CANCELLED, gone)
    assert is_told is not is_answered_first
    assert told(book, OrderEventKind.ORDER_CREATED, second)
    if not is_answered_first:
        book.replace_order(first, second)
    assert [(each.id, each.client_order_id, each.external) for each in book.orders()] == [
        ("ord-2", "c-1", False)
    ]
    assert book.counterpart(second) == book.order("c-1")
    # Late events of the first order do not apply to the second, nor do earlier fills.
    assert not told(book, OrderEventKind.ORDER_CANCELLED, gone)
    filled = replace(order(OrderStatus.FILLED, 5), id="ord-2", client_order_id=name)
    assert told(book, OrderEventKind.ORDER_FILLED, filled)
    assert book.position("S:X").quantity == 5
    assert book.orders() == []
    assert book.anomalies == []


def entries(book: Book) -> int:
    """Return the number of entries that a book keeps."""
    return sum(len(kept) for kept in vars(book).values() if isinstance(kept, dict | set))


def test_orders_that_ended_long_ago_take_up_no_memory() -> None:
    book = Book(own_prefix="c-", most_ended=100)
    sizes: list[int] = []
    for number in range(25_000):
        name, order_id = f"c-{number}", f"ord-{number}"
        book.expect(replace(bid(), client_order_id=name), name)
        book.accept(name, OrderHandle(id=order_id, status=OrderStatus.OPEN))
        if number % 3 == 0:  # the venue replaces the order instead of changing it
            known, order_id = book.order(name), f"new-{number}"
            assert known is not None
            book.replace_order(known, replace(order(OrderStatus.OPEN), id=order_id))
        filled = replace(order(OrderStatus.FILLED, 5), id=order_id, client_order_id=name)
        told(book, OrderEventKind.ORDER_FILLED, filled)
        fill = execution(Side.BUY, 5, 10, number, "p-1")
        fill = replace(fill, trade=replace(fill.trade, order_id=order_id))
        book.apply_trade(fill)
        sizes.append(entries(book))
    assert max(sizes) < 21_000  # mostly executions
    assert book.position("S:X").quantity == 5 * 25_000
    assert book.order_count == 25_000 + 25_000 // 3 + 1

    # Duplicate events of the latest orders are recognised.
    assert not told(book, OrderEventKind.ORDER_FILLED, filled)
    assert not book.apply_trade(fill)
    assert book.has_trade("t-15001")
    known = book.order("c-24950")
    assert known is not None
    assert known.status is OrderStatus.FILLED
    assert book.order("c-24") is None


def test_orders_of_which_only_executions_come_take_up_no_memory() -> None:
    book = Book(own_prefix="c-", most_ended=100)
    sizes: list[int] = []
    for number in range(25_000):
        fill = execution(Side.BUY, 1, 10, number, "p-1")
        for part in (fill, replace(fill, trade=replace(fill.trade, id=f"u-{number}"))):
            book.apply_trade(replace(part, trade=replace(part.trade, order_id=f"x-{number}")))
        sizes.append(entries(book))
    assert max(sizes) < 21_000  # mostly executions
    assert book.position("S:X").quantity == 2 * 25_000

    # The event of the last order is not booked again.
    late = replace(order(OrderStatus.PARTIALLY_FILLED, 2), id="x-24999", client_order_id=None)
    assert told(book, OrderEventKind.ORDER_PARTIALLY_FILLED, late)
    assert book.position("S:X").quantity == 2 * 25_000


def test_an_answer_with_the_id_of_another_order_of_ours_takes_nothing_from_it() -> None:
    book = Book(own_prefix="c-")
    book.load(ACCOUNT, [], [order(OrderStatus.OPEN)])
    book.expect(replace(bid(), client_order_id="c-2"), "c-2")
    book.accept("c-2", OrderHandle(id="ord-1", status=OrderStatus.OPEN))
    assert [each.client_order_id for each in book.orders()] == ["c-1", "c-2"]


def test_a_proxy_that_was_started_again_may_give_an_order_the_id_of_an_older_one() -> None:
    book = Book(own_prefix="c-")
    book.load(ACCOUNT, [], [order(OrderStatus.OPEN)])
    told(book, OrderEventKind.ORDER_CANCELLED, order(OrderStatus.CANCELLED))
    leg = replace(order(OrderStatus.OPEN), client_order_id="c-9-sl")
    assert told(book, OrderEventKind.ORDER_CREATED, leg)
    assert [each.client_order_id for each in book.orders()] == ["c-9-sl"]


def test_the_orders_of_a_symbol_are_those_of_all_symbols_that_are_in_it() -> None:
    book = Book(own_prefix="c-")
    assert book.orders("S:X") == []

    def shown() -> list[tuple[str, str]]:
        found = [(each.symbol, each.id) for each in book.orders()]
        by_symbol = [(name, book.orders(name)) for name in ("S:X", "S:Y", "X")]
        assert sorted(found) == sorted((name, each.id) for name, own in by_symbol for each in own)
        return found

    for name in ("c-1", "c-2"):
        book.expect(replace(bid(), client_order_id=name), name)
    book.expect(replace(bid(), symbol="S:Y", client_order_id="c-3"), "c-3")
    assert shown() == [("S:X", "c-1"), ("S:X", "c-2"), ("S:Y", "c-3")]
    book.refuse("c-2")
    book.accept("c-1", OrderHandle(id="ord-1", status=OrderStatus.OPEN))
    assert shown() == [("S:X", "ord-1"), ("S:Y", "c-3")]
    assert told(book, OrderEventKind.ORDER_CREATED, replace(order(OrderStatus.OPEN), symbol="X"))
    assert shown() == [("X", "ord-1"), ("S:Y", "c-3")]
    assert told(book, OrderEventKind.ORDER_CANCELLED, order(OrderStatus.CANCELLED))
    assert shown() == [("S:Y", "c-3")]


def test_the_orders_of_a_symbol_are_found_without_a_look_at_those_of_others() -> None:
    def ask(count: int) -> None:
        book = Book()
        for number in range(count):
            name = f"c-{number}"
            book.expect(replace(bid(), symbol=f"S:{number}", client_order_id=name), name)
            assert [each.id for each in book.orders(f"S:{number}")] == [name]
            assert not book.has_open(f"S:{number}", name)

    assert growth(ask, 100) < 2.1


def test_orders_that_have_not_changed_are_not_read_again_to_be_listed() -> None:
    def look(count: int) -> None:
        book = Book(own_prefix="c-")
        for number in range(count):
            placed = replace(
                order(OrderStatus.OPEN), id=f"o-{number}", client_order_id=f"c-{number}"
            )
            assert told(book, OrderEventKind.ORDER_CREATED, placed)
        for _ in range(count):
            assert len(book.orders("S:X", external=False)) == len(book.orders()) == count

    assert growth(look, 100) < 2.1


def test_a_list_of_orders_is_the_callers_own_and_the_next_one_shows_every_change() -> None:
    book = Book(own_prefix="c-")
    book.expect(bid(), "c-1")
    assert [each.status for each in book.orders()] == [OrderStatus.PENDING]
    book.accept("c-1", OrderHandle(id="ord-1", status=OrderStatus.OPEN))
    assert [each.status for each in book.orders()] == [OrderStatus.OPEN]
    for filled in (1, 2):
        found = order(OrderStatus.PARTIALLY_FILLED, filled)
        assert told(book, OrderEventKind.ORDER_PARTIALLY_FILLED, found)
        for _ in range(2):
            listed = book.orders("S:X")
            assert [each.filled_quantity for each in listed] == [filled]
            listed.clear()
    book.expect(replace(bid(), client_order_id="c-2"), "c-2")
    assert [each.client_order_id for each in book.orders()] == ["c-1", "c-2"]
    assert told(book, OrderEventKind.ORDER_CANCELLED, order(OrderStatus.CANCELLED, 2))
    assert [each.client_order_id for each in book.orders()] == ["c-2"]


def test_a_short_history_is_looked_up_without_a_copy_of_the_long_one() -> None:
    book = Book(lookback=10_000)
    assert book.keep is not None
    for close in range(20_000):
        book.keep(Candle("S:X", "1m", close, close, close, close, close))
    tracemalloc.start()
    try:
        last = book.history("S:X", 3)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [each.close for each in last] == [19_997, 19_998, 19_999]
    assert most < 10_000
