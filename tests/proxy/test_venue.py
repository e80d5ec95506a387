"""The venue over the network, against a proxy that follows a script."""

import asyncio
import json
import os
import re
import socket
import struct
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from strategy_runtime import (
    Candle,
    ConnectionEvent,
    Gap,
    HookFailed,
    OrderEvent,
    OrderEventKind,
    OrderRejected,
    OrderType,
    Side,
    Strategy,
)
from strategy_runtime.clock import monotonic
from strategy_runtime.errors import (
    AccessDenied,
    ApiError,
    ConfigError,
    ConnectionLost,
    FateUnknown,
    ProtocolError,
    Unreachable,
)
from strategy_runtime.ids import Random
from strategy_runtime.protocol.models import OrderChanges, OrderRequest
from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.proxy.policy import retries
from strategy_runtime.proxy.submission import Patience
from strategy_runtime.runtime.runner import Runner
from tests.proxy.scripted import (
    ACCOUNT,
    COMPLETE,
    CONNECTED,
    ScriptedProxy,
    at_once,
    candle,
    run,
    venue_for,
)
from tests.strategies import Scripted


async def finish(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
    await proxy.say(socket, COMPLETE)
    await proxy.until_acked("evt-end")


def kinds(strategy: Any) -> list[str]:
    return [type(event).__name__ for event in strategy.seen]


# Acknowledgements.


async def test_every_id_is_acknowledged_once_whatever_the_frame() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(
            socket,
            CONNECTED,
            candle(1),
            {"type": "hologram", "event_id": "evt-2"},
            candle(3, bar=None),
            '{"type":"candle","event_id":"evt-4","bar":{"symbol":"S:A',
            {"type": "candle", "event_id": 5, "bar": candle(5)["bar"]},
            {**candle(6), "event_id": None, "id": "evt-6"},
        )
        await proxy.until_acked("evt-1", "evt-2", "evt-3", "evt-4", "5", "evt-6")
        await finish(proxy, socket)

    async with ScriptedProxy(scene).serving() as proxy:
        strategy = await run(proxy)
    ids = [each for ack in proxy.acks for each in ack]
    assert ids == ["evt-1", "evt-2", "evt-3", "evt-4", "5", "evt-6", "evt-end"]
    assert kinds(strategy) == [
        "ConnectionEvent",
        "Candle",
        "UnknownEvent",
        "Candle",
        "Candle",
        "BacktestComplete",
    ]


async def test_an_ack_carries_a_whole_number_of_milliseconds_and_an_id_of_its_own() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await proxy.until_acked("evt-1")
        await finish(proxy, socket)

    async with ScriptedProxy(scene).serving() as proxy:
        await run(proxy)
    assert all(type(frame["timestamp"]) is int for frame in proxy.ack_frames)
    assert len({frame["correlation_id"] for frame in proxy.ack_frames}) == len(proxy.ack_frames)


async def test_what_is_at_hand_goes_out_in_one_ack_even_behind_a_ping() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        frames = [CONNECTED, *(candle(n) for n in range(1, 51)), {"type": "ping"}]
        await proxy.say(socket, *frames)
        await proxy.until_acked(*(f"evt-{n}" for n in range(1, 51)))
        await proxy.until_frame("pong")
        await finish(proxy, socket)

    async with ScriptedProxy(scene).serving() as proxy:
        await run(proxy)
    assert len(proxy.acks) < 25


async def test_the_ack_waits_for_the_hook_and_for_its_orders() -> None:
    order: list[str] = []

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await proxy.until_acked("evt-1")
        order.append(f"ack after {len([r for r in proxy.requests if r[0] == 'POST'])} orders")
        await finish(proxy, socket)

    class Buys(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            self.buy("S:X", 1)
            self.sell("S:X", 2)
            order.append("hook returned")

    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["POST", "/orders"] = [(201, {"id": "ord-1", "status": "OPEN"})]
        await run(proxy, Buys())
    assert order == ["hook returned", "ack after 2 orders"]
    bodies = [body for method, _, body in proxy.requests if method == "POST"]
    assert [(b["side"], b["quantity"], b["client_order_id"]) for b in bodies] == [
        ("BUY", "1", "Buys-bt-1"),
        ("SELL", "2", "Buys-bt-2"),
    ]


async def test_the_event_of_a_failing_hook_is_not_acknowledged() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1), candle(2))
        await asyncio.Event().wait()

    def explode(strategy: Scripted, event: Candle) -> None:
        raise ValueError("mine")

    async with ScriptedProxy(scene).serving() as proxy:
        with pytest.raises(HookFailed, match=re.escape("candle S:X 2024-03-04T14:02:00Z (evt-2)")):
            await run(proxy, Scripted({1: explode}))
    assert ["evt-2"] not in proxy.acks
    assert "evt-2" not in [each for ack in proxy.acks for each in ack]


