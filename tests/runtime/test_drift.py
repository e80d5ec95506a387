"""The second look: what was lost on a healthy link is told, in virtual time, through the runner."""

from collections.abc import Awaitable, Callable

import pytest

from strategy_runtime import OrderEvent, Strategy
from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.ids import generator
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from tests.chaos import virtual_time
from tests.chaos.plan import Fault, Kind, Plan
from tests.chaos.virtual_time import VirtualLoop, VirtualTime
from tests.chaos.world import MemoryNetwork, MemoryProxy

MINUTE_NS = 60_000_000_000
BARS = 100


class Buys(Strategy):
    """Gives one order at its first candle, and notes when it hears of it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, bool, float]] = []
        self.anomalies: list[str] = []
        self.given = False

    def on_candle(self, candle: object) -> None:
        if not self.given:
            self.given = True
            self.buy("S:A", 5)

    def on_order(self, event: OrderEvent) -> None:
        self.heard.append((event.event.value, event.synthetic, monotonic()))

    def on_anomaly(self, description: str) -> None:
        self.anomalies.append(description)


def flat_market() -> Exchange:
    series = BarSeries("S:A", "1m", MINUTE_NS)
    for number in range(BARS):
        series.append(1_700_000_040_000_000_000 + number * MINUTE_NS, 10.0, 10.0, 10.0, 10.0, 1.0)
    return Exchange([series])


def live_run(
    strategy: Strategy, faults: list[Fault], seed: int, during: Callable[[Runner], Awaitable[None]]
) -> MemoryNetwork:
    """A bar a second, for so many seconds."""
    loop = VirtualLoop()
    time = VirtualTime(loop)
    proxy = MemoryProxy(flat_market(), speed=60.0, knows_ids=True)
    chance = generator(seed)
    network = MemoryNetwork(proxy, Plan(faults), loop, time, chance)
    endpoints = Endpoints(ws_url="ws://memory", rest_url="http://memory/")
    venue = ProxyVenue(endpoints, is_live=True, transport=network)
    runner = Runner(strategy, venue, mode="live", chance=chance)

    async def work() -> None:
        conducting = loop.create_task(proxy.stream.conduct())
        running = loop.create_task(runner.run())
        await during(runner)
        runner.stop()
        await running
        conducting.cancel()

    virtual_time.run(work(), loop, time)
    return network


@pytest.mark.parametrize("seed", range(10))
def test_a_fill_that_never_came_is_heard_of_within_ten_seconds(seed: int) -> None:
    # CONNECTED, a candle, ORDER_CREATED and the next candle arrive; what the fill brings does not.
    lost = [Fault(Kind.VANISH, at) for at in range(4, 8)]
    strategy = Buys()

    async def wait(runner: Runner) -> None:
        await sleep(20)

    live_run(strategy, lost, seed, wait)
    (created, _, _), (filled, synthetic, at) = strategy.heard
    assert (created, filled, synthetic) == ("ORDER_CREATED", "ORDER_FILLED", True)
    assert at - 1002 <= 10
    assert strategy.anomalies == [
        "the link was healthy, and these never came: rec:ord-1:FILLED:5, rec:trd-1, rec:pos-1:5"
    ]
