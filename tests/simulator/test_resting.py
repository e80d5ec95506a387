"""Orders far from the market sleep, which changes no result."""

from decimal import Decimal
from math import inf, nextafter

import pytest
from msgspec.structs import replace

from strategy_runtime import Candle
from strategy_runtime.clock import DAY_NS
from strategy_runtime.protocol.enums import OrderStatus, OrderType, Side, TimeInForce
from strategy_runtime.protocol.events import CandleRun
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.orders import RestingOrder
from strategy_runtime.simulator.resting import RestingOrders
from tests.simulator.support import A, limit
from tests.strategies import Scripted

X = "S:X"


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
    resting.put_to_sleep(1)
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


@pytest.mark.parametrize(
    ("side", "stop", "peak", "left_alone", "reached_by"),
    [
        (Side.SELL, 90, 100, (90.25, 100), [(90, 95), (95, 100.25)]),
        (Side.BUY, 110, 100, (100, 109.75), [(105, 110), (99.75, 105)]),
    ],
)
def test_a_trailing_stop_sleeps_between_its_price_and_the_furthest_the_market_went(
    side: Side,
    stop: int,
    peak: int,
    left_alone: tuple[float, float],
    reached_by: list[tuple[float, float]],
) -> None:
    for low, high in reached_by:
        order = resting_order(1, side, OrderType.TRAILING_STOP, 0)
        order.stop, order.peak = float(stop), float(peak)
        resting = asleep(order)
        assert resting.reached(*left_alone) == []
        assert resting.reached(low, high) == [order]
        resting.remove(order)
        assert resting.reached(0, 1000) == []


def test_a_trailing_stop_that_nobody_has_led_yet_is_awake() -> None:
    order = resting_order(1, Side.SELL, OrderType.TRAILING_STOP, 0)
    assert asleep(order).reached(5, 6) == [order]


def test_a_trailing_stop_that_has_moved_a_thousand_times_leaves_nothing_behind() -> None:
    order = resting_order(1, Side.SELL, OrderType.TRAILING_STOP, 0)
    order.stop, order.peak = 0.0, 1.0
    resting = asleep(order)
    for high in range(2, 1000):
        assert resting.reached(high - 0.5, high) == [order]
        order.stop, order.peak = high - 1.0, float(high)
        resting.put_to_sleep(1)
    assert len(resting._falling) + len(resting._rising) < 100
    assert resting.quiet_range == (998.0, nextafter(999.0, inf))


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
    resting.put_to_sleep(1)
    assert resting.reached(90, 100) == []


def test_a_changed_order_is_looked_at_again_and_sleeps_at_its_new_price() -> None:
    order = resting_order(1, Side.BUY, OrderType.LIMIT, 50)
    resting = asleep(order)
    resting.wake(order)
    assert resting.reached(90, 100) == [order]
    order.limit = 95.0
    resting.put_to_sleep(1)
    assert resting.reached(96, 100) == []
    assert resting.reached(95, 100) == [order]
    assert resting.reached(40, 60) == [order]


def test_a_changed_order_keeps_its_place_among_those_that_are_awake() -> None:
    old, new = (resting_order(number, Side.BUY, OrderType.LIMIT, 50) for number in (1, 2))
    resting = asleep(old)
    resting.add(new)
    resting.wake(old)
    assert resting.reached(90, 100) == [old, new]


def test_where_many_have_left_the_others_are_reached_at_their_prices() -> None:
    orders = [resting_order(n, Side.SELL, OrderType.LIMIT, n * 37 % 199) for n in range(1, 199)]
    resting = asleep(*orders)
    left = orders[::4]
    for order in orders:
        if order not in left:
            resting.remove(order)
    for price in range(199):
        assert resting.reached(price, price) == [each for each in left if each.limit <= price]


def test_orders_that_have_left_leave_nothing_behind() -> None:
    resting = RestingOrders()
    for number in range(1, 1001):
        order = resting_order(number, Side.BUY, OrderType.LIMIT, number)
        resting.add(order)
        resting.put_to_sleep(1)
        resting.remove(order)
    assert not resting
    assert len(resting._falling) < 100
    assert resting.reached(0, 10_000) == []


def test_an_order_between_two_bars_sleeps_at_once_until_the_market_comes_to_its_price() -> None:
    resting = RestingOrders()
    near, far = (resting_order(n, Side.BUY, OrderType.LIMIT, 100 - 5 * n) for n in (1, 2))
    for each in (near, far):
        assert resting.add_asleep(each, 7)
        assert each.slept_before == 7
    assert resting.quiet_range == (95, inf)
    resting.remove(near)
    assert resting.quiet_range == (90, inf)
    assert resting.reached(91, 99) == []
    assert resting.reached(90, 99) == [far]


def test_a_day_order_sleeps_until_its_day_is_over() -> None:
    orders = [resting_order(n, Side.BUY, OrderType.LIMIT, 50 + n) for n in range(1, 4)]
    for order, day in zip(orders, (6, 5, None), strict=True):
        order.request = replace(order.request, time_in_force=TimeInForce.DAY)
        order.day = day
    resting = asleep(*orders)
    assert resting.expires_ns == 6 * DAY_NS
    assert resting.reached(90, 100) == orders[2:]  # it has met no open
    assert resting.reached(52, 100) == orders[1:]
    resting.wake_expired()
    assert resting.reached(90, 100) == orders
    assert resting.expires_ns == inf


def test_candles_come_in_runs_while_a_day_order_sleeps() -> None:
    hours = BarSeries(A, "1h", DAY_NS // 24)
    for hour in range(72):
        hours.append(hour * hours.step, 10.0, 10.0, 10.0, 10.0, 100.0)
    exchange = Exchange([hours])
    handles = [exchange.submit(limit("5", time_in_force=TimeInForce.DAY)) for _ in range(2)]
    runs = 0
    for event in exchange.stream(exchange.phases()):
        if isinstance(event, CandleRun):
            runs += 1
            for candle in event.candles:
                event.last = candle
                hour = int(candle.timestamp.timestamp()) // 3600
                for handle in handles:
                    is_open = exchange.order(handle.id).status is OrderStatus.OPEN
                    assert is_open is (hour < 24)
    assert hour == 71
    assert runs < 15


async def test_an_order_that_slept_through_its_first_bar_has_rested() -> None:
    """An order that fills at its first open has not rested; a change makes it new again."""

    def give(strategy: Scripted, candle: Candle) -> None:
        strategy.buy(X, 1, limit=9)
        strategy.buy(X, 2, limit=11)
        strategy.buy(X, 3, limit=8, client_order_id="moved")

    strategy = Scripted({0: give, 2: lambda s, c: s.modify("moved", limit=9.5)})
    async with strategy.run_test(maker_fee_rate="0.001", fee_rate="0.01") as pilot:
        await pilot.candles(X, bars=[[10] * 4, [10] * 4, [10] * 4, [9] * 4])
        fills = {int(fill.quantity): (float(fill.price), fill.is_maker) for fill in pilot.fills}
        assert fills == {2: (10, False), 1: (9, True), 3: (9, False)}
