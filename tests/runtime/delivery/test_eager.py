"""Coroutine hooks run as if they were awaited, but only those that wait really are."""

import asyncio
from typing import Any

import pytest

from strategy_runtime import Candle, Strategy
from strategy_runtime.clock import sleep
from strategy_runtime.protocol.events import CandleRun
from strategy_runtime.runtime.delivery.eager import eager
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.simulator.support import A, minutes


async def test_one_that_waits_for_nothing_is_through_at_once() -> None:
    seen: list[int] = []

    async def hook(number: int) -> None:
        seen.append(number)

    assert eager(hook)(7) is None
    assert seen == [7]


async def test_one_that_waits_goes_on_where_it_stood_in_the_same_task() -> None:
    future = asyncio.get_running_loop().create_future()
    seen: list[Any] = []

    async def hook(awaited: asyncio.Future[int]) -> None:
        seen.append(asyncio.current_task())
        seen.append(await awaited)
        await sleep(0)
        seen.append(asyncio.current_task())

    begun = eager(hook)(future)
    assert len(seen) == 1
    asyncio.get_running_loop().call_soon(future.set_result, 42)
    assert begun is not None
    await begun
    task = asyncio.current_task()
    assert seen == [task, 42, task]


async def test_what_is_raised_before_and_behind_a_wait_comes_out() -> None:
    async def hook(pause: bool) -> None:
        if pause:
            await sleep(0)
        raise LookupError

    with pytest.raises(LookupError):
        eager(hook)(False)
    begun = eager(hook)(True)
    assert begun is not None
    with pytest.raises(LookupError):
        await begun


async def test_what_happens_to_the_task_happens_to_the_hook() -> None:
    seen: list[str] = []

    async def hook(_: int) -> None:
        try:
            await sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            await sleep(0)
            seen.append("tidied up")
            raise

    begun: Any = eager(hook)(7)

    async def wait() -> None:
        await begun

    task = asyncio.create_task(wait())
    await sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled", "tidied up"]


def test_one_that_is_given_up_is_closed() -> None:
    seen: list[str] = []

    class Never:
        def __await__(self) -> Any:
            yield self

    async def hook(_: int) -> None:
        try:
            await Never()
        finally:
            seen.append("closed")

    begun: Any = eager(hook)(7)
    waiting = begun.__await__()
    next(waiting)
    waiting.close()
    assert seen == ["closed"]


async def test_a_coroutine_has_its_candles_in_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Notes(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            self.closes.append(candle.close)

        def on_start(self) -> None:
            self.closes: list[float] = []

    runs = []
    made = CandleRun.__init__

    def count(run: CandleRun, *parts: Any) -> None:
        runs.append(run)
        made(run, *parts)

    monkeypatch.setattr(CandleRun, "__init__", count)
    strategy = Notes()
    venue = SimulatedVenue(Exchange([minutes(A, range(1, 101))]))
    await Runner(strategy, venue, mode="backtest").run()
    assert strategy.closes == list(range(1, 101))
    assert len(runs) < 5
