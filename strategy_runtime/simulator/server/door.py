"""The door of the server: limits on connections and requests, and one shape for all errors.

It wraps the application, so that it also answers what never reaches it: bytes that are not HTTP, an
unknown `Expect`, one connection too many.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
from aiohttp import web

from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.rest import ErrorEnvelope
from strategy_runtime.protocol.server_codec import encode_json
from strategy_runtime.simulator.server.access import Access
from strategy_runtime.simulator.server.envelope import explained, refusal

__all__ = ["ClientLimits", "Door"]

_KEEP_ALIVE_S = 75.0
_LONGEST_PROBLEM = 200
_LINGERING_S = 2.0
_NO_ROOM = encode_json(
    ErrorEnvelope("PROVIDER_UNAVAILABLE", "the proxy has too many connections", None)
)
_FULL = b"\r\n".join(
    (
        b"HTTP/1.1 503 Service Unavailable",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(_NO_ROOM),
        b"Connection: close",
        b"",
        _NO_ROOM,
    )
)

_log = logging.getLogger("strategy_runtime")


class ClientLimits(msgspec.Struct, frozen=True):
    """Limits on clients.

    Attributes:
        connections: Most open connections of all clients together.
        head_s: Seconds within which the first request of a connection must arrive.
        body_s: Seconds within which the whole body of a request must arrive.
        body_bytes: Most bytes of a body.
    """

    connections: int = 128
    head_s: float = 10.0
    body_s: float = 10.0
    body_bytes: int = 64 * 1024


class Door(web.AppRunner):
    """Runs an application behind the checks and limits."""

    def __init__(self, app: web.Application, access: Access, limits: ClientLimits) -> None:
        super().__init__(
            app,
            access_log=None,
            shutdown_timeout=1.0,
            keepalive_timeout=_KEEP_ALIVE_S,
            lingering_time=_LINGERING_S,
        )
        self._access = access
        self._limits = limits

    async def _make_server(self) -> web.Server:
        await super()._make_server()  # starts the application; the server it makes is replaced
        return _Server(
            self._answer,
            limits=self._limits,
            request_factory=self.app._make_request,
            **self._kwargs,
        )

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            if self._access.check(request):
                cast("_Conversation", request.protocol).is_known = True
            return await self.app._handle(request)  # type: ignore[arg-type]  # its own make
        except ApiError as error:
            return refusal(error)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            answer = refusal(explained(request, error))
            if "Allow" in error.headers:
                answer.headers["Allow"] = error.headers["Allow"]
            return answer


class _Server(web.Server):
    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        limits: ClientLimits,
        **options: Any,
    ) -> None:
        super().__init__(handler, **options)
        self._limits = limits

    def __call__(self) -> web.RequestHandler:
        return _Conversation(self, self._limits, loop=self._loop, **self._kwargs)


class _Conversation(web.RequestHandler):
    """One connection: all its requests, or its WebSocket.

    Attributes:
        is_known: Whether a request has shown that the client is no stranger; see `Access.check`.
    """

    __slots__ = ("_head_timer", "_limits", "is_known")

    def __init__(self, server: web.Server, limits: ClientLimits, **options: Any) -> None:
        super().__init__(server, **options)
        self._limits = limits
        self._head_timer: asyncio.TimerHandle | None = None
        self.is_known = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._make_room():
            writing = cast("asyncio.Transport", transport)
            writing.write(_FULL)
            writing.close()
            return
        super().connection_made(transport)
        self._head_timer = self._loop.call_later(self._limits.head_s, self._on_head_timeout)

    def _make_room(self) -> bool:
        """Return whether there is room, after closing the oldest stranger's connection if full."""
        others = [] if self._manager is None else self._manager.connections
        if len(others) < self._limits.connections:
            return True
        for other in others:
            if not cast("_Conversation", other).is_known and other.transport is not None:
                other.force_close()
                return True
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def _on_head_timeout(self) -> None:
        if not self._request_count:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= 500:
            _log.error("%s %s failed", request.method, request.path, exc_info=exc)
            error = ApiError(500, "INTERNAL_ERROR", "the proxy failed; its log says why")
        else:
            problem = " ".join((message or "").split())[:_LONGEST_PROBLEM]
            error = ApiError(status, "INVALID_REQUEST", f"this is no proper HTTP: {problem}")
        if request.writer.output_size:
            raise ConnectionError("a part of another answer has been sent")
        answer = refusal(error)
        answer.force_close()
        return answer
