"""A venue on a thread of its own: no hook harms the link, no event is lost, and it ends cleanly."""

import asyncio
import logging
import threading
import time
from inspect import signature
from pathlib import Path

import pytest
from aiohttp import web

from strategy_runtime import Candle, OrderEvent, Quote, Strategy
from strategy_runtime.clock import monotonic
from strategy_runtime.errors import AccessDenied, ConnectionLost, Unreachable
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.threads import ThreadedVenue
from tests.proxy.scripted import COMPLETE, CONNECTED, ScriptedProxy, at_once, candle

FILLED = {
    "type": "order",
    "event": "ORDER_CREATED",
    "order": {
        "symbol": "S:X",
        "side": "BUY",
        "order_type": "LIMIT",
        "quantity": "1",
        "limit_price": "9",
        "filled_quantity": "0",
        "remaining_quantity": "1",
        "status": "OPEN",
        "time_in_force": "GTC",
        "created_at": "2024-03-04T14:30:00Z",
        "updated_at": "2024-03-04T14:30:00Z",
    },
}


def order(number: int) -> dict[str, object]:
    body: dict[str, object] = {**FILLED["order"], "id": f"ord-{number}"}  # type: ignore[dict-item]
    return {**FILLED, "event_id": f"order-{number}", "order": body}


def quote(number: int) -> dict[str, object]:
    body = {
        "symbol": "S:X",
        "provider": "test",
        "bid": f"{number}",
        "ask": f"{number + 1}",
        "timestamp": "2024-03-04T14:30:00Z",
    }
    return {"type": "quote", "event_id": f"quote-{number}", "quote": body}


def threaded(url: str, *, patience: float = 5.0, deadline: float = 5.0) -> ThreadedVenue:
    endpoints = Endpoints(ws_url=f"ws://{url}", rest_url=f"http://{url}")
    inner = ProxyVenue(
        endpoints,
        is_live=True,
        connect_deadline=deadline,
        reconnect_delays=at_once,
        startup_delays=at_once,
    )
    return ThreadedVenue(inner, patience=patience)


def io_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "strategy-runtime I/O"]


async def in_a_thread(strategy: Strategy, venue: ThreadedVenue) -> None:
    """Run a strategy in a thread with an event loop of its own, as in a process of its own."""
    await asyncio.to_thread(asyncio.run, Runner(strategy, venue, mode="live").run())


async def test_a_hook_that_blocks_its_thread_holds_up_no_pong(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release = threading.Event()
    waited: list[float] = []

    class Blocks(Strategy):
        def on_candle(self, candle: Candle) -> None:
            release.wait(30)

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        try:
            await proxy.say(socket, CONNECTED, candle(1))
            while "blocked its thread" not in caplog.text:
                proxy.frames.clear()
                asked = monotonic()
                await proxy.say(socket, {"type": "ping"})
                await proxy.until_frame("pong")
                waited.append(monotonic() - asked)
                await asyncio.sleep(0.02)  # noqa: TID251
            assert not release.is_set()
        finally:
            release.set()
        await proxy.say(socket, COMPLETE)
        await proxy.until_acked("evt-end")

    async with ScriptedProxy(scene).serving() as proxy:
        await in_a_thread(Blocks(), threaded(proxy.url, patience=0.3))
    assert len(waited) > 2
    assert max(waited) < 1
    (blocked,) = (r for r in caplog.records if "blocked its thread" in r.message)
    assert blocked.levelno == logging.ERROR
    assert "in on_candle\n    release.wait(30)" in blocked.message
    assert "runner.py" not in blocked.message
    assert "the strategy goes on after" in caplog.text


def test_a_hook_may_block_its_thread_for_as_long_as_the_documents_say() -> None:
    document = Path(__file__).parents[3] / "docs" / "strategies.md"
    seconds = signature(ThreadedVenue).parameters["patience"].default
    said = f"When a hook has blocked its thread for {seconds:g} s, its stack is logged."
    assert said in " ".join(document.read_text().split())


async def test_a_flood_of_quotes_leaves_the_latest_and_loses_no_order() -> None:
    seen: list[float] = []
    orders: list[str] = []

    class Slow(Strategy):
        def on_quote(self, quote: Quote) -> None:
            seen.append(quote.bid)
            time.sleep(0.001)  # noqa: TID251

        def on_order(self, event: OrderEvent) -> None:
            orders.append(event.order.id)

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED)
        for number in range(1, 5001):
            await proxy.say(socket, quote(number))
            if number % 50 == 0:
                await proxy.say(socket, order(number))
        await proxy.say(socket, COMPLETE)
        await proxy.until_acked("evt-end")

    async with ScriptedProxy(scene).serving() as proxy:
        await in_a_thread(Slow(), threaded(proxy.url))
    acked = [each for ack in proxy.acks for each in ack]
    assert orders == [f"ord-{number}" for number in range(50, 5001, 50)]
    assert seen == sorted(seen)
    assert seen[-1] == 5000
    assert len(acked) == len(set(acked)) == 5101


async def test_an_order_crosses_and_its_refusal_comes_back() -> None:
    refusals: list[Exception] = []

    class Buys(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            accepted = await self.buy("S:X", 1, limit=9)
            assert accepted.id == "ord-1"
            self.buy("S:X", 2)

        def on_error(self, error: Exception) -> None:
            refusals.append(error)

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1), COMPLETE)
        await proxy.until_acked("evt-end")

    refused = {"error": {"code": "INSUFFICIENT_MARGIN", "message": "no"}}
    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["GET", "/capabilities"] = [(200, {})]
        proxy.answers["POST", "/orders"] = [
            (201, {"id": "ord-1", "status": "OPEN"}),
            (422, refused),
        ]
        await Runner(Buys(), threaded(proxy.url), mode="live").run()
    assert [type(each).__name__ for each in refusals] == ["OrderRejected"]
    assert not io_threads()


async def test_a_refused_connection_is_told_and_the_thread_ends() -> None:
    async with ScriptedProxy(lambda proxy, socket: asyncio.sleep(0)).serving() as proxy:  # noqa: TID251
        proxy.answers["GET", "/account"] = [(401, {"error": {"code": "UNAUTHORIZED"}})]
        with pytest.raises(AccessDenied, match="401"):
            await Runner(Strategy(), threaded(proxy.url), mode="live").run()
    assert not io_threads()


async def test_what_ends_the_stream_ends_the_run() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await proxy.until_acked("evt-1")
        await socket.close(code=4004)

    async with ScriptedProxy(scene).serving() as proxy:
        with pytest.raises(ConnectionLost, match="another strategy took over"):
            await in_a_thread(Strategy(), threaded(proxy.url))
    assert not io_threads()


async def test_nobody_answers() -> None:
    with pytest.raises(Unreachable, match="gave up after 0 s"):
        await Runner(Strategy(), threaded("127.0.0.1:9", deadline=0), mode="live").run()
    assert not io_threads()


async def test_stop_is_heard_while_the_venue_is_being_opened() -> None:
    runner = Runner(Strategy(), threaded("127.0.0.1:9", deadline=60), mode="live")
    running = asyncio.create_task(runner.run())
    await asyncio.wait({running}, timeout=0.3)
    assert not running.done()
    runner.stop()
    async with asyncio.timeout(5):
        await running
    assert not io_threads()


async def test_asked_before_it_is_open_it_says_so() -> None:
    with pytest.raises(RuntimeError, match=r"open\(\) the venue before"):
        await threaded("127.0.0.1:9").account()
