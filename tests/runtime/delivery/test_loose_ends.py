"""Coroutines that a hook did not await and tasks of it that failed are failures of the hook."""

import asyncio
import gc
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from strategy_runtime import Candle, Strategy
from strategy_runtime.clock import sleep
from strategy_runtime.errors import HookFailed
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.tracebacks import describe
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.chaos.busy import steps
from tests.runtime.virtual_run import live_run


class Helped(Strategy):
    """Has an async helper that places an order, and one that fails."""

    def __init__(self) -> None:
        super().__init__()
        self.bars = 0
        self.errors: list[Exception] = []
        self.kept: list[asyncio.Task[None]] = []

    async def enter(self, symbol: str) -> None:
        await self.buy(symbol, 1)

    async def fail(self) -> None:
        raise ValueError("no more")

    def on_error(self, error: Exception) -> None:
        self.errors.append(error)


async def backtest(strategy: Strategy, bars: int = 20) -> Exchange:
    exchange = Exchange([steps("S:A", [10.0] * bars)])
    await Runner(strategy, SimulatedVenue(exchange), mode="backtest").run()
    return exchange


# A coroutine that nobody awaited


class Forgets(Helped):
    def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        self.enter(candle.symbol)  # type: ignore[unused-coroutine]


class ForgetsAsync(Helped):
    async def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        await sleep(0)
        self.enter(candle.symbol)  # type: ignore[unused-coroutine]


class ForgetsInHelper(Helped):
    def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        self.help(candle)

    def help(self, candle: Candle) -> None:
        self.enter(candle.symbol)  # type: ignore[unused-coroutine]


@pytest.mark.parametrize("kind", [Forgets, ForgetsAsync, ForgetsInHelper])
async def test_a_forgotten_await_ends_a_backtest_at_that_bar(kind: type[Helped]) -> None:
    strategy = kind()
    with pytest.raises(HookFailed) as failed:
        await backtest(strategy)
    assert str(failed.value) == (
        "on_candle failed at Helped.enter(), which it called without await, so that it did "
        "not run: write `await` before the call, in an `async def on_candle`"
    )
    assert strategy.bars == 1
    said = describe(failed.value)
    assert said.startswith('Traceback (most recent call last):\n  File "' + __file__)
    assert "in on_candle\n" in said
    assert "self.enter(candle.symbol)" in said
    assert said.endswith("RuntimeError: coroutine 'Helped.enter' was never awaited")


class KeepsInAName(Helped):
    def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        entering: Any = self.enter(candle.symbol)
        del entering


async def test_a_coroutine_in_a_name_is_no_less_forgotten() -> None:
    with pytest.raises(HookFailed, match=r"on_candle failed at Helped\.enter\(\), which it called"):
        await backtest(KeepsInAName())


class InTimer(Helped):
    def on_start(self) -> None:
        self.every("1m", self.tick)

    def tick(self) -> None:
        self.fail()  # type: ignore[unused-coroutine]


async def test_a_timers_function_is_named() -> None:
    with pytest.raises(HookFailed, match=r"tick failed at Helped\.fail\(\), which it called"):
        await backtest(InTimer())


class Awaits(Helped):
    async def on_candle(self, candle: Candle) -> None:
        await self.enter(candle.symbol)


def test_runs_in_several_threads_hear_of_their_own_and_leave_warnings_as_they_were() -> None:
    shown, filters = warnings.showwarning, warnings.filters[:]
    inside, others_done = threading.Barrier(2), threading.Event()

    class First(Helped):
        def on_candle(self, candle: Candle) -> None:
            self.bars += 1
            if self.bars == 1:
                inside.wait(20)
                assert others_done.wait(20)

        def on_stop(self) -> None:
            others_done.set()

    class Second(Forgets):
        def on_start(self) -> None:
            inside.wait(20)

        def on_stop(self) -> None:
            others_done.set()

    first, second = First(), Second()
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(asyncio.run, backtest(first))
        other = threads.submit(asyncio.run, backtest(second))
        with pytest.raises(HookFailed, match=r"on_candle failed at Helped\.enter\(\)"):
            other.result()
        one.result()
    assert (first.bars, second.bars) == (20, 1)
    assert warnings.showwarning is shown
    assert warnings.filters == filters


async def test_runs_in_one_loop_hear_of_their_own_whichever_ends_first() -> None:
    class Longer(Helped):
        async def on_candle(self, candle: Candle) -> None:
            self.bars += 1
            if self.bars == 10:
                self.kept.append(asyncio.create_task(self.fail()))
            await sleep(0.001)

    class Shorter(Helped):
        async def on_candle(self, candle: Candle) -> None:
            self.bars += 1
            await sleep(0.001)

    before = asyncio.get_running_loop().get_task_factory()
    shorter, longer = Shorter(), Longer()
    _, failed = await asyncio.gather(backtest(shorter, 3), backtest(longer), return_exceptions=True)
    assert isinstance(failed, HookFailed)
    assert shorter.bars == 3 < longer.bars < 20
    assert asyncio.get_running_loop().get_task_factory() is before


async def test_a_run_is_possible_in_a_loop_that_begins_tasks_at_once() -> None:
    def at_once(loop: Any, work: Any, **given: Any) -> asyncio.Task[Any]:
        context = given.get("context")
        if context is not None:
            context.run(bool)  # enters it, as asyncio.eager_task_factory of Python 3.12 does
        return asyncio.Task(work, loop=loop, **given)

    asyncio.get_running_loop().set_task_factory(at_once)
    assert (await backtest(Awaits())).is_complete


