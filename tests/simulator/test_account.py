"""Volume, latency, margin, hedging, splits: the account and the market beyond the plain case."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from strategy_runtime import (
    AccountEvent,
    Candle,
    OrderStatus,
    PositionEvent,
    ProxyErrorEvent,
    Side,
    Strategy,
    TimeInForce,
)
from strategy_runtime.clock import DAY_NS
from strategy_runtime.errors import ApiError, ConfigError, DataError
from strategy_runtime.protocol.enums import PositionMode
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.splits import suspected_split
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.simulator.support import MINUTE, A, B, market, minutes, next_candle, no_short_cuts, order
from tests.strategies import Scripted
from tests.work import growth

X = "S:X"
FLAT = [10, 10, 10, 10, 100]


def bar(close: float, volume: float = 100) -> list[float]:
    return [close, close, close, close, volume]


# The value of positions.


@pytest.mark.parametrize("mode", PositionMode)
def test_a_fill_has_no_other_position_be_valued_anew(mode: PositionMode) -> None:
    def sell(count: int) -> None:
        symbols = tuple(f"S:{number}" for number in range(count))
        exchange = market(10, 10, 10, symbols=symbols, mode=mode)
        phases = exchange.phases()
        next_candle(exchange, phases)
        for symbol in symbols:
            exchange.submit(order(Side.SELL, "1", symbol=symbol))
        for _ in phases:
            exchange.outbox.clear()
        assert len(exchange.positions()) == count

    assert growth(sell, 50) < 2.05


@pytest.mark.parametrize("mode", ["NETTING", "HEDGING"])
def test_until_its_first_close_a_symbol_stands_at_its_first_open(mode: str) -> None:
    """Finer bars of another symbol end earlier; borrowing for the longer one is no bankruptcy."""
    longer = BarSeries(B, "5m", 5 * MINUTE)
    longer.append(0, 10, 12, 8, 12, 0)
    exchange = Exchange(
        [minutes(A, [10] * 5), longer],
        ExchangeOptions(cash=Decimal(1000), leverage=Decimal(2), mode=PositionMode(mode)),
    )
    phases = exchange.phases()
    exchange.submit(order(symbol=B, quantity="150"))
    for _ in range(4):
        next_candle(exchange, phases)
        assert exchange.account().equity == 1000
    next_candle(exchange, phases)
    for _ in phases:
        exchange.outbox.clear()
    assert exchange.outcome().equity == 1300
    assert exchange.outcome().warnings == []


@pytest.mark.parametrize("volume", [1, 100])
def test_a_liquidation_does_not_know_the_bars_to_come(volume: float) -> None:
    """A symbol without a bar in progress has a last bar, but no volume yet."""
    paused = minutes(A, [10, 10])
    paused.append(9 * MINUTE, 10, 10, 10, 10, volume)
    exchange = Exchange(
        [paused, minutes(B, [10, 10, 10, 40])],
        ExchangeOptions(cash=Decimal(1000), leverage=Decimal(2), impact=Decimal("0.1")),
    )
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(quantity="1"))
    exchange.submit(order(Side.SELL, quantity="90", symbol=B))
    for _ in phases:
        exchange.outbox.clear()
    (sold,) = (fill for fill in exchange.fills if fill.units == -1)
    assert (sold.rule, sold.price, sold.bar_ns) == ("liquidation", Decimal(10), MINUTE)


@pytest.mark.parametrize("looks_on", [True, False])
async def test_a_fill_within_a_bar_is_the_price_until_the_bar_closes(looks_on: bool) -> None:
    """The distance from the previous close to the limit is no profit."""
    strategy = Scripted({0: lambda s, c: s.buy(X, 10, limit=9)}) if looks_on else Quiet()
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, [10, 11, 8, 11, 100]])
        seen = strategy.seen if isinstance(strategy, Scripted) else []
        accounts = [each.account for each in seen if isinstance(each, AccountEvent)]
        positions = [each.position for each in seen if isinstance(each, PositionEvent)]
        assert [account.unrealized_pnl for account in accounts] == [0] * looks_on
        assert [position.current_price for position in positions] == [9] * looks_on
        assert pilot.exchange.announced_account().unrealized_pnl == 0
        assert pilot.equity == 100_020


class Quiet(Strategy):
    """Places the same order, without any other hook."""

    def on_candle(self, candle: Candle) -> None:
        if candle.close == 10:
            self.buy(X, 10, limit=9)


# Volume.


async def test_an_order_takes_at_most_its_share_of_the_volume_and_the_rest_stays() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 25)})
    async with strategy.run_test(max_volume_share="0.1") as pilot:
        await pilot.candles(X, bars=[FLAT] * 3)
        assert [fill.quantity for fill in pilot.fills] == [10, 10]
        assert [order.status for order in pilot.orders] == [OrderStatus.PARTIALLY_FILLED]
        await pilot.candles(X, bars=[FLAT])
        assert [fill.quantity for fill in pilot.fills] == [10, 10, 5]


async def test_a_partial_sale_leaves_the_average_price_as_it_was() -> None:
    script = {0: lambda s, c: s.buy(X, 1000), 1: lambda s, c: s.sell(X, Decimal("333.333"))}
    strategy = Scripted(script)
    async with strategy.run_test(cash=Decimal("0.01")) as pilot:
        await pilot.candles(X, bars=[[1.23457e-7] * 4] * 3)
        assert pilot.position(X).average_entry_price == Decimal("1.23457e-7")
        assert pilot.exchange.outcome().realized_pnl == 0


async def test_a_sale_realises_its_share_of_a_cost_whose_average_cannot_be_written() -> None:
    script = {
        0: lambda s, c: s.buy(X, 1),
        1: lambda s, c: s.buy(X, 2),
        2: lambda s, c: s.sell(X, 1),
    }
    async with Scripted(script).run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, bar(10), bar(11), bar(12)])
        assert pilot.exchange.outcome().realized_pnl == Decimal("1.333333333333")


async def test_an_account_may_grow_beyond_what_is_rounded_by_default() -> None:
    """Accounts do so whose strategies compound without costs."""
    script = {0: lambda s, c: s.buy(X, 10**17), 1: lambda s, c: s.sell(X, 10**17 // 3)}
    strategy = Scripted(script)
    async with strategy.run_test(cash=10**15, leverage=2000) as pilot:
        await pilot.candles(X, bars=[FLAT[:4]] * 3)
        assert pilot.position(X).quantity == 10**17 - 10**17 // 3
        outcome = pilot.exchange.outcome()
        gained = outcome.realized_pnl + outcome.unrealized_pnl
        assert outcome.equity - outcome.start_equity == gained
    strategy = Scripted({0: lambda s, c: s.buy(X, Decimal("1e-6"))})
    async with strategy.run_test(cash=10**15, slippage="0.001") as pilot:
        await pilot.candles(X, bars=[[1e20] * 4] * 2)
        assert pilot.fills[0].price == Decimal("1.001e20")


async def test_a_share_of_the_volume_is_cut_to_what_units_are_divided_in() -> None:
    strategy = Scripted(
        {
            0: lambda s, c: s.buy(X, 1, time_in_force=TimeInForce.IOC),
            1: lambda s, c: s.sell(X, s.position(X).quantity),
        }
    )
    async with strategy.run_test(max_volume_share="0.0333") as pilot:
        noisy = (*FLAT[:4], 8.880099999999999)
        await pilot.candles(X, bars=[noisy, noisy, (*FLAT[:4], 1000)])
        assert str(pilot.fills[0].quantity) == "0.295707329999999966"  # and a 7 less
        assert pilot.position(X).is_flat


async def test_what_is_left_of_an_order_is_all_that_a_larger_volume_fills() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 25), 3: lambda s, c: s.sell(X, 25)})
    async with strategy.run_test(max_volume_share="0.1") as pilot:
        await pilot.candles(X, bars=[bar(10), bar(10), bar(10, 900), bar(10), bar(10), bar(10, 0)])
        assert [fill.quantity for fill in pilot.fills] == [10, 15, 10, 15]
        assert [order.filled_quantity for order in pilot.orders] == [25, 25]


@given(
    volumes=st.lists(st.integers(0, 40).map(lambda tens: tens * 10), min_size=2, max_size=12),
    orders=st.lists(
        st.tuples(st.integers(0, 11), st.integers(-60, 60).filter(bool)), min_size=1, max_size=4
    ),
)
def test_market_orders_take_what_each_bar_can_give(
    volumes: list[int], orders: list[tuple[int, int]]
) -> None:
    """Compare the exchange with a few lines that only count quantities."""
    given: dict[int, list[int]] = {}
    for at, signed in orders:
        given.setdefault(at, []).append(signed)

    def give(strategy: Scripted, candle: Candle, signed: list[int]) -> None:
        for each in signed:
            (strategy.buy if each > 0 else strategy.sell)(X, abs(each))

    plan: dict[int, Callable[..., object]] = {
        at: partial(give, signed=signed) for at, signed in given.items()
    }
    expected: list[tuple[Decimal, Side]] = []
    waiting: list[tuple[Decimal, Side]] = []
    for number, volume in enumerate(volumes):
        left = Decimal(volume) / 10 if volume else Decimal("Infinity")
        still: list[tuple[Decimal, Side]] = []
        for quantity, side in waiting:
            taken = min(quantity, left)
            left -= taken
            if taken:
                expected.append((taken, side))
            if taken < quantity:
                still.append((quantity - taken, side))
        sides = [(abs(each), Side.BUY if each > 0 else Side.SELL) for each in given.get(number, [])]
        waiting = still + [(Decimal(quantity), side) for quantity, side in sides]

    async def run() -> list[tuple[Decimal, Side]]:
        async with Scripted(plan).run_test(max_volume_share="0.1") as pilot:
            await pilot.candles(X, bars=[bar(10, volume) for volume in volumes])
            return [(fill.quantity, fill.side) for fill in pilot.fills]

    assert asyncio.run(run()) == expected


async def test_orders_of_one_bar_share_its_volume() -> None:
    def two(strategy: Scripted, candle: Candle) -> None:
        strategy.buy(X, 8)
        strategy.buy(X, 8)

    async with Scripted({0: two}).run_test(max_volume_share="0.1") as pilot:
        await pilot.candles(X, bars=[FLAT] * 2)
        assert [fill.quantity for fill in pilot.fills] == [8, 2]


async def test_a_volume_of_zero_is_unknown_and_caps_nothing() -> None:
    async with Scripted({0: lambda s, c: s.buy(X, 25)}).run_test(max_volume_share="0.1") as pilot:
        await pilot.candles(X, bars=[bar(10, 0)] * 2)
        assert [fill.quantity for fill in pilot.fills] == [25]


@pytest.mark.parametrize(
    ("time_in_force", "filled", "status"),
    [(TimeInForce.IOC, 10, OrderStatus.CANCELLED), (TimeInForce.FOK, 0, OrderStatus.CANCELLED)],
)
async def test_immediate_orders_and_the_volume(
    time_in_force: TimeInForce, filled: int, status: OrderStatus
) -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 25, time_in_force=time_in_force)})
    async with strategy.run_test(max_volume_share="0.1") as pilot:
        await pilot.candles(X, bars=[FLAT] * 4)
        assert sum(fill.quantity for fill in pilot.fills) == filled
        assert [order.status for order in pilot.orders] == [status]


async def test_bracket_legs_grow_with_the_partial_fills_of_their_entry() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 15, stop_loss=5, take_profit=20)})
    async with strategy.run_test(max_volume_share="0.1") as pilot:
        await pilot.candles(X, bars=[FLAT] * 2)
        assert [leg.quantity for leg in pilot.legs] == [10, 10]
        await pilot.candles(X, bars=[FLAT])
        assert [leg.quantity for leg in pilot.legs] == [15, 15]


# Costs.


async def test_impact_grows_with_the_share_of_the_volume() -> None:
    async with Scripted({0: lambda s, c: s.buy(X, 50)}).run_test(impact="0.1") as pilot:
        await pilot.candles(X, bars=[FLAT] * 2)
        assert [fill.price for fill in pilot.fills] == [Decimal("10.5")]


async def test_what_worsens_a_price_adds_up() -> None:
    async with Scripted({0: lambda s, c: s.buy(X, 10)}).run_test(
        slippage="0.01", slippage_fixed="0.25", impact="0.5", spread="0.1"
    ) as pilot:
        await pilot.candles(X, bars=[FLAT] * 2)
        assert [fill.price for fill in pilot.fills] == [Decimal("10.9")]


async def test_fixed_slippage_is_in_price_units() -> None:
    async with Scripted({0: lambda s, c: s.sell(X, 1)}).run_test(slippage_fixed="0.25") as pilot:
        await pilot.candles(X, bars=[FLAT] * 2)
        assert [fill.price for fill in pilot.fills] == [Decimal("9.75")]


@pytest.mark.parametrize(
    ("price", "paid", "got"),
    [
        (1.44e-9, "1.44144E-9", "1.43856E-9"),
        (4e-11, "4.004E-11", "3.996E-11"),
        (100, "100.1", "99.9"),
        (0.30000000001, "0.3003000000", "0.2997000000"),
        (12345.678901234, "12358.0245801352", "12333.3332223328"),
    ],
)
async def test_slippage_is_against_the_order_however_small_a_price_is(
    price: float, paid: str, got: str
) -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 5), 1: lambda s, c: s.sell(X, 5)})
    async with strategy.run_test(slippage="0.001") as pilot:
        await pilot.candles(X, bars=[bar(price)] * 3)
        assert [fill.price for fill in pilot.fills] == [Decimal(paid), Decimal(got)]


async def test_a_price_has_no_exponent_whatever_it_is() -> None:
    async with Scripted({0: lambda s, c: s.buy(X, 5)}).run_test(spread="0.04") as pilot:
        await pilot.candles(X, bars=[bar(99.98)] * 2)
        assert [str(fill.price) for fill in pilot.fills] == ["100"]


async def test_an_order_that_rested_pays_the_makers_fee() -> None:
    def both(strategy: Scripted, candle: Candle) -> None:
        strategy.buy(X, 10, limit=9)
        strategy.buy(X, 10)

    async with Scripted({0: both}).run_test(fee_rate="0.01", maker_fee_rate="-0.001") as pilot:
        await pilot.candles(X, bars=[FLAT, [10, 10, 9, 9, 100]])
        assert {fill.rule: fill.fee for fill in pilot.fills} == {
            "market_open": Decimal("1.00"),
            "limit_touch": Decimal("-0.090"),
        }


async def test_an_order_that_rested_is_the_maker_at_a_later_open_and_quote() -> None:
    def asked(strategy: Scripted, candle: Candle) -> None:
        strategy.buy(X, 10, limit=9)
        strategy.buy(X, 10, limit=11)

    strategy = Scripted({0: asked, 2: lambda s, c: s.sell(X, 20, limit=12, post_only=True)})
    async with strategy.run_test(fee_rate="0.01", maker_fee_rate="0.001") as pilot:
        await pilot.candles(X, bars=[FLAT, FLAT, bar(8)])
        await pilot.quotes(X, [(8, 8.5), (12, 12.5)])
        assert [(fill.rule, fill.price, fill.fee, fill.is_maker) for fill in pilot.fills] == [
            ("limit_gap_open", Decimal(10), Decimal("1.00"), False),
            ("limit_gap_open", Decimal(8), Decimal("0.08"), True),
            ("limit_touch_quote", Decimal(12), Decimal("0.24"), True),
        ]


# Latency.


async def test_an_order_under_way_takes_part_some_bars_later() -> None:
    async with Scripted({0: lambda s, c: s.buy(X, 1)}).run_test(latency=2) as pilot:
        await pilot.candles(X, bars=[bar(price) for price in (10, 11, 12, 13, 14)])
        assert [fill.price for fill in pilot.fills] == [Decimal("13.0")]


# Margin.


async def test_leverage_lets_the_account_hold_more_than_its_equity() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 19_000)})
    async with strategy.run_test(leverage=2) as pilot:
        await pilot.candles(X, bars=[FLAT] * 2)
        account = pilot.exchange.account()
        assert account.margin_used == Decimal(95_000)
        assert account.margin_available == Decimal(5_000)
    strategy = Scripted({0: lambda s, c: s.buy(X, 21_000)})
    async with strategy.run_test(leverage=2) as pilot:
        await pilot.candles(X, bars=[FLAT])
        assert len(strategy.refusals) == 1


@pytest.mark.parametrize(
    ("held", "side", "most"),
    [
        ({}, Side.SELL, 10_000),
        ({A: 4_000}, Side.SELL, 14_000),
        ({A: -4_000}, Side.SELL, 6_000),
        ({B: 4_000}, Side.SELL, 6_000),
        ({B: -4_000}, Side.BUY, 6_000),
        ({A: -4_000}, Side.BUY, 14_000),
    ],
)
def test_short_positions_take_as_much_of_an_account_as_long_ones(
    held: dict[str, int], side: Side, most: int
) -> None:
    exchange = market(10, 10, 10, symbols=(A, B))
    phases = exchange.phases()
    next_candle(exchange, phases)
    for symbol, quantity in held.items():
        exchange.submit(
            order(Side.BUY if quantity > 0 else Side.SELL, f"{abs(quantity)}", symbol=symbol)
        )
    next_candle(exchange, phases)
    with pytest.raises(ApiError, match="need more than the free margin of"):
        exchange.submit(order(side, f"{most + 1}"))
    exchange.submit(order(side, f"{most}"))
    for _ in phases:
        exchange.outbox.clear()
    assert {each.status for each in exchange.outcome().orders} == {OrderStatus.FILLED}


async def test_an_account_short_of_margin_is_warned_once_then_liquidated() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 20_000)})
    async with strategy.run_test(leverage=2) as pilot:
        await pilot.candles(X, bars=[FLAT, bar(10), bar(9), bar(9), bar(7), bar(7)])
        kinds = [e.event for e in strategy.seen if isinstance(e, AccountEvent)]
        assert kinds == ["BALANCE_UPDATED", "MARGIN_WARNING"]
        assert pilot.position(X).quantity == 20_000
        await pilot.candles(X, bars=[bar(6.5)])
        kinds = [e.event for e in strategy.seen if isinstance(e, AccountEvent)]
        assert kinds[-2:] == ["MARGIN_CALL", "BALANCE_UPDATED"]
        assert pilot.position(X).is_flat
        assert pilot.fills[-1].rule == "liquidation"
        assert pilot.fills[-1].price == Decimal("6.5")
        outcome = pilot.exchange.outcome()
        assert not outcome.bankrupt
        assert "equity of 30000 USD does not cover the open positions" in outcome.warnings[0]


async def test_an_account_that_had_enough_margin_again_is_warned_again() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 20_000)})
    async with strategy.run_test(leverage=2) as pilot:
        await pilot.candles(X, bars=[FLAT, bar(10), bar(9), bar(10), bar(9), bar(9)])
        kinds = [e.event for e in strategy.seen if isinstance(e, AccountEvent)]
        assert kinds == ["BALANCE_UPDATED", "MARGIN_WARNING", "MARGIN_WARNING"]


@pytest.mark.parametrize(("close", "left"), [(6.25, 20_000), (6.24, 0)])
async def test_an_account_with_just_the_margin_to_be_kept_is_not_liquidated(
    close: float, left: int
) -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 20_000)})
    async with strategy.run_test(leverage=2, maintenance_margin="0.2") as pilot:
        await pilot.candles(X, bars=[FLAT, bar(10), bar(close), bar(close)])
        assert pilot.position(X).quantity == left


async def test_a_liquidation_is_by_the_close_of_the_very_bar_that_a_position_was_entered_in() -> (
    None
):
    strategy = Scripted({0: lambda s, c: s.buy(X, 900, limit=Decimal("9.9"))})
    async with strategy.run_test(cash=1000, leverage=10) as pilot:
        await pilot.candles(X, bars=[FLAT, [10, 10, 9, 9, 100], FLAT])
        entered, closed = pilot.fills
        assert (closed.rule, closed.price) == ("liquidation", Decimal(9))
        assert closed.time_ns == entered.time_ns


def test_the_margin_to_be_kept_is_half_of_that_to_open() -> None:
    assert ExchangeOptions(leverage=Decimal(4)).kept_margin == Decimal("0.125")
    assert ExchangeOptions().kept_margin == 0
    given = ExchangeOptions(leverage=Decimal(4), maintenance_margin=Decimal("0.2"))
    assert given.kept_margin == Decimal("0.2")


async def test_what_reduces_a_position_is_always_allowed() -> None:
    def sell_half(strategy: Scripted, candle: Candle) -> None:
        strategy.sell(X, 10_000)

    strategy = Scripted({0: lambda s, c: s.buy(X, 20_000), 3: sell_half})
    async with strategy.run_test(leverage=2) as pilot:
        await pilot.candles(X, bars=[FLAT, bar(10), bar(9), bar(9), bar(9)])
        assert pilot.position(X).quantity == 10_000
        assert strategy.refusals == []


@pytest.mark.parametrize("left", [19_000, 20_000])
async def test_an_order_that_turns_a_position_into_a_smaller_one_is_always_allowed(
    left: int,
) -> None:
    """Even if the account is short of margin, it holds no more than before."""
    strategy = Scripted(
        {0: lambda s, c: s.buy(X, 20_000), 2: lambda s, c: s.sell(X, 20_000 + left)},
    )
    async with strategy.run_test(leverage=2) as pilot:
        await pilot.candles(X, bars=[FLAT, bar(10), bar(8), bar(8)])
        assert pilot.position(X).quantity == -left
        assert strategy.refusals == []


async def test_a_change_is_not_tested_before_the_order_fills() -> None:
    def enlarge(strategy: Scripted, candle: Candle) -> None:
        (resting,) = strategy.orders(X)
        strategy.modify(resting, quantity=20_000)

    strategy = Scripted({0: lambda s, c: s.buy(X, 1, limit=9), 1: enlarge})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, FLAT, bar(9), bar(9)])
        assert strategy.refusals == []
        assert [order.reject_reason for order in pilot.orders] == ["INSUFFICIENT_MARGIN"]


async def test_resting_orders_reserve_nothing() -> None:
    def twice(strategy: Scripted, candle: Candle) -> None:
        strategy.buy(X, 9_000)
        strategy.buy(X, 9_000)

    async with Scripted({0: twice}).run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, bar(10)])
        assert [order.status for order in pilot.orders] == [
            OrderStatus.FILLED,
            OrderStatus.REJECTED,
        ]


async def test_one_account_carries_all_symbols() -> None:
    def both(strategy: Scripted, candle: Candle) -> None:
        strategy.buy("S:A", 6_000)
        strategy.buy("S:B", 6_000)

    strategy = Scripted({1: both})
    async with strategy.run_test() as pilot:
        await pilot.candles_of({"S:A": [10, 10], "S:B": [10, 10]})
        assert [order.reject_reason for order in pilot.orders] == [None, "INSUFFICIENT_MARGIN"]


@pytest.mark.parametrize(("side", "gained"), [(Side.BUY, 20), (Side.SELL, -20)])
def test_a_position_shows_what_it_has_gained_so_far(side: Side, gained: int) -> None:
    exchange = market(10, (10, 12, 10, 12), 12)
    phases = exchange.phases()
    next_candle(exchange, phases)
    exchange.submit(order(side))
    next_candle(exchange, phases)
    (position,) = exchange.positions()
    assert position.average_entry_price == 10
    assert position.current_price == 12
    assert position.unrealized_pnl == gained
    assert position.realized_pnl == 0


async def test_a_netting_account_has_one_position_a_symbol() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 10), 1: lambda s, c: s.sell(X, 4)})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT] * 3)
        assert [(p.side, p.quantity) for p in pilot.exchange.positions()] == [("LONG", Decimal(6))]


async def test_a_bankrupt_account_ends_the_run_loudly() -> None:
    strategy = Scripted({0: lambda s, c: s.sell(X, 10_000)})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, bar(10), bar(25), bar(30)])
        outcome = pilot.exchange.outcome()
        assert outcome.bankrupt
        assert outcome.bars == 3
        assert outcome.equity == Decimal(-50_000)
        notices = [e.message for e in strategy.seen if isinstance(e, ProxyErrorEvent)]
        assert notices[-1] == "the account is bankrupt; the run ends here"


async def test_an_account_without_a_cent_is_bankrupt() -> None:
    async with Scripted({0: lambda s, c: s.sell(X, 10_000)}).run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, bar(10), bar(20), bar(20)])
        outcome = pilot.exchange.outcome()
        assert (outcome.bankrupt, outcome.bars) == (True, 3)
        assert outcome.equity == 0


@pytest.mark.parametrize(
    ("last", "equity"),
    [(bar(25), -50_000), ([12, 21, 12, 12, 100], -10_000), (bar(20), 0)],
)
async def test_nor_does_a_run_go_on_whose_last_position_lost_all_there_was(
    last: list[float], equity: int
) -> None:
    strategy = Scripted({0: lambda s, c: s.sell(X, 10_000, stop_loss=21 if equity else 20)})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, bar(10), last, bar(12)])
        outcome = pilot.exchange.outcome()
        assert (outcome.bankrupt, outcome.bars) == (True, 3)
        assert outcome.equity == equity
        assert outcome.warnings == ["2024-01-02 14:33 the account is bankrupt; the run ends here"]


async def test_no_volume_holds_a_liquidation_up() -> None:
    strategy = Scripted({0: lambda s, c: s.sell(X, 10_000), 1: lambda s, c: s.buy(X, 25)})
    async with strategy.run_test(max_volume_share="0.1") as pilot:
        await pilot.candles(X, bars=[bar(10, 0), bar(10, 0), bar(25)])
        assert [fill.quantity for fill in pilot.fills] == [10_000, 10, 9_990]


async def test_a_liquidation_cancels_what_rests() -> None:
    def both(strategy: Scripted, candle: Candle) -> None:
        strategy.sell(X, 10_000)
        strategy.buy(X, 1, limit=1)

    async with Scripted({0: both}).run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, bar(10), bar(25)])
        assert pilot.orders[1].status is OrderStatus.CANCELLED


# Hedging.


async def test_hedging_keeps_a_position_an_entry_and_closes_the_one_named() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 10), 1: lambda s, c: s.sell(X, 4)})
    async with strategy.run_test(mode="HEDGING") as pilot:
        await pilot.candles(X, bars=[FLAT] * 3)
        sides = [(p.side, p.quantity) for p in pilot.exchange.positions()]
        assert sides == [("LONG", Decimal(10)), ("SHORT", Decimal(4))]
        assert pilot.position(X).quantity == 6
        first = pilot.exchange.positions()[0].id
        pilot.exchange.close_position(first, Decimal(99))
        await pilot.candles(X, bars=[FLAT])
        assert [p.side for p in pilot.exchange.positions()] == ["SHORT"]
        assert [part.quantity for part in pilot.exchange.parts_of(X)] == [-4]
        opened = [e.event for e in strategy.seen if isinstance(e, PositionEvent)]
        assert opened == ["POSITION_OPENED", "POSITION_OPENED", "POSITION_CLOSED"]


@pytest.mark.parametrize("mode", ["NETTING", "HEDGING"])
async def test_a_position_that_was_closed_has_the_side_and_the_average_price_it_had(
    mode: str,
) -> None:
    strategy = Scripted(
        {
            0: lambda s, c: s.sell(X, 10),
            1: lambda s, c: s.sell(X, 10) if mode == "NETTING" else None,
            2: lambda s, c: s.close(X),
            3: lambda s, c: s.buy(X, 5),
            4: lambda s, c: s.sell(X, 8) if mode == "NETTING" else s.close(X),
        }
    )
    async with strategy.run_test(mode=mode) as pilot:
        await pilot.candles(X, bars=[bar(10), bar(10), bar(13), bar(10), bar(20), bar(10)])
    told = [e for e in strategy.seen if isinstance(e, PositionEvent)]
    closed = [e.position for e in told if e.event == "POSITION_CLOSED"]
    first = Decimal("11.5") if mode == "NETTING" else Decimal(10)
    assert [(str(p.side), p.quantity, p.average_entry_price) for p in closed] == [
        ("SHORT", Decimal(0), first),
        ("LONG", Decimal(0), Decimal(20)),
    ]


async def test_in_hedging_an_order_that_only_reduces_has_to_name_its_position() -> None:
    def reduce(strategy: Scripted, candle: Candle) -> None:
        strategy.sell(X, 4, reduce_only=True)
        strategy.close(X, 3)

    strategy = Scripted({0: lambda s, c: s.buy(X, 10), 1: reduce})
    async with strategy.run_test(mode="HEDGING") as pilot:
        await pilot.candles(X, bars=[FLAT] * 3)
        assert pilot.position(X).quantity == 7
    (refusal,) = strategy.refusals
    assert str(refusal).endswith(
        "ORDER_REJECTED: on a hedging account an order that only reduces has to name the position "
        "in S:X (position_id), as those of close() do"
    )


async def test_in_hedging_each_bracket_belongs_to_its_own_position() -> None:
    def one(strategy: Scripted, candle: Candle) -> None:
        strategy.buy(X, 10, stop_loss=9)
        strategy.buy(X, 5, stop_loss=8)

    async with Scripted({0: one}).run_test(mode="HEDGING") as pilot:
        await pilot.candles(X, bars=[FLAT, FLAT, [10, 10, 8.5, 9, 100]])
        assert [(f.side, f.quantity) for f in pilot.fills] == [
            (Side.BUY, Decimal(10)),
            (Side.BUY, Decimal(5)),
            (Side.SELL, Decimal(10)),
        ]
        assert [leg.status for leg in pilot.legs] == [OrderStatus.FILLED, OrderStatus.OPEN]


async def test_in_hedging_close_closes_every_position_of_the_symbol() -> None:
    def two(strategy: Scripted, candle: Candle) -> None:
        strategy.buy(X, 10)
        strategy.sell(X, 4)

    strategy = Scripted({0: two, 1: lambda s, c: s.close(X)})
    async with strategy.run_test(mode="HEDGING") as pilot:
        await pilot.candles(X, bars=[FLAT] * 3)
        assert pilot.exchange.positions() == []
        assert [(f.side, f.quantity) for f in pilot.fills[2:]] == [
            (Side.SELL, Decimal(10)),
            (Side.BUY, Decimal(4)),
        ]


# Groups over symbols.


async def test_a_group_may_span_symbols() -> None:
    def pair(strategy: Scripted, candle: Candle) -> None:
        strategy.buy("S:A", 1, limit=9, oco_group="g")
        strategy.buy("S:B", 1, limit=9, oco_group="g")

    async with Scripted({1: pair}).run_test() as pilot:
        await pilot.candles_of({"S:A": [10, 9], "S:B": [10, 10]})
        assert [order.status for order in pilot.orders] == [
            OrderStatus.FILLED,
            OrderStatus.CANCELLED,
        ]


# Splits.


@pytest.mark.parametrize(
    ("close", "opened", "split"),
    [
        (101.25, 50.5, "2:1"),
        (88.99, 44.68, "2:1"),
        (48.3, 24.62, "2:1"),
        (10, 100, "1:10"),
        (90, 60.2, "3:2"),
        (645.57, 92.7, "7:1"),
        (53.5, 28.19, None),
        (102.9, 50, "2:1"),
        (103.1, 50, None),
        (50, 102.9, "1:2"),
        (50, 103.1, None),
        (100, 99, None),
        (100, 70, None),
    ],
)
def test_jumps_that_look_like_splits(close: float, opened: float, split: str | None) -> None:
    """The first three and 7:1 are splits of real stocks, 53.50 to 28.19 is a real fall."""
    assert suspected_split(close, opened) == split


DAYS: list[Sequence[float]] = [bar(100), bar(100), bar(50), bar(51)]


async def test_a_jump_is_told_to_every_digit() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, Decimal("1e-6"))})
    start = datetime(2024, 1, 2, tzinfo=UTC)
    async with strategy.run_test(timeframe="1d", start=start) as pilot:
        await pilot.candles(X, bars=[bar(12_345_678), bar(12_345_678), bar(6_172_839.5)])
        (warning,) = pilot.exchange.outcome().warnings
        assert "S:X went from 12345678 to 6172839.5 overnight" in warning


async def test_a_suspected_split_is_warned_of_on_the_spot_and_in_the_result() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 1)})
    start = datetime(2024, 1, 2, tzinfo=UTC)
    async with strategy.run_test(timeframe="1d", start=start) as pilot:
        await pilot.candles(X, bars=DAYS)
        (notice,) = [e for e in strategy.seen if isinstance(e, ProxyErrorEvent)]
        assert notice.code == "DATA_ERROR"
        assert "S:X went from 100 to 50 overnight with a position open" in notice.message
        # The warning may come when the bar has ended.
        assert "looks like a 2:1 split at 2024-01-04T00:00:00Z that the prices" in notice.message
        assert notice.message.endswith("takes it for a real move: use adjusted prices")
        assert notice.message in pilot.exchange.outcome().warnings[0]


async def test_a_night_may_lie_between_bars_that_are_shorter_than_a_day() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 1)})
    async with strategy.run_test(timeframe="1h") as pilot:
        await pilot.candles(X, bars=DAYS[:2])
        pilot._next_start += 18 * 3600 * 10**9
        await pilot.candles(X, bars=DAYS[2:])
        (warning,) = pilot.exchange.outcome().warnings
        assert "S:X went from 100 to 50 overnight with a position open" in warning


async def test_a_stop_that_the_jump_triggers_does_not_hide_it() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 1, stop_loss=80)})
    async with strategy.run_test(timeframe="1d") as pilot:
        await pilot.candles(X, bars=DAYS)
        assert pilot.position(X).is_flat
        kinds = [type(event).__name__ for event in strategy.seen]
        assert kinds.index("ProxyErrorEvent") < kinds.index("TradeEvent", kinds.index("Candle", 3))
        assert len(pilot.exchange.outcome().warnings) == 1


async def test_a_position_entered_behind_the_jump_was_not_held_over_it() -> None:
    async with Scripted({1: lambda s, c: s.buy(X, 1)}).run_test(timeframe="1d") as pilot:
        await pilot.candles(X, bars=DAYS)
        assert pilot.position(X).quantity == 1
        assert pilot.exchange.outcome().warnings == []


@pytest.mark.parametrize("way", [nullcontext, no_short_cuts])
async def test_without_a_position_or_within_a_day_nothing_is_said(
    way: Callable[[], AbstractContextManager[None]],
) -> None:
    with way():
        async with Scripted({}).run_test(timeframe="1d") as pilot:
            await pilot.candles(X, bars=DAYS)
            assert pilot.exchange.outcome().warnings == []
        async with Scripted({0: lambda s, c: s.buy(X, 1)}).run_test() as pilot:
            await pilot.candles(X, bars=DAYS)
            assert pilot.exchange.outcome().warnings == []


@pytest.mark.parametrize("way", [nullcontext, no_short_cuts])
async def test_a_jump_in_one_symbol_is_none_in_another_that_is_held(
    way: Callable[[], AbstractContextManager[None]],
) -> None:
    days = {A: (100, 100, 50, 51), B: (10, 10, 10, 10)}
    bars = [BarSeries(symbol, "1d", DAY_NS) for symbol in days]
    for series in bars:
        for number, price in enumerate(days[series.symbol]):
            series.append(number * DAY_NS, price, price, price, price, 0)
    exchange = Exchange(bars)
    strategy = Scripted({0: lambda s, c: s.buy(B, 1)})
    with way():
        await Runner(strategy, SimulatedVenue(exchange), mode="backtest").run()
    assert exchange.outcome().warnings == []


async def test_a_suspected_split_can_be_refused() -> None:
    with pytest.raises(DataError, match=r"looks like a 2:1 split .*\(strict\)"):
        async with Scripted({0: lambda s, c: s.buy(X, 1)}).run_test(
            timeframe="1d", refuse_splits=True
        ) as pilot:
            await pilot.candles(X, bars=DAYS)


# Options.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cash": Decimal(0)}, "cash must be above 0, not 0"),
        (
            {"cash": Decimal("1e-9")},
            "cash must be at least 0.00000001 and at most 1,000,000,000,000",
        ),
        (
            {"cash": Decimal(10**15 + 1)},
            "cash must be at least .* and at most 1,000,000,000,000,000",
        ),
        ({"leverage": Decimal("0.5")}, "leverage must be at least 1, not 0.5"),
        ({"latency": -1}, "latency must not be negative: -1"),
        ({"spread": Decimal(-1)}, "spread must not be negative: -1"),
        ({"fee_rate": Decimal(-1)}, "fee_rate must be at least -0.01 and below 1, not -1; it is a"),
        ({"fee_rate": Decimal(1)}, "fee_rate must be at least -0.01 and below 1, not 1; it is a"),
        ({"maker_fee_rate": Decimal(5)}, "maker_fee_rate must be at least -0.01 and below 1, not"),
        ({"slippage": Decimal(1)}, "slippage must be at least 0 and below 1, not 1; it is a share"),
        ({"slippage": Decimal("-0.1")}, "slippage must be at least 0 and below 1, not -0.1; it is"),
        ({"max_volume_share": Decimal(2)}, "max_volume_share must be above 0 and at most 1, not 2"),
        ({"max_volume_share": Decimal(0)}, "max_volume_share must be above 0 and at most 1, not 0"),
        ({"maintenance_margin": Decimal(2)}, "maintenance_margin must be between 0 and 1"),
        (
            {"leverage": Decimal(4), "maintenance_margin": Decimal("0.26")},
            "maintenance_margin must be between 0 and 1 / leverage, not 0.26",
        ),
        ({"currency": " "}, "currency must be the name of one, such as USD"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Decimal | str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ExchangeOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"cash": Decimal("0.00000001")},
        {"cash": Decimal(10**15)},
        {"fee_rate": Decimal("-0.01")},
        {"max_volume_share": Decimal(1)},
        {"maintenance_margin": Decimal(0)},
        {"leverage": Decimal(4), "maintenance_margin": Decimal("0.25")},
    ],
)
def test_options_at_their_bounds_are_accepted(options: dict[str, Decimal]) -> None:
    ExchangeOptions(**options)  # type: ignore[arg-type]


AMOUNTS = [
    option.name
    for option in fields(ExchangeOptions)
    if Decimal in (option.type, *get_args(option.type))
]


@pytest.mark.parametrize("name", AMOUNTS)
def test_no_amount_may_be_far_below_zero(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name} must "):
        ExchangeOptions(**{name: Decimal(-1)})  # type: ignore[arg-type]
