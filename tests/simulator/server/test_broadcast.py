"""The stream by the clock: many clients, no waiting for any, and no event lost silently."""

import asyncio
import json
from contextlib import closing
from typing import Any

import aiohttp
import pytest

from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server import ProxyServer, RunEnd
from strategy_runtime.simulator.server.broadcast import Broadcast
from tests.simulator.server.stream_client import Deaf, make_buffers_small

MINUTE = 60 * 10**9
FAST = 1e9


def bars_of(symbol: str, count: int) -> BarSeries:
    bars = BarSeries(symbol, "1m", MINUTE)
    for number in range(count):
        bars.append(number * MINUTE, 10, 11, 9, 10, 1.0)
    return bars


def server_of(count: int, **options: Any) -> ProxyServer:
    given = {"ws_port": 0, "rest_port": 0, "speed": FAST}
    return ProxyServer(Exchange([bars_of("S:X", count)]), **(given | options))


async def read_all(socket: Any) -> list[dict[str, Any]]:
    return [json.loads(message.data) async for message in socket]


async def test_nobody_is_waited_for_and_the_end_is_the_end() -> None:
    server = server_of(50)
    async with server, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(server.ws_url)
        frames = await read_all(socket)
        assert await server.finished() is RunEnd.COMPLETE
    assert frames[0]["event"] == "CONNECTED"
    assert [frame["event_id"] for frame in frames[1:]] == [f"evt-{n}" for n in range(1, 52)]
    assert frames[-1]["type"] == "backtest_complete"
    assert socket.close_code == 1000


async def test_bars_come_no_sooner_than_the_clock_says() -> None:
    began = monotonic()
    server = server_of(6, speed=1200.0)  # a bar in 50 ms
    async with server, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(server.ws_url)
        await read_all(socket)
    assert monotonic() - began >= 6 * 0.05


async def test_several_clients_see_the_same() -> None:
    server = server_of(50, speed=0.001)
    async with server, aiohttp.ClientSession() as session:
        sockets = [
            await session.ws_connect(server.ws_url),
            await session.ws_connect(server.rest_url + "/v1/ws"),
        ]
        for socket in sockets:
            assert json.loads((await socket.receive()).data)["event"] == "CONNECTED"
        order = {"symbol": "S:X", "side": "BUY", "quantity": "1", "order_type": "MARKET"}
        for _ in range(3):
            async with session.post(server.rest_url + "/orders", json=order) as response:
                assert response.status == 201
        one, other = [[(await socket.receive()).data for _ in range(3)] for socket in sockets]
    assert one == other
    assert [json.loads(text)["event_id"] for text in one] == ["evt-1", "evt-2", "evt-3"]


async def test_an_order_fills_without_any_acknowledgement() -> None:
    server = server_of(200, speed=60 * 100.0)
    async with server, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(server.ws_url)
        await socket.receive()
        order = {"symbol": "S:X", "side": "BUY", "quantity": "1", "order_type": "MARKET"}
        async with session.post(server.rest_url + "/orders", json=order) as response:
            assert response.status == 201
        events = []
        while "ORDER_FILLED" not in events:
            events.append(json.loads((await socket.receive()).data).get("event"))
        assert "ORDER_CREATED" in events


async def test_capabilities_do_not_promise_lock_step() -> None:
    for speed, promised in ((None, True), (1.0, False)):
        server = server_of(2, speed=speed)
        async with (
            server,
            aiohttp.ClientSession() as session,
            session.get(server.rest_url + "/capabilities") as response,
        ):
            features = (await response.json())["features"]
        assert ("lock_step" in features) is promised


async def test_a_client_that_cannot_keep_up_is_closed_not_cheated() -> None:
    server = server_of(5_000, speed=0.001)
    assert isinstance(server.stream, Broadcast)
    server.stream._depth = 10
    async with server, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(server.ws_url)
        # The replay does not pause, so more than ten frames are queued before any is written.
        for _ in server.stream.exchange.phases():
            server.stream.wake()
        frames = await read_all(socket)
        assert socket.close_code == 4001
    assert frames[-1]["type"] != "backtest_complete"


async def test_candles_of_thousands_of_symbols_at_once_are_not_too_many() -> None:
    market = [bars_of(f"S:{number}", 3) for number in range(3000)]
    server = ProxyServer(Exchange(market), ws_port=0, rest_port=0, speed=600.0)
    async with server, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(server.ws_url)
        frames = await read_all(socket)
    assert socket.close_code == 1000
    assert [frame["type"] for frame in frames].count("candle") == 9000


async def test_a_queue_holds_1024_frames() -> None:
    server = server_of(1)
    assert isinstance(server.stream, Broadcast)
    assert server.stream._depth == 1024


