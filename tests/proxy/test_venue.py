"""The venue over the network, against a scripted proxy."""

import asyncio
import json
import os
import re
import socket
import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from strategy_runtime import Candle, ConnectionEvent, Gap, HookFailed, Strategy
from strategy_runtime.clock import monotonic
from strategy_runtime.errors import (
    AccessDenied,
    ApiError,
    ConnectionLost,
    ProtocolError,
    Unreachable,
)
from strategy_runtime.ids import Random
from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.runtime.runner import Runner
from tests.proxy.scripted import COMPLETE, CONNECTED, ScriptedProxy, at_once, candle, run, venue_for
from tests.strategies import Scripted


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
        await proxy.finish(socket)

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
        await proxy.finish(socket)

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
        await proxy.finish(socket)

    async with ScriptedProxy(scene).serving() as proxy:
        await run(proxy)
    assert len(proxy.acks) < 25


async def test_the_ack_waits_for_the_hook_and_for_its_orders() -> None:
    order: list[str] = []

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await proxy.until_acked("evt-1")
        order.append(f"ack after {len([r for r in proxy.requests if r[0] == 'POST'])} orders")
        await proxy.finish(socket)

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
        await proxy.finish(socket)

    released = asyncio.Event()

    class Waits(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            await released.wait()

    async with ScriptedProxy(scene).serving() as proxy:
        await run(proxy, Waits())


async def test_a_frame_without_an_id_is_not_acknowledged() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, {**candle(1), "event_id": None}, candle(2))
        await proxy.until_acked("evt-2")
        await proxy.finish(socket)

    async with ScriptedProxy(scene).serving() as proxy:
        await run(proxy)
    assert proxy.acks == [["evt-2"], ["evt-end"]]


# Handshake, dialects, subscriptions.


async def test_the_greeting_may_be_absent() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, candle(1))
        await proxy.until_acked("evt-1")
        await proxy.finish(socket)

    async with ScriptedProxy(scene).serving() as proxy:
        strategy = await run(proxy)
    assert kinds(strategy) == ["ConnectionEvent", "Candle", "BacktestComplete"]


async def test_a_silent_proxy_is_taken_as_connected_after_a_moment() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await connected.wait()
        await proxy.finish(socket)

    connected = asyncio.Event()

    class Watches(Strategy):
        def on_connect(self) -> None:
            connected.set()

    async with ScriptedProxy(scene).serving() as proxy:
        await run(proxy, Watches(), connected_wait=0.01)


async def test_the_later_gateways_dialect() -> None:
    """One port, /v1/ws and /v1, no CONNECTED, no pings, wall-clock timestamps, bare symbols."""

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
        await proxy.finish(socket)

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
        await proxy.finish(socket)

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
        await proxy.finish(socket)

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
    # Once when handled, once more since that ack may be lost, and once when repeated.
    assert [each for ack in proxy.acks for each in ack].count("evt-1") == 3


async def test_a_connection_that_is_lost_before_the_greeting_is_told_of() -> None:
    async def first(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await socket.close(code=1001)

    async def second(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await proxy.finish(socket)

    links: list[str] = []

    class Notes(Strategy):
        def on_connect(self) -> None:
            links.append("connect")

        def on_disconnect(self) -> None:
            links.append("disconnect")

        def on_reconnect(self, gap: Gap) -> None:
            links.append("reconnect")

        def on_connection(self, event: ConnectionEvent) -> None:
            links.append(event.event)

    async with ScriptedProxy(first, second).serving() as proxy:
        await run(proxy, Notes())
    before, lost, back = ["connect", "CONNECTED"], ["disconnect", "RECONNECTING"], ["connect"]
    assert links == [*before, *lost, *back, "reconnect", "CONNECTED"]


async def sends_nothing_again(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
    """A proxy that waits on a second connection for acks of what it sent on the first."""
    assert proxy.acks == []
    await proxy.say(socket, CONNECTED)
    await proxy.until_acked("evt-1", "evt-2")
    await proxy.finish(socket)


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
    """While a hook blocks, the proxy sends another frame and closes."""
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
        await proxy.finish(socket)

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
            ConnectionLost, match=r"has restarted its backtest.*restart the strategy"
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
        await proxy.finish(socket)

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
    """Half-open: nothing arrives any more, not even pongs, and nothing is closed."""
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


async def test_live_it_is_logged_why_a_lost_connection_is_not_made_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = monotonic()
    monkeypatch.setattr("strategy_runtime.proxy.venue.monotonic", lambda: moment)
    attempts = 0

    def soon(rng: Random) -> Iterator[float]:
        nonlocal attempts, moment
        while True:
            attempts += 1
            moment += 16.0  # the fourth attempt is a minute after the first
            if attempts == 5:
                runner.stop()
            yield 0.0

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED)
        await asyncio.Event().wait()

    connected = asyncio.Event()

    class Waits(Strategy):
        def on_connect(self) -> None:
            connected.set()

    async with ScriptedProxy(scene).serving() as proxy:
        venue = venue_for(proxy, is_live=True, reconnect_delays=soon)
        runner = Runner(Waits(), venue, mode="live")
        task = asyncio.create_task(runner.run())
        await connected.wait()
    await task
    failures = [each for each in caplog.messages if each.startswith("no connection")]
    url = proxy.endpoints.stream_urls[0]
    assert failures == [
        f"no connection to {url} for {seconds} s (Connection refused); trying again"
        for seconds in (16, 80)
    ]


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
            ConnectionLost, match=r"aborted the run: DATA_ERROR: prices\.csv line 7 is odd"
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
    venue = ProxyVenue(endpoints, is_live=False, connect_deadline=0.05, startup_delays=at_once)
    said = r"nobody answers at http://127.0.0.1:1.*; check PROXY_REST_URL; gave up after"
    with pytest.raises(Unreachable, match=said):
        await Runner(Scripted({}), venue, mode="backtest").run()


async def test_a_proxy_may_come_up_late() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED)
        await proxy.finish(socket)

    tries = 0

    def patient(rng: Random) -> Iterator[float]:
        nonlocal tries
        while True:
            tries += 1
            if tries == 3:
                proxy.answers.clear()
            yield 0.001

    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["GET", "/account"] = [(0, None)]
        await run(proxy, startup_delays=patient)
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


async def test_connection_events_reach_the_strategy() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        lost = {"type": "connection", "event": "BROKER_DISCONNECTED", "broker": "b"}
        await proxy.say(socket, CONNECTED, lost)
        await proxy.finish(socket)

    async with ScriptedProxy(scene).serving() as proxy:
        strategy: Any = await run(proxy)
    events = [e.event for e in strategy.seen if isinstance(e, ConnectionEvent)]
    assert events == ["CONNECTED", "BROKER_DISCONNECTED"]
