"""A proxy that follows a test's script over real sockets, and records what it receives."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from strategy_runtime import Strategy
from strategy_runtime.ids import Random
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.runtime.runner import Runner
from tests.strategies import Scripted

Scene = Callable[["ScriptedProxy", web.WebSocketResponse], Awaitable[None]]

ACCOUNT = {"balance": "100000", "equity": "100000"}


def candle(number: int, symbol: str = "S:X", **extra: Any) -> dict[str, Any]:
    """A candle frame with the id `evt-<number>`."""
    bar = {
        "symbol": symbol,
        "provider": "test",
        "timeframe": "1m",
        "timestamp": f"2024-03-04T14:{number:02d}:00Z",
        "open": "10",
        "high": "11",
        "low": "9",
        "close": "10.5",
        "volume": "100",
    }
    return {"type": "candle", "event_id": f"evt-{number}", "bar": bar, **extra}


COMPLETE = {"type": "backtest_complete", "event_id": "evt-end"}
CONNECTED = {"type": "connection", "event": "CONNECTED"}
KNOWN = {"id": "ord-9", "symbol": "S:X", "side": "BUY", "status": "OPEN", "client_order_id": "c-1"}
FOREIGN = {"id": "ord-8", "symbol": "S:X", "side": "BUY", "status": "OPEN"}


class ScriptedProxy:
    """Plays one scene per connection; answers REST requests from a table, or by default.

    Attributes:
        acks: Lists of acknowledged ids, one per frame, in order.
        frames: All other frames from the strategy.
        requests: Method, path and body of each request.
        answers: Statuses and bodies by method and path, used one by one; the last one stays. Status
            0 breaks the connection, a negative one never answers.
        connections: Number of connections so far.
    """

    def __init__(
        self,
        *scenes: Scene,
        stream_path: str = "/",
        prefix: str = "",
        answers_pings: bool = True,
    ) -> None:
        self.scenes = list(scenes)
        self.acks: list[list[str]] = []
        self.ack_frames: list[dict[str, Any]] = []
        self.frames: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, Any]] = []
        self.answers: dict[tuple[str, str], list[tuple[int, Any]]] = {}
        self.connections = 0
        self.heard = asyncio.Event()
        self.stream_path = stream_path
        self.prefix = prefix
        self.answers_pings = answers_pings
        self.url = ""

    @property
    def endpoints(self) -> Endpoints:
        """Its addresses."""
        return Endpoints(ws_url=f"ws://{self.url}", rest_url=f"http://{self.url}")

    @property
    def flags(self) -> tuple[str, ...]:
        """Its addresses as options of `strategy-run`."""
        return "--ws-url", self.endpoints.ws_url, "--rest-url", self.endpoints.rest_url

    async def say(self, socket: web.WebSocketResponse, *frames: Any) -> None:
        """Send frames: text unchanged, anything else as JSON."""
        for frame in frames:
            await socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))

    async def until_acked(self, *ids: str) -> None:
        """Wait until all ids are acknowledged."""
        while not set(ids) <= {each for ack in self.acks for each in ack}:
            self.heard.clear()
            await self.heard.wait()

    async def until_frame(self, kind: str) -> None:
        """Wait for a frame of a type."""
        while not any(frame["type"] == kind for frame in self.frames):
            self.heard.clear()
            await self.heard.wait()

    async def finish(self, socket: web.WebSocketResponse) -> None:
        """Send the end of the backtest, and wait for its acknowledgement."""
        await self.say(socket, COMPLETE)
        await self.until_acked("evt-end")

    async def until_closed(self, socket: web.WebSocketResponse) -> None:
        """Wait until the strategy has closed the connection."""
        while not socket.closed:
            self.heard.clear()
            await self.heard.wait()

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=self.answers_pings)
        await socket.prepare(request)
        scene = self.scenes[min(self.connections, len(self.scenes) - 1)]
        self.connections += 1
        listener = asyncio.create_task(self._listen(socket))
        try:
            await scene(self, socket)
            await socket.close()
        finally:
            listener.cancel()
        return socket

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                if message.type is WSMsgType.PING:
                    continue
                break
            frame = json.loads(message.data)
            if frame["type"] == "event_ack":
                self.ack_frames.append(frame)
                self.acks.append(frame["events_processed"])
            else:
                self.frames.append(frame)
            self.heard.set()
        self.heard.set()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.requests.append((request.method, request.path_qs, json.loads(body) if body else None))
        self.heard.set()
        if not request.path.startswith(self.prefix + "/"):
            raise web.HTTPNotFound
        path = request.path.removeprefix(self.prefix)
        queue = self.answers.get((request.method, path))
        if queue:
            status, answer = queue[0] if len(queue) == 1 else queue.pop(0)
            if status < 0:
                await asyncio.Event().wait()
            if status == 0:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            if isinstance(answer, str):
                return web.Response(status=status, text=answer, content_type="text/html")
            return web.json_response(answer, status=status)
        if path == "/account":
            return web.json_response(ACCOUNT)
        if request.method == "GET" and not re.match("/orders/(?!history)", path):
            return web.json_response([])
        raise web.HTTPNotFound

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["ScriptedProxy"]:
        """Listen on a free loopback port."""
        app = web.Application()
        app.router.add_get(self.stream_path, self._stream)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


def at_once(rng: Random) -> Iterator[float]:
    """Delays of a millisecond."""
    while True:
        yield 0.001


def venue_for(proxy: ScriptedProxy, **options: Any) -> ProxyVenue:
    """Return a venue for the proxy that retries everything immediately."""
    given: dict[str, Any] = {
        "is_live": False,
        "connected_wait": 5.0,
        "connect_deadline": 5.0,
        "reconnect_delays": at_once,
        "startup_delays": at_once,
        "retry_delays": at_once,
    }
    return ProxyVenue(proxy.endpoints, **(given | options))


async def run(
    proxy: ScriptedProxy, strategy: Strategy | None = None, **options: Any
) -> Scripted | Strategy:
    """Run a backtest to its end, and return the strategy."""
    strategy = strategy or Scripted({})
    await Runner(strategy, venue_for(proxy, **options), mode="backtest").run()
    return strategy


async def ask(proxy: ScriptedProxy, call: Callable[[ProxyVenue], Any], **options: Any) -> Any:
    """Make a request through a venue, and return the response."""
    venue = venue_for(proxy, **options)
    await venue.open()
    try:
        return await call(venue)
    finally:
        await venue.close()
