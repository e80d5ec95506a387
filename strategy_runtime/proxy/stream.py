"""One WebSocket connection to the event stream, which delivers messages as their bytes are read.

There is no task in between: all messages of a read are parsed and delivered at once, and the
waiting consumer is woken once. So pings are answered whatever the strategy does, as long as this
event loop runs; in a live run it has a loop of its own.
"""

import asyncio
from base64 import b64encode
from contextlib import suppress
from hashlib import sha1

from strategy_runtime.ids import Random
from strategy_runtime.proxy.dialing import Reader
from strategy_runtime.proxy.framing import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameFault,
    FrameReader,
    close_answer,
    close_code,
    close_frame,
    frame_of,
)
from strategy_runtime.proxy.http1 import Head, ReplyFault, ReplyReader, Target
from strategy_runtime.proxy.transport import Closed, ConnectFailed, Receiver

__all__ = ["Stream"]

_KEY_TAIL = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_NORMAL, _CUT = 1000, 1006
_CLOSE_S = 2.0
_PING_AFTER, _LOST_AFTER = 2, 4  # number of checks
_LATE = 1.5
_MOST_UNREAD = 4 * 1024 * 1024


class Stream(Reader):
    """Implements `Socket`.

    Args:
        longest: Maximum size of a message, in bytes; a longer one closes the connection (1009).
        heartbeat: Seconds of silence before a ping, and then for its answer. None leaves this to
            TCP keep-alive: a timer costs a tenth of every event loop iteration in lock-step.
        rng: Source of random keys and masks.
    """

    def __init__(
        self, receiver: Receiver, *, longest: int, heartbeat: float | None, rng: Random
    ) -> None:
        super().__init__()
        self._receiver = receiver
        self._frames = FrameReader(
            receiver.feed, reply=self.send, control=self._control, longest=longest
        )
        self._rng = rng
        self._check_interval = (heartbeat or 0.0) / 2
        self._silent_checks = 0
        self._checked_at = 0.0
        self._next_check: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._handshake: ReplyReader | None = ReplyReader()
        self._answer: asyncio.Future[Head] = self._loop.create_future()
        self._is_over = False
        self._is_closing = False

    def connection_made(  # type: ignore[override]  # see Reader
        self, transport: asyncio.WriteTransport
    ) -> None:
        """Called by the event loop."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(_MOST_UNREAD)

    # The handshake

    async def shake_hands(self, target: Target, headers: bytes) -> Head:
        """Send the handshake; return the head of the response, 101 if the server agrees.

        The body of a refusal is not awaited: some servers never mark its end.

        Raises:
            OSError, ReplyFault: There was no response.
            ConnectFailed: The response was invalid.
        """
        key = b64encode(self._rng.randbytes(16))
        self._transport.write(
            f"GET {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n".encode()
            + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            + b"Sec-WebSocket-Key: %s\r\n%s%s\r\n" % (key, target.credentials, headers)
        )
        self._accept = b64encode(sha1(key + _KEY_TAIL, usedforsecurity=False).digest()).decode()
        try:
            return await self._answer
        except BaseException:
            self._transport.abort()
            raise

    def _read_handshake(self, handshake: ReplyReader, data: bytes) -> None:
        try:
            handshake.feed(data)
            head = handshake.head
            if head is None:
                return
            given = head.headers
            if head.status == 101 and (
                given.get("sec-websocket-accept") != self._accept
                or given.get("upgrade", "").lower() != "websocket"
            ):
                raise ReplyFault("the handshake was not answered by an event stream")
        except ReplyFault as fault:
            self._fail(ConnectFailed(str(fault), is_not_proxy=True))
            return
        if self._answer.done():
            return
        self._answer.set_result(head)
        if head.status != 101:
            self._is_over = True
            self._transport.close()
            return
        self._handshake = None
        if self._check_interval:
            self._schedule_check()
        else:
            self.keep_alive()
        self.arrived(bytes(handshake.rest))

    def _fail(self, error: Exception) -> None:
        self._is_over = True
        if not self._answer.done():
            self._answer.set_exception(error)
        self._transport.abort()

    # Receiving

    def arrived(self, data: bytes) -> None:
        """Handle the bytes read."""
        self._silent_checks = 0
        if self._is_over:
            return
        if self._handshake is not None:
            self._read_handshake(self._handshake, data)
            return
        try:
            self._frames.feed(data)
        except FrameFault as fault:
            self._transport.write(close_frame(fault.code, fault.reason, self._rng))
            self._end(Closed(fault.code, fault.reason, is_ours=True))
            self._transport.close()
        except BaseException:
            self._end(Closed(None, "a frame could not be handled"))
            raise

    def _control(self, kind: int, payload: bytes) -> None:
        if kind == PING and not self._is_over:
            self._transport.write(frame_of(PONG, payload, self._rng))
        elif kind == CLOSE:
            code, reason = close_code(payload)
            if not self._is_closing:
                self._transport.write(frame_of(CLOSE, close_answer(payload), self._rng))
            self._end(Closed(code, reason))
            self._transport.close()

    def _check_silence(self) -> None:
        """Check for silence since the last check; ping after two silent ones, end after four."""
        # A late check means that a hook blocked the loop and its reads: not the proxy's silence.
        if self._loop.time() - self._checked_at < self._check_interval * _LATE:
            self._silent_checks += 1
        if self._silent_checks == _LOST_AFTER:
            self._end(Closed(_CUT, f"no answer to a ping in {self._check_interval * 2:g} s"))
            self._transport.abort()
            return
        if self._silent_checks == _PING_AFTER:
            self._transport.write(frame_of(PING, b"", self._rng))
        self._schedule_check()

    def _schedule_check(self) -> None:
        self._checked_at = self._loop.time()
        self._next_check = self._loop.call_later(self._check_interval, self._check_silence)

    # The end of the connection

    def pause_writing(self) -> None:
        """Called by the event loop: the proxy does not read what is sent to it."""
        self._end(Closed(_CUT, "it does not read what is sent to it"))
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        if self._handshake is not None:
            self._is_over = True  # the stream never started, so there is no loss to report
            if not self._answer.done():
                cut = ReplyFault("the connection was closed before the handshake was answered")
                self._answer.set_exception(exc or cut)
        self._end(Closed(_CUT, str(exc or "closed without a close frame")))
        if not self._gone.done():
            self._gone.set_result(None)

    def _end(self, closed: Closed) -> None:
        """Report the end of the stream, once; closing the connection is up to the caller."""
        if self._next_check is not None:
            self._next_check.cancel()
        if not self._is_over:
            self._is_over = True
            self._receiver.lost(closed)

    # Sending and closing

    def send(self, frame: bytes) -> bool:
        """Send a text frame; return False if the connection is gone."""
        if self._is_over:
            return False
        self._transport.write(frame_of(TEXT, frame, self._rng))
        return True

    async def close(self) -> None:
        """Close with a closing handshake, within two seconds."""
        if not self._is_over:
            self._is_closing = True
            self._transport.write(close_frame(_NORMAL, "", self._rng))
            self._frames.mute()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await asyncio.shield(self._gone)
        self._transport.abort()
        self._end(Closed(_CUT, "not closed by the other side in time"))
