"""A strategy that quits: the run ends cleanly after the current hook, and reports the reason."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import datetime
from typing import Any

import pytest
from aiohttp import web

from strategy_runtime import Candle, OrderEvent, OrderStatus, Strategy, Trade
from strategy_runtime.clock import sleep
from strategy_runtime.proxy import ProxyVenue
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.shutdown import OnExit
from strategy_runtime.runtime.venue import Venue
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.chaos.plan import Fault, Kind
from tests.proxy.scripted import CONNECTED, ScriptedProxy, candle
from tests.runtime.virtual_run import live_run
from tests.simulator.support import market, over_sockets

A = "S:A"


class Quits(Strategy):
    """Records its hooks, and quits in a given one, between two orders."""

    where: str = "on_candle"

    def __init__(self, **given: str) -> None:
        super().__init__(**given)
        self.called: list[str] = []

    def reached(self, hook: str) -> None:
        self.called.append(hook)
        if hook == self.where:
            self.buy(A, 1)
            self.quit("that will do")
            self.buy(A, 2)

    def on_start(self) -> None:
        self.every("2m", self.first_timer)
        self.every("2m", self.second_timer)
        self.reached("on_start")

    def on_connect(self) -> None:
        self.reached("on_connect")

    def first_timer(self) -> None:
        self.reached("first_timer")

    def second_timer(self) -> None:
        self.reached("second_timer")

    def on_candle(self, candle: Candle) -> None:
        self.reached("on_candle")

    def on_stop(self) -> None:
        self.reached("on_stop")
        self.buy(A, 3)


BEFORE = ["on_start", "on_connect"]


@pytest.mark.parametrize(
    ("where", "called"),
    [
        ("on_start", BEFORE[:1]),
        ("on_connect", BEFORE),
        ("on_candle", [*BEFORE, "on_candle"]),
        ("first_timer", [*BEFORE, "on_candle", "first_timer"]),
        ("second_timer", [*BEFORE, "on_candle", "first_timer", "second_timer"]),
    ],
)
async def test_no_hook_follows_but_the_last_and_the_orders_of_the_one_in_hand_are_given(
    where: str, called: list[str]
) -> None:
    strategy = Quits(where=where)
    async with strategy.run_test() as pilot:
        await pilot.candles(A, closes=[10, 11, 12, 13])
        assert strategy.called == [*called, "on_stop"]
        known = [1, 2] if "on_candle" in called else []  # no symbol is, before the first candle
        assert [order.quantity for order in pilot.orders] == known
        assert pilot.quit_reason == "that will do"
        assert pilot.position(A).is_flat


async def test_a_hook_that_waits_runs_to_its_end() -> None:
    class Waits(Strategy):
        def on_start(self) -> None:
            self.became: list[OrderStatus] = []

        async def on_candle(self, candle: Candle) -> None:
            self.quit("after this")
            for size in (1, 2):
                self.became.append((await self.buy(A, size)).status)

    strategy = Waits()
    async with strategy.run_test() as pilot:
        await pilot.candles(A, closes=[10, 11])
        assert strategy.became == [OrderStatus.OPEN, OrderStatus.OPEN]
        assert len(pilot.orders) == 2


async def test_the_first_reason_counts() -> None:
    class Again(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.quit("one")
            self.quit("two")

        def on_stop(self) -> None:
            self.quit("three")

    async with Again().run_test() as pilot:
        await pilot.candles(A, closes=[10])
        assert pilot.quit_reason == "one"


async def test_a_run_that_does_not_end_itself_has_no_reason() -> None:
    async with Quits(where="on_stop").run_test() as pilot:
        await pilot.candles(A, closes=[10])
        assert pilot.quit_reason is None


async def test_a_reason_is_a_text() -> None:
    class Wordless(Strategy):
        def on_candle(self, candle: Candle) -> None:
            with pytest.raises(TypeError, match=r"quit\(\) takes the reason in words, not 7"):
                self.quit(7)  # type: ignore[arg-type]

    async with Wordless().run_test() as pilot:
        await pilot.candles(A, closes=[10])
        assert pilot.quit_reason is None


async def test_over_a_network_nothing_is_acknowledged_that_would_let_the_last_orders_fill(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, *(candle(number, A) for number in (1, 2, 3)))
        await proxy.until_closed(socket)

    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["GET", "/capabilities"] = [(404, {})]
        strategy = Quits()
        await Runner(strategy, ProxyVenue(proxy.endpoints, is_live=False), mode="backtest").run()
    assert [name for name in strategy.called if "timer" not in name] == [
        *BEFORE,
        "on_candle",
        "on_stop",
    ]
    assert proxy.acks == []
    assert sum(each[0] == "POST" for each in proxy.requests) == 2
    assert "Quits ends the run: that will do" in caplog.messages


class QuitsLater(Strategy):
    """Quits when its order has been accepted."""

    def on_candle(self, candle: Candle) -> None:
        self.buy(A, 1)

    def on_order(self, event: OrderEvent) -> None:
        self.quit("that will do")


async def test_over_sockets_a_run_that_is_quit_leaves_what_it_leaves_in_process() -> None:
    async def left(connect: Callable[[Exchange], AbstractAsyncContextManager[Venue]]) -> list[Any]:
        exchange = market(10, 11, 12)
        async with connect(exchange) as venue:
            await Runner(QuitsLater(), venue, mode="backtest").run()
        return [exchange.now_ns, exchange.orders(), exchange.trades(), exchange.account()]

    @asynccontextmanager
    async def with_time(exchange: Exchange) -> AsyncIterator[Venue]:
        async with over_sockets(exchange) as venue:
            yield venue
            await sleep(0.05)  # for what an acknowledgement would set off

    in_process = await left(lambda exchange: nullcontext(SimulatedVenue(exchange)))
    assert len(in_process[1]) == 1
    assert await left(with_time) == in_process


# Live


class Holds(Strategy):
    """Has an open position and an open order."""

    def on_candle(self, candle: Candle) -> None:
        if not self.orders():
            self.buy(A, 1)
            self.buy(A, 1, limit=5)

    def on_stop(self) -> None:
        self.stopped = self.now


class AtATrade(Holds):
    def on_trade(self, trade: Trade) -> None:
        self.quit("traded")


class AtAnOrder(Holds):
    def on_order(self, event: OrderEvent) -> None:
        if event.order.status is OrderStatus.FILLED:
            self.quit("filled")


class AtATime(Holds):
    def on_start(self) -> None:
        self.every("10s", lambda: self.quit("late"))


class InATask(Holds):
    def on_start(self) -> None:
        self.task = asyncio.create_task(self.look_on())

    async def look_on(self) -> None:
        await sleep(10)
        self.quit("seen enough")


@pytest.mark.parametrize(
    ("on_exit", "orders", "held"), [("keep", 1, 1), ("cancel", 0, 1), ("flatten", 0, 0)]
)
@pytest.mark.parametrize("kind", [AtATrade, AtAnOrder, AtATime, InATask])
def test_a_live_run_ends_itself_wherever_it_is_asked_to(
    kind: Callable[[], Holds], on_exit: OnExit, orders: int, held: int
) -> None:
    async def until_it_ends(runner: Runner) -> None:
        while not hasattr(strategy, "stopped"):
            await sleep(0.01)
        reasons.append(runner.quit_reason)
        await sleep(5)

    strategy, reasons = kind(), list[str | None]()
    exchange = live_run(strategy, until_it_ends, on_exit=on_exit)
    assert reasons[0]
    assert len(exchange.orders()) == orders
    assert sum(position.signed_quantity for position in exchange.positions()) == held


class Slowly(Strategy):
    """Quits in a slow hook, while the book is compared with the venue again and again."""

    async def on_candle(self, candle: Candle) -> None:
        self.buy(A, 1)
        self.quit("slowly")
        await sleep(30)
        self.through = True

    def on_stop(self) -> None:
        self.stopped = self.now


def test_a_live_hook_that_quits_is_waited_for_however_long_it_takes() -> None:
    async def until_it_ends(runner: Runner) -> None:
        while not hasattr(strategy, "stopped"):
            await sleep(0.01)

    strategy = Slowly()
    live_run(strategy, until_it_ends)
    assert strategy.through


class WhenEventsAreLost(Strategy):
    """Gets its fill from a comparison with the venue, not from an event."""

    def __init__(self) -> None:
        super().__init__()
        self.quit_at: datetime | None = None
        self.stopped_at: datetime | None = None

    def on_candle(self, candle: Candle) -> None:
        if self.position(A).is_flat and not self.orders():
            self.buy(A, 5)

    def on_anomaly(self, description: str) -> None:
        self.quit_at = self.now
        self.quit(description)

    def on_stop(self) -> None:
        self.stopped_at = self.now


def test_a_hook_that_no_event_brings_ends_a_live_run_too() -> None:
    async def wait(runner: Runner) -> None:
        await sleep(20)
        assert runner.quit_reason is not None
        assert strategy.stopped_at == strategy.quit_at

    # CONNECTED, a candle, ORDER_CREATED and the next candle arrive; events of the fill do not.
    lost = tuple(Fault(Kind.VANISH, at) for at in range(4, 8))
    strategy = WhenEventsAreLost()
    live_run(strategy, wait, faults=lost)