async def test_pings_are_answered_while_a_hook_waits() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1), {"type": "ping"})
        await proxy.until_frame("pong")
        assert proxy.acks == []
        released.set()
        await proxy.until_acked("evt-1")
        await finish(proxy, socket)

    released = asyncio.Event()

    class Waits(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            await released.wait()

    async with ScriptedProxy(scene).serving() as proxy:
        await run(proxy, Waits())


async def test_old_gateways_get_an_empty_ack_for_frames_without_id() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, {**candle(1), "event_id": None})
        while [] not in proxy.acks:
            proxy.heard.clear()
            await proxy.heard.wait()
        await finish(proxy, socket)

    async with ScriptedProxy(scene).serving() as proxy:
        await run(proxy, always_ack=True)


# Handshake, dialects, subscriptions.


async def test_the_greeting_may_be_absent() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, candle(1))
        await proxy.until_acked("evt-1")
        await finish(proxy, socket)

    async with ScriptedProxy(scene).serving() as proxy:
        strategy = await run(proxy)
    assert kinds(strategy) == ["ConnectionEvent", "Candle", "BacktestComplete"]


async def test_a_silent_proxy_is_taken_as_connected_after_a_moment() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await connected.wait()
        await finish(proxy, socket)

    connected = asyncio.Event()

    class Watches(Strategy):
        def on_connect(self) -> None:
            connected.set()

    async with ScriptedProxy(scene).serving() as proxy:
        await run(proxy, Watches(), connected_wait=0.01)


async def test_the_later_gateways_dialect() -> None:
    """One port, /v1/ws and /v1, no CONNECTED, no pings, wall-clock stamps, bare symbols."""

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        frame = candle(1, symbol="AAPL", timestamp="2026-08-01T09:00:00.123456789Z")
        await proxy.say(socket, frame)
        await proxy.until_acked("evt-1")
        filled = {
            "type": "order",
            "event_id": "evt-2",
            "event": "ORDER_FILLED",
            "order": {
                "id": "gw-1",
                "client_order_id": "Buys-bt-1",
                "symbol": "AAPL",
                "side": "BUY",
                "order_type": "MARKET",
                "quantity": "3",
                "filled_quantity": "3",
                "average_fill_price": "10.5",
                "status": "FILLED",
                "updated_at": "2024-03-04T14:02:00Z",
            },
            "timestamp": "2026-08-01T09:00:01Z",
        }
        await proxy.say(socket, filled)
        await proxy.until_acked("evt-2")
        await finish(proxy, socket)

    seen: list[tuple[str, Decimal]] = []

    class Buys(Strategy):
        def on_candle(self, candle: Candle) -> None:
            seen.append((f"{self.now:%Y-%m-%d %H:%M}", self.position("AAPL").quantity))
            self.buy(candle.symbol, 3)

        def on_order(self, event: object) -> None:
            seen.append((f"{self.now:%Y-%m-%d %H:%M}", self.position("AAPL").quantity))

    async with ScriptedProxy(scene, stream_path="/v1/ws", prefix="/v1").serving() as proxy:
        proxy.answers["POST", "/orders"] = [(201, {"id": "gw-1", "status": "PENDING"})]
        await run(proxy, Buys())
    assert seen == [("2024-03-04 14:02", Decimal(0)), ("2024-03-04 14:02", Decimal(3))]
    assert [path for method, path, _ in proxy.requests if method == "POST"] == ["/v1/orders"]


async def test_events_beyond_the_subscriptions_are_acknowledged_and_passed_over() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1, "S:A"), candle(2, "S:B"))
        await proxy.until_acked("evt-1", "evt-2")
        await finish(proxy, socket)

    async with ScriptedProxy(scene).serving() as proxy:
        strategy: Any = await run(proxy, subscriptions=parse_subscriptions("S:B:candle"))
    assert [e.symbol for e in strategy.seen if isinstance(e, Candle)] == ["S:B"]


# Reconnection.


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4001, 4002])
async def test_a_lost_connection_is_made_again_and_nothing_is_handled_twice(code: int) -> None:
    async def first(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await proxy.until_acked("evt-1")
        await socket.close(code=code)

    async def second(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1), candle(2))
        await proxy.until_acked("evt-2")
        await finish(proxy, socket)

    links: list[str] = []

    class Counts(Scripted):
        def on_connect(self) -> None:
            links.append("connect")

        def on_disconnect(self) -> None:
            links.append("disconnect")

        def on_reconnect(self, gap: Gap) -> None:
            assert gap.seconds >= 0
            assert gap.missed == {}
            links.append("reconnect")

    async with ScriptedProxy(first, second).serving() as proxy:
        strategy = Counts({})
        await run(proxy, strategy)
    assert strategy.candles == 2
    assert links == ["connect", "disconnect", "connect", "reconnect"]
    # When it was handled, again since that may have been lost, and when it was repeated.
    assert [each for ack in proxy.acks for each in ack].count("evt-1") == 3


