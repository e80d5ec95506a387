"""Which orders an open or a range is tested against: late orders, and those that wait."""

from collections.abc import Iterator
from contextlib import nullcontext
from decimal import Decimal

from strategy_runtime import (
    Candle,
    OrderStatus,
    OrderType,
    PositionEvent,
    Side,
    TimeInForce,
)
from strategy_runtime.protocol.enums import TrailingType
from strategy_runtime.protocol.models import OrderChanges
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.market import Phase
from tests.simulator.support import (
    MINUTE,
    A,
    B,
    limit,
    market,
    minutes,
    next_candle,
    next_phase,
    no_short_cuts,
    order,
)
from tests.strategies import Scripted


def rules(exchange: Exchange) -> list[tuple[str, Decimal]]:
    return [(fill.rule, fill.price) for fill in exchange.outcome().fills]


def behind_an_open(exchange: Exchange) -> Iterator[None]:
    """Advance to the open phase of the second bar, where one unit is bought."""
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(quantity="1"))
    next_phase(exchange, phases)
    return phases


def test_an_instant_has_range_candle_and_open_in_this_order() -> None:
    exchange = market(10, [10, 12, 10, 10], 10)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(quantity="1", order_type=OrderType.STOP, stop_price=Decimal(11)))
    exchange.outbox.clear()
    steps = []
    for _ in phases:
        steps.append((exchange.now_ns // MINUTE, exchange.phase, type(exchange.outbox[-1])))
        exchange.outbox.clear()
        if exchange.phase is Phase.INTRABAR:
            exchange.submit(order(quantity="1"))
            exchange.outbox.clear()
    assert steps[:3] == [
        (2, Phase.INTRABAR, PositionEvent),
        (2, Phase.BAR, Candle),
        (2, Phase.OPEN, PositionEvent),
    ]


async def test_the_strategy_deals_with_each_step_before_the_next() -> None:
    class Answering(Scripted):
        def on_trade(self, trade: object) -> None:
            if self.position(A).quantity == 1:
                self.buy(A, 2)

    strategy = Answering({0: lambda s, c: s.buy(A, 1, limit=9)})
    async with strategy.run_test() as pilot:
        await pilot.candles(A, bars=[[10] * 4, [10, 10, 9, 10], [11] * 4])
        assert [(fill.rule, fill.price) for fill in pilot.fills] == [
            ("limit_touch", Decimal(9)),
            ("market_open", Decimal(11)),
        ]


def test_an_order_given_in_the_course_of_a_longer_bar_meets_none_of_its_prices() -> None:
    longer = BarSeries(B, "5m", 5 * MINUTE)
    longer.append(0, 10, 12, 8, 10, 0)
    longer.append(5 * MINUTE, 10, 12, 8.5, 10, 0)
    exchange = Exchange([minutes(A, [10] * 10), longer])
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(limit("9", symbol=B))
    for _ in phases:
        exchange.outbox.clear()
    (fill,) = exchange.outcome().fills
    assert fill.bar_ns == 5 * MINUTE


def test_an_order_given_before_the_first_candle_fills_at_the_first_open() -> None:
    exchange = market(12, 10)
    phases = exchange.phases()
    exchange.submit(order())
    next_candle(exchange, phases)
    assert rules(exchange) == [("market_open", Decimal(12))]


def test_over_a_gap_an_order_waits_for_the_first_open_that_comes() -> None:
    halted = minutes(B, [10, 20])
    halted.starts[1] = 7 * MINUTE
    exchange = Exchange([minutes(A, [10] * 10), halted])
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(symbol=B))
    for _ in phases:
        exchange.outbox.clear()
    (fill,) = exchange.outcome().fills
    assert (fill.time_ns, fill.price) == (7 * MINUTE, Decimal(20))


def test_changes_and_cancellations_are_not_under_way() -> None:
    exchange = market(10, 10, 10, latency=2)
    phases = exchange.phases()
    next_candle(exchange, phases)
    one, other = exchange.submit(limit("9")), exchange.submit(limit("8"))
    assert exchange.modify(one.id, OrderChanges(limit_price=Decimal(7))).limit_price == 7
    assert exchange.cancel(other.id).status is OrderStatus.CANCELLED


def test_a_changed_order_keeps_its_id_and_its_place() -> None:
    exchange = market(10, [10, 10, 8, 10], max_volume_share=Decimal("0.1"))
    phases = exchange.phases()
    next_candle(exchange, phases)
    first = exchange.submit(limit("7", quantity="10"))
    exchange.submit(limit("9", quantity="10"))
    assert exchange.modify(first.id, OrderChanges(limit_price=Decimal(8))).id == first.id
    next_candle(exchange, phases)
    assert [fill.order_id for fill in exchange.outcome().fills] == [first.id]


def test_what_is_left_of_a_reduce_only_order_ends_with_the_position() -> None:
    exchange = market(10, 10, 10)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(quantity="3"))
    next_candle(exchange, phases)
    rest = exchange.submit(order(Side.SELL, "5", reduce_only=True))
    next_candle(exchange, phases)
    ended = exchange.order(rest.id)
    assert (ended.status, ended.filled_quantity) == (OrderStatus.CANCELLED, Decimal(3))


