"""One client's WebSocket: greeting, pings and malformed frames; the same for every stream."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from aiohttp import WSCloseCode, WSMsgType, web

from strategy_runtime.clock import monotonic, now, sleep
from strategy_runtime.errors import FrameError
from strategy_runtime.protocol.commands import ClientPing, EventAck
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import ConnectionEvent, Ping, ProxyErrorEvent, ServerFrame
from strategy_runtime.protocol.server_codec import (
    PONG,
    decode_client_frame,
    encode_json,
)
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server.ending import CLOSE_CODES, LastWords, RunEnd

__all__ = ["Connection"]

_MAX_FRAME = 1024 * 1024
_CLOSE_S = 2.0
_LAST_WORDS_S = 1.0
_LONGEST_PROBLEM = 200
_MOST_BAD_FRAMES = 20
_MOST_BINARY_FRAMES = 10
_BAD_FRAMES_WINDOW_S = 10.0


class Connection:
    """A client that has connected.

    Attributes:
        heard_at: When it last sent anything, on the monotonic clock.
        socket: The response that the request's handler returns.
    """

    def __init__(
        self,
        exchange: Exchange,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport | None,
    ) -> None:
        self.heard_at = monotonic()
        self.socket = socket
        self._exchange = exchange
        self._transport = transport
        self._gone = asyncio.Event()

    @classmethod
    async def accept(cls, exchange: Exchange, request: web.Request) -> "Connection":
        """Complete the handshake."""
        socket = web.WebSocketResponse(
            timeout=_CLOSE_S,
            autoping=True,
            compress=False,
            max_msg_size=_MAX_FRAME + 1,  # the first size that is refused
        )
        await socket.prepare(request)
        return cls(exchange, socket, request.transport)

    async def send(self, frame: bytes) -> bool:
        """Write a text frame; return False if the client has gone or was cut off."""
        try:
            await self.socket.send_frame(frame, WSMsgType.TEXT)
        except (ConnectionError, RuntimeError):
            return False
        except asyncio.CancelledError:
            # Cancelling a write that waits for the client raises the same exception in all other
            # writes that wait for it, and in later ones: nothing more can be written.
            self.abort()
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return False
        return True

    async def greet(self, session: str, acknowledged: int | None = None) -> None:
        """Send CONNECTED, the first frame of every connection, with the id of the run and, in lock
        step, the number of acknowledged events.
        """
        await self._send(
            ConnectionEvent(
                event=ConnectionEventKind.CONNECTED,
                session=session,
                acknowledged=acknowledged,
                timestamp=self._exchange.now,
            )
        )

    async def close(self, code: int, reason: str) -> None:
        """Close with a code and a readable reason; a client that does not read is cut off."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self.socket.close(code=code, message=reason.encode())
        if self._transport is not None and self._transport.get_write_buffer_size():
            self.abort()

    async def end_run(self, end: RunEnd, words: LastWords | None) -> None:
        """Close at the end of the run, after an error frame if the run did not complete."""
        if words is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S):
                    await self.send_error(*words)
        await self.close(CLOSE_CODES[end], end.value)

    def abort(self) -> None:
        """Drop the connection at once, and with it every write that waits for the client."""
        if self._transport is not None:
            self._transport.abort()

    async def say_goodbye(self, pause: float) -> None:
        """Notify the client of the shutdown, leave it a moment, and close."""
        kind = ConnectionEventKind.DISCONNECTING
        farewell = ConnectionEvent(event=kind, timestamp=self._exchange.now)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                if await self._send(farewell):
                    await self._gone.wait()
        await self.close(WSCloseCode.GOING_AWAY, "the proxy is shutting down")

    async def ping_for_ever(self, interval: float) -> None:
        """Send a ping at each interval."""
        while True:
            await sleep(interval)
            await self._send(Ping(timestamp=now()))

    async def listen(self, acknowledge: Callable[[EventAck], None]) -> None:
        """Read until the client leaves, or has sent too many malformed frames."""
        try:
            with suppress(ConnectionError):  # it may leave while a pong waits to be written
                await self._listen(acknowledge)
        finally:
            self._gone.set()

    async def _listen(self, acknowledge: Callable[[EventAck], None]) -> None:
        bad: deque[float] = deque(maxlen=_MOST_BAD_FRAMES + 1)
        binaries = 0
        async for message in self.socket:
            self.heard_at = monotonic()
            if message.type is WSMsgType.TEXT:
                try:
                    frame = decode_client_frame(message.data)
                except FrameError as error:
                    problem = str(error)[:_LONGEST_PROBLEM]
                else:
                    if isinstance(frame, EventAck):
                        acknowledge(frame)
                    elif isinstance(frame, ClientPing):
                        await self.send(PONG)
                    continue
            elif message.type is WSMsgType.BINARY:
                problem = "binary frames are not part of the protocol; send text"
                binaries += 1
                if binaries > _MOST_BINARY_FRAMES:
                    await self.close(WSCloseCode.UNSUPPORTED_DATA, "binary frames")
                    return
            else:
                return
            bad.append(monotonic())
            if len(bad) > _MOST_BAD_FRAMES and bad[-1] - bad[0] < _BAD_FRAMES_WINDOW_S:
                await self.close(WSCloseCode.POLICY_VIOLATION, "too many malformed frames")
                return
            await self.send_error("INVALID_MESSAGE", problem)

    async def send_error(self, code: str, problem: str, details: object = None) -> None:
        """Send an error frame."""
        await self._send(
            ProxyErrorEvent(
                code=code, message=problem, details=details, timestamp=self._exchange.now
            )
        )

    async def _send(self, frame: ServerFrame) -> bool:
        return await self.send(encode_json(frame))


async def cancel(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