async def sends_nothing_again(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
    """A proxy that still waits, on a second connection, for what it sent on the first."""
    assert proxy.acks == []
    await proxy.say(socket, CONNECTED)
    await proxy.until_acked("evt-1", "evt-2")
    await finish(proxy, socket)


async def test_what_falls_due_while_the_connection_is_down_is_acknowledged_on_the_next() -> None:
    async def first(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1), candle(2))
        await in_hook.wait()
        await socket.close(code=1001)
        closed.set()

    in_hook, closed = asyncio.Event(), asyncio.Event()

    class Waits(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            in_hook.set()
            await closed.wait()

    async with ScriptedProxy(first, sends_nothing_again).serving() as proxy:
        async with asyncio.timeout(30):
            await run(proxy, Waits())
    assert [each for ack in proxy.acks for each in ack] == ["evt-1", "evt-2", "evt-end"]


async def test_so_is_what_was_sent_before_anybody_could_read_that_it_is_down() -> None:
    """A hook blocks; meanwhile the proxy sends something else and leaves."""
    links: list[socket.socket] = []

    async def first(proxy: ScriptedProxy, stream: web.WebSocketResponse) -> None:
        links.append(stream.get_extra_info("socket"))
        await proxy.say(stream, CONNECTED, candle(1))
        await proxy.until_closed(stream)

    def blocks(strategy: Scripted, event: Candle) -> None:
        text = json.dumps(candle(2)).encode()
        os.write(links[0].fileno(), struct.pack("!BBH", 0x81, 126, len(text)) + text)
        links[0].shutdown(socket.SHUT_RDWR)

    async with ScriptedProxy(first, sends_nothing_again).serving() as proxy:
        async with asyncio.timeout(30):
            await run(proxy, Scripted({0: blocks}))
    assert [each for ack in proxy.acks for each in ack] == ["evt-1", "evt-2", "evt-end"]


async def test_candles_that_were_under_way_may_come_again() -> None:
    async def first(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, named, candle(1), candle(2), candle(3))
        await proxy.until_acked("evt-3")
        await socket.close(code=1001)

    async def second(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, named, candle(2), candle(3), candle(4))
        await proxy.until_acked("evt-4")
        await finish(proxy, socket)

    named = {**CONNECTED, "session": "one"}
    strategy = Scripted({})
    async with ScriptedProxy(first, second).serving() as proxy:
        await run(proxy, strategy)
    assert strategy.candles == 4


@pytest.mark.parametrize(
    "anew",
    [
        [CONNECTED, candle(1), candle(2), candle(3), candle(4), COMPLETE],
        [{**CONNECTED, "session": "two"}, candle(4), COMPLETE],
        [candle(1, event_id="fresh-1"), COMPLETE],
    ],
)
async def test_a_proxy_that_begins_its_backtest_anew_ends_the_run(
    anew: list[dict[str, Any]],
) -> None:
    async def first(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, {**CONNECTED, "session": "one"}, candle(1), candle(2), candle(3))
        await proxy.until_acked("evt-3")
        await socket.close(code=1001)

    async def second(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, *anew)
        await proxy.until_acked("evt-end")

    strategy = Scripted({})
    async with ScriptedProxy(first, second).serving() as proxy:
        with pytest.raises(
            ConnectionLost, match=r"has begun its backtest anew.*start the strategy"
        ):
            await run(proxy, strategy)
    assert strategy.candles == 3
    assert [each for ack in proxy.acks for each in ack] == ["evt-1", "evt-2", "evt-3"]


async def test_live_a_new_connection_may_count_its_events_anew() -> None:
    async def first(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1), candle(1), candle(2))
        await proxy.until_acked("evt-2")
        await socket.close(code=1001)

    async def second(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        later = [candle(number, event_id=f"evt-{number - 10}") for number in (11, 12)]
        await proxy.say(socket, CONNECTED, *later)
        await proxy.until_frame("pong")

    starts: list[int] = []

    class Notes(Strategy):
        def on_candle(self, candle: Candle) -> None:
            starts.append(candle.timestamp.minute)
            if candle.timestamp.minute == 12:
                runner.stop()

    async with ScriptedProxy(first, second).serving() as proxy:
        runner = Runner(Notes(), venue_for(proxy, is_live=True), mode="live")
        async with asyncio.timeout(30):
            await runner.run()
    assert starts == [1, 2, 11, 12]


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        (4003, ConnectionLost, "the proxy halted the run: an acknowledgement was missing (late)"),
        (4004, ConnectionLost, "another strategy took over the proxy's event stream (late)"),
        (1008, ProtocolError, "the proxy refuses what we send: close code 1008 (late)"),
    ],
)
async def test_some_closes_end_the_run(code: int, error: type[Exception], text: str) -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED)
        await socket.close(code=code, message=b"late")

    async with ScriptedProxy(scene).serving() as proxy:
        with pytest.raises(error, match=re.escape(text)):
            await run(proxy)
    assert proxy.connections == 1


