"""One connection to the event stream: a WebSocket whose bytes reach the receiver as they are read.

No task stands between: what one read brought is taken apart and delivered at once, and whoever
waits for it is woken once. So pings are answered whatever the strategy does, as long as this loop
turns; live it is one of its own.
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
_SILENT, _SILENT_AT_LAST = 2, 4  # looks
_LATE = 1.5
_MOST_UNREAD = 4 * 1024 * 1024


class Stream(Reader):
    """Implements the seam's `Socket`.

    Args:
        longest: Bytes a message may have; a longer one ends the connection with code 1009.
        heartbeat: Seconds of silence after which the other side is asked whether it is there; it
            has as long to answer. None to leave that to the system, which asks the other host: a
            timer that is looked at in every turn of the loop is a tenth of a turn in lock-step.
        chance: For what has to be random on the wire.
    """

    def __init__(
        self, receiver: Receiver, *, longest: int, heartbeat: float | None, chance: Random
    ) -> None:
        super().__init__()
        self._receiver = receiver
        self._frames = FrameReader(
            receiver.feed, reply=self.send, control=self._control, longest=longest
        )
        self._chance = chance
        self._look_every = (heartbeat or 0.0) / 2
        self._silent_looks = 0
        self._looked_at = 0.0
        self._next_look: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._handshake: ReplyReader | None = ReplyReader()
        self._answer: asyncio.Future[Head] = self._loop.create_future()
        self._is_over = False
        self._is_leaving = False

    def connection_made(  # type: ignore[override]  # see Reader
        self, transport: asyncio.WriteTransport
    ) -> None:
        """Called by the event loop."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(_MOST_UNREAD)

    # The handshake

    async def shake_hands(self, target: Target, headers: bytes) -> Head:
        """Ask for the event stream; gives back the answer, which agrees where it is a 101.

        What else comes with a refusal is not waited for: some servers never say where it ends.

        Raises:
            OSError, ReplyFault: There was none.
            ConnectFailed: There was none that makes sense.
        """
        key = b64encode(self._chance.randbytes(16))
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

    def _shake(self, handshake: ReplyReader, data: bytes) -> None:
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
                raise ReplyFault(
                    "the handshake was answered by something else than an event stream"
                )
        except ReplyFault as fault:
            self._fail(ConnectFailed(str(fault), is_stranger=True))
            return
        if self._answer.done():
            return
        self._answer.set_result(head)
        if head.status != 101:
            self._is_over = True
            self._transport.close()
            return
        self._handshake = None
        if self._look_every:
            self._look_later()
        else:
            self.keep_alive()
        self.arrived(bytes(handshake.rest))

    def _fail(self, error: Exception) -> None:
        self._is_over = True
        if not self._answer.done():
            self._answer.set_exception(error)
        self._transport.abort()

    # Arriving

    def arrived(self, data: bytes) -> None:
        """Take what was read."""
        self._silent_looks = 0
        if self._is_over:
            return
        if self._handshake is not None:
            self._shake(self._handshake, data)
            return
        try:
            self._frames.feed(data)
        except FrameFault as fault:
            self._transport.write(close_frame(fault.code, fault.said, self._chance))
            self._end(Closed(fault.code, fault.said, is_ours=True))
            self._transport.close()
        except BaseException:
            self._end(Closed(None, "a frame could not be handled"))
            raise

    def _control(self, kind: int, payload: bytes) -> None:
        if kind == PING and not self._is_over:
            self._transport.write(frame_of(PONG, payload, self._chance))
        elif kind == CLOSE:
            code, reason = close_code(payload)
            if not self._is_leaving:
                self._transport.write(frame_of(CLOSE, close_answer(payload), self._chance))
            self._end(Closed(code, reason))
            self._transport.close()

    def _look(self) -> None:
        """Whether anything came since the last look; asks at some silent one, ends at a later."""
        # A hook that blocked the loop kept it from reading, too: that is not the silence of others.
        if self._loop.time() - self._looked_at < self._look_every * _LATE:
            self._silent_looks += 1
        if self._silent_looks == _SILENT_AT_LAST:
            self._end(Closed(_CUT, f"no answer to a ping in {self._look_every * 2:g} s"))
            self._transport.abort()
            return
        if self._silent_looks == _SILENT:
            self._transport.write(frame_of(PING, b"", self._chance))
        self._look_later()

    def _look_later(self) -> None:
        self._looked_at = self._loop.time()
        self._next_look = self._loop.call_later(self._look_every, self._look)

    # Ending

    def pause_writing(self) -> None:
        """Called by the event loop: the other side reads nothing of what is sent to it."""
        self._end(Closed(_CUT, "what is sent to it is not read"))
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        if self._handshake is not None:
            self._is_over = True  # of a conversation that never began
            if not self._answer.done():
                cut = ReplyFault("the connection was closed before the handshake was answered")
                self._answer.set_exception(exc or cut)
        self._end(Closed(_CUT, str(exc or "cut off without a word")))
        if not self._gone.done():
            self._gone.set_result(None)

    def _end(self, closed: Closed) -> None:
        """The conversation is over, whatever is still to be done about the connection."""
        if self._next_look is not None:
            self._next_look.cancel()
        if not self._is_over:
            self._is_over = True
            self._receiver.lost(closed)

    # Leaving

    def send(self, frame: bytes) -> bool:
        """Send a text frame; False where the connection has gone."""
        if self._is_over:
            return False
        self._transport.write(frame_of(TEXT, frame, self._chance))
        return True

    async def close(self) -> None:
        """Close in good order, within two seconds."""
        if not self._is_over:
            self._is_leaving = True
            self._transport.write(close_frame(_NORMAL, "", self._chance))
            self._frames.mute()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await asyncio.shield(self._gone)
        self._transport.abort()
        self._end(Closed(_CUT, "not closed by the other side in time"))
