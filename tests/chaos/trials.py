"""One run with faults, and the checks on its outcome."""

import asyncio
from contextlib import suppress
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from strategy_runtime import Candle, OrderRejected, Ticket
from strategy_runtime.clock import sleep
from strategy_runtime.errors import StrategyRuntimeError
from strategy_runtime.ids import Random, generator
from strategy_runtime.report.csv_tables import fills_csv
from strategy_runtime.runtime.desk.refusals import FATE_UNKNOWN
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.store import Journal
from strategy_runtime.simulator.exchange import Exchange
from tests.chaos import busy, virtual_time
from tests.chaos.busy import calm, walks
from tests.chaos.plan import Kind, Plan, drawn
from tests.chaos.virtual_time import VirtualLoop, VirtualTime
from tests.chaos.world import MemoryNetwork, MemoryProxy, live_venue_on, venue_on

__all__ = ["Weather", "backtest", "live"]

FAULTS = 20
QUIET_S = 15.0
KNOWN_S = 40.0

# Here fsync takes no time; these runs do not include a crash of the machine.
_IN_MEMORY = Path("/dev/shm")  # noqa: S108


class Weather(Struct):
    """The outcome of a trial.

    Attributes:
        problems: What went wrong although it must not, in words.
        events: Number of frames, either way, and of requests.
        faults: Number of faults.
        orders: Number of orders booked.
        unknown: Number of orders reported to the strategy as of unknown fate.
    """

    problems: list[str]
    events: int
    faults: int
    orders: int
    unknown: int = 0


class Busy(busy.Busy):
    """The same strategy with faults of its own; its name is the same, since order ids have it.

    Attributes:
        together: How many candles came together at each instant.
        apart: Instants whose candles did not come together as they had come one by one.
    """

    def __init__(self, network: MemoryNetwork) -> None:
        super().__init__()
        self.together: list[int] = []
        self.apart: list[str] = []
        self._network = network
        self._told: list[Candle] = []

    def on_candles(self, candles: list[Candle]) -> None:
        if candles != self._told or len({each.end for each in candles}) != 1:
            self.apart.append(f"told {self._told} one by one, {candles} together")
        self.together.append(len(candles))
        self._told.clear()

    async def on_candle(self, candle: Candle) -> None:
        self._told.append(candle)
        await super().on_candle(candle)
        fault = self._network.plan.next("hook")
        if fault is None:
            return
        self._network.strike(fault.seconds)
        if fault.kind is Kind.SLEEPS:
            await sleep(fault.seconds)
        elif fault.kind is Kind.BLOCKS:
            self._network.loop.skip(fault.seconds)
        elif fault.at % 8 == 0:
            _call_itself()
        else:
            raise RuntimeError("a fault of the strategy's own")

    async def amend(self, ticket: Ticket, limit: float) -> None:
        with suppress(OrderRejected):
            await super().amend(ticket, limit)


def _call_itself() -> None:
    _call_itself()


@cache
def _calm(bars: int) -> str:
    return asyncio.run(calm(bars))


def backtest(seed: int, bars: int) -> tuple[Plan, Weather]:
    """Run in lock-step: the fills must be those of the run without faults."""
    expected = _calm(bars)
    rng, loop = generator(seed), VirtualLoop()
    time, knows_ids = VirtualTime(loop), bool(seed % 2)
    reach = {"frame": bars * 4, "ack": bars * 2, "connect": 10, "request": bars, "hook": bars * 2}
    plan = drawn(rng, is_live=False, knows_ids=knows_ids, count=FAULTS, reach=reach)
    proxy = MemoryProxy(Exchange(walks(bars)), speed=None, knows_ids=knows_ids)
    network = MemoryNetwork(proxy, plan, loop, time, rng)

    strategy = Busy(network)

    async def work() -> None:
        conducting = loop.create_task(proxy.stream.conduct())
        venue = venue_on(network, rng, is_live=False)
        await Runner(strategy, venue, mode="backtest").run()
        await conducting

    problems = []
    try:
        virtual_time.run(work(), loop, time)
    except (StrategyRuntimeError, TimeoutError, virtual_time.Stuck) as error:
        problems.append(f"the run ended: {error!r}")
    if fills_csv(proxy.exchange.outcome().fills) != expected:
        problems.append("the fills are not those of the calm run")
    if strategy.together != [len(walks(bars))] * bars:
        problems.append("the candles of an instant did not come together")
    problems += _doubles(proxy) + strategy.apart
    return plan, Weather(problems, network.events, network.struck, len(proxy.booked))


def _doubles(proxy: MemoryProxy) -> list[str]:
    return [f"{name} was booked {count} times" for name, count in proxy.booked.items() if count > 1]


