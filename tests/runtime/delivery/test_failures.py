"""Failures of hooks are reported and counted, and too many of them end the run."""

import asyncio
import sys
from typing import Any

import pytest

from strategy_runtime import Candle, HookFailed, Quote, Strategy
from strategy_runtime.clock import sleep
from strategy_runtime.runtime.delivery.failures import Failures, OnError
from strategy_runtime.runtime.observer import Note, Observer
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.tracebacks import describe
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.exchange.outlook import Outlook
from strategy_runtime.simulator.venue import SimulatedVenue
from strategy_runtime.strategy.desk import Mode
from tests.chaos import virtual_time
from tests.chaos.virtual_time import VirtualLoop, VirtualTime

MINUTE = 60 * 10**9


class Shaky(Strategy):
    """Fails at the given candles, and places an order at every other."""

    def __init__(self, failing: set[int]) -> None:
        super().__init__()
        self.failing = failing
        self.count = 0
        self.told: list[Exception] = []
        self.stopped = False

    def on_candle(self, candle: Candle) -> None:
        self.count += 1
        if self.count in self.failing:
            raise ValueError(f"candle {self.count}")
        self.buy(candle.symbol, 1)

    def on_error(self, error: Exception) -> None:
        self.told.append(error)

    def on_stop(self) -> None:
        self.stopped = True


async def await_what_is_cancelled() -> None:
    task = asyncio.create_task(sleep(3600))
    await sleep(0)
    task.cancel()
    await task