async def test_a_redirect_is_not_followed() -> None:
    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(f"http://{proxy.url}/")

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await finish(proxy, socket)

    app = web.Application()
    app.router.add_get("/", elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    other = f"127.0.0.1:{runner.addresses[0][1]}"
    async with ScriptedProxy(scene).serving() as proxy:
        endpoints = Endpoints(ws_url=f"ws://{other}", rest_url=f"http://{proxy.url}")
        said = f"ws://{other}/ redirects to http://{proxy.url}/; redirects are not followed"
        with pytest.raises(ProtocolError, match=re.escape(said)):
            await Runner(Scripted({}), ProxyVenue(endpoints, is_live=False), mode="backtest").run()
        assert proxy.connections == 0
    await runner.cleanup()


async def test_a_live_link_that_falls_silent_is_replaced_within_twelve_seconds() -> None:
    """Half-open: nothing comes any more, not even answers to pings, and nothing is closed."""
    opened: list[float] = []
    again = asyncio.Event()

    async def silent(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        opened.append(monotonic())
        await proxy.say(socket, CONNECTED)
        await again.wait()

    async def second(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        opened.append(monotonic())
        await proxy.say(socket, CONNECTED)
        again.set()
        runner.stop()
        await asyncio.Event().wait()

    async with ScriptedProxy(silent, second, answers_pings=False).serving() as proxy:
        runner = Runner(Strategy(), ProxyVenue(proxy.endpoints, is_live=True), mode="live")
        async with asyncio.timeout(60):
            await runner.run()
    assert opened[1] - opened[0] <= 12


async def test_positions_that_cannot_be_read_after_a_gap_are_unknown_not_flat() -> None:
    seen: list[str] = []

    async def first(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED)
        await connected.wait()
        fault = (500, {"code": "INTERNAL_ERROR", "message": "not now"})
        proxy.answers["GET", "/positions"] = [fault, (200, [])]

    async def second(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED)
        await asyncio.Event().wait()

    connected, told = asyncio.Event(), asyncio.Event()

    class Looks(Strategy):
        def on_connect(self) -> None:
            connected.set()

        def on_disconnect(self) -> None:
            seen.append(f"lost with {self.position('S:X').quantity}")

        def on_reconnect(self, gap: Gap) -> None:
            seen.append(f"back with {self.position('S:X').quantity}")
            told.set()

    async with ScriptedProxy(first, second).serving() as proxy:
        held = {"id": "p-1", "symbol": "S:X", "side": "LONG", "quantity": "5"}
        proxy.answers["GET", "/positions"] = [(200, [held])]
        runner = Runner(Looks(), venue_for(proxy, is_live=True), mode="live")
        task = asyncio.create_task(runner.run())
        await told.wait()
        runner.stop()
        await task
    assert seen == ["lost with 5", "back with 0"]


async def test_a_backtest_that_the_proxy_breaks_off_ends_with_its_reason() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        words = {"type": "error", "code": "DATA_ERROR", "message": "prices.csv line 7 is odd"}
        await proxy.say(socket, CONNECTED, candle(1), words)
        await socket.close(code=1011)

    async with ScriptedProxy(scene).serving() as proxy:
        with pytest.raises(
            ConnectionLost, match=r"broke the run off: DATA_ERROR: prices\.csv line 7 is odd"
        ):
            await run(proxy)
    assert proxy.connections == 1


async def test_a_refused_key_is_final() -> None:
    async with ScriptedProxy().serving() as proxy:
        refusal = {"code": "UNAUTHORIZED", "message": "wrong key"}
        proxy.answers["GET", "/account"] = [(401, refusal)]
        with pytest.raises(AccessDenied, match="refused GET /account with 401: wrong key"):
            await run(proxy)


async def test_a_key_that_is_not_taken_any_more_is_told_from_a_right_it_does_not_give() -> None:
    async with ScriptedProxy().serving() as proxy:
        venue = venue_for(proxy)
        await venue.open()
        refusal = {"code": "UNAUTHORIZED", "message": "no"}
        for path in ("/positions", "/orders", "/orders/history", "/orders/o-1", "/bars/S:X"):
            proxy.answers["GET", path] = [(401, refusal), (403, refusal)]
        with pytest.raises(AccessDenied, match="refused GET /positions with 401: no"):
            await venue.positions()
        with pytest.raises(AccessDenied):
            await venue.positions()
        for _ in (401, 403):
            with pytest.raises(AccessDenied):
                await venue.order("o-1")
        with pytest.raises(AccessDenied):
            await venue.bars("S:X", "1m", limit=1)
        with pytest.raises(ApiError, match="UNAUTHORIZED: no"):
            await venue.bars("S:X", "1m", limit=1)
        await venue.close()


async def test_a_proxy_that_never_comes_up_is_unreachable() -> None:
    endpoints = Endpoints(ws_url="ws://127.0.0.1:1", rest_url="http://127.0.0.1:1")
    venue = ProxyVenue(endpoints, is_live=False, connect_deadline=0.05, knocking=at_once)
    with pytest.raises(Unreachable, match=r"nobody answers at http://127.0.0.1:1.*gave up after"):
        await Runner(Scripted({}), venue, mode="backtest").run()


async def test_a_proxy_may_come_up_late() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED)
        await finish(proxy, socket)

    tries = 0

    def patient(chance: Random) -> Iterator[float]:
        nonlocal tries
        while True:
            tries += 1
            if tries == 3:
                proxy.answers.clear()
            yield 0.001

    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["GET", "/account"] = [(0, None)]
        await run(proxy, knocking=patient)
    assert tries >= 3


async def test_a_backtest_whose_proxy_goes_away_for_good_is_incomplete() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await proxy.until_acked("evt-1")
        proxy.stream_path = "gone"
        gone.set()
        await socket.close()

    gone = asyncio.Event()

    async with ScriptedProxy(scene).serving() as proxy:
        venue = venue_for(proxy, connect_deadline=0.05)
        runner = asyncio.create_task(Runner(Scripted({}), venue, mode="backtest").run())
        await gone.wait()
    with pytest.raises(ConnectionLost):
        await runner


# Requests.


def limit_order() -> OrderRequest:
    return OrderRequest(
        symbol="S:X",
        side=Side.BUY,
        quantity=Decimal(1),
        order_type=OrderType.MARKET,
        client_order_id="c-1",
    )


async def ask(proxy: ScriptedProxy, call: Callable[[ProxyVenue], Any], **options: Any) -> Any:
    venue = venue_for(proxy, **options)
    await venue.open()
    try:
        return await call(venue)
    finally:
        await venue.close()


KNOWN = {"id": "ord-9", "symbol": "S:X", "side": "BUY", "status": "OPEN", "client_order_id": "c-1"}
FOREIGN = {"id": "ord-8", "symbol": "S:X", "side": "BUY", "status": "OPEN"}


@pytest.mark.parametrize(
    "loss",
    [(0, None), (500, "<html>oops</html>"), (503, {"code": "X", "message": "y"}), (200, "{")],
)
async def test_an_order_whose_answer_got_lost_is_looked_up_not_sent_again(
    loss: tuple[int, Any],
) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["POST", "/orders"] = [loss]
        proxy.answers["GET", "/orders"] = [(200, [FOREIGN, KNOWN])]
        handle = await ask(proxy, lambda venue: venue.submit(limit_order()))
    assert handle.id == "ord-9"
    assert len([r for r in proxy.requests if r[0] == "POST"]) == 1


@pytest.mark.parametrize("status", [402, 408, 410, 425, 499])
async def test_an_answer_that_is_no_clear_refusal_leaves_the_fate_of_an_order_open(
    status: int,
) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["POST", "/orders"] = [(status, {"code": "ODD", "message": "hm"})]
        proxy.answers["GET", "/orders"] = [(200, [KNOWN])]
        handle = await ask(proxy, lambda venue: venue.submit(limit_order()))
    assert handle.id == "ord-9"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 422, 501])
