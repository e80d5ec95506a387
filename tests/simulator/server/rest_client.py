"""A REST client, and requests that no proper client would send."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server import ProxyServer
from tests.simulator.server.stream_client import MINUTE, START

LIMIT_ORDER = {
    "symbol": "S:AAPL",
    "side": "BUY",
    "quantity": "1",
    "order_type": "LIMIT",
    "limit_price": "5",
}
MARKET_ORDER = {"symbol": "S:AAPL", "side": "BUY", "quantity": "5", "order_type": "MARKET"}
UPGRADE = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)
"""The headers of a request for the event stream."""


def bars(symbol: str, count: int) -> BarSeries:
    """Return minute bars, each of which closes one higher."""
    series = BarSeries(symbol, "1m", MINUTE)
    for number in range(count):
        series.append(START + number * MINUTE, 10, 11, 9, 10 + number, 100.0)
    return series


class Rest:
    """A client of an exchange that has replayed some bars."""

    def __init__(self, exchange: Exchange, server: ProxyServer, session: Any) -> None:
        self.exchange = exchange
        self.server = server
        self.session = session
        self.phases = exchange.phases()

    def play(self, phases: int = 1) -> None:
        for _ in range(phases):
            self.exchange.outbox.clear()
            next(self.phases)

    async def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        url = self.server.rest_url + path
        if body is not None:
            more["data"] = body if isinstance(body, bytes) else json.dumps(body)
            more["headers"] = {"Content-Type": "application/json"}
        async with self.session.request(method, url, **more) as response:
            text = await response.text()
            self.headers = response.headers
            return response.status, json.loads(text)


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Rest]:
    """A client of a server with two symbols."""
    exchange = Exchange([bars("S:AAPL", 5), bars("BTC/USD", 5)])
    server = ProxyServer(exchange, ws_port=0, rest_port=0, **options)
    async with server, aiohttp.ClientSession() as session:
        yield Rest(exchange, server, session)


async def asked(server: ProxyServer, request: bytes) -> tuple[int, Any]:
    """Return the answer to raw bytes."""
    address = urlsplit(server.rest_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(request)
    async with asyncio.timeout(5):
        head, _, content = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), json.loads(content)


def request_of(
    method: str,
    path: str,
    *headers: bytes,
    content: bytes = b"",
    host: bytes | None = b"localhost",
) -> bytes:
    """Return a request as bytes."""
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Connection: close", *headers]
    if host is not None:
        lines.append(b"Host: " + host)
    if content:
        lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(content)]
    return b"\r\n".join([*lines, b"", content])
