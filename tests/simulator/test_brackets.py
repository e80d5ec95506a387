"""Bracket legs through partial fills, changes and late additions."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from strategy_runtime import OrderStatus, OrderType, Side
from strategy_runtime.protocol.enums import PositionMode
from strategy_runtime.protocol.models import Order, OrderChanges
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from tests.simulator.support import MINUTE, A, B, limit, market, minutes, next_candle, order
from tests.work import growth

SHARE = Decimal("0.1")  # of a volume of 100
Row = tuple[float, float, float, float]
FLAT: Row = (10, 10, 10, 10)


def entered(*bars: Row, quantity: str, **legs: Any) -> tuple[Exchange, Iterator[None]]:
    """Run until the first ten units of an entry have filled."""
    exchange = market(FLAT, FLAT, *bars, max_volume_share=SHARE)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(quantity=quantity, client_order_id="e", **legs))
    next_candle(exchange, phases)
    return exchange, phases


def play(exchange: Exchange, phases: Iterator[None]) -> None:
    for _ in phases:
        exchange.outbox.clear()


def legs_of(exchange: Exchange) -> list[Order]:
    return [each for each in exchange.outcome().orders if each.parent_order_id]


def shown(legs: list[Order]) -> list[tuple[str | None, str, str]]:
    return [(leg.client_order_id, f"{leg.quantity:f}", leg.status.value) for leg in legs]


def test_legs_grow_by_what_their_entry_fills() -> None:
    exchange, phases = entered(FLAT, quantity="15", stop_loss=Decimal(5), take_profit=Decimal(20))
    assert shown(legs_of(exchange)) == [("e-sl", "10.00", "OPEN"), ("e-tp", "10.00", "OPEN")]
    next_candle(exchange, phases)
    assert shown(legs_of(exchange)) == [("e-sl", "15.00", "OPEN"), ("e-tp", "15.00", "OPEN")]


def test_a_leg_that_has_filled_in_part_grows_all_the_same() -> None:
    exchange, phases = entered(
        (10, 12, 10, 10), (10, 12, 10, 10), quantity="15", take_profit=Decimal(12)
    )
    next_candle(exchange, phases)
    (leg,) = legs_of(exchange)
    assert (leg.quantity, leg.filled_quantity) == (Decimal(15), Decimal(5))
    next_candle(exchange, phases)
    assert legs_of(exchange)[0].status is OrderStatus.FILLED
    assert exchange.positions() == []


def test_what_fills_after_the_legs_have_ended_gets_legs_of_its_own() -> None:
    exchange, phases = entered(
        FLAT, FLAT, quantity="15", stop_loss=Decimal(5), take_profit=Decimal(20)
    )
    exchange.cancel("ord-2")
    exchange.cancel("ord-3")
    next_candle(exchange, phases)
    assert shown(legs_of(exchange)) == [
        ("e-sl", "10.00", "CANCELLED"),
        ("e-tp", "10.00", "CANCELLED"),
        ("e-sl-1", "5.00", "OPEN"),
        ("e-tp-1", "5.00", "OPEN"),
    ]


def test_a_changed_entry_moves_the_leg_it_has_and_places_the_one_it_lacks() -> None:
    exchange, _ = entered(FLAT, quantity="15", stop_loss=Decimal(5))
    exchange.modify("ord-1", OrderChanges(stop_loss=Decimal(6), take_profit=Decimal(20)))
    stop, profit = legs_of(exchange)
    assert (stop.stop_price, stop.quantity) == (Decimal(6), Decimal(10))
    assert (profit.limit_price, profit.quantity) == (Decimal(20), Decimal(10))
    exchange.cancel(stop.id)
    assert exchange.order(profit.id).is_open


def test_a_changed_entry_places_anew_the_leg_that_has_ended() -> None:
    exchange, phases = entered(FLAT, quantity="15", stop_loss=Decimal(5))
    exchange.cancel("ord-2")
    exchange.modify("ord-1", OrderChanges(stop_loss=Decimal(6)))
    next_candle(exchange, phases)
    assert shown(legs_of(exchange)) == [
        ("e-sl", "10.00", "CANCELLED"),
        ("e-sl-1", "15.00", "OPEN"),
    ]


def test_the_stop_comes_first_even_where_it_was_placed_last() -> None:
    exchange, phases = entered((10, 13, 8, 10), quantity="10", take_profit=Decimal(12))
    (position,) = exchange.positions()
    exchange.protect_position(position.id, Decimal(9), None)
    next_candle(exchange, phases)
    assert [fill.rule for fill in exchange.outcome().fills] == ["market_open", "stop_touch"]
    assert exchange.order("ord-2").status is OrderStatus.CANCELLED


def test_a_take_profit_that_the_open_has_passed_fills_there_before_the_stop_is_reached() -> None:
    """The open of a bar comes before its range, so the order of the fills is certain."""
    exchange = market(10, [12, 12, 8, 9], 9)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(stop_loss=Decimal(9), take_profit=Decimal(11)))
    next_candle(exchange, phases)
    fills = [(fill.rule, fill.price) for fill in exchange.outcome().fills]
    assert fills == [("market_open", Decimal(12)), ("limit_gap_open", Decimal(12))]


@pytest.mark.parametrize(("children", "fills"), [("same_bar", 3), ("next_bar", 2)])
def test_an_entry_behind_an_open_that_fills_there_exposes_its_legs_to_the_same_bar(
    children: str, fills: int
) -> None:
    exchange = market(10, [10, 10, 8, 9], 9.5, children=children)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(quantity="1"))
    next(phases)
    exchange.submit(limit("11", stop_loss=Decimal(9)))
    next_candle(exchange, phases)
    found = [fill.rule for fill in exchange.outcome().fills]
    assert found == ["market_open", "limit_gap_open", "stop_touch"][:fills]


@pytest.mark.parametrize("price", ["5", "6"])
def test_bracket_prices_that_are_changed_leave_an_order_in_the_bar_under_way(price: str) -> None:
    """The stop-loss of an entry is changed, and a leg is changed to the price it has."""
    longer = BarSeries(B, "5m", 5 * MINUTE)
    longer.append(0, 10, 10, 10, 10, 0)
    longer.append(5 * MINUTE, 10, 10, 8, 9, 0)
    exchange = Exchange([minutes(A, [10] * 10), longer])
    phases = exchange.phases()
    entry = exchange.submit(limit("9", symbol=B, stop_loss=Decimal(5)))
    while exchange.now_ns < 7 * MINUTE:
        next_candle(exchange, phases)
    exchange.modify(entry.id, OrderChanges(stop_loss=Decimal(price)))
    play(exchange, phases)
    (fill,) = exchange.outcome().fills
    assert (fill.rule, fill.is_maker) == ("limit_touch", True)


def test_a_leg_that_is_told_its_price_again_stays_in_the_bar_under_way() -> None:
    longer = BarSeries(B, "5m", 5 * MINUTE)
    longer.append(0, 10, 10, 8, 9, 0)
    exchange = Exchange([minutes(A, [10] * 5), longer])
    phases = exchange.phases()
    entry = exchange.submit(order(symbol=B, stop_loss=Decimal(9)))
    next_candle(exchange, phases)
    (position,) = exchange.positions()
    exchange.protect_position(position.id, Decimal(9), None)
    play(exchange, phases)
    assert [fill.rule for fill in exchange.outcome().fills] == ["market_open", "stop_touch"]
    assert exchange.order(entry.id).stop_loss == 9


def test_a_post_only_order_that_has_rested_keeps_that_when_its_bracket_is_changed() -> None:
    exchange = market(10, 10, 8)
    phases = exchange.phases()
    entry = exchange.submit(limit("9", post_only=True, stop_loss=Decimal(5)))
    next_candle(exchange, phases)
    next_candle(exchange, phases)
    exchange.modify(entry.id, OrderChanges(stop_loss=Decimal(6)))
    play(exchange, phases)
    assert [fill.rule for fill in exchange.outcome().fills] == ["limit_gap_open"]


def test_an_entry_that_has_filled_in_part_gets_the_legs_it_was_given_without() -> None:
    exchange, phases = entered(FLAT, quantity="15")
    exchange.modify("ord-1", OrderChanges(stop_loss=Decimal(5)))
    assert shown(legs_of(exchange)) == [("e-sl", "10.00", "OPEN")]
    next_candle(exchange, phases)
    assert shown(legs_of(exchange)) == [("e-sl", "15.00", "OPEN")]


def test_bracket_prices_of_an_entry_wait_for_what_it_fills_itself() -> None:
    """They do so whatever else is held in its symbol."""
    exchange, phases = entered(FLAT, (9, 9, 9, 9), FLAT, quantity="5")
    entry = exchange.submit(limit("9", client_order_id="later"))
    exchange.modify(entry.id, OrderChanges(stop_loss=Decimal(5)))
    next_candle(exchange, phases)
    assert legs_of(exchange) == []
    next_candle(exchange, phases)
    assert shown(legs_of(exchange)) == [("later-sl", "10", "OPEN")]


def test_an_entry_whose_position_was_closed_gets_legs_for_what_it_fills_next() -> None:
    exchange, phases = entered(
        (11, 11, 11, 11), FLAT, quantity="15", order_type=OrderType.LIMIT, limit_price=Decimal(10)
    )
    exchange.submit(order(Side.SELL))
    next_candle(exchange, phases)
    assert exchange.positions() == []
    exchange.modify("ord-1", OrderChanges(stop_loss=Decimal(5)))
    assert legs_of(exchange) == []
    next_candle(exchange, phases)
    assert shown(legs_of(exchange)) == [("e-sl", "5.00", "OPEN")]


def test_a_stop_loss_that_has_been_triggered_gets_no_other_beside_it() -> None:
    exchange, phases = entered((10, 10, 8, 10), FLAT, quantity="15", stop_loss=Decimal(9))
    next_candle(exchange, phases)
    (position,), before = exchange.positions(), exchange.orders()
    exchange.protect_position(position.id, Decimal(7), None)
    (leg,) = exchange.orders()
    assert (leg.stop_price, leg.filled_quantity) == (Decimal(9), Decimal(5))
    assert [leg] == before


def test_nor_does_one_for_which_no_volume_was_left() -> None:
    exchange, phases = entered((10, 10, 8, 10), FLAT, quantity="30", stop_loss=Decimal(9))
    next_candle(exchange, phases)
    exchange.modify("ord-1", OrderChanges(stop_loss=Decimal(7)))
    (leg,) = legs_of(exchange)
    assert (leg.stop_price, leg.filled_quantity) == (Decimal(9), Decimal(0))


def test_a_leg_that_is_placed_later_joins_those_of_its_own_position_alone() -> None:
    exchange = market(10, 10, (10, 12, 10, 10), 10, mode=PositionMode.HEDGING)
    phases = exchange.phases()
    next_candle(exchange, phases)
    for _ in range(2):
        exchange.submit(order())
    next_candle(exchange, phases)
    one, other = exchange.positions()
    exchange.protect_position(one.id, Decimal(8), None)
    exchange.protect_position(other.id, None, Decimal(12))
    next_candle(exchange, phases)
    assert [position.id for position in exchange.positions()] == [one.id]
    assert [leg.stop_price for leg in exchange.orders()] == [8]


def test_a_change_behind_an_open_does_not_expose_a_leg_that_waits_for_the_next_bar() -> None:
    exchange = market(10, [10, 10, 8, 9], 9, children="next_bar")
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(stop_loss=Decimal(7)))
    next(phases)
    exchange.modify("ord-2", OrderChanges(stop_price=Decimal(9)))
    next_candle(exchange, phases)
    assert len(exchange.outcome().fills) == 1
    next_candle(exchange, phases)
    assert [fill.rule for fill in exchange.outcome().fills] == ["market_open", "stop_touch_open"]


def test_a_leg_is_placed_by_the_exchange_and_not_under_way() -> None:
    exchange = market(10, 10, [10, 10, 8, 9], 9, latency=1)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(stop_loss=Decimal(9)))
    next_candle(exchange, phases)
    assert exchange.outcome().fills == []
    next_candle(exchange, phases)
    assert [fill.rule for fill in exchange.outcome().fills] == ["market_open", "stop_touch"]


def test_of_orders_that_have_ended_the_last_comes_first() -> None:
    exchange = market(10, 10, 10, 10)
    phases = exchange.phases()
    for price in ("5", "6", "7"):
        exchange.submit(limit(price))
    for ended in ("ord-2", "ord-1", "ord-3"):
        next_candle(exchange, phases)
        exchange.cancel(ended)
    assert [each.id for each in exchange.order_history()] == ["ord-3", "ord-1", "ord-2"]
    assert [each.id for each in exchange.order_history(limit=1)] == ["ord-3"]


@pytest.mark.parametrize(("sold", "protected"), [("15", ["5"]), ("10.5", ["0.5"]), ("10", [])])
def test_a_flip_protects_only_what_it_opened(sold: str, protected: list[str]) -> None:
    exchange = market(10, 10, 10)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(quantity="10"))
    next_candle(exchange, phases)
    exchange.submit(order(Side.SELL, sold, stop_loss=Decimal(12)))
    next_candle(exchange, phases)
    legs = [(leg.side, leg.quantity, leg.order_type) for leg in legs_of(exchange)]
    assert legs == [(Side.BUY, Decimal(quantity), OrderType.STOP) for quantity in protected]


def test_a_leg_that_fills_cancels_the_other_though_more_of_the_position_is_left() -> None:
    exchange = market(10, 10, (10, 12, 10, 10), 10)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(stop_loss=Decimal(5), take_profit=Decimal(12)))
    exchange.submit(order(quantity="3"))
    next_candle(exchange, phases)
    next_candle(exchange, phases)
    assert [position.quantity for position in exchange.positions()] == [3]
    assert exchange.orders() == []


def test_an_order_of_ones_own_that_only_reduces_is_no_leg() -> None:
    exchange = market(10, 10, 10, (10, 12, 10, 10), 10)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order())
    next_candle(exchange, phases)
    (position,) = exchange.positions()
    own: dict[str, Any] = {"stop_price": Decimal(5), "position_id": position.id}
    exchange.submit(order(Side.SELL, order_type=OrderType.STOP, reduce_only=True, **own))
    exchange.protect_position(position.id, Decimal(8), None)
    exchange.protect_position(position.id, None, Decimal(12))
    exchange.submit(order(quantity="3"))
    next_candle(exchange, phases)
    next_candle(exchange, phases)
    assert [position.quantity for position in exchange.positions()] == [3]
    assert [order.stop_price for order in exchange.orders()] == [5]


def test_an_order_of_a_group_that_is_cancelled_or_fills_in_part_leaves_the_others() -> None:
    exchange = market(10, [10, 10, 9, 10], [10, 10, 9, 10], max_volume_share=SHARE)
    phases = exchange.phases()
    next_candle(exchange, phases)
    for price, quantity in (("9", "15"), ("8", "1"), ("7", "1")):
        exchange.submit(limit(price, quantity=quantity, oco_group_id="g"))
    exchange.cancel("ord-3")
    next_candle(exchange, phases)
    assert [each.status.value for each in exchange.outcome().orders] == [
        "PARTIALLY_FILLED",
        "OPEN",
        "CANCELLED",
    ]
    next_candle(exchange, phases)
    assert [each.status.value for each in exchange.outcome().orders] == [
        "FILLED",
        "CANCELLED",
        "CANCELLED",
    ]


def test_a_leg_that_the_market_has_passed_fills_at_the_open_it_was_placed_behind() -> None:
    exchange = market(10, [8, 9, 7, 9], 9)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(stop_loss=Decimal(9)))
    next_candle(exchange, phases)
    assert [(f.rule, f.price) for f in exchange.outcome().fills] == [
        ("market_open", Decimal(8)),
        ("stop_gap_open", Decimal(8)),
    ]


def test_an_order_of_a_group_that_is_rejected_cancels_the_others() -> None:
    exchange = market(10, 10, 10)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(limit("11", oco_group_id="g", post_only=True))
    exchange.submit(limit("5", oco_group_id="g"))
    next_candle(exchange, phases)
    assert [each.status for each in exchange.outcome().orders] == [
        OrderStatus.REJECTED,
        OrderStatus.CANCELLED,
    ]


def test_an_entry_that_never_fills_has_no_legs() -> None:
    exchange = market(10, 10, 10)
    phases = exchange.phases()
    next_candle(exchange, phases)
    entry = exchange.submit(limit("5", stop_loss=Decimal(4), take_profit=Decimal(6)))
    next_candle(exchange, phases)
    exchange.cancel(entry.id)
    assert legs_of(exchange) == []


def test_a_part_of_a_position_that_is_closed_leaves_the_legs() -> None:
    exchange = market(10, 10, 10)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(stop_loss=Decimal(5)))
    next_candle(exchange, phases)
    exchange.submit(order(Side.SELL, "4"))
    next_candle(exchange, phases)
    (leg,) = legs_of(exchange)
    assert (leg.status, leg.quantity) == (OrderStatus.OPEN, Decimal(10))


def test_a_leg_is_not_compared_with_those_of_all_other_brackets() -> None:
    def give(count: int) -> None:
        exchange = market(10, 10, 10)
        phases = exchange.phases()
        next_candle(exchange, phases)
        for _ in range(count):
            exchange.submit(order(quantity="1", stop_loss=Decimal(5), take_profit=Decimal(20)))
        play(exchange, phases)
        assert len(exchange.orders(limit=1000)) == 2 * count

    assert growth(give, 200) < 2.1


def test_an_entry_does_not_look_at_the_legs_of_all_before() -> None:
    def give(count: int) -> None:
        exchange = market(*[10] * (count + 2))
        phases = exchange.phases()
        for _ in range(count):
            next_candle(exchange, phases)
            exchange.submit(order(quantity="1", stop_loss=Decimal(5)))
        play(exchange, phases)
        assert len(exchange.orders(limit=1000)) == count

    assert growth(give, 200) < 2.1


def test_a_name_of_a_group_may_be_used_again_and_again() -> None:
    def give(count: int) -> None:
        exchange = market(*[10] * (count + 2))
        phases = exchange.phases()
        for _ in range(count):
            next_candle(exchange, phases)
            exchange.submit(limit("10", quantity="1", oco_group_id="g"))
            exchange.submit(limit("5", quantity="1", oco_group_id="g"))
        play(exchange, phases)
        assert not exchange.orders()

    assert growth(give, 200) < 2.1
