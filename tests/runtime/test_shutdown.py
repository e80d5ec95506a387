"""A run that is asked to stop ends in time, whatever is still unanswered."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web

from strategy_runtime import Candle, Strategy
from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.errors import HookFailed
from strategy_runtime.proxy import ProxyVenue
from strategy_runtime.proxy.transport import Answer, Receiver
from strategy_runtime.runtime.delivery.failures import OnError
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.shutdown import OnExit
from strategy_runtime.simulator.exchange import Exchange
from tests.chaos.busy import steps
from tests.chaos.world import MemoryNetwork
from tests.proxy.scripted import CONNECTED, ScriptedProxy, candle
from tests.runtime.slow import Asked, SlowNetwork, slow
from tests.runtime.virtual_run import live_run

HANGS = 60.0
A, B = "S:A", "S:B"


class Trades(Strategy):
    """Has an open order and a position in one symbol, and finally places an order in the other."""

    waits: bool = False

    def __init__(self, **given: bool) -> None:
        super().__init__(**given)
        self.bars = 0

    async def on_candle(self, candle: Candle) -> None:
        self.bars += candle.symbol == A
        if candle.symbol == A and self.bars == 3:
            self.buy(A, 1, limit=5)
            self.buy(A, 1)
        elif candle.symbol == B and self.bars == 10:
            ticket = self.buy(B, 1, limit=5)
            if self.waits:
                await ticket

    async def on_stop(self) -> None:
        self.cancel_all(B)


def stopped(
    strategy: Strategy, delay: Callable[[Asked], float], on_exit: OnExit, after: float
) -> tuple[float, Exchange, list[Asked]]:
    """Stop a run some time after the last order; return how long it took, and what is left."""
    began = [0.0]

    async def wait(runner: Runner) -> None:
        while not any(each.body.get("symbol") == B for each in asked):
            await sleep(0.01)
        await sleep(after)
        began[0] = monotonic()

    asked: list[Asked] = []
    market = Exchange([steps(symbol, [10.0] * 400) for symbol in (A, B)])
    live_run(strategy, wait, exchange=market, network=slow(delay, asked), on_exit=on_exit)
    (closed,) = (each.since for each in asked if each.method == "CLOSE")
    return closed - began[0], market, asked


def in_b(asked: Asked) -> float:
    return HANGS * (asked.body.get("symbol") == B)


@pytest.mark.parametrize("after", [0.1, 3.0, 12.0])
@pytest.mark.parametrize("waits", [False, True], ids=["left", "awaited"])
@pytest.mark.parametrize(("on_exit", "orders", "held"), [("cancel", 0, 1), ("flatten", 0, 0)])
def test_what_was_asked_for_is_done_beside_an_order_without_an_answer(
    on_exit: OnExit,
    orders: int,
    held: int,
    waits: bool,
    after: float,
    caplog: pytest.LogCaptureFixture,
) -> None:
    took, market, _ = stopped(Trades(waits=waits), in_b, on_exit, after)
    assert took < 7.4
    assert len(market.orders()) == orders
    assert sum(position.signed_quantity for position in market.positions()) == held
    assert "on_stop took longer" not in caplog.text
    assert "anomaly: S:B Trades-bt-3: sent, and nobody can say whether it arrived" in caplog.text


def test_an_answer_under_way_is_waited_for() -> None:
    took, market, asked = stopped(
        Trades(), lambda asked: 2.5 * (asked.body.get("symbol") == B), "keep", 0.1
    )
    assert took < 3.0
    (post,) = (each for each in asked if each.body.get("symbol") == B)
    assert post.until is not None
    assert post.until - post.since >= 2.5
    assert [order.symbol for order in market.orders()] == [A]


class Forgets(MemoryNetwork):
    """A proxy that forgets orders when they end."""

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        answer = await super().request(method, url, body)
        if method != "DELETE":
            return answer
        return Answer(404, b'{"code":"ORDER_NOT_FOUND","message":"no such order"}')


class Looks(Trades):
    """Records the outcome of its cancels."""

    async def on_stop(self) -> None:
        self.became = [(await ticket).status.value for ticket in self.cancel_all(B)]


def test_an_order_that_a_proxy_has_forgotten_since_it_ended_counts_as_cancelled() -> None:
    strategy = Looks()
    market = Exchange([steps(symbol, [10.0] * 400) for symbol in (A, B)])
    live_run(strategy, lambda runner: sleep(20), exchange=market, network=Forgets)
    assert strategy.became == ["CANCELLED"]


class NeverStops(Trades):
    """Its last hook never ends, either."""

    async def on_stop(self) -> None:
        await sleep(HANGS)


@pytest.mark.parametrize("on_exit", ["keep", "flatten"])
def test_hooks_without_end_leave_time_for_what_was_asked_for(
    on_exit: OnExit, caplog: pytest.LogCaptureFixture
) -> None:
    took, market, _ = stopped(NeverStops(waits=True), in_b, on_exit, 0.1)
    assert took < 7.4
    assert len(market.orders()) == (1 if on_exit == "keep" else 0)
    assert "on_stop took longer than 3 s and was cancelled" in caplog.text


class Clings(NeverStops):
    """Nor does a task of it that refuses to be cancelled."""

    async def on_start(self) -> None:
        self.task = asyncio.ensure_future(self.cling())
        await sleep(0)

    async def cling(self) -> None:
        for _ in range(10):
            with suppress(asyncio.CancelledError):
                await sleep(HANGS)


def test_what_outlives_the_run_is_saved_before_a_proxy_that_does_not_answer_is_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    began: list[float] = []
    saved: list[float] = []
    closing: list[float] = []
    asked: list[Asked] = []

    class Deaf(SlowNetwork):
        async def connect(self, url: str, receiver: Receiver) -> Any:
            wire: Any = await super().connect(url, receiver)
            wire.close = self.hang
            return wire

        async def hang(self) -> None:
            closing.append(monotonic())
            try:
                await sleep(HANGS)
            finally:
                closing.append(monotonic())

    async def wait(runner: Runner) -> None:
        while not any(each.body.get("symbol") == B for each in asked):
            await sleep(0.01)
        began.append(monotonic())

    live_run(
        Clings(waits=True),
        wait,
        exchange=Exchange([steps(symbol, [10.0] * 400) for symbol in (A, B)]),
        network=lambda *args: Deaf(*args, delay=in_b, asked=asked),
        on_exit="cancel",
        save=lambda: saved.append(monotonic()),
    )
    assert began < saved[-1:] <= closing
    assert closing[1] - began[0] < 7.4
    assert "the connection could not be closed in good order in 0.15 s" in caplog.text


# Acknowledgements at the end of a backtest


class Signalled(Strategy):
    """Is asked to stop in the hook of its second candle."""

    def __init__(self, then: Callable[["Signalled"], object] = lambda self: None) -> None:
        super().__init__()
        self.candles = 0
        self.stops: list[Callable[[], None]] = []
        self._then = then

    def on_candle(self, candle: Candle) -> None:
        self.candles += 1
        if self.candles == 2:
            for stop in self.stops:
                stop()
            self._then(self)

    def fail(self) -> None:
        raise ValueError("just then")

    async def forgotten(self) -> None:
        pass


async def acked(strategy: Signalled, on_error: OnError | None = None) -> set[str]:
    """Return what a proxy that has sent three candles at once gets acknowledged."""

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, *map(candle, (1, 2, 3)))
        await proxy.until_closed(socket)

    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["GET", "/capabilities"] = [(404, {})]
        venue = ProxyVenue(proxy.endpoints, is_live=False)
        runner = Runner(strategy, venue, mode="backtest", on_error=on_error)
        strategy.stops = [runner.interrupt, runner.stop]
        with suppress(HookFailed):
            await runner.run()
    assert strategy.candles == 2
    return {each for ack in proxy.acks for each in ack}


async def test_the_last_event_whose_hook_has_returned_is_acknowledged() -> None:
    assert await acked(Signalled()) == {"evt-1", "evt-2"}


async def test_one_whose_hook_fails_is_where_the_run_would_go_on() -> None:
    assert await acked(Signalled(Signalled.fail), "continue") == {"evt-1", "evt-2"}


@pytest.mark.parametrize("then", [Signalled.fail, Signalled.forgotten])
async def test_one_at_which_the_run_fails_is_not(then: Callable[[Signalled], object]) -> None:
    assert await acked(Signalled(then)) == {"evt-1"}
