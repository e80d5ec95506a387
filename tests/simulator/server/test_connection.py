"""One client's WebSocket: every recorded frame, the limits, and clients that do not read."""

import asyncio
import base64
import json
import logging
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType

from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server import ProxyServer, RunEnd
from strategy_runtime.simulator.server.lock_step import LockStep
from tests.simulator.server.stream_client import (
    Client,
    Deaf,
    bars,
    make_buffers_small,
    named,
    serving,
)

FRAMES = Path(__file__).parents[2] / "protocol" / "frames"
MOST = 1024 * 1024


def barrier_of(client: Client) -> Any:
    stream = client.server.stream
    assert isinstance(stream, LockStep)
    return stream.barrier


# What a client may send.

# The ids in the recorded acknowledgements, taken as those of four events of one instant.
IDS = {"evt-0001": "evt-1", "evt-0011": "evt-1", "evt-0020": "evt-2", "evt-0030": "evt-3"}
IDS |= {"evt-0040": "evt-4", "evt-9": "evt-1", "evt-0099": "evt-1"}
LEFT = {
    "release": [2, 3, 4],
    "release_all": [],
    "release_named_only": [2, 4],
    "release_once": [2, 3, 4],
    "release_known": [2, 3, 4],
    "release_nothing": [1, 2, 3, 4],
    "flush_ack": [2, 3, 4],
    "liveness": [1, 2, 3, 4],
}


def recorded() -> list[Any]:
    index = [json.loads(line) for line in (FRAMES / "index.jsonl").read_text().splitlines()]
    lines = (FRAMES / "client_frames.jsonl").read_text().splitlines()
    return [
        pytest.param(lines[entry["line"] - 1], entry["expect"], id=entry["name"])
        for entry in index
        if entry["file"] == "client_frames.jsonl"
    ]


@pytest.mark.parametrize(("text", "expected"), recorded())
async def test_the_recorded_frames_of_clients(text: str, expected: str) -> None:
    document = json.loads(text)
    if "events_processed" in document:
        document["events_processed"] = [IDS.get(i, i) for i in document["events_processed"]]
    async with serving(*(bars(f"S:{name}", 1) for name in "ABCD")) as client:
        await client.connect()
        await client.frames(5)
        await client.send(document)
        if expected == "reply_pong":
            assert await client.frame() == {"type": "pong"}
        elif expected == "release_all":
            assert (await client.frame())["type"] == "backtest_complete"
        else:
            await client.nothing_more()
            assert barrier_of(client).missing == [f"evt-{number}" for number in LEFT[expected]]


async def test_every_malformed_frame_is_answered_once_and_twenty_are_borne() -> None:
    async with serving() as client:
        await client.connect()
        await client.frames(2)
        for _ in range(20):
            await client.send("{}")
        assert [frame["code"] for frame in await client.frames(20)] == ["INVALID_MESSAGE"] * 20
        await client.nothing_more()
        await client.ack("evt-1")
        assert named(await client.frames(1)) == ["candle evt-2"]


async def test_deep_nesting_is_malformed_and_nothing_worse() -> None:
    async with serving() as client:
        await client.connect()
        await client.frames(2)
        await client.send('{"a":' * 50_000 + "1" + "}" * 50_000)
        assert (await client.frame())["code"] == "INVALID_MESSAGE"
        await client.nothing_more()


async def test_rubbish_is_not_sent_back_at_full_length() -> None:
    async with serving() as client:
        await client.connect()
        await client.frames(2)
        await client.send(json.dumps({"type": "x" * 500_000}))
        message = (await client.frame())["message"]
    assert message.startswith("Invalid value 'xxx")
    assert len(message) == 200


async def test_text_that_is_no_utf_8_ends_the_connection() -> None:
    rows = map(json.loads, (FRAMES / "malformed_base64.jsonl").read_text().splitlines())
    entry = next(row for row in rows if row["name"] == "client_invalid_utf8")
    async with serving() as client:
        await client.connect()
        await client.socket.send_frame(base64.b64decode(entry["b64"]), WSMsgType.TEXT)
        assert await client.closed() == 1007


@pytest.mark.parametrize("excess", [0, 1])
async def test_a_mebibyte_is_the_largest_frame(excess: int) -> None:
    def ack(padding: int) -> str:
        return json.dumps(
            {"type": "event_ack", "correlation_id": "x" * padding, "events_processed": ["evt-1"]}
        )

    async with serving() as client:
        await client.connect()
        await client.frames(2)
        await client.send(ack(MOST - len(ack(0)) + excess))
        if excess:
            assert await client.closed() == 1009
        else:
            assert named(await client.frames(1)) == ["candle evt-2"]


