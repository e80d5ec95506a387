"""The event stream of a backtest: paced by the acknowledgements of one client.

A *conductor* task replays the exchange phase by phase: it hands every event to the barrier, writes
what is not written yet, and waits until the barrier is clear. A *connection* reads what the client
sends. A new connection replaces the old one and receives again what was not acknowledged.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from strategy_runtime.clock import monotonic
from strategy_runtime.protocol.commands import EventAck
from strategy_runtime.protocol.enums import CloseCode
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server.barrier import AckBarrier
from strategy_runtime.simulator.server.connection import Connection, cancel
from strategy_runtime.simulator.server.ending import LastWords, RunEnd
from strategy_runtime.simulator.server.stream import EventStream

__all__ = ["LockStep"]

_TAKE_OVER_S = 1.0


class LockStep(EventStream):
    """One run of one exchange, in lock-step with one client.

    Attributes:
        barrier: The events that time waits for.
    """

    is_lock_step = True

    def __init__(
        self,
        exchange: Exchange,
        *,
        first_ack_timeout: float,
        ack_timeout: float,
        last_ack_timeout: float,
        ping_interval: float,
    ) -> None:
        super().__init__(exchange, ping_interval)
        self.barrier = AckBarrier()
        self._first_ack_timeout = first_ack_timeout
        self._ack_timeout = ack_timeout
        self._last_ack_timeout = last_ack_timeout
        self._client: Connection | None = None
        self._wakeup = asyncio.Event()
        self._acknowledged = 0
        self._last_release = monotonic()
        self._writing = asyncio.Lock()
        self._is_last_frame_written = False

    def wake(self) -> None:
        """Wake the conductor, because a command has put something into the exchange's outbox."""
        self._wakeup.set()

    # The conductor

    async def _play(self) -> RunEnd:
        for _ in self.exchange.phases():
            if not await self._clear_barrier():
                self._last_words = self._ack_timeout_error()
                return RunEnd.ACK_TIMEOUT
        return RunEnd.COMPLETE

    async def _clear_barrier(self) -> bool:
        """Write all frames and wait until all are acknowledged; return False after a timeout."""
        self._last_release = monotonic()
        while True:
            self._wakeup.clear()
            self._announce()
            if self.barrier.is_clear:
                return True
            try:
                # The timeout covers writing too, because a client that does not read blocks it.
                async with asyncio.timeout(self._patience()):
                    await self._write_waiting()
                    if not self.barrier.is_clear:
                        await self._wakeup.wait()
            except TimeoutError:
                if self._patience() != 0:
                    continue
                return self.exchange.is_complete

    def _patience(self) -> float | None:
        """Return the seconds left for an acknowledgement; None without limit or without client."""
        if self.exchange.is_complete:
            if self._client is None and not self._is_last_frame_written:
                return None
            limit = self._last_ack_timeout
        else:
            limit = self._ack_timeout if self._acknowledged else self._first_ack_timeout
            if self._client is None or not limit:
                return None
        return max(self._last_release + limit - monotonic(), 0)

    def _announce(self) -> None:
        for event_id, frame in self._frames():
            if event_id is None:
                self.barrier.announce_notice(frame)
            else:
                self.barrier.announce(event_id, frame)

    async def _write_waiting(self) -> None:
        async with self._writing:
            client = self._client
            if client is None:
                return
            for name, frame in self.barrier.unwritten():
                self.barrier.written(name)
                if not await client.send(frame):
                    return
            self._is_last_frame_written = self.exchange.is_complete

    def _ack_timeout_error(self) -> LastWords:
        missing = self.barrier.missing
        return LastWords(
            "ACK_TIMEOUT",
            f"no acknowledgement of {', '.join(missing[:5])}; the run is halted",
            {"missing": missing},
        )

    async def _end_run(self, end: RunEnd) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.end_run(end, self._last_words)

    async def say_goodbye(self, pause: float) -> None:
        """Notify the client of the shutdown, leave it a moment, and close."""
        self._is_going_down = True
        if self._client is not None:
            await self._client.say_goodbye(pause)

    # Connections

    async def attend(self, client: Connection) -> None:
        """Serve one client until it leaves or a newer one takes over."""
        older: Connection | None = None
        async with self._writing_paused():
            is_late = self.end is not None or self._is_going_down
            if not is_late:
                older, self._client = self._client, client
                self.barrier.new_client()
                await client.greet(self._session, self._acknowledged)
        if is_late:
            # With a count, a new client would report a run already begun, not why it broke off.
            is_broken = self.end not in (None, RunEnd.COMPLETE)
            await client.greet(self._session, None if is_broken else self._acknowledged)
            await self._turn_away(client)
            return
        self._last_release = monotonic()
        self.attached.set()
        self._wakeup.set()
        if older is None:
            self.when_alone(False)
        pinger = asyncio.create_task(client.ping_for_ever(self._ping_interval), name="proxy pings")
        farewell = asyncio.create_task(self._supersede(older), name="proxy farewell")
        try:
            await client.listen(self._acknowledge)
        finally:
            await cancel(pinger)
            if self._client is client:
                self._client = None
                self._wakeup.set()
                if not self._is_going_down:
                    self.when_alone(True)
            await farewell

    async def _supersede(self, older: Connection | None) -> None:
        if older is not None:
            await older.close(CloseCode.SUPERSEDED, "superseded by a newer connection")

    @asynccontextmanager
    async def _writing_paused(self) -> AsyncIterator[None]:
        """Hold back writing; a client that blocks a write for too long is cut off."""
        try:
            async with asyncio.timeout(_TAKE_OVER_S):
                await self._writing.acquire()
        except TimeoutError:
            if self._client is not None:
                self._client.abort()
            await self._writing.acquire()
        try:
            yield
        finally:
            self._writing.release()

    def _acknowledge(self, ack: EventAck) -> None:
        released = self.barrier.acknowledge(ack.events_processed)
        if released:
            is_first = not self._acknowledged
            self._acknowledged += released
            self._last_release = monotonic()
            if self.barrier.is_clear or is_first:  # after the first one, the timeout is shorter
                self._wakeup.set()