async def test_a_clear_refusal_is_final(status: int) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["POST", "/orders"] = [(status, {"code": "NO", "message": "never"})]
        with pytest.raises(ApiError, match="NO: never"):
            await ask(proxy, lambda venue: venue.submit(limit_order()))
    assert not [r for r in proxy.requests if r[1].startswith("/orders?")]


HASTY = Patience(deadline=0.5, settle=0.3, limit=0.6)


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_an_ended_order_is_found_where_there_is_no_list_of_those(status: int) -> None:
    ended = {**KNOWN, "client_order_id": "c-1", "status": "FILLED", "quantity": "1"}
    refusal = {"code": "NOT_OFFERED", "message": "no"}
    async with ScriptedProxy().serving() as proxy:
        venue = venue_for(proxy)
        await venue.open()
        proxy.answers["GET", "/orders/history"] = [(status, refusal)]
        proxy.answers["GET", "/orders"] = [(200, []), (200, [ended]), (200, []), (400, refusal)]
        found = await venue.orders(client_order_id="c-1")
        asked = proxy.requests[-1][1]
        # One that cannot choose by status does not have the order, as far as can be told.
        unknown = await venue.orders(client_order_id="c-1")
        await venue.close()
    assert [order.status.value for order in found] == ["FILLED"]
    assert unknown == []
    wanted = parse_qs(urlsplit(asked).query)
    assert wanted["client_order_id"] == ["c-1"]
    assert set(wanted["status"][0].split(",")) == {"FILLED", "CANCELLED", "REJECTED", "EXPIRED"}


async def test_an_order_that_did_not_arrive_is_of_unknown_fate() -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["POST", "/orders"] = [(504, "")]
        proxy.answers["GET", "/orders"] = [(200, [FOREIGN])]
        with pytest.raises(FateUnknown, match=r"S:X c-1: .*POST /orders was answered with 504"):
            await ask(proxy, lambda venue: venue.submit(limit_order()), patience=HASTY)
    assert len([r for r in proxy.requests if r[0] == "POST"]) == 1
    assert len([r for r in proxy.requests if r[1].startswith("/orders?")]) >= 2


async def test_a_proxy_that_knows_ids_again_gets_the_order_again() -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/capabilities"] = [(200, {"features": ["client_order_id_dedupe"]})]
        proxy.answers["POST", "/orders"] = [(0, None), (502, ""), (200, KNOWN)]
        handle = await ask(proxy, lambda venue: venue.submit(limit_order()))
    assert handle.id == "ord-9"
    posts = [body for method, _, body in proxy.requests if method == "POST"]
    assert len(posts) == 3
    assert posts[0] == posts[1] == posts[2]


