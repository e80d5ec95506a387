"""Order of events, failures, time, history."""

from datetime import UTC, datetime
from decimal import Decimal
from math import isnan

import pytest

from strategy_runtime import (
    AccountEvent,
    Candle,
    Event,
    HookFailed,
    OrderEvent,
    OrderEventKind,
    PositionEvent,
    RiskState,
    Strategy,
    Trade,
)
from strategy_runtime.clock import sleep

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


# History and indicators.


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


async def test_a_run_whose_indicators_were_asked_for_by_no_symbol_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Mistakes(Strategy):
        def on_start(self) -> None:
            self.fast = self.sma(1)

        def on_candle(self, candle: Candle) -> None:
            assert isnan(self.fast[candle].value)  # type: ignore[index]

    async with Mistakes().run_test() as pilot:
        await pilot.candles(X, closes=[10, 11])
    assert [record.getMessage() for record in caplog.records] == [
        "an indicator was looked up by a Candle instead of a symbol, so it gets no data: write "
        "self.fast[candle.symbol]"
    ]
