"""The proxy server: two ports, one application, one run."""

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self

from aiohttp import web

from strategy_runtime.errors import ApiError, ConfigError, reason_of
from strategy_runtime.protocol.orders import invalid_request
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server.access import Access
from strategy_runtime.simulator.server.broadcast import Broadcast
from strategy_runtime.simulator.server.door import ClientLimits, Door
from strategy_runtime.simulator.server.ending import RunEnd
from strategy_runtime.simulator.server.envelope import BODY
from strategy_runtime.simulator.server.lock_step import LockStep
from strategy_runtime.simulator.server.routes import Routes
from strategy_runtime.simulator.server.stream import EventStream

__all__ = ["ProxyServer"]

_STREAM_PATHS = ("/", "/ws", "/v1/ws")

_log = logging.getLogger("strategy_runtime")


class ProxyServer:
    """Serves an exchange to strategies over the network.

    Every path is served on both ports, so a client that knows only one finds everything there.

    Args:
        host: Address to listen on; loopback by default.
        ws_port, rest_port: 0 picks a free one; equal numbers share one port.
        api_key: Key that every client must send, if set.
        first_ack_timeout, ack_timeout: Seconds to wait for the first and every further
            acknowledgement before the run is halted; 0 waits for ever.
        last_ack_timeout: Seconds to wait for the last acknowledgement; the run is complete anyway.
        speed: Replay by the clock, this many times faster than real time, to any number of clients;
            None waits for the acknowledgements of a single client.
        silence_limit: Seconds without any frame after which a client is closed; by the clock only.
        farewell_pause: Seconds between the shutdown notice and the end of the connection.
        limits: Limits on clients.
        version: Version shown at `/health`.

    Raises:
        ConfigError: Other machines can connect, and there is no key of at least 32 characters.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        host: str = "127.0.0.1",
        ws_port: int = 8082,
        rest_port: int = 8080,
        api_key: str | None = None,
        first_ack_timeout: float = 120.0,
        ack_timeout: float = 30.0,
        last_ack_timeout: float = 10.0,
        ping_interval: float = 15.0,
        speed: float | None = None,
        silence_limit: float = 45.0,
        farewell_pause: float = 0.5,
        limits: ClientLimits | None = None,
        version: str = "unknown",
    ) -> None:
        self.stream: EventStream
        if speed is None:
            self.stream = LockStep(
                exchange,
                first_ack_timeout=first_ack_timeout,
                ack_timeout=ack_timeout,
                last_ack_timeout=last_ack_timeout,
                ping_interval=ping_interval,
            )
        else:
            self.stream = Broadcast(
                exchange,
                speed=speed,
                ping_interval=ping_interval,
                silence_limit=silence_limit,
            )
        self._host = host
        self._ports = (ws_port, rest_port)
        self._farewell_pause = farewell_pause
        self._routes = Routes(self.stream, version)
        limits = limits or ClientLimits()
        self._app = _application(self._routes, self.stream, limits)
        self._door = Door(self._app, Access(host, api_key), limits)
        self._conductor: asyncio.Task[None] | None = None
        self._addresses: list[tuple[str, int]] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def ws_url(self) -> str:
        """URL of the event stream, once started."""
        return f"ws://{_authority(*self._addresses[0])}"

    @property
    def rest_url(self) -> str:
        """URL of the REST interface, once started."""
        return f"http://{_authority(*self._addresses[-1])}"

    @property
    def refused_orders(self) -> int:
        """How many requests for an order have been refused."""
        return self._routes.refused_orders

    async def start(self) -> None:
        """Start listening; the replay waits for a client.

        Raises:
            ConfigError: A port is taken, or the address is not one of this machine.
        """
        await self._door.setup()
        ws_port, rest_port = self._ports
        shared = ws_port == rest_port and ws_port != 0
        for name, port in (("ws", ws_port),) if shared else (("ws", ws_port), ("rest", rest_port)):
            site = web.TCPSite(self._door, self._host, port)
            try:
                await site.start()
            except OSError as error:
                await self._door.cleanup()
                # For an address of another machine, asyncio does not always keep the error number.
                of_the_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
                other = f"--{name}-port (0 picks a free one)" if of_the_port else "--host"
                raise ConfigError(
                    f"cannot listen on {self._host} port {port}: {reason_of(error)}; "
                    f"choose another with {other}"
                ) from None
        self._addresses = [address[:2] for address in self._door.addresses]
        self._conductor = asyncio.create_task(self.stream.conduct(), name="proxy conductor")

    async def finished(self) -> RunEnd:
        """Wait until the run has ended, also by `stop`; REST is served until then.

        Raises:
            Exception: The error that broke the replay.
        """
        if self._conductor is None:
            raise RuntimeError("the server has not been started")
        # The task is not awaited itself: cancelling this wait must not cancel the replay.
        await asyncio.wait({self._conductor})
        if not self._conductor.cancelled():
            self._conductor.result()
        return self.stream.end or RunEnd.STOPPED

    async def stop(self) -> None:
        """Notify the clients, refuse their commands from now on, and close everything."""
        self._routes.is_going_down = True
        if self._conductor is not None:
            self._conductor.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._conductor
        await self.stream.say_goodbye(self._farewell_pause)
        await self._door.cleanup()


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _application(routes: Routes, stream: EventStream, limits: ClientLimits) -> web.Application:
    app = web.Application(client_max_size=limits.body_bytes)
    for path in _STREAM_PATHS:
        app.router.add_get(path, stream.serve)
    for path, probe in routes.probes():
        app.router.add_get(path, _answer(probe, limits))
    for method, path, handler in routes.table():
        for prefix in ("", "/v1"):
            app.router.add_route(method, prefix + path, _answer(handler, limits))
    return app


def _answer(
    handler: Callable[[web.Request], web.Response], limits: ClientLimits
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Wrap a handler so that the whole body is read before it is called."""

    async def answer(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(limits.body_s):
                request[BODY] = content = await request.read()
        except TimeoutError:
            message = f"the body was not there within {limits.body_s:g} s"
            raise ApiError(408, "INVALID_REQUEST", message) from None
        except web.HTTPRequestEntityTooLarge:
            message = f"the body is larger than {limits.body_bytes // 1024} KiB"
            raise ApiError(413, "INVALID_REQUEST", message) from None
        except (web.RequestPayloadError, ConnectionError) as error:
            raise invalid_request(f"the body cannot be read: {error}") from None
        if content.strip() and request.content_type != "application/json":
            raise ApiError(
                415,
                "INVALID_REQUEST",
                f"a body of type {request.content_type} is not understood; send application/json",
            )
        try:
            return handler(request)
        except ApiError:
            raise
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            raise ApiError(500, "INTERNAL_ERROR", "the proxy failed; its log says why") from None

    return answer