@pytest.mark.parametrize("details", [{"retry_after_seconds": 0.05}, None])
async def test_an_order_waits_as_long_as_the_proxy_says(details: dict[str, float] | None) -> None:
    refusal = {"code": "RATE_LIMITED", "message": "slow down", "details": details}
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["POST", "/orders"] = [(429, refusal), (201, KNOWN)]
        began = monotonic()
        handle = await ask(proxy, lambda venue: venue.submit(limit_order()))
    assert handle.id == "ord-9"
    assert monotonic() - began >= (0.05 if details else 1.0)


async def test_an_order_that_must_wait_too_long_is_refused() -> None:
    refusal = {"code": "RATE_LIMITED", "message": "later", "details": {"retry_after_seconds": 60}}
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["POST", "/orders"] = [(429, refusal)]
        with pytest.raises(ApiError, match="RATE_LIMITED: later"):
            await ask(proxy, lambda venue: venue.submit(limit_order()), patience=HASTY)


async def test_an_event_settles_the_fate_of_an_order() -> None:
    order = {**KNOWN, "client_order_id": "Scripted-bt-1", "status": "OPEN", "quantity": "1"}
    event = {"type": "order", "event": "ORDER_CREATED", "event_id": "evt-2", "order": order}

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        while not any(method == "POST" for method, _, _ in proxy.requests):  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # noqa: TID251
        await proxy.say(socket, event)
        await proxy.until_acked("evt-1", "evt-2")
        await finish(proxy, socket)

    strategy = Scripted({0: lambda s, c: s.buy("S:X", 1)})
    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["POST", "/orders"] = [(504, "")]
        proxy.answers["GET", "/orders"] = [*[(200, [])] * 3, (503, "")]
        await run(proxy, strategy, patience=Patience(settle=30.0))
    assert strategy.refusals == []
    assert len([r for r in proxy.requests if r[0] == "POST"]) == 1


async def test_after_an_order_of_unknown_fate_its_symbol_is_halted_and_the_strategy_told() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1), candle(2), candle(3, "S:Y"))
        await proxy.until_acked("evt-1", "evt-2", "evt-3")
        await finish(proxy, socket)

    strategy = Scripted({n: lambda s, c: s.buy(c.symbol, 1) for n in range(3)})
    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["POST", "/orders"] = [(504, ""), (201, {"id": "ord-1", "status": "OPEN"})]
        runner = Runner(strategy, venue_for(proxy, patience=HASTY), mode="backtest")
        await runner.run()
    assert runner.status().halted_symbols == ["S:X"]
    (anomaly,) = strategy.anomalies
    assert anomaly.startswith("S:X Scripted-bt-1: sent, and nobody can say whether it arrived")
    assert anomaly.endswith("no more orders in S:X until it is known")
    (refusal,) = strategy.refusals
    assert isinstance(refusal, OrderRejected)
    assert (refusal.code, refusal.symbol) == ("SYMBOL_HALTED", "S:X")
    posted = [body["symbol"] for method, _, body in proxy.requests if method == "POST"]
    assert posted == ["S:X", "S:Y"]


