"""Order of events, orders, the ack barrier, failures, time."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from strategy_runtime import (
    AccountEvent,
    Candle,
    Event,
    HookFailed,
    OrderEvent,
    OrderEventKind,
    OrderRejected,
    OrderStatus,
    PositionEvent,
    RiskState,
    Strategy,
    Trade,
    WouldDeadlock,
)
from strategy_runtime.clock import sleep
from tests.strategies import Scripted

X = "S:X"
FLAT = [10, 10, 10, 10]


# One hook at a time, in order, with the book up to date.


async def test_hooks_never_nest_even_when_they_wait() -> None:
    running = 0

    class Slow(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            nonlocal running
            running += 1
            assert running == 1
            await self.buy(X, 1)
            await sleep(0)
            running -= 1

        async def on_order(self, event: OrderEvent) -> None:
            nonlocal running
            running += 1
            assert running == 1
            await sleep(0)
            running -= 1

    async with Slow().run_test() as pilot:
        await pilot.candles(X, bars=[FLAT] * 5)
        assert len(pilot.fills) == 4


async def test_the_book_is_up_to_date_inside_every_hook() -> None:
    seen: list[tuple[str, Decimal]] = []

    class Watcher(Strategy):
        def on_candle(self, candle: Candle) -> None:
            if self.position(X).is_flat:
                self.buy(X, 3)

        def note(self, name: str) -> None:
            seen.append((name, self.position(X).quantity))

        def on_order(self, event: OrderEvent) -> None:
            if event.event is OrderEventKind.ORDER_FILLED:
                assert self.orders() == []
                self.note("order")

        def on_trade(self, trade: Trade) -> None:
            self.note("trade")

        def on_account(self, event: AccountEvent) -> None:
            self.note("account")

        def on_position(self, event: PositionEvent) -> None:
            self.note("position")

    async with Watcher().run_test() as pilot:
        await pilot.candles(X, bars=[FLAT] * 2)
    assert seen == [(name, Decimal(3)) for name in ("order", "trade", "account", "position")]


async def test_thousands_of_chained_orders_do_not_recurse() -> None:
    class Chain(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.buy(X, 1, limit=1)

        def on_order(self, event: OrderEvent) -> None:
            if event.event is OrderEventKind.ORDER_CREATED and len(self.orders()) < 2_000:
                self.buy(X, Decimal("0.001"), limit=1)

    async with Chain().run_test() as pilot:
        await pilot.candles(X, closes=[10])
        assert len(pilot.orders) == 2_000


# Tickets.


async def test_an_awaited_ticket_gives_the_accepted_order() -> None:
    accepted = []

    class Waits(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            accepted.append(await self.buy(X, 1, limit=9))

    async with Waits().run_test() as pilot:
        await pilot.candles(X, closes=[10])
    (order,) = accepted
    assert (order.id, order.status) == ("ord-1", OrderStatus.OPEN)
    assert order.client_order_id == "Waits-test-1"


async def test_an_awaited_refusal_raises_with_its_reason() -> None:
    class Waits(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            with pytest.raises(OrderRejected) as refusal:
                await self.buy(X, 100_000)
            assert refusal.value.code == "ORDER_REJECTED"
            assert refusal.value.details["reject_reason"] == "INSUFFICIENT_MARGIN"
            assert "need more than the free margin of 100000 USD" in refusal.value.message

        def on_error(self, error: Exception) -> None:
            raise AssertionError("it was awaited")

    async with Waits().run_test() as pilot:
        await pilot.candles(X, closes=[10])


async def test_a_refusal_nobody_awaited_goes_to_on_error() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 100_000)})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, closes=[10])
        (refusal,) = strategy.refusals
        assert isinstance(refusal, OrderRejected)
        assert refusal.client_order_id == "Scripted-test-1"


async def test_a_run_without_the_candles_that_indicators_follow_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Patient(Strategy):
        def on_start(self) -> None:
            self.sma(2)
            self.sma(2, timeframe="60s")
            self.sma(2, timeframe="1h")

        def on_candle(self, candle: Candle) -> None: ...

    async with Patient().run_test() as pilot:
        await pilot.candles(X, closes=[10, 11])
    assert [record.getMessage() for record in caplog.records] == [
        "indicators had no candles to follow: subscribe to S:X:candle_1h, too"
    ]


async def test_a_refusal_without_on_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Careless(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.buy(X, 100_000)

    async with Careless().run_test() as pilot:
        await pilot.candles(X, closes=[10])
    assert "order refused: S:X Careless-test-1: ORDER_REJECTED" in caplog.text


async def test_awaiting_a_fill_in_a_hook_raises_at_once_and_says_why() -> None:
    class Waits(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            ticket = self.buy(X, 1)
            with pytest.raises(WouldDeadlock, match="no event is delivered before the hook has"):
                await ticket.filled()

    async with Waits().run_test() as pilot:
        await pilot.candles(X, closes=[10])


async def test_awaiting_a_fill_in_a_task_of_a_backtest_raises_at_once_and_says_why() -> None:
    class Waits(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            task = asyncio.create_task(self.buy(X, 1).filled())
            with pytest.raises(WouldDeadlock, match="in a backtest tasks wait for no events"):
                await task

    async with Waits().run_test() as pilot:
        await pilot.candles(X, closes=[10])


async def test_commands_leave_in_the_order_they_were_given() -> None:
    class Busy(Strategy):
        def on_candle(self, candle: Candle) -> None:
            first = self.buy(X, 1, limit=5)
            self.sell(X, 1, limit=20)
            self.modify(first, limit=6)
            self.cancel(first)
            self.buy(X, 2, limit=4)

    async with Busy().run_test() as pilot:
        await pilot.candles(X, closes=[10])
        assert [(o.limit_price, o.status) for o in pilot.orders] == [
            (Decimal(6), OrderStatus.CANCELLED),
            (Decimal(20), OrderStatus.OPEN),
            (Decimal(4), OrderStatus.OPEN),
        ]


@pytest.mark.parametrize("limits", [{}, {"max_order_notional": 1_000_000}])
async def test_the_distance_of_a_trailing_stop_can_be_changed_in_its_own_unit(
    limits: dict[str, Any],
) -> None:
    def tighten(strategy: Scripted, candle: Candle) -> None:
        absolute, percent = strategy.orders()
        strategy.modify(absolute, trailing=1)
        strategy.modify(percent, trailing=5)

    strategy = Scripted(
        {
            0: lambda s, c: (s.sell(X, 1, trailing=4), s.sell(X, 1, trailing_percent=20)),
            1: tighten,
        }
    )
    async with strategy.run_test(**limits) as pilot:
        await pilot.candles(X, closes=[20, 20])
        assert [order.stop_price for order in pilot.orders] == [19, 19]
    assert strategy.refusals == []


# The ack barrier is held in tests/proxy and tests/test_same_fills.py, which have acks to count.


# Failures.


class Breaks(Strategy):
    def on_candle(self, candle: Candle) -> None:
        raise ZeroDivisionError("mine")


async def test_a_failing_hook_stops_a_backtest_and_names_hook_and_event() -> None:
    with pytest.raises(HookFailed) as failure:
        async with Breaks().run_test() as pilot:
            await pilot.candles(X, closes=[10])
    assert str(failure.value) == "on_candle failed at candle S:X 2024-01-02T14:30:00Z"
    assert isinstance(failure.value.__cause__, ZeroDivisionError)


async def test_a_failing_on_start_trades_nothing() -> None:
    class Unready(Strategy):
        def on_start(self) -> None:
            raise KeyError("config")

        def on_stop(self) -> None:
            stopped.append(True)

    stopped: list[bool] = []
    with pytest.raises(HookFailed, match="on_start failed"):
        async with Unready().run_test():
            pass
    assert stopped == [True]


async def test_with_continue_the_failure_is_told_and_the_run_goes_on() -> None:
    told: list[Exception] = []

    class Shaky(Strategy):
        def on_candle(self, candle: Candle) -> None:
            if candle.close == 11:
                raise ValueError("eleven")
            self.buy(X, 1)

        def on_error(self, error: Exception) -> None:
            told.append(error)

    async with Shaky().run_test(on_error="continue") as pilot:
        await pilot.candles(X, closes=[10, 11, 12, 12])
        assert len(pilot.fills) == 2
    (failure,) = told
    assert isinstance(failure, HookFailed)


async def test_a_failing_on_stop_fails_the_run() -> None:
    class Untidy(Strategy):
        def on_stop(self) -> None:
            raise OSError("late")

    with pytest.raises(HookFailed, match="on_stop failed"):
        async with Untidy().run_test() as pilot:
            await pilot.candles(X, closes=[10])


# Time.


async def test_now_is_the_end_of_the_candle() -> None:
    seen: list[datetime] = []

    class Clock(Strategy):
        def on_candle(self, candle: Candle) -> None:
            seen.append(self.now)

        def on_order(self, event: OrderEvent) -> None:
            seen.append(self.now)

    strategy = Clock()
    async with strategy.run_test(timeframe="1h") as pilot:
        await pilot.candles(X, closes=[10, 10])
    start = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
    assert seen == [start.replace(hour=15), start.replace(hour=16)]


async def test_timers_fire_in_simulated_time_before_the_event_that_reaches_them() -> None:
    calls: list[str] = []

    class Timed(Strategy):
        def on_start(self) -> None:
            self.every("2m", self.tick)
            self.at("09:35", self.bell, tz="America/New_York")

        def tick(self) -> None:
            calls.append(f"every {self.now:%H:%M}")

        async def bell(self) -> None:
            calls.append(f"at {self.now:%H:%M}")

        def on_candle(self, candle: Candle) -> None:
            calls.append(f"candle {self.now:%H:%M}")

    async with Timed().run_test() as pilot:
        await pilot.candles(X, closes=[10] * 5)
    assert calls == [
        "candle 14:31",
        "every 14:32",
        "candle 14:32",
        "candle 14:33",
        "every 14:34",
        "candle 14:34",
        "at 14:35",
        "candle 14:35",
    ]


async def test_a_timer_may_trade() -> None:
    class Timed(Strategy):
        def on_start(self) -> None:
            self.every("3m")

        def on_timer(self) -> None:
            self.buy(X, 1)

    async with Timed().run_test() as pilot:
        await pilot.candles(X, closes=[10] * 5)
        assert len(pilot.fills) == 1


async def test_simulated_time_is_unknown_before_the_first_event() -> None:
    class Early(Strategy):
        def on_start(self) -> None:
            with pytest.raises(RuntimeError, match="simulated time begins with the first event"):
                _ = self.now

    async with Early().run_test():
        pass


# The catch-all.


async def test_the_catch_all_is_called_with_every_event_behind_its_own_hook() -> None:
    class All(Strategy):
        def on_start(self) -> None:
            self.seen: list[str] = []

        def on_candle(self, candle: Candle) -> None:
            self.seen.append("on_candle")
            if candle.close == 10:
                self.buy(X, 1)

        def on_trade(self, trade: Trade) -> None:
            self.seen.append("on_trade")

        def on_event(self, event: Event) -> None:
            self.seen.append(type(event).__name__)

    strategy = All()
    async with strategy.run_test() as pilot:
        await pilot.candles(X, closes=[10, 11, 12])
    assert strategy.seen == [
        "ConnectionEvent",
        *("on_candle", "Candle", "OrderEvent"),
        *("OrderEvent", "on_trade", "TradeEvent", "AccountEvent", "PositionEvent"),
        *("on_candle", "Candle", "on_candle", "Candle"),
        "BacktestComplete",
    ]


# Sizing.


async def test_the_four_ways_of_sizing() -> None:
    class Sizes(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.buy(X, 7)
            self.buy(X, fraction=0.1)
            self.buy(X, notional=500)
            self.buy(X, risk=100, stop_loss=8)

    async with Sizes().run_test() as pilot:
        await pilot.candles(X, closes=[10])
        assert [order.quantity for order in pilot.orders] == [7, 1000, 50, 50]


@pytest.mark.parametrize(
    ("arguments", "close", "quantity"),
    [
        ({"notional": 100}, 3, "33.33333333"),
        ({"notional": 100}, 7, "14.28571428"),
        ({"notional": 1000}, 10, "100"),
        ({"fraction": 0.02}, 0.03, "66666.66666"),
        ({"risk": 10, "stop_loss": 4}, 7, "3.333333333"),
        ({"quantity": 0.1 + 0.2}, 7, "0.3000000000"),
        ({"quantity": Decimal("1.23456789012345")}, 7, "1.23456789012345"),
    ],
)
async def test_a_size_is_rounded_down_to_ten_digits(
    arguments: dict[str, float], close: float, quantity: str
) -> None:
    class Sizes(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.buy(X, **arguments)  # type: ignore[arg-type]

    async with Sizes().run_test() as pilot:
        await pilot.candles(X, closes=[close])
        assert [str(order.quantity) for order in pilot.orders] == [quantity]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give exactly one of quantity, fraction, notional and risk for S:X, not none of"),
        ({"quantity": 1, "risk": 2}, "not quantity and risk"),
        ({"risk": 100}, "give stop_loss="),
        ({"quantity": -1}, "quantity must be a number above zero, not -1"),
        ({"quantity": float("nan")}, "quantity must be a number above zero, not nan"),
        ({"quantity": 1, "limit": 5, "trailing": 1}, "a trailing stop takes neither limit= nor"),
        (
            {"quantity": 1, "time_in_force": "GOOD"},
            "time_in_force is one of GTC, DAY, IOC, FOK, not 'GOOD'",
        ),
    ],
)
async def test_arguments_that_contradict_each_other(
    arguments: dict[str, Any], message: str
) -> None:
    class Wrong(Strategy):
        def on_candle(self, candle: Candle) -> None:
            with pytest.raises(ValueError, match=message):
                self.buy(X, **arguments)

    async with Wrong().run_test() as pilot:
        await pilot.candles(X, closes=[10])


async def test_target_brings_a_position_to_a_size() -> None:
    strategy = Scripted(
        {
            0: lambda s, c: s.target(X, quantity=10),
            1: lambda s, c: s.target(X, quantity=-5),
            2: lambda s, c: s.target(X, quantity=-5),
            3: lambda s, c: s.target(X, fraction=0),
        }
    )
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT] * 5)
        assert [f.quantity * f.side.sign for f in pilot.fills] == [10, -15, 5]


async def test_target_leaves_nothing_beside_a_position_on_an_account_that_hedges() -> None:
    held: list[list[Decimal]] = []

    def look(strategy: Scripted, candle: Candle) -> int:
        held.append([part.signed_quantity for part in pilot.exchange.positions()])
        return len(held)

    strategy = Scripted(
        {
            0: lambda s, c: s.target(X, quantity=10),
            1: lambda s, c: (look(s, c), s.target(X, quantity=4)),
            2: lambda s, c: (look(s, c), s.target(X, quantity=-5)),
            3: lambda s, c: (look(s, c), s.target(X, fraction=0)),
            4: look,
        }
    )
    async with strategy.run_test(mode="HEDGING") as pilot:
        await pilot.candles(X, bars=[FLAT] * 5)
    assert held == [[10], [4], [-5], []]
    assert strategy.refusals == []


async def test_target_does_not_turn_a_position_that_a_stop_has_closed() -> None:
    strategy = Scripted(
        {
            0: lambda s, c: s.buy(X, 10, stop_loss=9),
            1: lambda s, c: s.target(X, quantity=0),
        }
    )
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT, FLAT, (8, 8, 8, 8), (8, 8, 8, 8)])
        assert [f.quantity * f.side.sign for f in pilot.fills] == [10, -10]


async def test_history_needs_a_lookback() -> None:
    class Forgetful(Strategy):
        def on_candle(self, candle: Candle) -> None:
            with pytest.raises(ValueError, match=r"set `lookback: ClassVar\[int\] = 5`"):
                self.history(X, 5)

    async with Forgetful().run_test() as pilot:
        await pilot.candles(X, closes=[10])


async def test_history_gives_the_last_candles_oldest_first() -> None:
    seen: list[list[float]] = []

    class Remembers(Strategy):
        lookback = 3

        def on_candle(self, candle: Candle) -> None:
            seen.append([each.close for each in self.history(X, 2)])

    async with Remembers().run_test() as pilot:
        await pilot.candles(X, closes=[1, 2, 3])
    assert seen == [[1], [1, 2], [2, 3]]


async def test_ten_thousand_orders_given_in_on_order_do_not_recurse() -> None:
    class Chain(Strategy):
        count = 0

        def on_candle(self, candle: Candle) -> None:
            if not self.count:
                self.buy(X, 1, limit=1)

        def on_order(self, event: OrderEvent) -> None:
            if event.event is OrderEventKind.ORDER_CREATED and self.count < 10_000:
                self.count += 1
                self.cancel(event.order)
            elif event.event is OrderEventKind.ORDER_CANCELLED:
                self.buy(X, 1, limit=1)

    strategy = Chain()
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT] * 2)
        assert strategy.count == 10_000
        assert len(strategy.orders()) == 1


async def test_a_cancel_that_a_fill_has_beaten_is_no_error() -> None:
    class Late(Scripted):
        def on_order(self, event: OrderEvent) -> None:
            # Of the events of one moment the book knows only those that came before this one.
            if event.event is OrderEventKind.ORDER_FILLED and len(self.orders()) > 0:
                self.cancel(self.orders()[0])

    strategy = Late(
        {0: lambda s, c: (s.buy(X, 1, limit=10), s.buy(X, 1, limit=10), s.buy(X, 1, limit=1))}
    )
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT] * 3)
        assert len(pilot.fills) == 2
        assert strategy.refusals == []
        assert strategy.orders() == []


# The account between the events of a fill, and positions beside each other.


class Accountant(Scripted):
    """Notes equity and average price whenever it hears of something."""

    def __init__(self, script: dict[int, Callable[[Scripted, Candle], object]]) -> None:
        super().__init__(script)
        self.notes: list[tuple[str, Decimal, Decimal, Decimal]] = []

    def note(self, name: str) -> None:
        account, held = self.account, self.position(X)
        self.notes.append((name, account.equity, held.quantity, held.average_entry_price))

    def by_fill(self) -> list[list[tuple[float, ...]]]:
        found: list[list[tuple[float, ...]]] = []
        for name, *numbers in self.notes:
            found += [[]] if name == "order" else []
            found[-1].append(tuple(map(float, numbers)))
        return found

    def on_order(self, event: OrderEvent) -> None:
        if event.event is OrderEventKind.ORDER_FILLED:
            self.note("order")

    def on_trade(self, trade: Trade) -> None:
        self.note("trade")

    def on_account(self, event: AccountEvent) -> None:
        assert self.account.equity == event.account.equity
        self.note("account")

    def on_position(self, event: PositionEvent) -> None:
        self.note("position")


async def test_what_a_fill_realises_is_in_the_account_from_its_first_event_on() -> None:
    strategy = Accountant(
        {
            0: lambda s, c: s.buy(X, 10),
            2: lambda s, c: s.sell(X, 15),
            3: lambda s, c: s.buy(X, 1),
            4: lambda s, c: s.close(X),
        }
    )
    async with strategy.run_test(cash=1000, fee_min="1") as pilot:
        await pilot.candles(X, closes=[10, 10, 12, 12, 11, 11])
        assert pilot.equity == 1000 + 20 + 4 - 4
    heard: list[list[str]] = []
    for name, *_ in strategy.notes:
        heard += [[]] if name == "order" else []
        heard[-1].append(name)
    told, turned = ["order", "trade", "account", "position"], ["position"]
    assert heard == [told, told + turned, told, told]
    fills = strategy.by_fill()
    for (before, *_), *others in fills:  # the trade brings the fee
        assert {equity for equity, *_ in others} == {before - 1}
    assert [first for first, *_ in fills] == [
        (1000, 10, 10),
        (1019, -5, 12),
        (1018, -4, 12),
        (1021, 0, 0),
    ]


async def test_equity_on_an_account_that_hedges_is_right_at_every_event() -> None:
    strategy = Accountant(
        {
            0: lambda s, c: s.buy(X, 10),
            1: lambda s, c: s.sell(X, 4),
            2: lambda s, c: s.sell(X, 6),
            3: lambda s, c: s.close_all(),
        }
    )
    async with strategy.run_test(cash=1000, mode="HEDGING") as pilot:
        await pilot.candles(X, closes=[10, 12, 15, 16, 20])
        assert pilot.equity == 1000 + 100 - 32 - 30
        assert pilot.exchange.positions() == []
    fills = strategy.by_fill()
    assert [len({equity for equity, *_ in fill}) for fill in fills] == [1] * 6
    assert [fill[-1][:2] for fill in fills[:3]] == [(1000, 10), (1020, 6), (1038, 0)]


async def test_close_takes_a_quantity_off_the_larger_side_oldest_first() -> None:
    strategy = Scripted(
        {
            0: lambda s, c: (s.buy(X, 6), s.sell(X, 1), s.buy(X, 4)),
            1: lambda s, c: s.close(X, 7),
            2: lambda s, c: s.sell(X, 2),
            3: lambda s, c: s.close(X, 1),
        }
    )
    async with strategy.run_test(mode="HEDGING") as pilot:
        await pilot.candles(X, closes=[10] * 3)
        held = [position.signed_quantity for position in pilot.exchange.positions()]
        assert held == [-1, 3]
        with pytest.raises(HookFailed) as caught:
            await pilot.candles(X, closes=[10])
    assert "S:X is held long and short alike" in str(caught.value.__cause__)


@pytest.mark.parametrize("hook", ["on_order", "on_trade"])
async def test_a_position_that_was_turned_round_can_be_closed_in_the_hooks_of_the_fill(
    hook: str,
) -> None:
    def close_if_short(strategy: Scripted, event: object) -> None:
        if strategy.position(X).is_short and not strategy.orders(X):
            strategy.close(X)

    kind = type("Turning", (Scripted,), {hook: close_if_short})
    strategy = kind({0: lambda s, c: s.buy(X, 10), 1: lambda s, c: s.sell(X, 15)})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, closes=[10] * 4)
        assert strategy.refusals == []
        assert pilot.position(X).is_flat
        assert [fill.quantity for fill in pilot.fills] == [10, 15, 5]


@pytest.mark.parametrize("limits", [{}, {"max_order_notional": 1_000_000}])
async def test_a_fraction_of_no_equity_is_refused_and_the_run_ends_as_it_does(
    limits: dict[str, Any],
) -> None:
    def all_in(strategy: Scripted, candle: Candle) -> None:
        strategy.sell(X, fraction=1)
        strategy.target(X, fraction=0.5)

    strategy = Scripted({0: lambda s, c: s.sell(X, fraction=1), 2: all_in})
    async with strategy.run_test(**limits) as pilot:
        await pilot.candles(X, bars=[[10] * 4, [10] * 4, [10, 25, 10, 25], [25] * 4])
        assert pilot.exchange.outcome().bankrupt
        assert [order.quantity for order in pilot.orders] == [10_000, 10_000]
    assert [str(refusal) for refusal in strategy.refusals] == [
        "S:X Scripted-test-2: INSUFFICIENT_FUNDS: equity is -50000.0, of which no fraction can be "
        "taken"
    ]


async def test_a_position_that_was_closed_in_part_is_still_the_oldest() -> None:
    strategy = Scripted(
        {
            0: lambda s, c: (s.buy(X, 6), s.buy(X, 4)),
            1: lambda s, c: s.close(X, 2),
            2: lambda s, c: s.close(X, 1),
        }
    )
    async with strategy.run_test(mode="HEDGING") as pilot:
        await pilot.candles(X, closes=[10] * 4)
        assert [position.quantity for position in pilot.exchange.positions()] == [3, 4]


async def test_ids_of_a_class_with_a_long_name_are_short_enough_for_every_venue() -> None:
    kind = type("Long" * 20, (Scripted,), {})
    strategy = kind({0: lambda s, c: s.buy(X, 1)})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, closes=[10, 10])
        (order,) = pilot.orders
        assert order.client_order_id == "LongLongLongLongLongLongLongLon-3c88332b-test-1"
        assert [fill.order_id for fill in pilot.fills] == [order.id]


async def test_cancelling_an_order_that_is_refused_meanwhile_is_told_once() -> None:
    def both(strategy: Scripted, candle: Candle) -> None:
        strategy.cancel(strategy.sell(X, 1, reduce_only=True))

    strategy = Scripted({0: both})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, closes=[10, 10])
    (refusal,) = strategy.refusals
    assert "there is no position in S:X to reduce" in str(refusal)


async def test_an_awaited_change_or_cancel_gives_the_order_as_it_is_then() -> None:
    seen: list[tuple[object, object, object]] = []

    class Changes(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            if seen:
                return
            ticket = self.buy(X, 1, limit=5)
            for awaited in (ticket, self.modify(ticket, limit=6, quantity=3), self.cancel(ticket)):
                order = await awaited
                seen.append((order.limit_price, order.quantity, order.status))

    expected = [(5, 1, "OPEN"), (6, 3, "OPEN"), (6, 3, "CANCELLED")]
    async with Changes().run_test() as pilot:
        await pilot.candles(X, closes=[10, 10])
        assert seen == expected
        (order,) = pilot.orders
        assert order.status is OrderStatus.CANCELLED


async def test_an_answer_is_not_given_once_events_have_told_more() -> None:
    class Later(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            if candle.close == 10:
                self.ticket = self.buy(X, 1, limit=5)
                self.change = self.modify(self.ticket, limit=6)
            else:
                assert (await self.change).status is OrderStatus.FILLED

    async with Later().run_test() as pilot:
        await pilot.candles(X, closes=[10, 6])


async def test_a_run_that_is_ending_says_that_no_orders_are_taken() -> None:
    seen: list[RiskState] = []

    class Leaving(Strategy):
        def on_candle(self, candle: Candle) -> None:
            seen.append(self.risk_state)
            raise ValueError

        def on_stop(self) -> None:
            seen.append(self.risk_state)

    with pytest.raises(HookFailed):
        async with Leaving().run_test() as pilot:
            await pilot.candles(X, closes=[10])
    assert seen == [RiskState.ACTIVE, RiskState.HALTED]
