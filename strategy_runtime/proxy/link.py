"""The WebSocket shell: connects, reads, answers pings, sends acknowledgements.

A task of its own reads and never runs the strategy's code: aiohttp answers protocol pings only
while somebody reads, and drops what it has buffered when a slow reader looks like a dead peer.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import Literal

import aiohttp
from aiohttp import ClientWSTimeout, WSMsgType

from strategy_runtime.errors import FrameError, ProtocolError
from strategy_runtime.protocol.codec import PONG, FrameDecoder
from strategy_runtime.protocol.events import OrderEvent, Ping, Pong, ServerFrame, UnknownEvent
from strategy_runtime.protocol.models import Order
from strategy_runtime.proxy.endpoints import Endpoints

__all__ = ["Link", "no_redirects"]

_HANDSHAKE_S = 10.0
_CLOSE_S = 2.0
_NO_SUCH_PATH = (404, 405, 426)

_log = logging.getLogger("strategy_runtime")

Delivery = tuple[ServerFrame | UnknownEvent | None, str | None]
"""A frame, or None for one that was dropped, and the id to acknowledge it by."""


def no_redirects() -> aiohttp.TraceConfig:
    """Has a session follow no redirect: the client library would, on its way to a socket."""

    async def refuse(
        _session: aiohttp.ClientSession,
        _context: object,
        redirect: aiohttp.TraceRequestRedirectParams,
    ) -> None:
        target = redirect.response.headers.get("Location", "")
        raise ProtocolError(
            f"{redirect.url} redirects to {target}; redirects are not followed, check PROXY_WS_URL"
        )

    config = aiohttp.TraceConfig()
    config.on_request_redirect.append(refuse)
    return config


class Link:
    """One connection to the event stream, from handshake to close.

    Attributes:
        deliveries: Frames received and not taken yet.
        arrived: Set when there is something new: a frame, or the end of the connection.
        close_code: Why the proxy closed; None while open.
        close_reason: What it said.
        malformed: Number of frames dropped.
    """

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse[Literal[False]],
        decoder: FrameDecoder,
        awaited: Mapping[str, asyncio.Future[Order]],
    ) -> None:
        self.deliveries: deque[Delivery] = deque()
        self.arrived = asyncio.Event()
        self.close_code: int | None = None
        self.close_reason = ""
        self.malformed = 0
        self._socket = socket
        self._decode = decoder.decode
        self._awaited = awaited
        self._reader = asyncio.create_task(self._read(), name="strategy-runtime reader")

    @classmethod
    async def open(
        cls,
        session: aiohttp.ClientSession,
        endpoints: Endpoints,
        decoder: FrameDecoder,
        *,
        heartbeat: float | None,
        max_frame: int,
        awaited: Mapping[str, asyncio.Future[Order]],
    ) -> "Link":
        """Connect; a URL without a path of its own is tried with several.

        Args:
            awaited: Orders whose answer is outstanding, by client order id: the first event of one
                tells that it arrived.

        Raises:
            aiohttp.ClientError, TimeoutError, OSError: The attempt failed.
            ProtocolError: The answer was a redirect, where the session follows none.
        """
        urls = endpoints.stream_urls
        for url in urls:
            try:
                async with asyncio.timeout(_HANDSHAKE_S):
                    socket = await session.ws_connect(
                        url,
                        headers=endpoints.headers,
                        timeout=ClientWSTimeout(ws_close=_CLOSE_S),  # pyright: ignore[reportCallIssue]
                        autoping=True,
                        heartbeat=heartbeat,
                        compress=0,
                        max_msg_size=max_frame,
                        decode_text=False,
                    )
                return cls(socket, decoder, awaited)
            except aiohttp.WSServerHandshakeError as error:
                if error.status not in _NO_SUCH_PATH or url == urls[-1]:
                    raise
        raise ProtocolError("no URL to connect to")

    @property
    def is_open(self) -> bool:
        """Whether frames may still come."""
        return not self._reader.done()

    async def send(self, frame: bytes) -> bool:
        """Send a text frame; False where the connection has gone."""
        try:
            await self._socket.send_frame(frame, WSMsgType.TEXT)
        except (ConnectionError, RuntimeError, aiohttp.ClientError):
            return False
        return True

    async def close(self) -> None:
        """Close in good order, within two seconds."""
        await self._socket.close()
        self._reader.cancel()
        await asyncio.wait({self._reader})

    def _sight(self, order: Order) -> None:
        waiting = self._awaited.get(order.client_order_id or "")
        if waiting is not None and not waiting.done():
            waiting.set_result(order)

    async def _read(self) -> None:
        socket, deliveries, arrived, decode = (
            self._socket,
            self.deliveries,
            self.arrived,
            self._decode,
        )
        try:
            while True:
                message = await socket.receive()
                kind = message.type
                if kind is WSMsgType.TEXT or kind is WSMsgType.BINARY:
                    try:
                        frame, event_id, warnings = decode(message.data)
                    except FrameError as error:
                        self.malformed += 1
                        _log.warning("a frame was dropped: %s", error)
                        deliveries.append((None, error.event_id))
                    else:
                        if type(frame) is Ping:
                            await self.send(PONG)
                        elif type(frame) is not Pong:
                            if warnings:
                                _log.warning(
                                    "odd %s: %s", type(frame).__name__, "; ".join(warnings)
                                )
                            deliveries.append((frame, event_id))
                            if self._awaited and type(frame) is OrderEvent:
                                self._sight(frame.order)
                    arrived.set()
                elif kind is WSMsgType.CLOSE:
                    self.close_code, self.close_reason = message.data, message.extra or ""
                elif kind is WSMsgType.ERROR:
                    self.close_reason = str(socket.exception() or message.data)
                    return
                elif kind in (WSMsgType.CLOSED, WSMsgType.CLOSING):
                    return
        finally:
            if self.close_code is None:
                self.close_code = socket.close_code
            arrived.set()
