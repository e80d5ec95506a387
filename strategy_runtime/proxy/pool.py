"""Requests over connections that are kept: one at a time on each, no more than a proxy can bear."""

import asyncio
import select
from typing import Any

from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.proxy.dialing import Reader, dial
from strategy_runtime.proxy.http1 import Reply, ReplyFault, ReplyReader, Target

__all__ = ["Conversation", "Pool"]

_MOST_AT_ONCE = 64  # a thousand orders of one hook must not be as many connections
# Many servers close what was idle for 5 s (uvicorn, Node, Apache), just when the order comes of a
# strategy that acts every 5 s; and what is under way then has an unknown fate. Looks at open orders
# are 4.5 s apart and keep theirs.
_IDLE_S = 4.7
_PROVING_S = 0.005


class Conversation(Reader):
    """One connection for requests."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._answer: asyncio.Future[Reply] | None = None
        self._method = b""
        self._outlived = {b""}
        """The methods behind whose answers the connection has stayed open."""
        self._idle_since = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it has ended neither here nor, as far as the loop has read, there."""
        return not self._transport.is_closing()

    @property
    def is_usable(self) -> bool:
        """Whether another request may go out on it.

        One that was idle for long is not: the other side may be about to close it. Nor is one on
        which something has come unasked, which is nearly always its end: a hook that blocks, or
        has just been given the last answer, keeps the loop from reading that.
        """
        if not self.is_open or self._idle_s >= _IDLE_S:
            return False
        return not _has_unread(self._transport.get_extra_info("socket"))

    @property
    def is_unproven(self) -> bool:
        """Whether it has yet to outlive an answer like the last one."""
        return self._method not in self._outlived and self._idle_s < _PROVING_S

    @property
    def _idle_s(self) -> float:
        return monotonic() - self._idle_since

    async def ask(self, message: bytes, within: float) -> Reply:
        """Send a request and wait for the answer.

        Raises:
            OSError, ReplyFault: There was none, or none that makes sense.
            TimeoutError: There was none in time.
        """
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self._answer = answer
        self._outlived.add(self._method)
        self._method = message[:4]
        self._transport.write(message)
        timer = self._loop.call_later(within, self._fail, TimeoutError())
        try:
            reply = await answer
        except BaseException:
            self._transport.abort()
            raise
        finally:
            self._answer = None
            timer.cancel()
        if self._reader.rest or not reply.head.keeps_alive:
            self._transport.close()
        self._reader = ReplyReader()
        self._idle_since = monotonic()
        return reply

    def abort(self) -> None:
        """Let go of the connection."""
        self._transport.abort()

    def arrived(self, data: bytes) -> None:
        """Take what was read."""
        if self._answer is None:
            self._transport.abort()  # nobody has asked for anything
            return
        try:
            reply = self._reader.feed(data)
        except ReplyFault as fault:
            self._fail(fault)
            return
        if reply is not None and not self._answer.done():
            self._answer.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        if self._answer is None or self._answer.done():
            return
        try:
            self._answer.set_result(self._reader.end())
        except ReplyFault as fault:
            self._answer.set_exception(exc or fault)

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


class Pool:
    """All connections for requests."""

    def __init__(self) -> None:
        self._idle: dict[tuple[bool, str, int], list[Conversation]] = {}
        self._busy: set[Conversation] = set()
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)

    async def to(self, target: Target) -> Conversation:
        """A connection that is ready, to be given back by `free`; first come, first served.

        Raises:
            OSError, TimeoutError: See `dial`.
        """
        await self._room.acquire()
        try:
            return await self._ready(target)
        except BaseException:
            self._room.release()
            raise

    async def _ready(self, target: Target) -> Conversation:
        idle = self._idle.get(target[:3])
        while idle:
            conversation = idle.pop()
            self._busy.add(conversation)
            if conversation.is_unproven:
                # Who closes after an answer without having said so does it a moment later, and
                # what is written meanwhile has an unknown fate.
                await sleep(_PROVING_S)
            if conversation.is_usable:
                return conversation
            conversation.abort()
            self._busy.discard(conversation)
        conversation = await dial(target, Conversation)
        self._busy.add(conversation)
        return conversation

    def free(self, target: Target, conversation: Conversation) -> None:
        """Give a connection back: it is used again, if it lasts."""
        self._room.release()
        self._busy.discard(conversation)
        if conversation.is_open:
            self._idle.setdefault(target[:3], []).append(conversation)

    def close(self) -> None:
        """Let go of everything."""
        for idle in self._idle.values():
            self._busy.update(idle)
        for conversation in self._busy:
            conversation.abort()
        self._idle.clear()
        self._busy.clear()


def _has_unread(socket: Any) -> bool:
    """Whether something has come that the event loop has not read yet, be it the end."""
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([socket], [], [], 0)[0])
    waiting = select.poll()
    waiting.register(socket, select.POLLIN)
    return bool(waiting.poll(0))
