"""Requests over connections that are kept: one at a time on each, as many as it takes."""

import asyncio

from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.proxy.dialing import Reader, dial
from strategy_runtime.proxy.http1 import Reply, ReplyFault, ReplyReader, Target

__all__ = ["Exchange", "Exchanges"]

_IDLE_S = 15.0
_FRESH_S = 1.0
_TURNS = 2


class Exchange(Reader):
    """One connection for requests."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._answer: asyncio.Future[Reply] | None = None
        self._idle_since = 0.0

    @property
    def is_usable(self) -> bool:
        """Whether another request may go out on it.

        One that was idle for long is not: the other side may be about to close it.
        """
        return not self._transport.is_closing() and self._idle_s < _IDLE_S

    @property
    def is_fresh(self) -> bool:
        """Whether it was used a moment ago."""
        return self._idle_s < _FRESH_S

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


class Exchanges:
    """All connections for requests."""

    def __init__(self) -> None:
        self._idle: dict[tuple[bool, str, int], list[Exchange]] = {}
        self._busy: set[Exchange] = set()

    async def to(self, target: Target) -> Exchange:
        """A connection that is ready, to be given back by `free`.

        Raises:
            OSError, TimeoutError: See `dial`.
        """
        idle = self._idle.get(target[:3])
        while idle:
            exchange = idle.pop()
            self._busy.add(exchange)
            if not exchange.is_fresh:
                # The other side may have closed it while a hook kept the loop from reading so.
                for _ in range(_TURNS):
                    await sleep(0)
            if exchange.is_usable:
                return exchange
            exchange.abort()
            self._busy.discard(exchange)
        exchange = await dial(target, Exchange)
        self._busy.add(exchange)
        return exchange

    def free(self, target: Target, exchange: Exchange) -> None:
        """It may be used for something else, if it lasts."""
        self._busy.discard(exchange)
        if exchange.is_usable:
            self._idle.setdefault(target[:3], []).append(exchange)

    def close(self) -> None:
        """Let go of everything."""
        for idle in self._idle.values():
            self._busy.update(idle)
        for exchange in self._busy:
            exchange.abort()
        self._idle.clear()
        self._busy.clear()
