"""A live run in virtual time, with a bar per second, each closing a cent above the last."""

from collections.abc import Awaitable, Callable
from typing import Any

from strategy_runtime import Strategy
from strategy_runtime.clock import sleep
from strategy_runtime.ids import generator
from strategy_runtime.runtime.desk import TradingDesk
from strategy_runtime.runtime.observer import Observer
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.shutdown import OnExit
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from tests.chaos import virtual_time
from tests.chaos.busy import steps
from tests.chaos.plan import Fault, Plan
from tests.chaos.virtual_time import VirtualLoop, VirtualTime
from tests.chaos.world import MemoryNetwork, MemoryProxy, venue_on

__all__ = ["live_run", "market"]

BARS = 100
AFTERWARDS_S = 5.0


def market(**options: Any) -> Exchange:
    """Return the exchange of a run, for tests that trade on it beside the strategy."""
    prices = (10 + number / 100 for number in range(BARS))
    return Exchange([steps("S:A", prices, volume=1.0)], ExchangeOptions(**options))


def live_run(
    strategy: Strategy,
    during: Callable[[Runner], Awaitable[None]],
    *,
    faults: tuple[Fault, ...] = (),
    seed: int = 0,
    on_exit: OnExit = "keep",
    exchange: Exchange | None = None,
    observer: Observer | None = None,
    desk: Callable[..., TradingDesk] = TradingDesk,
    network: Callable[..., MemoryNetwork] = MemoryNetwork,
    save: Callable[[], None] | None = None,
) -> Exchange:
    """Run until `during` has ended, and return the exchange as it is five seconds later."""
    loop = VirtualLoop()
    time = VirtualTime(loop)
    exchange = exchange or market()
    proxy = MemoryProxy(exchange, speed=60.0, knows_ids=True)
    rng = generator(seed)
    wires = network(proxy, Plan(list(faults)), loop, time, rng)
    venue = venue_on(wires, rng, is_live=True)

    async def work() -> None:
        runner = Runner(
            strategy,
            venue,
            mode="live",
            rng=rng,
            on_exit=on_exit,
            observer=observer,
            desk=desk,
            save=save,
        )
        conducting = loop.create_task(proxy.stream.conduct())
        running = loop.create_task(runner.run())
        await during(runner)
        runner.stop()
        await running
        await sleep(AFTERWARDS_S)
        conducting.cancel()

    virtual_time.run(work(), loop, time)
    return exchange
