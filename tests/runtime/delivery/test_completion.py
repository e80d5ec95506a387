"""The end of a backtest: its hook may send last requests, and has a deadline."""

import pytest

from strategy_runtime import Strategy
from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.errors import HookFailed
from strategy_runtime.ids import generator
from strategy_runtime.protocol.events import BacktestComplete
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.chaos import virtual_time
from tests.chaos.busy import steps
from tests.chaos.plan import Plan
from tests.chaos.virtual_time import VirtualLoop, VirtualTime
from tests.chaos.world import MemoryNetwork, MemoryProxy, venue_on


class Reports(Strategy):
    """Takes `seconds` in its last hook."""

    seconds: float = 0.0
    took = -1.0

    async def on_complete(self, event: BacktestComplete) -> None:
        began = monotonic()
        try:
            await sleep(self.seconds)
        finally:
            self.took = monotonic() - began


class Fails(Strategy):
    """Raises a TimeoutError of its own."""

    async def on_complete(self, event: BacktestComplete) -> None:
        raise TimeoutError("the report")


def over_the_network(strategy: Strategy) -> None:
    """Run a strategy until the proxy has got the last acknowledgement."""
    loop, rng = VirtualLoop(), generator(0)
    time = VirtualTime(loop)
    proxy = MemoryProxy(Exchange([steps("S:A", [1.0, 2.0])]), speed=None, knows_ids=True)
    network = MemoryNetwork(proxy, Plan([]), loop, time, rng)

    async def work() -> None:
        conducting = loop.create_task(proxy.stream.conduct())
        venue = venue_on(network, rng, is_live=False)
        await Runner(strategy, venue, mode="backtest").run()
        await conducting

    virtual_time.run(work(), loop, time)


@pytest.mark.parametrize(("seconds", "took"), [(7.5, 7.5), (3600, 8)])
def test_over_the_network_it_has_eight_seconds(
    seconds: float, took: float, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = Reports(seconds=seconds)
    over_the_network(strategy)
    assert strategy.took == took
    said = "on_complete took longer than 8 s and was cancelled"
    assert (said in caplog.text) is (took < seconds)


def test_what_it_raises_itself_fails_the_run() -> None:
    with pytest.raises(HookFailed, match="on_complete failed"):
        over_the_network(Fails())


def test_in_process_nobody_waits_for_it() -> None:
    loop, strategy = VirtualLoop(), Reports(seconds=3600)
    venue = SimulatedVenue(Exchange([steps("S:A", [1.0, 2.0])]))
    run = Runner(strategy, venue, mode="backtest").run()
    virtual_time.run(run, loop, VirtualTime(loop))
    assert strategy.took == 3600
