"""Clients of the event stream: one that reads frame by frame, and one that does not read."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server import ProxyServer

FRAMES = Path(__file__).parents[2] / "protocol" / "frames"
MINUTE = 60 * 10**9
START = 1_704_205_800 * 10**9


def bars(symbol: str, *closes: float) -> BarSeries:
    """Return a minute bar for each close."""
    series = BarSeries(symbol, "1m", MINUTE)
    for number, close in enumerate(closes):
        series.append(START + number * MINUTE, close, close + 1, close - 1, close, 100.0)
    return series


class Client:
    """A plain client that sends frames and reads them one by one."""

    def __init__(self, session: aiohttp.ClientSession, server: ProxyServer) -> None:
        self.session = session
        self.server = server
        self.socket: Any = None

    async def connect(self, path: str = "", base: str | None = None) -> "Client":
        self.socket = await self.session.ws_connect((base or self.server.ws_url) + path)
        return self

    async def frame(self) -> dict[str, Any]:
        message = await asyncio.wait_for(self.socket.receive(), 5)
        assert message.type is WSMsgType.TEXT, message
        document: dict[str, Any] = json.loads(message.data)
        return document

    async def frames(self, count: int) -> list[dict[str, Any]]:
        return [await self.frame() for _ in range(count)]

    async def ack(self, *ids: str) -> None:
        await self.send(
            {"type": "event_ack", "correlation_id": "c", "events_processed": ids, "timestamp": 1}
        )

    async def send(self, document: Any) -> None:
        text = document if isinstance(document, str) else json.dumps(document)
        await self.socket.send_str(text)

    async def nothing_more(self) -> None:
        """Prove that no frame is on its way: the pong comes first."""
        await self.send({"type": "ping"})
        assert (await self.frame())["type"] == "pong"

    async def closed(self) -> int:
        """Read up to the close, and return its code."""
        while True:
            message = await asyncio.wait_for(self.socket.receive(), 5)
            if message.type is WSMsgType.CLOSE:
                return int(message.data)
            if message.type in (WSMsgType.CLOSED, WSMsgType.ERROR):
                return int(self.socket.close_code)

    async def post(self, path: str, **body: Any) -> tuple[int, Any]:
        async with self.session.post(self.server.rest_url + path, json=body) as response:
            return response.status, await response.json()


@asynccontextmanager
async def serving(*series: BarSeries, **options: Any) -> AsyncIterator[Client]:
    """A server, and a client that has not connected yet."""
    data = series or (bars("S:X", 10, 11, 12),)
    server = ProxyServer(Exchange(data), ws_port=0, rest_port=0, **options)
    async with server, aiohttp.ClientSession() as session:
        yield Client(session, server)


def named(frames: list[dict[str, Any]]) -> list[str]:
    """Return type and id of each frame."""
    return [f"{frame['type']} {frame.get('event_id', '-')}" for frame in frames]


def malformed() -> list[Any]:
    """Return the recorded frames that no client may send."""
    index = [json.loads(line) for line in (FRAMES / "index.jsonl").read_text().splitlines()]
    lines = (FRAMES / "malformed_frames.jsonl").read_text(errors="surrogateescape").split("\n")
    return [
        pytest.param(lines[entry["line"] - 1], id=entry["name"])
        for entry in index
        if entry["file"] == "malformed_frames.jsonl" and entry.get("dir") == "c2s"
    ]


class Deaf:
    """A client that completes the handshake and then reads only when told to."""

    def __init__(self, server: ProxyServer) -> None:
        address = urlsplit(server.ws_url)
        self.socket = socket.create_connection((address.hostname, address.port))
        self.socket.setblocking(False)
        self.received = b""

    async def connect(self) -> "Deaf":
        loop = asyncio.get_running_loop()
        key = base64.b64encode(bytes(16))
        request = (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        )
        request += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
        await loop.sock_sendall(self.socket, request)
        self.received = await loop.sock_recv(self.socket, 12)
        return self

    async def read_until(self, text: bytes) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            while text not in self.received:
                chunk = await loop.sock_recv(self.socket, 1 << 20)
                assert chunk, "the connection has ended"
                self.received += chunk

    async def read_to_the_end(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            try:
                while chunk := await loop.sock_recv(self.socket, 1 << 20):
                    self.received += chunk
            except ConnectionResetError:
                return


def make_buffers_small(server: ProxyServer) -> None:
    """Make the buffers between the server and a client that does not read small."""
    for site in server._door.sites:
        assert isinstance(site, web.TCPSite)
        for listener in site._server.sockets:  # type: ignore[union-attr]
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