async def test_after_a_reconnection_it_is_asked_what_became_of_the_order() -> None:
    own = {**KNOWN, "client_order_id": "Scripted-bt-1"}

    async def first(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await proxy.until_acked("evt-1")
        proxy.answers["GET", "/orders"] = [(200, [own])]

    async def second(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(2))
        await proxy.until_acked("evt-2")
        await finish(proxy, socket)

    strategy = Scripted({0: lambda s, c: s.buy("S:X", 1), 1: lambda s, c: s.sell("S:X", 1)})
    async with ScriptedProxy(first, second).serving() as proxy:
        proxy.answers["POST", "/orders"] = [(504, ""), (201, {"id": "ord-2", "status": "OPEN"})]
        await run(proxy, strategy, patience=HASTY)
    assert strategy.anomalies[1:] == [
        "S:X Scripted-bt-1 arrived and is OPEN; orders in S:X are sent again"
    ]
    assert len([r for r in proxy.requests if r[0] == "POST"]) == 2


async def test_an_order_that_was_found_filled_is_told_as_filled_by_its_event() -> None:
    own = {**KNOWN, "client_order_id": "Watcher-bt-1", "quantity": "1"}
    own |= {"status": "FILLED", "filled_quantity": "1", "remaining_quantity": "0"}
    own |= {"average_fill_price": "10"}

    async def first(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await proxy.until_acked("evt-1")
        proxy.answers["GET", "/orders"] = [(200, [own])]

    async def second(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        filled = {"type": "order", "event_id": "evt-2", "event": "ORDER_FILLED", "order": own}
        await proxy.say(socket, CONNECTED, filled)
        await proxy.until_acked("evt-2")
        await finish(proxy, socket)

    class Watcher(Scripted):
        def on_order(self, event: OrderEvent) -> None:
            self.heard = event.event, self.position("S:X").quantity

    strategy = Watcher({0: lambda s, c: s.buy("S:X", 1)})
    async with ScriptedProxy(first, second).serving() as proxy:
        proxy.answers["POST", "/orders"] = [(504, "")]
        await run(proxy, strategy, patience=HASTY)
    assert strategy.anomalies[1:] == [
        "S:X Watcher-bt-1 arrived and is FILLED; orders in S:X are sent again"
    ]
    assert strategy.heard == (OrderEventKind.ORDER_FILLED, Decimal(1))


async def test_a_refusal_reaches_the_strategy_with_code_and_details() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await proxy.until_acked("evt-1")
        await finish(proxy, socket)

    strategy = Scripted({0: lambda s, c: s.buy("S:X", 1)})
    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["POST", "/orders"] = [
            (422, {"code": "ORDER_REJECTED", "message": "closed", "details": {"reject_code": "M"}})
        ]
        await run(proxy, strategy)
    (refusal,) = strategy.refusals
    assert isinstance(refusal, OrderRejected)
    assert (refusal.code, refusal.message) == ("ORDER_REJECTED", "closed")
    assert refusal.details == {"reject_code": "M"}


async def test_reading_is_tried_again_after_a_passing_failure() -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/positions"] = [(502, ""), (0, None), (200, [])]
        assert await ask(proxy, lambda venue: venue.positions()) == []


async def test_attempts_at_a_question_are_a_second_apart_and_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept = without_sleep(monkeypatch)
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/positions"] = [(502, "")]
        with pytest.raises(ApiError):
            await ask(proxy, lambda venue: venue.positions(), retrying=retries)
    first, second = slept
    assert 0.5 <= first <= 1.5
    assert 1.0 <= second <= 3.0


@pytest.mark.parametrize(("asked", "waits"), [(7, 7.0), (60, 60.0), (86_400, 60.0), (0, 0.001)])
async def test_a_question_waits_as_long_as_the_proxy_says_for_a_minute_at_most(
    asked: float, waits: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = without_sleep(monkeypatch)
    details = {"retry_after_seconds": asked}
    refusal = {"code": "RATE_LIMITED", "message": "slow down", "details": details}
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/positions"] = [(429, refusal), (200, [])]
        assert await ask(proxy, lambda venue: venue.positions()) == []
    assert slept == [waits]


CHANGES = OrderChanges(limit_price=Decimal(9))


@pytest.mark.parametrize("lost", [(0, None), (504, ""), (408, ""), (200, "{")])
async def test_a_change_whose_answer_got_lost_is_sent_again(lost: tuple[int, Any]) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["PATCH", "/orders/ord-9"] = [lost, (200, {"order": KNOWN})]
        order = await ask(proxy, lambda venue: venue.modify("ord-9", CHANGES))
    assert order.id == "ord-9"
    bodies = [body for method, _, body in proxy.requests if method == "PATCH"]
    assert bodies == [{"limit_price": "9"}] * 2


@pytest.mark.parametrize(("price", "has_changed"), [("9.0", True), ("8", False), (None, False)])
async def test_a_change_without_any_answer_is_looked_up(
    price: str | None, has_changed: bool
) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["PATCH", "/orders/ord-9"] = [(0, None)]
        proxy.answers["GET", "/orders/ord-9"] = [(200, {**KNOWN, "limit_price": price})]
        if has_changed:
            order = await ask(proxy, lambda venue: venue.modify("ord-9", CHANGES))
            assert order.limit_price == 9
        else:
            with pytest.raises(ConnectionLost, match="PATCH"):
                await ask(proxy, lambda venue: venue.modify("ord-9", CHANGES))
    assert [method for method, _, _ in proxy.requests].count("PATCH") == 3


@pytest.mark.parametrize("last", [(404, {"code": "ORDER_NOT_FOUND", "message": ""}), (504, "")])
async def test_a_refusal_does_not_tell_what_became_of_an_earlier_attempt_at_a_change(
    last: tuple[int, Any],
) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["PATCH", "/orders/ord-9"] = [(502, ""), last]
        with pytest.raises(ConnectionLost, match="PATCH /orders/ord-9 was answered with 50"):
            await ask(proxy, lambda venue: venue.modify("ord-9", CHANGES))


@pytest.mark.parametrize("status", [404, 409, 422, 429])
async def test_a_change_that_is_refused_is_asked_for_once(status: int) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["PATCH", "/orders/ord-9"] = [(status, {"code": "NO", "message": "never"})]
        with pytest.raises(ApiError, match="NO: never"):
            await ask(proxy, lambda venue: venue.modify("ord-9", CHANGES))
    assert [method for method, _, _ in proxy.requests].count("PATCH") == 1


def without_sleep(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let no time pass between attempts; the pauses there would have been."""
    slept: list[float] = []

    async def note(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("strategy_runtime.proxy.requests.sleep", note)
    return slept


async def test_one_that_cannot_be_read_does_not_hide_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strange = {**FOREIGN, "side": "SELL_SHORT"}
    trade = {"id": "t-1", "order_id": "o", "symbol": "S:X", "side": "BUY", "quantity": "1"}
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/orders"] = [(200, [strange, KNOWN])]
        proxy.answers["GET", "/trades"] = [(200, [{**trade, "price": "NaN"}, trade | {"price": 5}])]
        orders = await ask(proxy, lambda venue: venue.orders())
        own = await ask(proxy, lambda venue: venue.orders(client_order_id="c-1"))
        trades = await ask(proxy, lambda venue: venue.trades())
    assert [order.id for order in orders] == [order.id for order in own] == ["ord-9"]
    assert [trade.price for trade in trades] == [5]
    first = caplog.records[0].getMessage()
    assert first.startswith("passed over (S:X, ord-8): the answer to GET /orders, element 0, ")
    assert "side" in first


async def test_an_order_that_is_asked_for_and_cannot_be_read_is_not_absent() -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/orders"] = [(200, [FOREIGN, {**KNOWN, "side": "SELL_SHORT"}])]
        with pytest.raises(ProtocolError, match=r"GET /orders, element 1, cannot be read.*side"):
            await ask(proxy, lambda venue: venue.orders(client_order_id="c-1"))


async def test_a_position_that_cannot_be_read_is_not_flat() -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/positions"] = [(200, [{"id": "p", "symbol": "S:X", "side": "BOTH"}])]
        with pytest.raises(ProtocolError, match="GET /positions cannot be read"):
            await ask(proxy, lambda venue: venue.positions())


async def test_symbols_and_ids_are_one_segment_of_the_path() -> None:
    async with ScriptedProxy().serving() as proxy:
        await ask(proxy, lambda venue: venue.bars("BTC/USD", "1m", limit=5))
        await ask(proxy, lambda venue: venue.bars("S:AAPL", "1m", limit=5))
    paths = [path for _, path, _ in proxy.requests if path.startswith("/bars")]
    assert paths == [
        "/bars/BTC%2FUSD?timeframe=1m&limit=5",
        "/bars/S%3AAAPL?timeframe=1m&limit=5",
    ]


async def test_something_that_is_no_proxy_is_named() -> None:
    async with ScriptedProxy(prefix="/elsewhere").serving() as proxy:
        said = r"answers, but not like a trading proxy.*PROXY_REST_URL; gave up after 0.05 s$"
        with pytest.raises(ProtocolError, match=said):
            await run(proxy, connect_deadline=0.05)


@pytest.mark.parametrize("answer", ["<html>\n<b>Hello</b>\n</html>", ["a list"]])
async def test_something_that_takes_every_path_for_a_page_is_no_proxy(answer: object) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/account"] = proxy.answers["GET", "/v1/account"] = [(200, answer)]
        said = (
            r"is answered with 200: .*, under http.* and http.*/v1; check PROXY_REST_URL; gave up"
        )
        with pytest.raises(ProtocolError, match=said):
            await run(proxy, connect_deadline=0.05)


async def test_a_page_at_the_root_does_not_hide_a_proxy_behind_v1() -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/account"] = [(200, "<html></html>")]
        proxy.answers["GET", "/v1/account"] = [(200, ACCOUNT)]
        proxy.answers["GET", "/v1/positions"] = [(200, [])]
        assert await ask(proxy, lambda venue: venue.positions()) == []
    assert proxy.requests[-1][1] == "/v1/positions"


@pytest.mark.parametrize("status", [502, 503])
async def test_what_stands_in_front_of_a_proxy_is_not_taken_for_it(status: int) -> None:
    async with ScriptedProxy().serving() as proxy:
        page = [(status, "<html>no upstream</html>")]
        proxy.answers["GET", "/account"] = proxy.answers["GET", "/v1/account"] = page
        said = f"^no proxy answers behind .*, but {status}: <html>no upstream</html>; .*; gave up"
        with pytest.raises(Unreachable, match=said):
            await run(proxy, connect_deadline=0.05)
        provider = {"code": "PROVIDER_UNAVAILABLE", "message": "no broker"}
        proxy.answers["GET", "/account"] = [(status, provider)]
        await ask(proxy, lambda venue: venue.open())


@pytest.mark.parametrize("status", [301, 307])
async def test_an_address_that_redirects_is_named_at_once(status: int) -> None:
    async with ScriptedProxy().serving() as proxy:
        moved = [(status, "")]
        proxy.answers["GET", "/account"] = proxy.answers["GET", "/v1/account"] = moved
        with pytest.raises(
            ConfigError, match=rf"redirects requests \({status}\); .*PROXY_REST_URL$"
        ):
            await run(proxy)


async def test_something_that_offers_no_event_stream_is_named() -> None:
    async with ScriptedProxy(stream_path="/elsewhere").serving() as proxy:
        said = (
            f"ws://{proxy.url}/ answers, but not like a trading proxy: the handshake was answered "
            "with 200; check PROXY_WS_URL; gave up after 0.05 s"
        )
        with pytest.raises(ProtocolError, match=f"^{re.escape(said)}$"):
            await run(proxy, connect_deadline=0.05)


async def test_connection_events_reach_the_strategy() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        lost = {"type": "connection", "event": "BROKER_DISCONNECTED", "broker": "b"}
        await proxy.say(socket, CONNECTED, lost)
        await finish(proxy, socket)

    async with ScriptedProxy(scene).serving() as proxy:
        strategy: Any = await run(proxy)
    events = [e.event for e in strategy.seen if isinstance(e, ConnectionEvent)]
    assert events == ["CONNECTED", "BROKER_DISCONNECTED"]