class Cancels(Strategy):
    """Awaits a task that it has cancelled, at its second and fourth candle."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.told: list[Exception] = []

    async def on_candle(self, candle: Candle) -> None:
        self.count += 1
        if self.count in (2, 4):
            await await_what_is_cancelled()

    def on_error(self, error: Exception) -> None:
        self.told.append(error)


async def test_what_awaits_a_task_that_was_cancelled_fails_and_ends_no_run_in_silence() -> None:
    strategy = Cancels()
    await run(strategy)
    assert strategy.count == 10
    assert [type(error.__cause__) for error in strategy.told] == [asyncio.CancelledError] * 2

    with pytest.raises(HookFailed, match="on_candle") as failed:
        await run(Cancels(), mode="backtest")
    assert "    await task\n" in describe(failed.value)

    class Starts(Cancels):
        async def on_start(self) -> None:
            await await_what_is_cancelled()

    with pytest.raises(HookFailed, match="on_start"):
        await run(Starts())


class Panic(BaseException):
    """Like the errors that some native extensions raise."""


@pytest.mark.parametrize("error", [Panic("p"), GeneratorExit(), SystemExit(0)])
@pytest.mark.parametrize("mode", ["backtest", "live"])
async def test_nothing_that_a_hook_raises_ends_the_run_in_silence(
    error: BaseException, mode: Mode
) -> None:
    class Panics(Shaky):
        def on_candle(self, candle: Candle) -> None:
            self.count += 1
            if self.count in self.failing:
                raise error

    strategy = Panics({2})
    if mode == "live" and isinstance(error, Panic):
        await run(strategy)
        assert strategy.count == 10
        assert [told.__cause__ for told in strategy.told] == [error]
    else:
        with pytest.raises((HookFailed, GeneratorExit)):
            await run(strategy, mode=mode)
    assert strategy.stopped


class Speechless(Exception):
    """An error whose message cannot be created."""

    def __str__(self) -> str:
        raise AttributeError("no code")


async def test_an_error_without_a_message_is_a_failure_like_any_other() -> None:
    class Fails(Strategy):
        def on_candle(self, candle: Candle) -> None:
            raise Speechless

    with pytest.raises(HookFailed, match="on_candle") as failed:
        await run(Fails(), mode="backtest")
    assert "    raise Speechless\n" in describe(failed.value)
    assert describe(failed.value).endswith("Speechless: <exception str() failed>")


class Failed:
    """An observer of failures only."""

    def __init__(self) -> None:
        self.hooks: list[str] = []

    def noting(self, kind: type[Any], hook: str | None, mode: Mode) -> Note:
        return lambda event, began, ended: None

    def hook_failed(self, hook: str) -> None:
        self.hooks.append(hook)

    def request_settled(self, verb: str, outcome: str, seconds: float) -> None:
        pass


async def run(
    strategy: Strategy,
    candles: int = 10,
    *,
    mode: Mode = "live",
    on_error: OnError | None = None,
    observer: Observer | None = None,
) -> Exchange:
    series = BarSeries("S:X", "1m", MINUTE)
    for number in range(candles):
        series.append(number * MINUTE, 10, 10, 10, 10, 1)
    exchange = Exchange([series])
    venue = SimulatedVenue(exchange)
    await Runner(strategy, venue, mode=mode, run_id="t", on_error=on_error, observer=observer).run()
    return exchange


async def test_a_failure_is_told_and_the_run_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    strategy = Shaky({2})
    exchange = await run(strategy)
    (failure,) = strategy.told
    assert isinstance(failure, HookFailed)
    assert failure.hook == "on_candle"
    assert strategy.count == 10
    assert len(exchange.outcome().fills) == 8
    assert "ValueError: candle 2" in caplog.text
    assert "strategy_runtime/runtime/runner.py" not in caplog.text


async def test_three_failures_in_a_row_of_one_hook_end_the_run() -> None:
    strategy = Shaky({4, 5, 6})
    with pytest.raises(HookFailed, match="on_candle failed at candle S:X"):
        await run(strategy)
    assert strategy.count == 6
    assert strategy.stopped


async def test_a_success_between_failures_breaks_the_row() -> None:
    strategy = Shaky({2, 3, 5, 6})
    await run(strategy)
    assert strategy.count == 10
    assert len(strategy.told) == 4


@pytest.mark.parametrize("times", [1, 2, 2000])
async def test_a_hook_that_fails_for_long_works_again_when_it_can(times: int) -> None:
    strategy = Shaky(set(range(1, times + 1)))
    exchange = await run(strategy, times + 3, on_error="continue")
    assert (strategy.count, len(strategy.told)) == (times + 3, times)
    assert all(isinstance(each.__cause__, ValueError) for each in strategy.told)
    assert len(exchange.outcome().fills) == 2


async def test_what_the_run_cannot_do_itself_is_a_failure_of_the_hook_it_was_done_for() -> None:
    class Odd(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.buy(candle.symbol, 1, client_order_id=5)  # type: ignore[arg-type]

    with pytest.raises(HookFailed, match="on_candle failed at candle S:X"):
        await run(Odd(), mode="backtest")


@pytest.mark.parametrize("verb", ["buy", "sell", "close", "target", "position"])
@pytest.mark.parametrize("mode", ["live", "backtest"])
async def test_a_symbol_has_to_be_a_text(verb: str, mode: Mode) -> None:
    class Mixed(Strategy):
        def on_candle(self, candle: Candle) -> None:
            size = {"buy": {"quantity": 1}, "sell": {"quantity": 1}, "target": {"quantity": 1}}
            getattr(self, verb)(candle, **size.get(verb, {}))

    with pytest.raises(HookFailed) as caught:
        await run(Mixed(), mode=mode)
    assert str(caught.value.__cause__) == (
        "a symbol is a text such as candle.symbol or 'S:AAPL', not a Candle"
    )


@pytest.mark.parametrize("mode", ["live", "backtest"])
async def test_a_hook_that_exits_ends_the_run_in_good_order(mode: Mode) -> None:
    class Leaves(Shaky):
        def on_candle(self, candle: Candle) -> None:
            super().on_candle(candle)
            if self.count == 3:
                sys.exit(5)

    strategy = Leaves(set())
    with pytest.raises(HookFailed, match="on_candle failed at candle S:X") as caught:
        await run(strategy, mode=mode, on_error="continue")
    assert isinstance(caught.value.__cause__, SystemExit)
    assert (strategy.count, strategy.stopped) == (3, True)


async def test_a_hook_that_no_event_brings_fails_like_any_other() -> None:
    class Unlucky(Shaky):
        def on_connect(self) -> None:
            raise ValueError("connect")

    strategy, notes = Unlucky(set()), Failed()
    await run(strategy, observer=notes)
    assert [str(error) for error in strategy.told] == ["on_connect failed"]
    assert notes.hooks == ["on_connect"]


async def test_five_failures_within_a_minute_end_the_run() -> None:
    strategy = Shaky({1, 3, 5, 7, 9})
    with pytest.raises(HookFailed):
        await run(strategy)
    assert strategy.count == 9


def test_five_failures_in_more_than_a_minute_do_not_end_it() -> None:
    async def fail() -> list[bool]:
        failures, ends = Failures("live", None), []
        for number in range(20):
            ends.append(failures.enter(HookFailed(f"hook {number % 2}", "")))
            await sleep(15.1)
        return ends

    loop = VirtualLoop()
    assert not any(virtual_time.run(fail(), loop, VirtualTime(loop)))


async def test_after_too_many_failures_no_orders_are_sent() -> None:
    class Stubborn(Shaky):
        def on_stop(self) -> None:
            self.buy("S:X", 1)

    strategy = Stubborn({1, 2, 3})
    with pytest.raises(HookFailed):
        await run(strategy)
    assert len(strategy.told) == 3
    assert "STOPPING" in str(strategy.told[-1])


async def test_a_failing_on_error_does_not_call_itself() -> None:
    class Broken(Shaky):
        def on_error(self, error: Exception) -> None:
            self.told.append(error)
            raise KeyError("in the handler")

    strategy = Broken({2})
    await run(strategy)
    assert len(strategy.told) == 1


@pytest.mark.parametrize(
    ("hook", "where"),
    [
        ("on_order", "ORDER_CREATED ord-1 S:X 1970-01-01T00:01:00Z"),
        ("on_trade", "TRADE_FILLED ord-1 S:X 1970-01-01T00:01:00Z"),
        ("on_position", "POSITION_OPENED S:X 1970-01-01T00:01:00Z"),
        ("on_account", "AccountEvent"),
    ],
)
async def test_a_failure_names_its_hook_and_what_the_event_was_about(hook: str, where: str) -> None:
    def fail(self: Strategy, event: object) -> None:
        raise ZeroDivisionError

    class Buys(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.buy(candle.symbol, 1)

    clumsy: type[Strategy] = type("Clumsy", (Buys,), {hook: fail})
    with pytest.raises(HookFailed) as caught:
        await run(clumsy(), mode="backtest")
    assert str(caught.value) == f"{hook} failed at {where}"


@pytest.mark.parametrize("mode", ["live", "backtest"])
@pytest.mark.parametrize("on_error", [None, "continue"])
async def test_a_failure_of_the_venue_is_not_the_strategys(
    mode: Mode, on_error: OnError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(outlook: Outlook) -> None:
        raise RuntimeError("not the strategy's")

    monkeypatch.setattr(Outlook, "lanes", break_down)
    strategy = Shaky(set())
    with pytest.raises(RuntimeError, match="not the strategy's"):
        await run(strategy, mode=mode, on_error=on_error)
    assert (strategy.told, strategy.stopped) == ([], True)


async def test_a_failure_at_a_quote_names_symbol_and_time() -> None:
    class Clumsy(Strategy):
        def on_quote(self, quote: Quote) -> None:
            raise ZeroDivisionError

    with pytest.raises(HookFailed, match=r"^on_quote failed at quote S:X 2024-01-02T14:30:00Z$"):
        async with Clumsy().run_test() as pilot:
            await pilot.quotes("S:X", [(9, 10)])


def test_stop_and_continue_override_the_mode() -> None:
    failure = HookFailed("on_candle", "")
    assert Failures("live", "stop").enter(failure)
    assert not any(Failures("backtest", "continue").enter(failure) for _ in range(10))


async def test_who_calculates_with_amounts_and_prices_is_told_what_to_write() -> None:
    class Mixes(Strategy):
        def on_candle(self, candle: Candle) -> None:
            tenth: Any = 0.1
            self.buy(candle.symbol, notional=self.account.equity * tenth)

    with pytest.raises(HookFailed) as failed:
        async with Mixes().run_test() as pilot:
            await pilot.candles("S:A", closes=[10])
    assert describe(failed.value).endswith(
        "'decimal.Decimal' and 'float'\nprices of the market are float, your own prices, "
        "quantities and amounts are Decimal: write float(…) around the latter"
    )


def test_the_traceback_begins_in_the_users_code() -> None:
    def theirs() -> None:
        raise RuntimeError("mine")

    try:
        theirs()
    except RuntimeError as error:
        failure = HookFailed("on_candle", "here")
        failure.__cause__ = error
    text = describe(failure)
    assert text.startswith("Traceback")
    assert text.endswith("RuntimeError: mine")
    assert 'in theirs\n    raise RuntimeError("mine")' in text
