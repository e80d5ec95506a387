"""A hook that awaits what never comes is logged, with the line."""

import pytest

from strategy_runtime import Candle, Strategy
from strategy_runtime.clock import sleep
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.chaos import virtual_time
from tests.chaos.busy import steps
from tests.chaos.virtual_time import VirtualLoop, VirtualTime
from tests.runtime.virtual_run import live_run


class Waits(Strategy):
    """Waits at its first candle for a number of seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.candles = 0

    async def on_candle(self, candle: Candle) -> None:
        self.candles += 1
        if self.candles == 1:
            await self.ask()

    async def ask(self) -> None:
        await sleep(self.seconds)


class Ticks(Waits):
    """Waits in a timer."""

    def on_start(self) -> None:
        self.every("1m", self.ask)

    async def on_candle(self, candle: Candle) -> None:
        self.candles += 1


class Starts(Waits):
    """Waits before any event, like a strategy that uses `on_start` as a main loop."""

    async def on_start(self) -> None:
        await self.ask()


def test_one_that_never_leaves_on_start_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    live_run(Starts(600), lambda runner: sleep(300))
    (told,) = (text for text in caplog.messages if "has not returned for 60 s" in text)
    assert told.startswith("on_start has not")
    assert "await sleep(self.seconds)" in told


def test_in_a_backtest_it_is_told_of_too(caplog: pytest.LogCaptureFixture) -> None:
    loop = VirtualLoop()
    venue = SimulatedVenue(Exchange([steps("S:A", [10.0, 11.0])]))
    runner = Runner(Waits(600), venue, mode="backtest")
    virtual_time.run(runner.run(), loop, VirtualTime(loop))
    (told,) = (text for text in caplog.messages if "has not returned for 60 s" in text)
    assert told.startswith("on_candle has not")


@pytest.mark.parametrize("kind", [Waits, Ticks])
@pytest.mark.parametrize(("seconds", "is_told_of"), [(50, False), (130, True), (600, True)])
def test_it_is_told_of_once_it_has_waited_for_long(
    kind: type[Waits], seconds: float, is_told_of: bool, caplog: pytest.LogCaptureFixture
) -> None:
    live_run(kind(seconds), lambda runner: sleep(300))
    told = [text for text in caplog.messages if "has not returned for 60 s" in text]
    name = "on_candle" if kind is Waits else "ask"
    assert [text.startswith(f"{name} has not") for text in told[:1]] == [True] * is_told_of
    assert all("await sleep(self.seconds)" in text for text in told)
    if kind is Waits:
        assert len(told) <= 1
