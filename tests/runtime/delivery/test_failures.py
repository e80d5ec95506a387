"""Contract line 6, live: failures are told and counted, and too many of them end the run."""

import pytest

from strategy_runtime import Candle, HookFailed, OrderEvent, Strategy
from strategy_runtime.runtime.delivery.failures import Failures
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.tracebacks import describe
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue

MINUTE = 60 * 10**9


class Shaky(Strategy):
    """Fails at the candles it is told to, and gives an order at every other."""

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


async def run(strategy: Strategy, candles: int = 10) -> Exchange:
    series = BarSeries("S:X", "1m", MINUTE)
    for number in range(candles):
        series.append(number * MINUTE, 10, 10, 10, 10, 1)
    exchange = Exchange([series])
    await Runner(strategy, SimulatedVenue(exchange), mode="live", run_id="t").run()
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


async def test_five_failures_within_a_minute_end_the_run() -> None:
    strategy = Shaky({1, 3, 5, 7, 9})
    with pytest.raises(HookFailed):
        await run(strategy)
    assert strategy.count == 9


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


async def test_a_failure_in_an_order_hook_names_that_hook() -> None:
    class Clumsy(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.buy(candle.symbol, 1)

        def on_order(self, event: OrderEvent) -> None:
            raise ZeroDivisionError

    with pytest.raises(HookFailed, match=r"^on_order failed at OrderEvent$"):
        await run(Clumsy())


def test_stop_and_continue_override_the_mode() -> None:
    failure = HookFailed("on_candle", "")
    assert Failures("live", "stop").enter(failure)
    assert not any(Failures("backtest", "continue").enter(failure) for _ in range(10))


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
