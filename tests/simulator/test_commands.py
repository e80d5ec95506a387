"""Commands: what each refuses, and that a refusal changes nothing at all."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strategy_runtime import OrderEvent, OrderStatus, OrderType, Side
from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.enums import OrderEventKind, PositionMode, TrailingType
from strategy_runtime.protocol.models import OrderChanges, OrderRequest
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.orders import RestingOrder
from tests.asked import ASKED, EVERYTHING
from tests.simulator.support import MANY, A, B, limit, market, next_candle, next_phase, order
from tests.work import steps_of

GOOD, BAD = Decimal(9), Decimal(-1)
Command = Callable[[Exchange], object]
KEPT_FOR_SPEED = {"_snapshot", "_valuation", "_valued_at"}


def holding(**options: Any) -> tuple[Exchange, Iterator[None]]:
    """Return an exchange with a position of ten units since the first bar."""
    exchange = market(10, 10, 10, 10, 10, 10, **options)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order())
    next_candle(exchange, phases)
    assert [each.quantity for each in exchange.positions()] == [10]
    return exchange, phases


def image(value: object, seen: dict[int, int] | None = None) -> object:
    """Return everything reachable from an object as plain, comparable data."""
    seen = {} if seen is None else seen
    if id(value) in seen:
        return f"the {seen[id(value)]}th"
    if isinstance(value, list | tuple | set | deque):
        seen[id(value)] = len(seen)
        return [image(each, seen) for each in value]
    if isinstance(value, dict):
        seen[id(value)] = len(seen)
        return [(repr(key), image(item, seen)) for key, item in value.items()]
    slots = getattr(type(value), "__slots__", ())
    names = [*getattr(value, "__dict__", ()), *slots]
    if type(value).__module__.startswith("strategy_runtime.simulator") and names:
        seen[id(value)] = len(seen)
        names = [name for name in names if hasattr(value, name) and name not in KEPT_FOR_SPEED]
        return [(name, image(getattr(value, name), seen)) for name in names]
    return repr(value)


def refused(exchange: Exchange, command: Command) -> ApiError:
    """Return the error of a command, which must change nothing."""
    before = image(exchange)
    with pytest.raises(ApiError) as refusal:
        command(exchange)
    assert image(exchange) == before
    return refusal.value


@pytest.mark.parametrize("name", ASKED)
def test_an_accepted_order_is_what_was_asked_for(name: str) -> None:
    order = RestingOrder.of(EVERYTHING, sequence=1, now_ns=0).snapshot()
    assert getattr(order, name) == getattr(EVERYTHING, name)


# Any command.

odd_numbers = st.sampled_from(
    [Decimal(text) for text in ("-1", "0", "0.5", "9", "10", "12.5", "150", "1e60", "NaN")]
)
maybe = st.one_of(st.none(), odd_numbers)
order_ids = st.sampled_from(["ord-1", "ord-2", "ord-3", "ord-4", "ord-5", "ord-6", "ord-x"])
position_ids = st.sampled_from(["pos-1", "pos-2", "pos-3", "pos-x"])
symbols = st.sampled_from([A, B, "S:X"])
requests = st.builds(
    OrderRequest,
    symbol=symbols,
    side=st.sampled_from(Side),
    quantity=odd_numbers,
    order_type=st.sampled_from(OrderType),
    limit_price=maybe,
    stop_price=maybe,
    trailing_distance=maybe,
    trailing_type=st.one_of(st.none(), st.sampled_from(TrailingType)),
    stop_loss=maybe,
    take_profit=maybe,
    position_id=st.one_of(st.none(), position_ids),
    reduce_only=st.booleans(),
    post_only=st.booleans(),
    client_order_id=st.sampled_from([None, "a", "b", "a-sl"]),
    oco_group_id=st.sampled_from([None, "g"]),
)
brackets = st.builds(
    lambda symbol, side, name: order(
        side,
        "2",
        symbol=symbol,
        client_order_id=name,
        stop_loss=Decimal(5),
        take_profit=Decimal(15),
    ),
    st.sampled_from([A, B]),
    st.sampled_from(Side),
    st.sampled_from([None, "a", "b"]),
)
changes = st.builds(
    OrderChanges,
    quantity=maybe,
    limit_price=maybe,
    stop_price=maybe,
    stop_loss=maybe,
    take_profit=maybe,
    trailing_distance=maybe,
)
commands: st.SearchStrategy[tuple[str, tuple[Any, ...]]] = st.one_of(
    st.tuples(st.just("submit"), st.tuples(requests)),
    st.tuples(st.just("submit"), st.tuples(brackets)),
    st.tuples(st.just("modify"), st.tuples(order_ids, changes)),
    st.tuples(st.just("cancel"), st.tuples(order_ids)),
    st.tuples(st.just("cancel_all"), st.tuples(symbols)),
    st.tuples(
        st.just("close_position"),
        st.tuples(position_ids, maybe, st.sampled_from(OrderType), maybe),
    ),
    st.tuples(st.just("close_positions"), st.tuples(st.one_of(st.none(), symbols))),
    st.tuples(st.just("protect_position"), st.tuples(position_ids, maybe, maybe)),
    st.tuples(st.just("go on"), st.just(())),
)


@settings(max_examples=MANY)
@pytest.mark.timeout(600)
@given(
    plan=st.lists(commands, min_size=3, max_size=25),
    mode=st.sampled_from([PositionMode.NETTING, PositionMode.HEDGING]),
)
@example(plan=[("go on", ()), ("submit", (order(quantity="150"),))], mode=PositionMode.NETTING)
def test_a_refused_command_changes_and_announces_nothing(
    plan: list[tuple[str, tuple[Any, ...]]], mode: PositionMode
) -> None:
    exchange = market(10, 11, 9, 14, 6, 10, symbols=(A, B), mode=mode, cash=Decimal(1000))
    phases = exchange.phases()
    next_phase(exchange, phases)
    for name, arguments in plan:
        if name == "go on":
            next_phase(exchange, phases)
            continue
        before = image(exchange)
        try:
            getattr(exchange, name)(*arguments)
        except ApiError:
            assert image(exchange) == before


# One by one.


def test_a_bad_take_profit_leaves_the_stop_where_it_was() -> None:
    exchange, _ = holding()
    position = exchange.positions()[0].id
    exchange.protect_position(position, Decimal(8), Decimal(12))
    refusal = refused(exchange, lambda e: e.protect_position(position, GOOD, BAD))
    assert (refusal.code, refusal.details) == (
        "INVALID_VALUE",
        {"field": "take_profit", "provided": "-1"},
    )
    assert [leg.stop_price for leg in exchange.orders() if leg.stop_price] == [8]


def test_a_position_without_legs_gets_them_and_then_they_move() -> None:
    exchange, _ = holding()
    position = exchange.positions()[0].id
    placed = exchange.protect_position(position, None, Decimal(12))
    moved = exchange.protect_position(position, GOOD, Decimal(13))
    assert [leg.id for leg in moved["take_profit"]] == [leg.id for leg in placed["take_profit"]]
    (stop,) = moved["stop_loss"]
    assert (stop.stop_price, stop.quantity) == (Decimal(9), Decimal(10))
    assert [leg.limit_price for leg in moved["take_profit"]] == [13]


def test_at_the_end_of_the_data_nothing_new_is_placed() -> None:
    exchange, phases = holding()
    for _ in phases:
        exchange.outbox.clear()
    position = exchange.positions()[0].id
    for command in (
        lambda e: e.submit(order()),
        lambda e: e.close_position(position),
        lambda e: e.protect_position(position, GOOD, None),
    ):
        refusal = refused(exchange, command)
        assert (refusal.status, refusal.message) == (422, "the backtest is over")
        assert refusal.details == {"reject_code": "MARKET_CLOSED", "reject_reason": "MARKET_CLOSED"}


def test_a_change_of_nothing_names_no_field() -> None:
    exchange = market(10, 10)
    handle = exchange.submit(limit("9"))
    refusal = refused(exchange, lambda e: e.modify(handle.id, OrderChanges()))
    assert (refusal.code, refusal.details) == ("INVALID_REQUEST", None)
    assert refusal.message == "nothing to change; name at least one field"


def test_a_change_that_is_sent_again_is_told_once() -> None:
    exchange = market(10, 10)
    handle = exchange.submit(limit("10", stop_loss=Decimal(8)))
    changes = OrderChanges(limit_price=GOOD, stop_loss=Decimal(7))
    exchange.outbox.clear()
    first, second = (exchange.modify(handle.id, changes) for _ in range(2))
    assert first == second
    assert [event.event for event in exchange.outbox if isinstance(event, OrderEvent)] == [
        OrderEventKind.ORDER_MODIFIED
    ]


TRAIL: Mapping[str, Any] = {
    "order_type": OrderType.TRAILING_STOP,
    "trailing_distance": Decimal(1),
    "trailing_type": TrailingType.PERCENT,
}


@pytest.mark.parametrize(
    ("request_", "change", "field", "message"),
    [
        (limit("9"), {"stop_price": GOOD}, "stop_price", "stop_price does not apply to LIMIT"),
        (limit("9"), {"limit_price": BAD}, "limit_price", "limit_price must be positive"),
        (limit("9"), {"quantity": Decimal(0)}, "quantity", "quantity must be positive"),
        (
            limit("9"),
            {"quantity": Decimal("NaN")},
            "quantity",
            "quantity is not a number of up to 38 digits, from 1e-38 to 1e38",
        ),
        (order(), {"limit_price": GOOD}, "limit_price", "limit_price does not apply to MARKET"),
        (
            order(Side.SELL, **TRAIL),
            {"trailing_distance": Decimal(100)},
            "trailing_distance",
            "a distance in percent is below 100",
        ),
    ],
)
def test_changes_that_an_order_cannot_take(
    request_: OrderRequest, change: dict[str, Decimal], field: str, message: str
) -> None:
    exchange = market(10, 10)
    handle = exchange.submit(request_)
    refusal = refused(exchange, lambda e: e.modify(handle.id, OrderChanges(**change)))
    assert (refusal.status, refusal.code, refusal.message) == (400, "INVALID_VALUE", message)
    assert refusal.details == {"field": field, "provided": format(change[field], "f")}


def test_a_leg_has_no_legs_of_its_own() -> None:
    exchange, phases = holding()
    exchange.submit(order(stop_loss=Decimal(8)))
    next_candle(exchange, phases)
    (leg,) = exchange.orders()
    refusal = refused(exchange, lambda e: e.modify(leg.id, OrderChanges(take_profit=GOOD)))
    assert refusal.message == "take_profit does not apply to an order that reduces a position"


def test_a_quantity_never_falls_to_what_has_filled() -> None:
    exchange = market(10, 10, 10, max_volume_share=Decimal("0.1"))
    phases = exchange.phases()
    next_candle(exchange, phases)
    handle = exchange.submit(order(quantity="25"))
    next_candle(exchange, phases)
    refusal = refused(exchange, lambda e: e.modify(handle.id, OrderChanges(quantity=Decimal(10))))
    assert refusal.message == "quantity must stay above the 10.00 already filled"
    assert exchange.modify(handle.id, OrderChanges(quantity=Decimal(11))).remaining_quantity == 1


def test_the_stop_of_a_triggered_order_is_past_changing() -> None:
    exchange = market(10, 12, 12, 12)
    phases = exchange.phases()
    next_candle(exchange, phases)
    handle = exchange.submit(
        order(order_type=OrderType.STOP_LIMIT, stop_price=Decimal(11), limit_price=Decimal("11.5"))
    )
    next_candle(exchange, phases)
    refusal = refused(exchange, lambda e: e.modify(handle.id, OrderChanges(stop_price=GOOD)))
    assert refusal.message == "stop_price has been triggered; what is left is a LIMIT order"
    exchange.modify(handle.id, OrderChanges(limit_price=Decimal(12)))
    next_candle(exchange, phases)
    assert exchange.order(handle.id).status is OrderStatus.FILLED


def test_what_has_ended_cannot_be_cancelled_or_changed() -> None:
    """A cancel that comes too late: the fill was first."""
    exchange, _ = holding()
    for command in (
        lambda e: e.cancel("ord-1"),
        lambda e: e.modify("ord-1", OrderChanges(quantity=Decimal(99))),
    ):
        refusal = refused(exchange, command)
        assert (refusal.status, refusal.code) == (409, "ORDER_NOT_MODIFIABLE")
        assert refusal.message == "order is FILLED"
        assert refusal.details == {"order_id": "ord-1"}


@pytest.mark.parametrize(
    ("command", "code", "details"),
    [
        (lambda e: e.order("ord-9"), "ORDER_NOT_FOUND", {"resource": "order", "id": "ord-9"}),
        (lambda e: e.cancel("ord-9"), "ORDER_NOT_FOUND", {"resource": "order", "id": "ord-9"}),
        (
            lambda e: e.close_position("pos-9"),
            "POSITION_NOT_FOUND",
            {"resource": "position", "id": "pos-9"},
        ),
        (
            lambda e: e.protect_position("pos-9", GOOD, None),
            "POSITION_NOT_FOUND",
            {"resource": "position", "id": "pos-9"},
        ),
    ],
)
def test_what_does_not_exist(command: Command, code: str, details: dict[str, str]) -> None:
    refusal = refused(market(10, 10), command)
    assert (refusal.status, refusal.code, refusal.details) == (404, code, details)


@pytest.mark.parametrize(
    "odd",
    ["", "1", "ord-", "ord-0", "ord-01", "ord--1", "ord-1 ", "ord-\u0661", "ord-" + "9" * 5000],
)
def test_an_order_has_one_id(odd: str) -> None:
    exchange = market(10, 10)
    known = exchange.submit(order()).id
    assert exchange.order(known).id == known == "ord-1"
    assert refused(exchange, lambda e: e.order(odd)).code == "ORDER_NOT_FOUND"


@pytest.mark.parametrize("mode", [PositionMode.NETTING, PositionMode.HEDGING])
def test_an_order_cannot_name_a_position_of_another_symbol(mode: PositionMode) -> None:
    exchange = market(10, 10, 10, 10, symbols=(A, B), mode=mode)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order())
    next_candle(exchange, phases)
    (position,) = exchange.positions()
    stray = order(Side.SELL, "5", symbol=B, position_id=position.id)
    refusal = refused(exchange, lambda e: e.submit(stray))
    assert (refusal.status, refusal.message) == (422, f"there is no position {position.id} in S:B")
    assert refusal.details["reject_code"] == "POSITION_NOT_FOUND"


def test_a_position_needs_a_price_to_be_protected_by() -> None:
    exchange, _ = holding()
    position = exchange.positions()[0].id
    refusal = refused(exchange, lambda e: e.protect_position(position, None, None))
    assert (refusal.status, refusal.code) == (400, "INVALID_REQUEST")
    assert refusal.message == "give stop_loss, take_profit or both"


def test_the_name_of_a_leg_that_is_taken_gets_a_number() -> None:
    exchange, phases = holding()
    exchange.submit(limit("5", client_order_id="e-sl"))
    exchange.submit(order(client_order_id="e", stop_loss=Decimal(8)))
    next_candle(exchange, phases)
    assert [each.client_order_id for each in exchange.orders()] == ["e-sl-1", "e-sl"]
    assert exchange.submit(limit("5", client_order_id="e-sl")).id == "ord-2"


def test_an_order_is_found_by_the_id_of_the_client_without_a_look_at_all_others() -> None:
    def look_up(count: int) -> int:
        exchange = market(10, 10)
        next_candle(exchange, exchange.phases())
        for number in range(count):
            exchange.submit(limit("5", quantity="1", client_order_id=f"c-{number}"))
        exchange.cancel("ord-1")

        def ask() -> None:
            assert exchange.orders(client_order_id="c-0") == []
            assert exchange.orders(client_order_id="none") == []
            (ended,) = exchange.order_history(client_order_id="c-0")
            (resting,) = exchange.orders(client_order_id=f"c-{count - 1}", symbol=A)
            assert (ended.id, resting.id) == ("ord-1", f"ord-{count}")

        return steps_of(ask)

    look_up(2)  # one-time work is done now
    assert look_up(200) < 1.2 * look_up(20)


def test_a_symbol_that_is_not_loaded_is_told_some_that_are() -> None:
    exchange = market(10, 10, symbols=tuple(f"S:{number}" for number in range(2000)))
    next_candle(exchange, exchange.phases())
    with pytest.raises(ApiError, match=r"no data for S:X; loaded are S:0, .*S:19 and 1980 more$"):
        exchange.submit(order(symbol="S:X"))