async def test_no_compression_is_agreed_upon() -> None:
    async with (
        serving() as client,
        client.session.ws_connect(client.server.ws_url, compress=15) as connection,
    ):
        assert connection.compress == 0


# Clients that do not read. The server's socket buffers are small, so that a few hundred frames
# fill them.

MANY = 2_000


@asynccontextmanager
async def deafness(**options: Any) -> AsyncIterator[tuple[Client, Deaf]]:
    """A server whose write waits for a client that does not read, and another client."""
    data = [bars(f"S:{number}", 1, 2) for number in range(MANY)]
    server = ProxyServer(Exchange(data), ws_port=0, rest_port=0, **options)
    async with server, aiohttp.ClientSession() as session:
        make_buffers_small(server)
        deaf = await Deaf(server).connect()
        stream = server.stream
        assert isinstance(stream, LockStep)
        try:
            async with asyncio.timeout(10):
                while not (stream._writing.locked() or stream.end):
                    async with session.get(server.rest_url + "/livez"):
                        pass
            yield Client(session, server), deaf
        finally:
            deaf.socket.close()


async def test_what_a_command_brings_about_follows_the_write_that_waits() -> None:
    async with deafness() as (client, deaf):
        status, _ = await client.post(
            "/orders", symbol="S:1", side="BUY", quantity="1", order_type="MARKET"
        )
        assert status == 201
        await deaf.read_until(b'"ORDER_CREATED"')
    assert deaf.received.index(b'"evt-%d"' % MANY) < deaf.received.index(b'"ORDER_CREATED"')


async def test_a_client_that_does_not_read_is_taken_over_from() -> None:
    async with deafness() as (client, deaf):
        await client.connect()
        assert named(await client.frames(3)) == ["connection -", "candle evt-1", "candle evt-2"]
        await deaf.read_to_the_end()
    assert b'"evt-1"' in deaf.received
    assert b'"evt-%d"' % MANY not in deaf.received


async def test_of_two_newcomers_the_later_one_stays() -> None:
    async with deafness() as (client, _):
        other = Client(client.session, client.server)
        await asyncio.gather(client.connect(), other.connect())
        # The network decides which of the two came later; the frames of the other end early.
        await asyncio.gather(
            client.frames(MANY + 1), other.frames(MANY + 1), return_exceptions=True
        )
        codes = {client.socket.close_code, other.socket.close_code}
    assert codes == {4004, None}


async def test_a_client_that_does_not_read_is_halted_for_its_silence() -> None:
    async with deafness(first_ack_timeout=0.2) as (client, deaf):
        async with asyncio.timeout(10):
            assert await client.server.finished() is RunEnd.ACK_TIMEOUT
        await deaf.read_to_the_end()
        await client.connect()
        assert await client.closed() == 4003


async def test_a_client_that_does_not_read_does_not_keep_the_server_from_stopping() -> None:
    async with deafness(farewell_pause=0.0) as (client, deaf):
        async with asyncio.timeout(10):
            await client.server.stop()
        await deaf.read_to_the_end()


async def test_one_that_asks_reads_nothing_and_is_gone_floods_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pings = (b"\x89\xfd" + bytes(4) + bytes(125)) * 4_000
    async with deafness() as (client, deaf):
        stream = client.server.stream
        assert isinstance(stream, LockStep)
        await asyncio.get_running_loop().sock_sendall(deaf.socket, pings)
        for _ in range(3):  # until its pong waits too
            async with client.session.get(client.server.rest_url + "/livez"):
                pass
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        deaf.socket.close()
        async with asyncio.timeout(10):
            while stream._client is not None:
                async with client.session.get(client.server.rest_url + "/livez"):
                    pass
    assert not [r for r in caplog.records if r.levelno > logging.DEBUG]


async def test_a_write_given_up_does_not_end_the_replay() -> None:
    """aiohttp ends all waiting writes of a connection with the exception of the first one."""
    async with deafness() as (client, _):
        stream = client.server.stream
        assert isinstance(stream, LockStep)
        assert stream._client is not None
        further = asyncio.create_task(stream._client.send(b"x" * MOST))
        async with client.session.get(client.server.rest_url + "/livez"):
            pass
        assert not further.done()
        further.cancel()
        with pytest.raises(asyncio.CancelledError):
            await further
        await client.connect()
        await client.frames(MANY + 1)
        await client.ack(*(f"evt-{number + 1}" for number in range(MANY)))
        assert named(await client.frames(1)) == [f"candle evt-{MANY + 1}"]
