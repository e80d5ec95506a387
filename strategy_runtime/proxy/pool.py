"""A pool of kept-alive HTTP connections: one request at a time on each, and a limit on all."""

import asyncio
import select
from typing import Any

from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.proxy.dialing import Reader, dial
from strategy_runtime.proxy.http1 import Reply, ReplyFault, ReplyReader, Target

__all__ = ["Pool", "RequestConnection"]

_MOST_AT_ONCE = 64  # a thousand orders of one hook must not open a thousand connections
# Many servers (uvicorn, Node, Apache) close a connection that was idle for 5 s, just when a
# strategy that acts every 5 s sends its order, whose fate is then unknown. Polls of open orders are
# 4.5 s apart, and keep their connection.
_IDLE_S = 4.7
_PROVING_S = 0.005


class RequestConnection(Reader):
    """One kept-alive connection for requests."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._answer: asyncio.Future[Reply] | None = None
        self._method = b""
        self._survived = {b""}
        """The methods whose responses the connection has survived."""
        self._idle_since = 0.0

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed it, as far as the event loop knows."""
        return not self._transport.is_closing()

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent on it.

        Not after a long idle time, since the server may be about to close it. Nor if there are
        unread bytes, nearly always the close, which the event loop has not read because a hook
        blocks or has just received the last response.
        """
        if not self.is_open or self._idle_s >= _IDLE_S:
            return False
        return not _has_unread(self._transport.get_extra_info("socket"))

    @property
    def is_unproven(self) -> bool:
        """Whether it may still be closed by the server after a response like the last one."""
        return self._method not in self._survived and self._idle_s < _PROVING_S

    @property
    def _idle_s(self) -> float:
        return monotonic() - self._idle_since

    async def request(self, message: bytes, within: float) -> Reply:
        """Send a request and wait for the response.

        Raises:
            OSError, ReplyFault: There was none, or an invalid one.
            TimeoutError: There was none in time.
        """
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self._answer = answer
        self._survived.add(self._method)
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
        """Close the connection immediately."""
        self._transport.abort()

    def arrived(self, data: bytes) -> None:
        """Handle the bytes read."""
        if self._answer is None:
            self._transport.abort()  # there is no request outstanding
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
    """All connections for requests, by target."""

    def __init__(self) -> None:
        self._idle: dict[tuple[bool, str, int], list[RequestConnection]] = {}
        self._busy: set[RequestConnection] = set()
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)

    async def acquire(self, target: Target) -> RequestConnection:
        """Acquire a connection, to be returned with `release`; first come, first served.

        Raises:
            OSError, TimeoutError: See `dial`.
        """
        await self._room.acquire()
        try:
            return await self._ready(target)
        except BaseException:
            self._room.release()
            raise

    async def _ready(self, target: Target) -> RequestConnection:
        idle = self._idle.get(target[:3])
        while idle:
            connection = idle.pop()
            self._busy.add(connection)
            if connection.is_unproven:
                # A server that closes after a response without announcing it does so a moment
                # later, and the fate of a request written meanwhile would be unknown.
                await sleep(_PROVING_S)
            if connection.is_usable:
                return connection
            connection.abort()
            self._busy.discard(connection)
        connection = await dial(target, RequestConnection)
        self._busy.add(connection)
        return connection

    def release(self, target: Target, connection: RequestConnection) -> None:
        """Return a connection to the pool, for reuse if it is still open."""
        self._room.release()
        self._busy.discard(connection)
        if connection.is_open:
            self._idle.setdefault(target[:3], []).append(connection)

    def close(self) -> None:
        """Close all connections immediately."""
        for idle in self._idle.values():
            self._busy.update(idle)
        for connection in self._busy:
            connection.abort()
        self._idle.clear()
        self._busy.clear()


def _has_unread(socket: Any) -> bool:
    """Whether there are bytes, or the end, that the event loop has not read yet."""
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([socket], [], [], 0)[0])
    waiting = select.poll()
    waiting.register(socket, select.POLLIN)
    return bool(waiting.poll(0))