async def test_an_await_that_was_not_forgotten_is_fine() -> None:
    exchange = await backtest(Awaits())
    assert len(exchange.outcome().fills) == 19


# A task that failed


class Spawns(Helped):
    def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        if self.bars == 3:
            asyncio.create_task(self.fail())  # noqa: RUF006


class Keeps(Helped):
    def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        if self.bars == 3:
            self.kept.append(asyncio.create_task(self.fail()))


class SpawnsInATask(Helped):
    def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        if self.bars == 3:
            self.kept.append(asyncio.create_task(self.spawn()))

    async def spawn(self) -> None:
        self.kept.append(asyncio.create_task(self.fail()))


@pytest.mark.parametrize("kind", [Spawns, Keeps, SpawnsInATask])
async def test_a_task_that_failed_unheard_fails_its_hook_in_a_backtest(kind: type[Helped]) -> None:
    with pytest.raises(HookFailed) as failed:
        await backtest(kind())
    assert str(failed.value) == (
        "on_candle failed at the task Helped.fail() that it made and nobody awaits: handle the "
        "error in it, or await the task"
    )
    assert describe(failed.value).endswith('raise ValueError("no more")\nValueError: no more')


class Hears(Helped):
    """Awaits what it creates, in every possible way."""

    async def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        way = self.bars % 5
        task = asyncio.create_task(self.fail())
        try:
            if way == 0:
                await task
            elif way == 1:
                await asyncio.wait({task})
                task.result()
            elif way == 2:
                await asyncio.gather(task, self.fail())
            elif way == 3:
                await asyncio.wait_for(task, 5)
            else:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self.fail())
                    await task
        except* ValueError:
            self.errors.append(ValueError())


async def test_a_task_that_is_awaited_is_the_business_of_who_awaits_it() -> None:
    strategy = Hears()
    await backtest(strategy)
    assert len(strategy.errors) == 20


class Works(Helped):
    """Has a task that keeps working between candles, and one that never ends."""

    def on_start(self) -> None:
        asyncio.create_task(self.work())  # noqa: RUF006
        self.kept.append(asyncio.create_task(asyncio.Event().wait()))  # type: ignore[arg-type]

    async def work(self) -> None:
        for _ in range(3):
            await sleep(0)
            gc.collect()
            self.bars += 1

    async def on_candle(self, candle: Candle) -> None:
        await sleep(0)


async def test_tasks_are_kept_while_they_run_and_ended_with_the_run() -> None:
    strategy = Works()
    await backtest(strategy)
    assert strategy.bars == 3
    assert strategy.kept[0].cancelled()


class Groups(Helped):
    """Has a TaskGroup that lasts for the whole run."""

    async def on_start(self) -> None:
        self.group = asyncio.TaskGroup()
        await self.group.__aenter__()
        self.group.create_task(self.fail())

    async def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        await sleep(0.001)


class GroupsLater(Groups):
    async def on_start(self) -> None:
        pass

    async def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        if self.bars == 2:
            await Groups.on_start(self)
        await sleep(0.001)


CANCELLED = "code outside of hooks failed at cancelling the task in which its hooks run, as a Task"


@pytest.mark.parametrize("kind", [Groups, GroupsLater])
async def test_a_group_that_cancels_the_task_of_hooks_ends_no_run_in_silence(
    kind: type[Groups],
) -> None:
    strategy = kind()
    with pytest.raises(HookFailed, match=CANCELLED) as failed:
        await backtest(strategy)
    assert strategy.bars < 3
    assert "ValueError: no more\n" in describe(failed.value)
    assert '    raise ValueError("no more")\n' in describe(failed.value)


# Live


@pytest.mark.parametrize("kind", [Groups, GroupsLater])
def test_a_group_that_cancels_the_task_of_hooks_ends_no_live_run_in_silence(
    kind: type[Groups],
) -> None:
    async def wait(runner: Runner) -> None:
        await sleep(30)

    with pytest.raises(HookFailed, match=CANCELLED) as failed:
        live_run(kind(), wait)
    assert "ValueError: no more\n" in describe(failed.value)


class LiveSlips(Helped):
    def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        if self.bars == 5:
            self.enter(candle.symbol)  # type: ignore[unused-coroutine]
        if self.bars == 10:
            self.kept.append(asyncio.create_task(self.fail()))


def test_a_live_run_tells_on_error_and_goes_on() -> None:
    strategy = LiveSlips()

    async def wait(runner: Runner) -> None:
        await sleep(30)
        assert runner.status().failures == 2

    live_run(strategy, wait)
    assert strategy.bars > 25
    assert [str(error).partition(",")[0] for error in strategy.errors] == [
        "on_candle failed at Helped.enter()",
        "on_candle failed at the task Helped.fail() that it made and nobody awaits: handle the "
        "error in it",
    ]


class SeldomForgets(Helped):
    def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        if self.bars % 25 == 0:
            self.enter(candle.symbol)  # type: ignore[unused-coroutine]


def test_what_a_hook_forgets_now_and_then_is_not_in_a_row() -> None:
    strategy = SeldomForgets()

    async def wait(runner: Runner) -> None:
        await sleep(90)
        assert runner.status().failures == 3

    live_run(strategy, wait)
    assert strategy.bars > 80


def test_a_live_run_that_keeps_forgetting_is_stopped() -> None:
    strategy = Forgets()

    async def wait(runner: Runner) -> None:
        await sleep(30)

    with pytest.raises(HookFailed, match="on_candle failed at Helped"):
        live_run(strategy, wait)
    assert strategy.bars == 3
