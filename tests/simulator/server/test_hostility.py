"""Hostile clients during a backtest: each gets the documented error, and the run continues.

A strategy trades while something goes wrong at every candle. If it loses its connection, it
reconnects. In the end every event is byte for byte that of an undisturbed run.
"""

import asyncio
import base64
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from math import sin
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.outcome import Fill
from strategy_runtime.simulator.server import ProxyServer
from tests.simulator.server.rest_client import UPGRADE, request_of
from tests.simulator.server.stream_client import FRAMES, MINUTE, START, Client, malformed

BARS = 12
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
ACK = b'{"type":"event_ack","correlation_id":"c","events_processed":["evt-%d"]}'

Attack = Callable[[ProxyServer], Awaitable[None]]


# The strategy.


def prices(symbol: str, phase: float) -> BarSeries:
    series = BarSeries(symbol, "1m", MINUTE)
    close = 100.0
    for number in range(BARS):
        opened, close = close, round(100 + 5 * sin(number + phase), 2)
        high, low = max(opened, close) + 1, min(opened, close) - 1
        series.append(START + number * MINUTE, opened, high, low, close, 100.0)
    return series


async def trade(client: Client, disturb: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    """Run a backtest to its end; return all events by id."""
    events: dict[str, Any] = {}
    await client.connect()
    while "backtest_complete" not in {event["type"] for event in events.values()}:
        try:
            frame = await client.frame()
        except AssertionError:  # the connection has ended
            await client.connect()
            continue
        if "event_id" not in frame:
            continue
        is_new = frame["event_id"] not in events
        assert events.setdefault(frame["event_id"], frame) == frame, "the same event again"
        if is_new and frame["type"] == "candle":
            await give_orders(client, frame["bar"], len(events))
            await disturb()
        if client.socket.closed:
            continue
        try:
            await client.ack(frame["event_id"])
        except ConnectionError:
            continue
    return events


async def give_orders(client: Client, bar: dict[str, Any], number: int) -> None:
    close = float(bar["close"])
    side = "BUY" if close < 100 else "SELL"
    order = {"symbol": bar["symbol"], "side": side, "quantity": "3", "order_type": "MARKET"}
    limit = {**order, "order_type": "LIMIT", "limit_price": str(round(close - 0.5, 2))}
    for suffix, each in (("m", order), ("l", limit)):
        status, _ = await client.post("/orders", **each, client_order_id=f"{number}{suffix}")
        assert status == 201


@asynccontextmanager
async def backtest() -> AsyncIterator[tuple[Client, Exchange]]:
    exchange = Exchange([prices("S:X", 0), prices("S:Y", 2)])
    server = ProxyServer(exchange, ws_port=0, rest_port=0)
    async with server, aiohttp.ClientSession() as session:
        client = Client(session, server)
        yield client, exchange
        await client.socket.close()


async def run(disturb: Callable[[Client], Awaitable[None]]) -> tuple[dict[str, Any], list[Fill]]:
    async with backtest() as (client, exchange):
        events = await trade(client, lambda: disturb(client))
        return events, exchange.outcome().fills


async def peace(client: Client) -> None:
    """Nothing happens."""


# The tools: raw sockets, and frames that no library would write.


class Raw:
    """A socket that completes the handshake and then sends any bytes."""

    def __init__(self, server: ProxyServer) -> None:
        address = urlsplit(server.ws_url)
        self.socket = socket.create_connection((address.hostname, address.port))
        self.socket.setblocking(False)

    async def send(self, *chunks: bytes) -> None:
        loop = asyncio.get_running_loop()
        for chunk in chunks:
            try:
                await loop.sock_sendall(self.socket, chunk)
            except ConnectionError:
                return

    async def upgrade(self) -> "Raw":
        await self.send(request_of("GET", "/", *UPGRADE).replace(b"Connection: close\r\n", b""))
        head = b""
        while b"\r\n\r\n" not in head:
            head += await asyncio.get_running_loop().sock_recv(self.socket, 1)
        assert head.startswith(b"HTTP/1.1 101 ")
        return self

    async def close_code(self) -> int | None:
        """Read up to the close frame, answer it, and return its code, or None without one."""
        received = b""
        async with asyncio.timeout(5):
            while (code := code_in(received)) is None:
                try:
                    chunk = await asyncio.get_running_loop().sock_recv(self.socket, 65_536)
                except ConnectionError:
                    break
                if not chunk:
                    break
                received += chunk
        await self.send(frame(CLOSE, b""))
        self.socket.close()
        return code

    def reset(self) -> None:
        """End it as a crash would, without a close frame."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def code_in(received: bytes) -> int | None:
    """Return the code of the close frame among complete frames of a server."""
    while len(received) >= 2:
        size, start = received[1], 2
        if size == 126:
            size, start = int.from_bytes(received[2:4], "big"), 4
        if received[0] & 15 == CLOSE:
            return int.from_bytes(received[start : start + 2], "big")
        received = received[start + size :]
    return None


def frame(code: int, payload: bytes, *, last: bool = True, masked: bool = True) -> bytes:
    head = bytes([code | (128 if last else 0)])
    size, bit = len(payload), 128 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65_536:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    return head + (bytes(4) if masked else b"") + payload  # a mask of zeros changes nothing


def intruder(code: int | None, *frames: bytes) -> Attack:
    """Connect a second client that takes over, sends frames and is closed with a code."""

    async def attack(server: ProxyServer) -> None:
        raw = await Raw(server).upgrade()
        await raw.send(*frames)
        assert await raw.close_code() == code

    return attack


def base64_frame(name: str) -> bytes:
    rows = map(json.loads, (FRAMES / "malformed_base64.jsonl").read_text().splitlines())
    return base64.b64decode(next(row["b64"] for row in rows if row["name"] == name))


INTRUDERS = {
    "malformed": intruder(1008, *(frame(TEXT, b"{}") for _ in range(21))),
    "binary": intruder(1003, *(frame(BINARY, base64_frame("client_binary_ack")),) * 11),
    "no utf-8": intruder(1007, frame(TEXT, base64_frame("client_invalid_utf8"))),
    "oversized": intruder(1009, frame(TEXT, b" " * 2 * 1024 * 1024)),
    "oversized in fragments": intruder(
        1009,
        frame(TEXT, b" " * 600_000, last=False),
        frame(0, b" " * 600_000, last=False),
        frame(0, b" " * 600_000),
    ),
    "an endless announcement": intruder(1009, b"\x81\xff" + struct.pack(">Q", 2**62) + bytes(4)),
    "a fragment of nothing": intruder(1002, frame(0, b"x")),
    "a new frame within another": intruder(1002, frame(TEXT, b"x", last=False), frame(TEXT, b"y")),
    "a reserved kind": intruder(1002, frame(3, b"")),
    "reserved bits": intruder(1002, frame(TEXT | 0x70, b"{}")),
    "compression never agreed on": intruder(1002, frame(TEXT | 0x40, b"{}")),
    "a fragmented ping": intruder(1002, frame(PING, b"", last=False)),
    "a long ping": intruder(1002, frame(PING, b"x" * 126)),
    "a close without sense": intruder(1002, frame(CLOSE, b"\x00")),
    "a close with a code of ours": intruder(1000, frame(CLOSE, struct.pack(">H", 1000))),
}


async def half_open(server: ProxyServer) -> None:
    """Leave handshakes unfinished, and drop connections."""
    for begun in (b"", b"GET / HT", request_of("GET", "/", *UPGRADE)[:-2]):
        raw = Raw(server)
        await raw.send(begun)
        raw.reset()
    raw = await Raw(server).upgrade()
    await raw.send(frame(TEXT, b'{"type":"event_ack",', last=False))
    raw.reset()


async def many_at_once(server: ProxyServer) -> None:
    raws = await asyncio.gather(*(Raw(server).upgrade() for _ in range(10)))
    for raw in raws:
        raw.reset()


async def bad_requests(server: ProxyServer) -> None:
    bodies = [b"", b"{", b"[]", b"{" * 60_000, b'{"symbol":"S:X"}', b'{"quantity":1e999}', b"\xff"]
    address = urlsplit(server.rest_url)
    for request in (
        b"\x16\x03\x01\x00\x00\r\n\r\n",
        request_of("POST", "/orders", b"Content-Length: 9", b"Transfer-Encoding: chunked"),
        request_of("GET", "/account", host=b"evil.example"),
        request_of("DELETE", "/orders", b"Origin: https://evil.example"),
        request_of("DELETE", "/orders/ord-nope"),
        request_of("PUT", "/orders"),
        request_of("POST", "/orders", content=b" " * 100_000),
        *(request_of("POST", "/orders", content=body or b" ") for body in bodies),
    ):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(request)
        async with asyncio.timeout(5):
            said = await reader.read()
        writer.close()
        assert 400 <= int(said.split()[1]) < 500
        assert set(json.loads(said.partition(b"\r\n\r\n")[2])) >= {"code", "message"}


def own(*frames: Any) -> Callable[[Client], Awaitable[None]]:
    """Send malformed frames on the strategy's own connection."""

    async def disturb(client: Client) -> None:
        with suppress(ConnectionError):  # too many of them close the connection
            for each in frames:
                await client.socket.send_str(each)

    return disturb


# The tests.


@pytest.fixture
async def calm() -> tuple[dict[str, Any], list[Fill]]:
    events, fills = await run(peace)
    assert len(fills) > BARS
    return events, fills


@pytest.mark.parametrize("name", INTRUDERS)
async def test_a_connection_of_an_intruder(
    calm: tuple[dict[str, Any], list[Fill]], name: str
) -> None:
    attack = INTRUDERS[name]
    assert await run(lambda client: attack(client.server)) == calm


@pytest.mark.parametrize("attack", [half_open, many_at_once, bad_requests])
async def test_connections_and_requests_of_strangers(
    calm: tuple[dict[str, Any], list[Fill]], attack: Attack
) -> None:
    assert await run(lambda client: attack(client.server)) == calm


@pytest.mark.parametrize("text", malformed())
async def test_malformed_frames_of_its_own(
    calm: tuple[dict[str, Any], list[Fill]], text: str
) -> None:
    """More than twenty of them close the connection; the strategy reconnects."""
    assert await run(own(text)) == calm


async def test_a_flood_of_acknowledgements_of_nothing(
    calm: tuple[dict[str, Any], list[Fill]],
) -> None:
    unknown = [(ACK % number).decode() for number in range(10_000, 11_000)]
    many = json.dumps(
        {
            "type": "event_ack",
            "correlation_id": "c",
            "events_processed": [f"evt-{number}" for number in range(1_000, 50_000)],
        }
    )
    assert await run(own(*unknown, many)) == calm


async def test_a_flood_of_pings_and_pongs(calm: tuple[dict[str, Any], list[Fill]]) -> None:
    assert await run(own(*('{"type":"ping"}', '{"type":"pong"}') * 500)) == calm
