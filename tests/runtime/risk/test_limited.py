"""Orders refused by a limit, as a strategy and its operator see them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime import (
    Candle,
    OrderRejected,
    OrderStatus,
    RiskState,
    Side,
    Strategy,
    Trade,
)
from strategy_runtime.clock import sleep
from strategy_runtime.runtime.desk import TradingDesk
from strategy_runtime.runtime.risk import limited
from strategy_runtime.runtime.risk.limited import desk_for
from strategy_runtime.runtime.risk.limits import Limits
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.store import DayFile
from tests.runtime.virtual_run import live_run
from tests.strategies import Scripted

X = "S:X"


def codes(strategy: Scripted) -> list[str]:
    return [each.code for each in strategy.refusals if isinstance(each, OrderRejected)]


def test_without_limits_the_desk_is_the_ordinary_one() -> None:
    desk = desk_for(Limits())
    assert isinstance(desk, partial)
    assert desk.func is TradingDesk


# Refusals


@pytest.mark.parametrize("limit", Limits.__struct_fields__)
async def test_every_limit_refuses_orders(limit: str) -> None:
    def buy_twice(strategy: Scripted, candle: Candle) -> None:
        for _ in range(2):
            strategy.buy(X, 1)

    strategy = Scripted({0: buy_twice, 2: buy_twice})
    async with strategy.run_test(**{limit: 1}) as pilot:
        await pilot.candles(X, closes=[10, 10, 5, 5])
    refusals = [each for each in strategy.refusals if isinstance(each, OrderRejected)]
    assert {each.details["limit"] for each in refusals} == {limit}


async def test_a_refused_order_is_told_like_any_and_never_sent() -> None:
    strategy = Scripted({0: lambda self, candle: self.buy(X, 11)})
    async with strategy.run_test(max_order_notional=100) as pilot:
        await pilot.candles(X, closes=[10, 10])
        assert pilot.orders == []
    (refusal,) = strategy.refusals
    assert isinstance(refusal, OrderRejected)
    assert str(refusal) == (
        "S:X Scripted-test-1: RISK_LIMIT: 11 S:X at 10 is worth 110, and --max-order-notional "
        "allows 100"
    )
    assert refusal.details == {"limit": "max_order_notional", "allowed": "100", "asked": "110"}


async def test_an_awaited_ticket_of_a_refused_order_raises() -> None:
    seen: list[OrderStatus] = []

    class Waits(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            ticket = self.buy(X, 11)
            with pytest.raises(OrderRejected, match="RISK_LIMIT"):
                await ticket
            seen.append(ticket.order.status)

    async with Waits().run_test(max_order_notional=100) as pilot:
        await pilot.candles(X, closes=[10])
    assert seen == [OrderStatus.REJECTED]


async def test_an_order_that_was_refused_does_not_stand_in_the_way_of_the_next() -> None:
    def two(self: Scripted, candle: Candle) -> None:
        self.buy(X, 11)
        self.buy(X, 10)

    strategy = Scripted({0: two})
    async with strategy.run_test(max_position_notional=100) as pilot:
        await pilot.candles(X, closes=[10, 10])
        assert [order.quantity for order in pilot.orders] == [10]
    assert codes(strategy) == ["RISK_LIMIT"]


async def test_orders_of_one_hook_count_before_they_are_sent() -> None:
    def three(self: Scripted, candle: Candle) -> None:
        for _ in range(3):
            self.buy(X, 5, limit=9)

    strategy = Scripted({0: three})
    async with strategy.run_test(max_position_notional=100) as pilot:
        await pilot.candles(X, closes=[10])
        assert len(pilot.orders) == 2
    assert codes(strategy) == ["RISK_LIMIT"]


async def test_the_minute_of_a_backtest_is_simulated() -> None:
    class Eager(Scripted):
        def on_candle(self, candle: Candle) -> None:
            for _ in range(2):
                self.buy(X, 1)

    strategy = Eager({})
    async with strategy.run_test(max_orders_per_minute=3, timeframe="15s") as pilot:
        await pilot.candles(X, closes=[10] * 9)
        # Two and one at the first two candles; the others wait until a minute has passed.
        assert len(pilot.orders) == 3 + 3 + 2
    assert codes(strategy) == ["RISK_LIMIT"] * 10


async def test_before_the_first_event_orders_count_too() -> None:
    class Hasty(Scripted):
        def on_start(self) -> None:
            for _ in range(3):
                self.buy(X, 1, limit=9)

    strategy = Hasty({})
    async with strategy.run_test(max_orders_per_minute=2) as pilot:
        await pilot.candles(X, closes=[10])
    assert [code == "RISK_LIMIT" for code in codes(strategy)] == [False, False, True]


# Changes


async def test_a_change_beyond_a_limit_is_refused_and_the_order_stays() -> None:
    def change(self: Scripted, candle: Candle) -> None:
        (order,) = self.orders()
        self.modify(order, quantity=12, limit=8)

    strategy = Scripted({0: lambda self, candle: self.buy(X, 10, limit=9), 1: change})
    async with strategy.run_test(max_order_notional=95) as pilot:
        await pilot.candles(X, closes=[10, 10])
        (order,) = pilot.orders
        assert (order.quantity, order.limit_price) == (Decimal(10), Decimal(9))
    (refusal,) = strategy.refusals
    assert str(refusal) == (
        "S:X Scripted-test-1: RISK_LIMIT: 12 S:X at 8 is worth 96, and --max-order-notional allows "
        "95"
    )


async def test_a_change_counts_from_when_it_is_given() -> None:
    def grow_and_add(self: Scripted, candle: Candle) -> None:
        (order,) = self.orders()
        self.modify(order, quantity=8)
        self.modify(order, limit=8)
        self.buy(X, 5)

    def use_the_rest(self: Scripted, candle: Candle) -> None:
        self.modify(self.orders()[0], quantity=9)
        self.buy(X, 1)

    strategy = Scripted(
        {0: lambda self, candle: self.buy(X, 1, limit=9), 1: grow_and_add, 2: use_the_rest}
    )
    async with strategy.run_test(max_position_notional=100) as pilot:
        await pilot.candles(X, closes=[10, 10, 10])
        assert [(order.quantity, order.limit_price) for order in pilot.orders] == [
            (Decimal(9), Decimal(8)),
            (Decimal(1), None),
        ]
    assert codes(strategy) == ["RISK_LIMIT"]


def change(**changes: float) -> Callable[[Scripted, Candle], object]:
    return lambda self, candle: self.modify(self.orders(X)[0], **changes)


async def test_what_an_order_was_before_its_last_change_counts_no_more() -> None:
    strategy = Scripted(
        {
            0: lambda self, candle: self.buy(X, 8, limit=10),
            1: change(limit=12),
            2: change(limit=6),
            3: change(quantity=15),
            4: change(quantity=2),
            5: lambda self, candle: self.buy(X, 14, limit=6),
        }
    )
    async with strategy.run_test(max_order_notional=100, max_position_notional=100) as pilot:
        await pilot.candles(X, closes=[20] * 7)
        assert [order.quantity for order in pilot.orders] == [2, 14]
        assert [order.limit_price for order in pilot.orders] == [6, 6]
    assert strategy.refusals == []


async def test_changes_of_one_hook_are_judged_together() -> None:
    def change_twice(self: Scripted, candle: Candle) -> None:
        (order,) = self.orders(X)
        self.modify(order, quantity=8)
        self.modify(order, limit=13)
        self.modify(order, quantity=7)
        self.modify(order, limit=12)

    strategy = Scripted({0: lambda self, candle: self.buy(X, 2, limit=10), 1: change_twice})
    async with strategy.run_test(max_order_notional=100) as pilot:
        await pilot.candles(X, closes=[20] * 3)
        (order,) = pilot.orders
        assert (order.quantity, order.limit_price) == (Decimal(7), Decimal(12))
    assert [str(refusal).partition("RISK_LIMIT: ")[2][:30] for refusal in strategy.refusals] == [
        "8 S:X at 13 is worth 104, and "
    ]


async def test_a_change_that_the_exchange_refuses_counts_no_more() -> None:
    strategy = Scripted(
        {
            0: lambda self, candle: self.buy(X, 2, limit=10),
            1: change(quantity=8, stop=5),
            2: lambda self, candle: self.buy(X, 8, limit=10),
        }
    )
    async with strategy.run_test(max_position_notional=100) as pilot:
        await pilot.candles(X, closes=[20] * 4)
        assert [order.quantity for order in pilot.orders] == [2, 8]
    assert codes(strategy) == ["INVALID_VALUE"]


async def test_a_change_within_the_limits_is_made() -> None:
    def change(self: Scripted, candle: Candle) -> None:
        (order,) = self.orders()
        self.modify(order, quantity=11, limit=8)

    strategy = Scripted({0: lambda self, candle: self.buy(X, 10, limit=9), 1: change})
    async with strategy.run_test(max_order_notional=95) as pilot:
        await pilot.candles(X, closes=[10, 10])
        (order,) = pilot.orders
        assert (order.quantity, order.limit_price) == (Decimal(11), Decimal(8))
    assert strategy.refusals == []


# Whatever is ordered

SIDES = st.sampled_from([Side.BUY, Side.SELL])
QUANTITIES = st.integers(1, 15)
PRICES = st.sampled_from([9.5, 10.0, 10.5])
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), SIDES, QUANTITIES),
        st.tuples(st.just("limit"), SIDES, QUANTITIES, PRICES),
        st.tuples(st.just("stop"), SIDES, QUANTITIES, PRICES),
        st.tuples(st.just("bracket"), SIDES, QUANTITIES),
        st.tuples(st.just("modify"), QUANTITIES, PRICES),
        st.tuples(st.just("close")),
        st.tuples(st.just("cancel")),
    ),
    max_size=4,
)


class Anything(Strategy):
    """Performs the drawn actions at each candle."""

    def __init__(self, drawn: list[list[tuple[Any, ...]]]) -> None:
        super().__init__()
        self.drawn = iter(drawn)

    def on_candle(self, candle: Candle) -> None:
        for kind, *rest in next(self.drawn):
            getattr(self, f"do_{kind}")(*rest)

    def give(self, side: Side, quantity: int, **more: Any) -> None:
        (self.buy if side is Side.BUY else self.sell)(X, quantity, **more)

    def do_order(self, side: Side, quantity: int) -> None:
        self.give(side, quantity)

    def do_limit(self, side: Side, quantity: int, price: float) -> None:
        self.give(side, quantity, limit=price)

    def do_stop(self, side: Side, quantity: int, price: float) -> None:
        self.give(side, quantity, stop=price)

    def do_bracket(self, side: Side, quantity: int) -> None:
        self.give(
            side,
            quantity,
            stop_loss=10 - 0.5 * side.sign,
            take_profit=10 + 0.5 * side.sign,
        )

    def do_modify(self, quantity: int, price: float) -> None:
        for order in self.orders(X)[:1]:
            stops = order.stop_price is not None
            self.modify(order, quantity=quantity, **{"stop" if stops else "limit": price})

    def do_close(self) -> None:
        self.close(X)

    def do_cancel(self) -> None:
        self.cancel_all(X)


class AnythingTold(Anything):
    """Also has a hook for its executions."""

    def on_trade(self, trade: Trade) -> None:
        assert abs(self.position(X).quantity) <= Decimal(100) / 9


@pytest.mark.parametrize("kind", [Anything, AnythingTold])
@given(drawn=st.lists(ACTIONS, min_size=1, max_size=8))
def test_whatever_is_ordered_and_filled_no_position_exceeds_its_limit(
    kind: type[Anything], drawn: list[list[tuple[Any, ...]]]
) -> None:
    async def run() -> Decimal:
        held = largest = Decimal(0)
        async with kind(drawn).run_test(max_position_notional=100) as pilot:
            await pilot.candles(X, bars=[[10, 11, 9, 10]] * len(drawn))
            for fill in pilot.fills:
                held += fill.quantity * fill.side.sign
                largest = max(largest, abs(held))
        return largest

    # Bought at 9 or more for at most 100.
    assert asyncio.run(run()) <= Decimal(100) / 9


# The loss of a day


class Loses(Scripted):
    """Holds 100 units, and records its risk state at each candle."""

    def __init__(self) -> None:
        super().__init__({0: lambda self, candle: self.buy(X, 100, stop_loss=1)})
        self.states: list[RiskState] = []

    def on_candle(self, candle: Candle) -> None:
        self.states.append(self.risk_state)
        super().on_candle(candle)


async def test_after_the_loss_of_a_day_only_what_reduces_is_sent() -> None:
    def add_and_take(self: Scripted, candle: Candle) -> None:
        self.buy(X, 1)
        self.close(X, 40)
        self.sell(X, 61)
        self.sell(X, 60, reduce_only=True)

    strategy = Loses()
    strategy.script[2] = add_and_take
    async with strategy.run_test(max_daily_loss=500) as pilot:
        await pilot.candles(X, closes=[10, 10, 5, 5])
        assert [(o.side, o.quantity) for o in pilot.orders[1:]] == [
            (Side.SELL, Decimal(40)),
            (Side.SELL, Decimal(60)),
        ]
        assert strategy.position(X).is_flat
    assert codes(strategy) == ["RISK_LIMIT"] * 2
    assert str(strategy.refusals[0]).endswith(
        "RISK_LIMIT: only orders that reduce a position are sent: on 2024-01-02 UTC equity fell "
        "from 100000 to 99500, and --max-daily-loss allows 500"
    )
    assert strategy.states == [RiskState.ACTIVE] * 2 + [RiskState.REDUCING] * 2


async def test_the_next_day_begins_anew() -> None:
    strategy = Loses()
    strategy.script[4] = lambda self, candle: self.buy(X, 1)
    late = datetime(2024, 1, 2, 23, 56, tzinfo=UTC)
    async with strategy.run_test(max_daily_loss=500, start=late) as pilot:
        await pilot.candles(X, closes=[10, 10, 5, 5, 5, 5])
        assert len(pilot.orders) == 2
    active, reducing = RiskState.ACTIVE, RiskState.REDUCING
    assert strategy.states == [active, active, reducing, reducing, active, active]


class Deaf(Scripted):
    """Has no hook for events of the account, so that the run looks at the account instead."""

    on_event = Strategy.on_event  # type: ignore[assignment]


@pytest.mark.parametrize("kind", [Scripted, Deaf])
async def test_interest_of_a_night_is_a_loss_of_the_day_before_it(kind: type[Scripted]) -> None:
    strategy = kind({n: lambda self, candle: self.sell(X, 1) for n in range(4)})
    strategy.script[0] = lambda self, candle: self.sell(X, 100)
    late = datetime(2024, 1, 2, 23, 57, tzinfo=UTC)
    async with strategy.run_test(max_daily_loss=500, borrow_rate=365, start=late) as pilot:
        await pilot.candles(X, closes=[10] * 5)
        assert [order.quantity for order in pilot.orders] == [100, 1, 1]
    assert codes(strategy) == ["RISK_LIMIT"]
    assert "on 2024-01-02 UTC equity fell from 100000 to 98990, " in str(strategy.refusals[0])


async def test_legs_of_an_order_may_be_moved_while_only_reducing() -> None:
    def move(self: Scripted, candle: Candle) -> None:
        (leg,) = self.orders()
        self.modify(leg, stop=4)

    strategy = Loses()
    strategy.script[2] = move
    async with strategy.run_test(max_daily_loss=500) as pilot:
        await pilot.candles(X, closes=[10, 10, 5, 5])
        assert [leg.stop_price for leg in pilot.legs] == [4]
    assert strategy.refusals == []


# Live


class Buys(Scripted):
    """Buys one at every candle."""

    def __init__(self) -> None:
        super().__init__({})

    def on_candle(self, candle: Candle) -> None:
        self.buy("S:A", 1)


def test_live_the_minute_is_that_of_a_clock_that_never_jumps() -> None:
    async def wait(runner: Runner) -> None:
        await sleep(50)

    strategy = Buys()
    exchange = live_run(strategy, wait, desk=desk_for(Limits(max_orders_per_minute=5)))
    assert len(exchange.order_history(limit=100)) == 5
    assert len(codes(strategy)) > 20


@pytest.mark.parametrize(
    "limits", [Limits(max_orders_per_minute=1), Limits(max_position_notional=Decimal(12))]
)
def test_no_limit_stands_in_the_way_of_flattening(limits: Limits) -> None:
    async def wait(runner: Runner) -> None:
        await sleep(10)
        assert runner.status().risk_state == "ACTIVE"

    exchange = live_run(Buys(), wait, on_exit="flatten", desk=desk_for(limits))
    sides = [order.side for order in exchange.order_history(limit=100)]
    assert sorted(sides) == [Side.BUY, Side.SELL]
    assert exchange.positions() == []


def test_an_operator_sees_that_only_reducing_orders_are_sent() -> None:
    seen: list[str] = []

    async def wait(runner: Runner) -> None:
        await sleep(10)
        seen.append(runner.status().risk_state)

    strategy = Scripted({1: lambda self, candle: self.sell("S:A", 100)})
    live_run(strategy, wait, desk=desk_for(Limits(max_daily_loss=Decimal(1))))
    assert seen == ["REDUCING"]


def test_live_no_day_of_a_price_begins_before_that_of_the_wall_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait(runner: Runner) -> None:
        await sleep(10)

    monkeypatch.setattr(limited, "now", lambda: datetime(2020, 1, 1, 12, tzinfo=UTC))
    days = DayFile(tmp_path)
    live_run(Buys(), wait, desk=desk_for(Limits(max_daily_loss=Decimal(1)), days=days))
    assert '"day":"2020-01-01"' in days.path.read_text()
