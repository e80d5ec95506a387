"""The event stream of a run, whichever way time moves.

`LockStep` waits for the acknowledgements of one client, `Broadcast` follows the clock and waits for
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
    """One run of one exchange, told to whoever connects.

    Attributes:
        is_lock_step: Whether time waits for acknowledgements.
        exchange: What is replayed.
        end: How the run ended, once it has.
        attached: Set once a client has connected for the first time.
        when_alone: Called with False when a client has come to an exchange that had none, and with
            True when the last one has left before the end.
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
        """Play the exchange to its end, once a client has come.

        Raises:
            Exception: Whatever broke the replay; the clients have been told.
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
        """Complete the handshake of a client and attend to it."""
        client = await Connection.accept(self.exchange, request)
        await self.attend(client)
        return client.socket

    @abstractmethod
    async def attend(self, client: Connection) -> None:
        """Serve one client until it leaves."""

    @abstractmethod
    def stir(self) -> None:
        """Something was put into the exchange's outbox by a command."""

    @abstractmethod
    async def say_goodbye(self, pause: float) -> None:
        """Tell the clients that the proxy goes down, leave them a moment, and close."""

    @abstractmethod
    async def _play(self) -> RunEnd:
        """Play the exchange; gives back how that ended."""

    def _frames(self) -> Iterator[tuple[str | None, bytes]]:
        """What is in the exchange's outbox as frames, each with its id where it has one."""
        outbox, now = self.exchange.outbox, self.exchange.now
        while outbox:
            event = outbox.popleft()
            event_id = self._next_id() if carries_id(type(event)) else None
            self._last_frame = encode_event(event, event_id=event_id, timestamp=now)
            yield event_id, self._last_frame

    async def _turn_away(self, client: Connection) -> None:
        """Tell a client that comes too late how the run ended, the last event again included."""
        if self.end is None:
            await client.say_goodbye(0)
            return
        if self.end is RunEnd.COMPLETE:
            await client.send(self._last_frame)
        await client.part(self.end, self._last_words)

    async def _finish(self, end: RunEnd) -> None:
        self.end = end
        await self._part(end)

    @abstractmethod
    async def _part(self, end: RunEnd) -> None:
        """Close the connections of all clients as the end of the run demands."""