async def test_who_comes_after_the_end_is_told_of_it() -> None:
    server = server_of(5)
    async with server, aiohttp.ClientSession() as session:
        last = (await read_all(await session.ws_connect(server.ws_url)))[-1]
        assert await server.finished() is RunEnd.COMPLETE
        socket = await session.ws_connect(server.ws_url)
        greeting, again = await read_all(socket)
        assert (greeting["event"], again) == ("CONNECTED", last)
        assert socket.close_code == 1000


async def test_what_is_still_to_be_written_at_the_end_comes_before_the_close() -> None:
    bars = 3_000  # more than the buffers hold
    server = server_of(bars)
    assert isinstance(server.stream, Broadcast)
    server.stream._depth = 2 * bars
    async with server:
        make_buffers_small(server)
        late = await Deaf(server).connect()
        with closing(late.socket):
            while server.stream.end is None:
                await sleep(0)
            await late.read_to_the_end()
    assert late.received.count(b'"type":"candle"') == bars
    assert b"backtest_complete" in late.received


async def test_one_that_does_not_read_takes_nothing_from_one_that_does() -> None:
    """Its frames fill buffers and queue until it is cut off; the other client misses none."""
    bars = 20_000
    server = server_of(bars)
    async with server, aiohttp.ClientSession() as session:
        make_buffers_small(server)
        deaf = await Deaf(server).connect()
        with closing(deaf.socket):
            socket = await session.ws_connect(server.ws_url)
            frames = await read_all(socket)
            assert socket.close_code == 1000
            await deaf.read_to_the_end()
    assert b"backtest_complete" not in deaf.received
    ids = [int(frame["event_id"][4:]) for frame in frames if "event_id" in frame]
    assert ids == list(range(ids[0], bars + 2))


async def test_acknowledgements_change_nothing() -> None:
    acks = [["evt-1"], [], ["evt-1", "evt-1"], ["nonsense"], [f"evt-{n}" for n in range(9_000)]]
    server = server_of(50, speed=60 * 500.0)
    async with server, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(server.ws_url)
        for ids in acks:
            await socket.send_json(
                {"type": "event_ack", "correlation_id": "c", "events_processed": ids}
            )
        frames = await read_all(socket)
    assert [frame["event_id"] for frame in frames[1:]] == [f"evt-{n}" for n in range(1, 52)]


async def test_who_comes_later_sees_what_happens_from_then_on() -> None:
    server = server_of(50, speed=0.001)
    order = {"symbol": "S:X", "side": "BUY", "quantity": "1", "order_type": "MARKET"}
    async with server, aiohttp.ClientSession() as session:
        first = await session.ws_connect(server.ws_url)
        async with session.post(server.rest_url + "/orders", json=order):
            pass
        assert [(await first.receive_json()).get("event_id") for _ in range(2)] == [None, "evt-1"]
        later = await session.ws_connect(server.ws_url)
        async with session.post(server.rest_url + "/orders", json=order):
            pass
        assert [(await later.receive_json()).get("event_id") for _ in range(2)] == [None, "evt-2"]
        assert (await first.receive_json())["event_id"] == "evt-2"


async def test_pings_go_out_and_any_frame_is_a_sign_of_life() -> None:
    server = server_of(50, speed=0.001, ping_interval=0.05, silence_limit=0.5)
    async with server, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(server.ws_url)
        began = monotonic()
        pings = 0
        while monotonic() - began < 1.0:
            frame = await socket.receive_json()
            if frame["type"] == "ping":
                pings += 1
                assert "event_id" not in frame
                await socket.send_json({"type": "pong"})
        assert pings > 1
        assert not socket.closed


async def test_silence_while_the_proxy_goes_down_is_nothing_to_complain_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = server_of(50, speed=0.001, silence_limit=0.1, farewell_pause=0.3)
    async with server, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(server.ws_url)
        await socket.receive()
        stopping = asyncio.create_task(server.stop())
        frames = await read_all(socket)
        await stopping
    assert (frames[-1]["event"], socket.close_code) == ("DISCONNECTING", 1001)
    assert not [record for record in caplog.records if record.name != "asyncio"]


async def test_a_client_that_shows_no_sign_of_life_is_closed() -> None:
    server = server_of(50, speed=0.001, silence_limit=0.05)
    async with server, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(server.ws_url)
        await read_all(socket)
        assert socket.close_code == 4002


async def test_going_down_is_announced_to_all() -> None:
    server = server_of(50, speed=0.001)
    async with server, aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(server.ws_url) for _ in range(2)]
        for socket in sockets:
            await socket.receive()
        reading = asyncio.gather(*(read_all(socket) for socket in sockets))
        await server.stop()
        assert [frames[-1]["event"] for frames in await reading] == ["DISCONNECTING"] * 2
        assert [socket.close_code for socket in sockets] == [1001, 1001]