def test_a_reduce_only_order_outlives_a_position_that_others_close() -> None:
    for returns, status in ((True, OrderStatus.FILLED), (False, OrderStatus.REJECTED)):
        exchange = market(10, 10, 10, 10, [10, 12, 10, 10])
        phases = exchange.phases()
        next_candle(exchange, phases)
        exchange.submit(order())
        next_candle(exchange, phases)
        waiting = exchange.submit(limit("11", Side.SELL, reduce_only=True))
        exchange.submit(order(Side.SELL))
        next_candle(exchange, phases)
        assert exchange.positions() == []
        if returns:
            exchange.submit(order())
        next_candle(exchange, phases)
        next_candle(exchange, phases)
        assert exchange.order(waiting.id).status is status


def test_an_order_given_behind_an_open_meets_that_open_and_then_the_range() -> None:
    for price, rule in (("10.5", "limit_gap_open"), ("9.5", "limit_touch")):
        exchange = market(10, [10, 11, 9, 10])
        phases = behind_an_open(exchange)
        exchange.submit(limit(price))
        next_candle(exchange, phases)
        assert rules(exchange)[1:] == [(rule, Decimal(10 if price == "10.5" else price))]


def test_a_market_order_given_behind_an_open_waits_for_the_next_one() -> None:
    exchange = market(10, [10, 11, 9, 10], 12)
    phases = behind_an_open(exchange)
    exchange.submit(order(quantity="2", time_in_force=TimeInForce.IOC))
    next_candle(exchange, phases)
    assert len(rules(exchange)) == 1
    next_candle(exchange, phases)
    assert rules(exchange)[1:] == [("market_open", Decimal(12))]


def test_a_post_only_order_given_behind_an_open_is_rejected_by_that_open() -> None:
    exchange = market(10, [10, 11, 9, 10])
    phases = behind_an_open(exchange)
    late = exchange.submit(limit("10.5", post_only=True))
    next_candle(exchange, phases)
    assert exchange.order(late.id).reject_reason == "POST_ONLY_VIOLATED"


def test_a_post_only_order_that_has_rested_fills_at_an_open_beyond_it() -> None:
    exchange = market(10, 10, 8)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(limit("9", post_only=True))
    next_candle(exchange, phases)
    next_candle(exchange, phases)
    assert rules(exchange) == [("limit_gap_open", Decimal(8))]


def test_a_post_only_order_that_was_changed_may_not_take_either() -> None:
    exchange = market(10, 10, 10, 10)
    phases = exchange.phases()
    next_candle(exchange, phases)
    handle = exchange.submit(limit("9", post_only=True))
    next_candle(exchange, phases)
    exchange.modify(handle.id, OrderChanges(limit_price=Decimal(11)))
    next_candle(exchange, phases)
    assert exchange.order(handle.id).reject_reason == "POST_ONLY_VIOLATED"


def test_an_order_under_way_meets_no_range_before_its_first_open() -> None:
    exchange = market(10, [10, 11, 9, 10], [10, 11, 9, 10], latency=1)
    phases = exchange.phases()
    exchange.submit(order(quantity="1"))
    next_candle(exchange, phases)
    next_phase(exchange, phases)
    exchange.submit(limit("9.5"))
    next_candle(exchange, phases)
    assert rules(exchange) == [("market_open", Decimal(10))]
    next_candle(exchange, phases)
    assert rules(exchange) == [("market_open", Decimal(10))]


