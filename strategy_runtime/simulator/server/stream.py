"""The event stream of a run: the base of both ways to move time.

`LockStep` waits for the acknowledgements of one client; `Broadcast` follows the clock and waits for
nobody.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar

from aiohttp import web

from strategy_runtime.ids import counted, token
from strategy_runtime.protocol.server_codec import carries_id, encode_event
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server.connection import Connection
from strategy_runtime.simulator.server.ending import LastWords, RunEnd, last_words

__all__ = ["EventStream"]


class EventStream(ABC):
    """One run of one exchange, streamed to the clients that connect.

    Attributes:
        is_lock_step: Whether time waits for acknowledgements.
        exchange: The exchange that is replayed.
        end: How the run ended, once it has.
        attached: Set once the first client has connected.
        when_alone: Called with False when a client connects to an exchange without clients, and
            with True when the last client leaves before the end.
    """

    is_lock_step: ClassVar[bool]

    def __init__(self, exchange: Exchange, ping_interval: float) -> None:
        self.exchange = exchange
        self.end: RunEnd | None = None
        self.attached = asyncio.Event()
        self.when_alone: Callable[[bool], None] = lambda is_alone: None
        self._ping_interval = ping_interval
        self._session = token()
        self._is_going_down = False
        self._next_id = counted("evt-")
        self._last_frame = b""
        self._last_words: LastWords | None = None

    async def conduct(self) -> None:
        """Replay the exchange to its end, once a client has connected.

        Raises:
            Exception: The error that broke the replay; the clients have been notified.
        """
        await self.attached.wait()
        try:
            end = await self._play()
        except Exception as failure:
            self._last_words = last_words(failure)
            await self._finish(RunEnd.FAILED)
            raise
        await self._finish(end)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Complete the handshake of a client and serve it."""
        client = await Connection.accept(self.exchange, request)
        await self.attend(client)
        return client.socket

    @abstractmethod
    async def attend(self, client: Connection) -> None:
        """Serve one client until it leaves."""

    @abstractmethod
    def wake(self) -> None:
        """React to a command that has put events into the exchange's outbox."""

    @abstractmethod
    async def say_goodbye(self, pause: float) -> None:
        """Notify the clients of the shutdown, leave them a moment, and close."""

    @abstractmethod
    async def _play(self) -> RunEnd:
        """Replay the exchange; return how that ended."""

    def _frames(self) -> Iterator[tuple[str | None, bytes]]:
        """Drain the exchange's outbox into frames, each with its event id if it has one."""
        exchange = self.exchange
        outbox, now = exchange.outbox, exchange.now
        while outbox:
            event = outbox.popleft()
            event_id = self._next_id() if carries_id(type(event)) else None
            more = exchange.is_candle_next
            self._last_frame = encode_event(event, event_id=event_id, timestamp=now, more=more)
            yield event_id, self._last_frame

    async def _turn_away(self, client: Connection) -> None:
        """Tell a client that comes too late how the run ended, repeating the last event."""
        if self.end is None:
            await client.say_goodbye(0)
            return
        if self.end is RunEnd.COMPLETE:
            await client.send(self._last_frame)
        await client.end_run(self.end, self._last_words)

    async def _finish(self, end: RunEnd) -> None:
        self.end = end
        await self._end_run(end)

    @abstractmethod
    async def _end_run(self, end: RunEnd) -> None:
        """Close the connections of all clients at the end of the run."""
