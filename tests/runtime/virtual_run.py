"""A live run in virtual time: a bar a second, one symbol, each close a cent above the last."""

from collections.abc import Awaitable, Callable

from strategy_runtime import Strategy
from strategy_runtime.clock import sleep
from strategy_runtime.ids import generator
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.proxy.policy import backoff, knocks
from strategy_runtime.runtime.runner import OnExit, Runner
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from tests.chaos import virtual_time
from tests.chaos.plan import Fault, Plan
from tests.chaos.virtual_time import VirtualLoop, VirtualTime
from tests.chaos.world import MemoryNetwork, MemoryProxy

__all__ = ["live_run"]

START_NS = 1_700_000_040_000_000_000
MINUTE_NS = 60_000_000_000
BARS = 100
AFTERWARDS_S = 5.0


def _market() -> Exchange:
    series = BarSeries("S:A", "1m", MINUTE_NS)
    for number in range(BARS):
        price = 10 + number / 100
        series.append(START_NS + number * MINUTE_NS, price, price, price, price, 1.0)
    return Exchange([series])


def live_run(
    strategy: Strategy,
    during: Callable[[Runner], Awaitable[None]],
    *,
    faults: tuple[Fault, ...] = (),
    seed: int = 0,
    on_exit: OnExit = "keep",
) -> Exchange:
    """Run until `during` has ended; the exchange as it is five seconds later."""
    loop = VirtualLoop()
    time = VirtualTime(loop)
    proxy = MemoryProxy(_market(), speed=60.0, knows_ids=True)
    chance = generator(seed)
    network = MemoryNetwork(proxy, Plan(list(faults)), loop, time, chance)
    endpoints = Endpoints(ws_url="ws://memory", rest_url="http://memory/")
    venue = ProxyVenue(
        endpoints,
        is_live=True,
        delays=lambda _: backoff(chance),
        knocking=lambda _: knocks(chance),
        transport=network,
    )
    runner = Runner(strategy, venue, mode="live", chance=chance, on_exit=on_exit)

    async def work() -> None:
        conducting = loop.create_task(proxy.stream.conduct())
        running = loop.create_task(runner.run())
        await during(runner)
        runner.stop()
        await running
        await sleep(AFTERWARDS_S)
        conducting.cancel()

    virtual_time.run(work(), loop, time)
    return proxy.exchange