class _Supervised:
    """A live strategy that is restarted whenever it ends too early.

    Attributes:
        strategies: All that have run.
        runner: The current one.
        folder: Folder of their journal.
    """

    def __init__(
        self, proxy: MemoryProxy, network: MemoryNetwork, rng: Random, folder: Path
    ) -> None:
        self.strategies: list[Busy] = []
        self.runner: Runner | None = None
        self._proxy = proxy
        self._network = network
        self._rng = rng
        self.folder = folder
        self._asked: asyncio.Queue[Kind] = asyncio.Queue()

    def ask(self, kind: Kind) -> None:
        """Send a signal to the strategy."""
        self._asked.put_nowait(kind)

    async def run(self) -> None:
        """Run and restart strategies until the replay ends."""
        while self._proxy.stream.end is None:
            strategy = Busy(self._network)
            self.strategies.append(strategy)
            venue = live_venue_on(self._network, self._rng)
            run_id = f"r{len(self.strategies)}"
            journal = Journal(self.folder)
            self.runner = Runner(
                strategy, venue, mode="live", run_id=run_id, rng=self._rng, journal=journal
            )
            running = asyncio.ensure_future(self.runner.run())
            asked = asyncio.ensure_future(self._asked.get())
            await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
            if asked.done() and not running.done():
                if asked.result() is Kind.SIGTERM:
                    self.runner.stop()
                else:
                    self._network.cut()
                    await venue.die()
                    running.cancel()
                await asyncio.wait({running})
            asked.cancel()
            journal.close()
            if not running.cancelled():
                running.result()


def live(seed: int, bars: int) -> tuple[Plan, Weather]:
    """Run by the clock: whenever it is quiet, strategy and proxy must agree about everything."""
    rng, loop = generator(seed), VirtualLoop()
    time, knows_ids = VirtualTime(loop), bool(seed % 2)
    reach = {"frame": bars * 4, "ack": bars, "connect": 10, "request": bars, "hook": bars * 2}
    plan = drawn(rng, is_live=True, knows_ids=knows_ids, count=FAULTS, reach=reach)
    proxy = MemoryProxy(Exchange(walks(bars)), speed=60.0, knows_ids=knows_ids)
    network = MemoryNetwork(proxy, plan, loop, time, rng, lambda kind: run.ask(kind))
    folder = TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None)
    run = _Supervised(proxy, network, rng, Path(folder.name))
    problems: list[str] = []

    async def work() -> None:
        conducting = loop.create_task(proxy.stream.conduct())
        watching = loop.create_task(_watch(run, proxy, network, problems))
        async with asyncio.timeout(bars * 3 + 600):
            await run.run()
        watching.cancel()
        await conducting

    try:
        virtual_time.run(work(), loop, time)
    except (StrategyRuntimeError, TimeoutError, virtual_time.Stuck) as error:
        problems.append(f"the run ended: {error!r}")
    with folder:
        left = Journal(run.folder)
        left.close()
        if loop.time() - network.struck_at >= KNOWN_S:
            problems += [f"the journal ends without an outcome of {n}" for n in left.unsettled]
    problems += _doubles(proxy)
    unknown = 0
    for strategy in run.strategies:
        problems += strategy.apart
        for ticket in strategy.tickets:
            code = ticket.error.code if ticket.error is not None else None
            unknown += code == FATE_UNKNOWN
            is_booked = ticket.client_order_id in proxy.booked
            if ticket.is_settled and code != FATE_UNKNOWN and is_booked != (code is None):
                problems.append(f"{ticket.client_order_id}: {code}, booked: {is_booked}")
    return plan, Weather(problems, network.events, network.struck, len(proxy.booked), unknown)


async def _watch(
    run: _Supervised, proxy: MemoryProxy, network: MemoryNetwork, problems: list[str]
) -> None:
    """Compare both sides whenever it is quiet; twice, since something may be in flight."""
    while not problems:
        await sleep(1.0)
        quiet_s = network.loop.time() - network.struck_at
        if quiet_s < QUIET_S or run.runner is None:
            continue
        if quiet_s >= KNOWN_S and run.runner.status().halted_symbols:
            problems.append(f"after {quiet_s:.1f} s the fate of an order is still unknown")
        if _disagreement(run, proxy):
            await sleep(0.3)
            found = _disagreement(run, proxy)
            if found and network.loop.time() - network.struck_at >= QUIET_S:
                problems.append(f"at {network.loop.time():.1f}: {found}")


def _disagreement(run: _Supervised, proxy: MemoryProxy) -> str:
    if run.runner is None:
        return ""
    said, exchange = run.runner.status(), proxy.exchange
    ours = {each.symbol: Decimal(each.quantity) for each in said.positions}
    theirs = {each.symbol: each.signed_quantity for each in exchange.positions()}
    if ours != theirs:
        return f"we hold {ours}, the proxy {theirs}"
    orders = {each.client_order_id for each in said.open_orders if each.status != "PENDING"}
    known = {each.client_order_id or each.id for each in exchange.orders(limit=10_000)}
    return "" if orders == known else f"open here {orders}, there {known}"
