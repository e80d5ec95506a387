"""The fill rules, one test per sentence of docs/fill-rules.md."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from strategy_runtime import Candle, OrderStatus, PositionEvent, Side, TimeInForce
from strategy_runtime.errors import OrderRejected
from strategy_runtime.simulator.outcome import Fill
from strategy_runtime.testing import Pilot
from tests.strategies import Scripted

X = "S:X"
Action = Callable[[Scripted, Candle], object]
FLAT = [10, 10, 10, 10]


async def play(action: Action, *bars: Sequence[float], **options: Any) -> Pilot:
    """Take an action at a flat bar, run the bars given after it, and return the pilot."""
    async with Scripted({0: action}).run_test(**options) as pilot:
        await pilot.candles(X, bars=[FLAT, *bars])
        return pilot


async def only_fill(action: Action, *bars: Sequence[float], **options: Any) -> Fill:
    pilot = await play(action, *bars, **options)
    (fill,) = pilot.fills
    return fill


# 1. A decision made in the hook of candle i can fill in candle i+1 at the earliest.


async def test_a_decision_fills_in_the_next_candle_at_the_earliest() -> None:
    pilot = await play(lambda s, c: s.buy(X, 1, limit=10))
    assert pilot.fills == []
    fill = await only_fill(lambda s, c: s.buy(X, 1, limit=10), [11, 11, 9, 11])
    assert fill.bar_ns - pilot_start() == 60 * 10**9


def pilot_start() -> int:
    return 1_704_205_800 * 10**9


# 2. Prices of market, limit and stop orders.

BUY_LIMIT: Action = lambda s, c: s.buy(X, 1, limit=9)  # noqa: E731
SELL_LIMIT: Action = lambda s, c: s.sell(X, 1, limit=11)  # noqa: E731
BUY_STOP: Action = lambda s, c: s.buy(X, 1, stop=11)  # noqa: E731
SELL_STOP: Action = lambda s, c: s.sell(X, 1, stop=9)  # noqa: E731


@pytest.mark.parametrize("action", [lambda s, c: s.buy(X, 1), lambda s, c: s.sell(X, 1)])
async def test_market_orders_fill_at_the_open(action: Action) -> None:
    fill = await only_fill(action, [12, 13, 9, 11])
    assert (fill.price, fill.rule) == (Decimal(12), "market_open")


@pytest.mark.parametrize(
    ("action", "bar", "price", "rule"),
    [
        (BUY_LIMIT, [8.5, 10, 8, 10], "8.5", "limit_gap_open"),
        (BUY_LIMIT, [9, 10, 8, 10], "9.0", "limit_touch_open"),
        (BUY_LIMIT, [10, 10, 9, 10], "9", "limit_touch"),
        (BUY_LIMIT, [10, 10, 8, 10], "9", "limit_touch"),
        (SELL_LIMIT, [11.5, 12, 10, 10], "11.5", "limit_gap_open"),
        (SELL_LIMIT, [10, 11, 10, 10], "11", "limit_touch"),
    ],
)
async def test_limit_orders_fill_at_the_limit_or_at_a_better_open(
    action: Action, bar: list[float], price: str, rule: str
) -> None:
    fill = await only_fill(action, bar)
    assert (fill.price, fill.rule) == (Decimal(price), rule)


@pytest.mark.parametrize(
    ("action", "bar", "price", "rule"),
    [
        (BUY_STOP, [12, 13, 9, 10], "12.0", "stop_gap_open"),
        (BUY_STOP, [11, 13, 9, 10], "11.0", "stop_touch_open"),
        (BUY_STOP, [10, 11, 9, 10], "11", "stop_touch"),
        (SELL_STOP, [8, 10, 7, 10], "8.0", "stop_gap_open"),
        (SELL_STOP, [10, 10, 9, 10], "9", "stop_touch"),
    ],
)
async def test_stop_orders_fill_at_the_stop_or_at_a_worse_open(
    action: Action, bar: list[float], price: str, rule: str
) -> None:
    fill = await only_fill(action, bar)
    assert (fill.price, fill.rule) == (Decimal(price), rule)


Order = dict[str, float]


@pytest.mark.parametrize(
    "prices",
    [
        {},
        {"limit": 9},
        {"limit": 12},
        {"stop": 11},
        {"stop": 8},
        {"stop": 11, "limit": 11.5},
        {"stop": 11, "limit": 10.5},
        {"trailing": 1.5},
        {"stop_loss": 9, "take_profit": 12},
    ],
)
@pytest.mark.parametrize(
    "bars",
    [
        [[10, 11, 9, 10], [10, 12.5, 8.5, 12], [12, 12, 12, 12]],
        [[12, 13, 11, 12], [8, 9, 7, 8], [8, 11, 8, 11]],
        [[9, 9, 8, 8], [8, 8, 7.5, 8], [10.5, 13, 9.5, 11]],
    ],
)
async def test_sells_are_the_mirror_image(prices: Order, bars: list[list[float]]) -> None:
    """Prices are mirrored at 10, so that highs become lows, and buys become sells."""

    def turned(price: float) -> float:
        return 20 - price

    opposite = {
        name: price if name == "trailing" else turned(price) for name, price in prices.items()
    }
    mirrored = [[turned(o), turned(low), turned(h), turned(c)] for o, h, low, c in bars]
    bought = await play(lambda s, c: s.buy(X, 1, **prices), *bars)  # type: ignore[arg-type]
    sold = await play(lambda s, c: s.sell(X, 1, **opposite), *mirrored)  # type: ignore[arg-type]
    assert [(f.rule, f.bar_ns, -f.side.sign, 20 - f.price) for f in bought.fills] == [
        (f.rule, f.bar_ns, f.side.sign, f.price) for f in sold.fills
    ]


@pytest.mark.parametrize(
    ("action", "bar"),
    [
        (BUY_LIMIT, [10, 11, 9.01, 10]),
        (SELL_LIMIT, [10, 10.99, 9, 10]),
        (BUY_STOP, [10, 10.99, 9, 10]),
        (SELL_STOP, [10, 11, 9.01, 10]),
    ],
)
async def test_a_price_that_is_not_reached_does_not_fill(action: Action, bar: list[float]) -> None:
    pilot = await play(action, bar)
    assert pilot.fills == []
    assert [order.status for order in pilot.orders] == [OrderStatus.OPEN]


async def test_a_csv_price_fills_at_exactly_its_digits() -> None:
    fill = await only_fill(lambda s, c: s.buy(X, 1), [179.13, 180, 179, 180])
    assert str(fill.price) == "179.13"


# Stop-limit: in the trigger bar it fills only if the trigger price satisfies the limit.


@pytest.mark.parametrize(
    ("limit", "bars", "price", "rule"),
    [
        (11.5, [[10, 12, 9, 10]], "11", "stop_limit_touch"),
        (11.5, [[11.2, 12, 9, 10]], "11.2", "stop_limit_open"),
        (11.5, [[11.5, 12, 9, 10]], "11.5", "stop_limit_open"),
        (11, [[10, 12, 9, 10]], "11", "stop_limit_touch"),
        (10.5, [[10, 12, 9, 11], [10.4, 11, 10, 11]], "10.4", "limit_gap_open"),
        (11.5, [[12, 13, 11, 13], [12, 12, 11, 12]], "11.5", "limit_touch"),
    ],
)
async def test_stop_limit(limit: float, bars: list[list[float]], price: str, rule: str) -> None:
    fill = await only_fill(lambda s, c: s.buy(X, 1, stop=11, limit=limit), *bars)
    assert (fill.price, fill.rule) == (Decimal(price), rule)
    mirrored = [[20 - opened, 20 - low, 20 - high, 20 - close] for opened, high, low, close in bars]
    fill = await only_fill(lambda s, c: s.sell(X, 1, stop=9, limit=20 - limit), *mirrored)
    assert (fill.price, fill.rule) == (20 - Decimal(price), rule)


async def test_a_triggered_stop_limit_rests_until_the_next_bar() -> None:
    pilot = await play(lambda s, c: s.buy(X, 1, stop=11, limit=10.5), [10, 12, 9, 11])
    assert pilot.fills == []


# 3. Brackets.

ENTRY: Action = lambda s, c: s.buy(X, 1, stop_loss=9, take_profit=12)  # noqa: E731


async def test_legs_exist_only_once_the_entry_has_filled() -> None:
    pilot = await play(
        lambda s, c: s.buy(X, 1, limit=8, stop_loss=7, take_profit=12), [10, 10, 9, 9]
    )
    assert pilot.legs == []


async def test_an_entry_at_the_open_exposes_its_legs_to_the_same_bar() -> None:
    pilot = await play(ENTRY, [10, 10, 8.5, 9.5])
    assert [(f.side, f.price) for f in pilot.fills] == [
        (Side.BUY, Decimal("10")),
        (Side.SELL, Decimal("9")),
    ]
    assert pilot.fills[0].bar_ns == pilot.fills[1].bar_ns


async def test_with_next_bar_children_the_same_bar_does_not_touch_them() -> None:
    pilot = await play(ENTRY, [10, 10, 8.5, 9.5], children="next_bar")
    assert len(pilot.fills) == 1
    pilot = await play(ENTRY, [10, 10, 8.5, 9.5], [9.5, 9.5, 9, 9], children="next_bar")
    assert [f.rule for f in pilot.fills] == ["market_open", "stop_touch"]


async def test_an_entry_within_the_bar_exposes_its_legs_from_the_next_open_on() -> None:
    def entry(strategy: Scripted, candle: Candle) -> object:
        return strategy.buy(X, 1, limit=9.5, stop_loss=9)

    pilot = await play(entry, [10, 10, 8, 8])
    assert len(pilot.fills) == 1
    pilot = await play(entry, [10, 10, 8, 8], [8.5, 8.6, 8.4, 8.5])
    assert [(f.rule, f.price) for f in pilot.fills] == [
        ("limit_touch", Decimal("9.5")),
        ("stop_gap_open", Decimal("8.5")),
    ]


async def test_with_both_legs_in_reach_the_stop_loss_fills_and_the_other_is_cancelled() -> None:
    pilot = await play(ENTRY, [10, 13, 8, 10])
    assert [f.rule for f in pilot.fills] == ["market_open", "stop_touch"]
    assert [leg.status for leg in pilot.legs] == [OrderStatus.FILLED, OrderStatus.CANCELLED]


async def test_a_take_profit_cancels_the_stop_loss() -> None:
    pilot = await play(ENTRY, [10, 12.5, 9.5, 12])
    assert [f.rule for f in pilot.fills] == ["market_open", "limit_touch"]
    assert [leg.status for leg in pilot.legs] == [OrderStatus.CANCELLED, OrderStatus.FILLED]


async def test_closing_the_position_cancels_its_legs() -> None:
    strategy = Scripted({0: ENTRY, 1: lambda s, c: s.close(X)})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT] * 4)
        assert {leg.status for leg in pilot.legs} == {OrderStatus.CANCELLED}
        assert pilot.position(X).is_flat


async def test_legs_are_orders_with_names_derived_from_their_entry() -> None:
    pilot = await play(ENTRY, FLAT)
    (entry,) = pilot.orders
    assert [leg.parent_order_id for leg in pilot.legs] == [entry.id, entry.id]
    assert [leg.client_order_id for leg in pilot.legs] == [
        f"{entry.client_order_id}-sl",
        f"{entry.client_order_id}-tp",
    ]


# 4. Fees and average cost.


async def test_fees_are_charged_on_every_fill_from_cash() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 10), 1: lambda s, c: s.close(X)})
    async with strategy.run_test(fee_rate="0.01") as pilot:
        await pilot.candles(X, bars=[FLAT] * 3)
        assert [fill.fee for fill in pilot.fills] == [Decimal(1), Decimal(1)]
        assert pilot.equity == Decimal(99_998)


@pytest.mark.parametrize(
    ("options", "fee"),
    [
        ({"fee_per_share": "0.5"}, "5"),
        ({"fee_rate": "0.001", "fee_min": "2"}, "2"),
        ({"fee_rate": "0.1", "fee_min": "2"}, "10"),
    ],
)
async def test_fee_models(options: dict[str, str], fee: str) -> None:
    fill = await only_fill(lambda s, c: s.buy(X, 10), FLAT, **options)
    assert fill.fee == Decimal(fee)


async def test_average_cost_is_weighted_by_quantity() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 10), 1: lambda s, c: s.buy(X, 30)})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, FLAT, [14, 14, 14, 14]])
        assert pilot.position(X).average_entry_price == Decimal(13)


async def test_a_flip_closes_and_opens_at_the_fill_price() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 10), 1: lambda s, c: s.sell(X, 30)})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, FLAT, [14, 14, 14, 14], [12, 12, 12, 12]])
        position = pilot.position(X)
        assert (position.quantity, position.average_entry_price) == (Decimal(-20), Decimal(14))
        assert pilot.exchange.outcome().realized_pnl == Decimal(40)
        assert pilot.equity == Decimal(100_000 + 40 + 40)
        told = [event.event for event in strategy.seen if isinstance(event, PositionEvent)]
        assert told == ["POSITION_OPENED", "POSITION_CLOSED", "POSITION_OPENED"]


# 5. Equity, and the end of the data.


async def test_equity_is_cash_plus_positions_at_the_last_close() -> None:
    pilot = await play(lambda s, c: s.buy(X, 10), [11, 13, 11, 13])
    outcome = pilot.exchange.outcome()
    assert outcome.cash == Decimal(100_000 - 110)
    assert outcome.equity == outcome.cash + 130


async def test_an_order_on_the_last_candle_never_fills_and_is_reported() -> None:
    pilot = await play(lambda s, c: s.buy(X, 10))
    assert pilot.fills == []
    assert [order.status for order in pilot.exchange.outcome().open_orders] == [OrderStatus.OPEN]


# Slippage and spread.


async def test_slippage_and_half_the_spread_are_paid_by_market_orders() -> None:
    fill = await only_fill(lambda s, c: s.buy(X, 1), FLAT, slippage="0.01", spread="0.2")
    assert fill.price == Decimal("10.2")
    fill = await only_fill(lambda s, c: s.sell(X, 1), FLAT, slippage="0.01", spread="0.2")
    assert fill.price == Decimal("9.8")


async def test_slippage_never_takes_a_limit_order_beyond_its_limit() -> None:
    fill = await only_fill(BUY_LIMIT, [8.99, 9, 8, 9], slippage="0.1")
    assert fill.price == Decimal(9)
    fill = await only_fill(BUY_LIMIT, [8, 9, 8, 9], slippage="0.1", spread="0.2")
    assert fill.price == Decimal("8.9")


# Time in force, post-only, reduce-only, trailing stops.


async def test_a_sale_never_costs_more_than_its_price() -> None:
    fill = await only_fill(lambda s, c: s.sell(X, 1), [2, 2, 2, 2], slippage_fixed="3")
    assert fill.price == 0


@pytest.mark.parametrize("year", [1927, 2024])
async def test_immediate_orders_live_for_one_bar(year: int) -> None:
    pilot = await play(
        lambda s, c: s.buy(X, 1, limit=9, time_in_force=TimeInForce.IOC),
        FLAT,
        [8, 8, 8, 8],
        start=datetime(year, 3, 4, tzinfo=UTC),
    )
    assert [order.status for order in pilot.orders] == [OrderStatus.CANCELLED]


@pytest.mark.parametrize("year", [1927, 2024])
async def test_a_day_order_expires_with_the_first_bar_of_another_day(year: int) -> None:
    async with Scripted(
        {0: lambda s, c: s.buy(X, 1, limit=5, time_in_force=TimeInForce.DAY)}
    ).run_test(timeframe="1d", start=datetime(year, 3, 4, tzinfo=UTC)) as pilot:
        await pilot.candles(X, bars=[FLAT, FLAT])
        assert [order.status for order in pilot.orders] == [OrderStatus.OPEN]
        await pilot.candles(X, bars=[FLAT])
        assert [order.status for order in pilot.orders] == [OrderStatus.EXPIRED]


async def test_a_post_only_order_that_would_take_is_rejected() -> None:
    pilot = await play(lambda s, c: s.buy(X, 1, limit=11, post_only=True), FLAT)
    assert [order.reject_reason for order in pilot.orders] == ["POST_ONLY_VIOLATED"]
    assert pilot.fills == []


async def test_reduce_only_is_clipped_to_the_position() -> None:
    strategy = Scripted(
        {0: lambda s, c: s.buy(X, 1), 1: lambda s, c: s.sell(X, 5, reduce_only=True)}
    )
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT] * 3)
        assert [fill.quantity for fill in pilot.fills] == [Decimal(1), Decimal(1)]
        assert pilot.position(X).is_flat


@pytest.mark.parametrize("held", [0, -1])
async def test_reduce_only_without_a_position_is_refused(held: int) -> None:
    """A position on the same side cannot be reduced by the order either."""
    strategy = Scripted({1: lambda s, c: s.sell(X, 5, reduce_only=True)})
    if held:
        strategy.script[0] = lambda s, c: s.sell(X, -held)
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT] * 2)
        assert pilot.position(X).quantity == held
        (refusal,) = strategy.refusals
        assert isinstance(refusal, OrderRejected)
        assert refusal.details["reject_code"] == "REDUCE_ONLY_VIOLATED"


async def test_a_trailing_stop_follows_the_peak_and_never_goes_back() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 1), 1: lambda s, c: s.sell(X, 1, trailing=2)})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, FLAT, [10, 14, 10, 13], [13, 13, 12.5, 13]])
        assert pilot.orders[1].stop_price == Decimal("12.0")
        await pilot.candles(X, bars=[[13, 13, 11, 11]])
        assert pilot.fills[1].price == Decimal("12.0")
        assert pilot.fills[1].rule == "trailing_stop_touch"


async def test_a_distance_may_be_a_share_of_the_peak() -> None:
    strategy = Scripted({0: lambda s, c: s.sell(X, 1, trailing_percent=25)})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, [10, 16, 10, 16]])
        assert pilot.orders[0].stop_price == Decimal(12)
        await pilot.candles(X, bars=[[13, 13, 11, 11]])
        assert pilot.fills[0].price == Decimal(12)


# Money.


async def test_an_order_beyond_the_account_is_refused_at_once() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 10_001)})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT])
        (refusal,) = strategy.refusals
        assert isinstance(refusal, OrderRejected)
        assert refusal.details["reject_code"] == "INSUFFICIENT_FUNDS"
        assert not pilot.exchange.outcome().orders


async def test_an_order_that_a_gap_made_too_dear_is_rejected_at_the_fill() -> None:
    pilot = await play(lambda s, c: s.buy(X, 10_000), [11, 11, 11, 11])
    assert [order.reject_reason for order in pilot.orders] == ["INSUFFICIENT_MARGIN"]
    assert pilot.fills == []


async def test_of_a_group_one_fill_cancels_the_rest() -> None:
    def both(strategy: Scripted, candle: Candle) -> None:
        strategy.buy(X, 1, limit=9, oco_group="g")
        strategy.buy(X, 1, stop=11, oco_group="g")

    pilot = await play(both, [10, 11, 10, 10])
    assert [order.status for order in pilot.orders] == [OrderStatus.CANCELLED, OrderStatus.FILLED]


async def test_within_one_bar_the_stop_of_a_group_comes_first() -> None:
    def both(strategy: Scripted, candle: Candle) -> None:
        strategy.buy(X, 1, limit=9, oco_group="g")
        strategy.buy(X, 1, stop=11, oco_group="g")

    pilot = await play(both, [10, 12, 8, 10])
    assert [fill.rule for fill in pilot.fills] == ["stop_touch"]
