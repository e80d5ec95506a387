"""Far orders sleep, and nothing is different for it."""

from decimal import Decimal

import pytest

from strategy_runtime.protocol.enums import OrderType, Side
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.simulator.orders import RestingOrder
from strategy_runtime.simulator.resting import RestingOrders


def resting_order(number: int, side: Side, kind: OrderType, price: int) -> RestingOrder:
    request = OrderRequest(
        symbol="S:A",
        side=side,
        quantity=Decimal(1),
        order_type=kind,
        limit_price=Decimal(price) if kind is OrderType.LIMIT else None,
        stop_price=Decimal(price) if kind is OrderType.STOP else None,
    )
    name, position_id = f"ord-{number}", None
    order = RestingOrder(
        request,
        request,
        name,
        name,
        number,
        "S:A",
        side,
        kind,
        position_id,
        request.stop_price,
        0,
        0,
        0,
    )
    order.read_prices()
    order.is_fresh = False
    return order


def asleep(*orders: RestingOrder) -> RestingOrders:
    resting = RestingOrders()
    for order in orders:
        resting.add(order)
    resting.let_sleep(1)
    return resting


@pytest.mark.parametrize(
    ("side", "kind", "reached_by"),
    [
        (Side.BUY, OrderType.LIMIT, (90, 100)),
        (Side.SELL, OrderType.STOP, (90, 100)),
        (Side.SELL, OrderType.LIMIT, (100, 110)),
        (Side.BUY, OrderType.STOP, (100, 110)),
    ],
)
def test_an_order_sleeps_until_a_range_touches_its_price(
    side: Side, kind: OrderType, reached_by: tuple[int, int]
) -> None:
    order = resting_order(1, side, kind, 100)
    resting = asleep(order)
    outside = (100.25, 110) if reached_by[1] == 100 else (90, 99.75)
    assert resting.reached(*outside) == []
    assert resting.reached(*reached_by) == [order]


def test_those_woken_come_in_the_order_of_acceptance() -> None:
    far, low, high = (
        resting_order(number, Side.BUY, OrderType.LIMIT, price)
        for number, price in ((1, 50), (2, 90), (3, 95))
    )
    resting = asleep(far, low, high)
    new = resting_order(4, Side.BUY, OrderType.LIMIT, 10)
    resting.add(new)
    assert resting.reached(80, 100) == [low, high, new]
    assert resting.reached(96, 100) == [low, high, new]
    assert list(resting.values()) == [far, low, high, new]


def test_a_new_order_is_looked_at_until_it_has_met_an_open() -> None:
    order = resting_order(1, Side.BUY, OrderType.LIMIT, 1)
    order.is_fresh = True
    resting = asleep(order)
    assert resting.reached(90, 100) == [order]
    order.is_fresh = False
    resting.let_sleep(1)
    assert resting.reached(90, 100) == []


def test_a_changed_order_is_looked_at_again_and_sleeps_at_its_new_price() -> None:
    order = resting_order(1, Side.BUY, OrderType.LIMIT, 50)
    resting = asleep(order)
    resting.wake(order)
    assert resting.reached(90, 100) == [order]
    order.limit = 95.0
    resting.let_sleep(1)
    assert resting.reached(96, 100) == []
    assert resting.reached(95, 100) == [order]
    assert resting.reached(40, 60) == [order]


def test_orders_that_have_left_leave_nothing_behind() -> None:
    resting = RestingOrders()
    for number in range(1, 1001):
        order = resting_order(number, Side.BUY, OrderType.LIMIT, number)
        resting.add(order)
        resting.let_sleep(1)
        resting.remove(order)
    assert not resting
    assert len(resting._falling) < 100
    assert resting.reached(0, 10_000) == []