def test_an_immediate_order_for_which_no_volume_is_left_is_cancelled() -> None:
    exchange = market(10, 10, 10, max_volume_share=Decimal("0.1"))
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(quantity="10"))
    late = exchange.submit(order(quantity="5", time_in_force=TimeInForce.IOC))
    next_candle(exchange, phases)
    assert exchange.order(late.id).status is OrderStatus.CANCELLED
    assert len(rules(exchange)) == 1


def test_what_the_volume_leaves_of_a_triggered_stop_fills_at_the_next_opens() -> None:
    """A triggered stop is a market order: it does not wait for its stop price again."""
    exchange = market(10, [10, 12, 10, 10], 10.5, max_volume_share=Decimal("0.1"))
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(quantity="15", order_type=OrderType.STOP, stop_price=Decimal(11)))
    next_candle(exchange, phases)
    next_candle(exchange, phases)
    assert rules(exchange) == [("stop_touch", Decimal(11)), ("market_open", Decimal("10.5"))]


def test_a_stop_for_which_no_volume_was_left_is_a_market_order_all_the_same() -> None:
    """Once the market has reached it, it does not matter which order took the volume."""
    exchange = market(10, 12, 10.5, max_volume_share=Decimal("0.1"))
    phases = exchange.phases()
    next_candle(exchange, phases)
    for _ in range(2):
        exchange.submit(order(order_type=OrderType.STOP, stop_price=Decimal(11)))
    next_candle(exchange, phases)
    next_candle(exchange, phases)
    assert rules(exchange) == [("stop_gap_open", Decimal(12)), ("market_open", Decimal("10.5"))]


def test_an_immediate_stop_limit_order_does_not_outlive_the_bar_that_triggers_it() -> None:
    exchange = market(10, 12, 10)
    phases = exchange.phases()
    next_candle(exchange, phases)
    stop_limit = order(
        order_type=OrderType.STOP_LIMIT,
        stop_price=Decimal(11),
        limit_price=Decimal("11.5"),
        time_in_force=TimeInForce.IOC,
    )
    handle = exchange.submit(stop_limit)
    next_candle(exchange, phases)
    assert exchange.order(handle.id).status is OrderStatus.CANCELLED


def test_a_limit_that_the_bar_does_not_reach_brings_no_stop_of_its_group_forward() -> None:
    """The limit may be asleep or awake."""
    for has_short_cuts in (True, False):
        exchange = market(10, 10, [10, 12, 10, 10], 10)
        phases = exchange.phases()
        exchange.submit(limit("5", oco_group_id="g"))
        for group in (None, "g"):
            exchange.submit(
                order(order_type=OrderType.STOP, stop_price=Decimal(11), oco_group_id=group)
            )
        with nullcontext() if has_short_cuts else no_short_cuts():
            for _ in range(3):
                next_candle(exchange, phases)
        assert [fill.order_id for fill in exchange.outcome().fills] == ["ord-2", "ord-3"]


def trailing(distance: str) -> Exchange:
    """A trailing stop below a peak of 14, with the price at 13."""
    exchange = market(10, [10, 14, 10, 13], [13, 13, 11.5, 13], 13)
    phases = exchange.phases()
    next_candle(exchange, phases)
    handle = exchange.submit(
        order(
            Side.SELL,
            "1",
            order_type=OrderType.TRAILING_STOP,
            trailing_distance=Decimal(5),
            trailing_type=TrailingType.ABSOLUTE,
        )
    )
    next_candle(exchange, phases)
    assert exchange.order(handle.id).stop_price == 9
    exchange.modify(handle.id, OrderChanges(trailing_distance=Decimal(distance)))
    next_candle(exchange, phases)
    return exchange


def test_a_new_distance_is_measured_from_the_peak() -> None:
    assert rules(trailing("2")) == [("trailing_stop_touch", Decimal(12))]
    wider = trailing("6")
    assert rules(wider) == []
    assert wider.order("ord-1").stop_price == 8


def test_a_trailing_stop_given_behind_an_open_starts_from_that_open() -> None:
    exchange = market(10, [8, 8, 7.5, 8])
    behind_an_open(exchange)
    handle = exchange.submit(
        order(
            Side.SELL,
            "1",
            order_type=OrderType.TRAILING_STOP,
            trailing_distance=Decimal(10),
            trailing_type=TrailingType.PERCENT,
        )
    )
    assert exchange.order(handle.id).stop_price == Decimal("7.2")
