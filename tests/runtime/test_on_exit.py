"""What a live run leaves behind."""

import asyncio
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from strategy_runtime import Candle, OrderStatus, Strategy
from strategy_runtime.clock import sleep
from strategy_runtime.errors import ConnectionLost
from strategy_runtime.proxy.transport import Answer
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.shutdown import OnExit
from tests.chaos.world import MemoryNetwork
from tests.runtime.virtual_run import live_run, market


class Holds(Strategy):
    """Has a position with bracket legs, and a resting order."""

    def __init__(self) -> None:
        super().__init__()
        self.given = False

    def on_candle(self, candle: Candle) -> None:
        if not self.given:
            self.given = True
            self.buy("S:A", 5, stop_loss=5, take_profit=15)
            self.buy("S:A", 1, limit=5)


@pytest.mark.parametrize(
    ("on_exit", "open_orders", "held", "said"),
    [
        ("keep", 3, 5, []),
        ("cancel", 0, 5, ["on exit: orders to be cancelled: 3"]),
        (
            "flatten",
            0,
            0,
            ["on exit: orders to be cancelled: 3", "on exit: positions to be closed: 1"],
        ),
    ],
)
def test_what_is_left(
    on_exit: OnExit,
    open_orders: int,
    held: int,
    said: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def wait(runner: Runner) -> None:
        await sleep(10)

    with caplog.at_level("INFO"):
        exchange = live_run(Holds(), wait, on_exit=on_exit)
    assert len(exchange.orders()) == open_orders
    assert sum(position.signed_quantity for position in exchange.positions()) == held
    assert [text for text in caplog.messages if text.startswith("on exit")] == said


class Adds(Strategy):
    """Has a position, and orders one unit more."""

    def __init__(self) -> None:
        super().__init__()
        self.candles = 0

    def on_candle(self, candle: Candle) -> None:
        self.candles += 1
        if self.candles == 1:
            self.buy("S:A", 5)
        elif self.candles == 3:
            self.buy("S:A", 1)


class SwallowsOne(MemoryNetwork):
    """An order for one unit never arrives, and the request times out after ten seconds."""

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """Send a request, and return its answer, if any."""
        if method == "POST" and b'"quantity":"1"' in (body or b""):
            await sleep(10)
            raise ConnectionLost("timed out")
        return await super().request(method, url, body)


class BreaksAtOne(MemoryNetwork):
    """The request for one unit fails at once, and nobody knows whether the order has arrived."""

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """Send a request, and return its answer, if any."""
        if method == "POST" and b'"quantity":"1"' in (body or b""):
            raise LookupError("broken")
        return await super().request(method, url, body)


@pytest.mark.parametrize(("network", "halted"), [(SwallowsOne, []), (BreaksAtOne, ["S:A"])])
def test_positions_are_closed_while_an_earlier_order_has_no_answer(
    network: type[MemoryNetwork], halted: list[str]
) -> None:
    async def wait(runner: Runner) -> None:
        await sleep(5)
        assert runner.status().halted_symbols == halted

    exchange = live_run(Adds(), wait, on_exit="flatten", network=network)
    assert [str(each.quantity) for each in exchange.trades()] == ["5", "5"]
    assert exchange.positions() == []


def test_no_task_of_the_strategy_opens_a_position_while_positions_are_closed() -> None:
    class NeverStops(Strategy):
        task: asyncio.Task[None] | None = None

        def on_candle(self, candle: Candle) -> None:
            if self.task is None:
                self.task = asyncio.get_running_loop().create_task(self.buys_on())

        async def buys_on(self) -> None:
            while True:
                self.buy("S:A", 1)
                await sleep(0.2)

    async def wait(runner: Runner) -> None:
        await sleep(5)

    exchange = live_run(NeverStops(), wait, on_exit="flatten")
    assert len(exchange.trades()) > 10
    assert exchange.positions() == []


class Bids(Strategy):
    """Has a resting order that is only known from its event, and may change it."""

    def __init__(self, changes: bool = False) -> None:
        super().__init__()
        self.changes = changes
        self.given = False

    def on_candle(self, candle: Candle) -> None:
        if not self.given:
            self.given = True
            bid = self.buy("S:A", 1, limit=5)
            if self.changes:
                self.modify(bid, limit=6)


class AnswersNoOrder(MemoryNetwork):
    """Orders arrive, but are answered ten seconds later."""

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """Send a request, and return its answer."""
        answer = await super().request(method, url, body)
        if method == "POST":
            await sleep(10)
        return answer


@pytest.mark.parametrize("changes", [False, True])
def test_an_order_of_which_an_event_has_told_is_cancelled_though_it_has_no_answer(
    changes: bool,
) -> None:
    async def wait(runner: Runner) -> None:
        await sleep(5)

    strategy = Bids(changes)
    exchange = live_run(strategy, wait, on_exit="cancel", network=AnswersNoOrder)
    assert exchange.orders() == []
    assert [order.status for order in exchange.order_history()] == [OrderStatus.CANCELLED]


class TakesItsLeave(Holds):
    """Has nothing to do at the end of the run, but takes a while."""

    async def on_stop(self) -> None:
        await sleep(2)


@pytest.mark.parametrize(("on_exit", "filled"), [("cancel", ["5"]), ("flatten", ["5", "5"])])
def test_what_is_filled_while_the_run_ends_is_closed_and_its_legs_are_cancelled(
    on_exit: OnExit, filled: list[str]
) -> None:
    async def wait(runner: Runner) -> None:
        await sleep(1.1)

    exchange = live_run(TakesItsLeave(), wait, on_exit=on_exit)
    assert [str(each.quantity) for each in exchange.trades()] == filled
    assert exchange.orders() == []
    assert bool(exchange.positions()) is (on_exit == "cancel")


def test_what_an_order_without_an_answer_has_filled_is_closed_and_the_rest_is_cancelled() -> None:
    class Buys(Strategy):
        given = False

        def on_candle(self, candle: Candle) -> None:
            if not self.given:
                self.given = True
                self.buy("S:A", 5)

    async def wait(runner: Runner) -> None:
        await sleep(1.1)

    exchange = market(max_volume_share=Decimal(1))
    live_run(Buys(), wait, on_exit="flatten", network=AnswersNoOrder, exchange=exchange)
    assert exchange.positions() == []
    assert exchange.orders() == []
    bought = exchange.order_history()[-1]
    assert (bought.status, bought.filled_quantity) == (OrderStatus.CANCELLED, Decimal(1))


def test_an_order_that_was_not_answered_is_cancelled_by_what_the_venue_lists() -> None:
    class Deaf(AnswersNoOrder):
        def frame_sent(self, wire: Any, frame: bytes) -> None:
            if b'"order"' not in frame:
                super().frame_sent(wire, frame)

    async def wait(runner: Runner) -> None:
        await sleep(2)

    exchange = live_run(Bids(), wait, on_exit="cancel", network=Deaf)
    assert [order.status for order in exchange.order_history()] == [OrderStatus.CANCELLED]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/orders", "does not say which orders are open; cancelling those known"),
        ("/positions", "does not say what is held; closing what is known"),
    ],
)
def test_what_the_proxy_does_not_say_at_the_end_is_not_taken_for_nothing(
    path: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    ends = False

    class FallsSilent(MemoryNetwork):
        async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
            if ends and method == "GET" and urlsplit(url).path.endswith(path):
                await sleep(10)
            return await super().request(method, url, body)

    async def wait(runner: Runner) -> None:
        nonlocal ends
        await sleep(10)
        ends = True

    exchange = live_run(Holds(), wait, on_exit="flatten", network=FallsSilent)
    assert (exchange.orders(), exchange.positions()) == ([], [])
    (line,) = [each for each in caplog.messages if each.startswith("on exit: the proxy")]
    assert line == f"on exit: the proxy {said}"


@pytest.mark.parametrize("on_exit", ["keep", "flatten"])
def test_a_run_that_never_began_says_that_it_leaves_all_as_it_is(
    on_exit: OnExit, caplog: pytest.LogCaptureFixture
) -> None:
    class SaysNothing(MemoryNetwork):
        async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
            if urlsplit(url).path.endswith("/positions"):
                await sleep(1000)
            return await super().request(method, url, body)

    async def wait(runner: Runner) -> None:
        await sleep(5)

    live_run(Holds(), wait, on_exit=on_exit, network=SaysNothing)
    line = "on exit: the strategy has not started, so --on-exit flatten cancels and closes nothing"
    assert (line in caplog.messages) is (on_exit == "flatten")
