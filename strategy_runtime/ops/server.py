"""The ops port: `/livez`, `/readyz`, `/metrics` and `/status`, on its own thread and event loop.

So it answers even while a hook blocks the strategy's loop.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from typing import Any, Self, cast

import msgspec
from aiohttp import web

from strategy_runtime.errors import ConfigError, reason_of
from strategy_runtime.hosts import host_in, is_loopback
from strategy_runtime.ops.health import INTERVAL_S, Health
from strategy_runtime.ops.metrics import Metrics
from strategy_runtime.runtime.threads.starting import start

__all__ = ["OpsServer"]

_STOP_WITHIN_S = 2.0
# Far below the limit of open files, which the run needs for its proxy and its journal.
_MOST_CONNECTIONS = 64


class OpsServer:
    """Serves one run, inside `with`.

    Beyond a limit, a new connection closes the oldest one, so that there is always room.

    Args:
        host: Address to listen on. On loopback, requests must name loopback, too, against DNS
            rebinding in a browser.
        port: 0 picks a free one.
        beat: Called in the server's thread every `INTERVAL_S`.

    Raises:
        ConfigError: The port is not available, or on entering, no thread can be started.
    """

    def __init__(
        self, health: Health, metrics: Metrics, host: str, port: int, beat: Callable[[], None]
    ) -> None:
        self._health = health
        self._metrics = metrics
        self._host = host
        self._beat = beat
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            raise ConfigError(f"cannot listen on {host} port {port}: {reason_of(error)}") from None
        self._loop = asyncio.new_event_loop()
        self._is_over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="strategy-runtime ops", daemon=True)

    @property
    def url(self) -> str:
        """URL it listens on."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def __enter__(self) -> Self:
        try:
            start(self._thread)
        except BaseException:
            self._socket.close()
            self._loop.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join(_STOP_WITHIN_S)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._serve_metrics)
        app.router.add_get("/status", self._status)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await runner.setup()
        try:
            accept = partial(_accept, runner)
            with closing(await self._loop.create_server(accept, sock=self._socket)):
                while not await self._is_over_within(INTERVAL_S):
                    self._beat()
        finally:
            await runner.cleanup()

    async def _is_over_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_over.wait()
        return self._is_over.is_set()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        named = host_in(request.headers.get("Host", ""))
        if is_loopback(self._host) and not is_loopback(named):
            return _json(403, {"error": f"this port serves {self._host} only"})
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _livez(self, request: web.Request) -> web.Response:
        is_live, said = self._health.liveness()
        return _json(200 if is_live else 503, said)

    async def _readyz(self, request: web.Request) -> web.Response:
        is_ready, said = self._health.readiness()
        return _json(200 if is_ready else 503, said)

    async def _serve_metrics(self, request: web.Request) -> web.Response:
        text, content_type = self._metrics.exposition()
        return web.Response(body=text, headers={"Content-Type": content_type})

    async def _status(self, request: web.Request) -> web.Response:
        return _json(200, {"run": self._health.status, "readiness": self._health.readiness()[1]})


def _accept(runner: web.AppRunner) -> asyncio.BaseProtocol:
    """Return the protocol of a new connection; close the oldest ones if there are too many."""
    server = cast("web.Server", runner.server)
    surplus = max(len(server.connections) + 1 - _MOST_CONNECTIONS, 0)
    for oldest in server.connections[:surplus]:
        oldest.force_close()
    return server()


def _json(status: int, document: object) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(document), content_type="application/json"
    )
