"""The event stream as in live trading: paced by the clock, to any number of clients.

It waits for nobody: events carry ids, but acknowledgements change nothing. Each client has its own
queue; one that cannot keep up is closed, so that it does not lose events silently.
"""

import asyncio
import logging
from contextlib import suppress

from strategy_runtime.clock import NANOSECONDS, monotonic, sleep
from strategy_runtime.protocol.commands import EventAck
from strategy_runtime.protocol.enums import CloseCode
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server.connection import Connection, cancel
from strategy_runtime.simulator.server.ending import RunEnd
from strategy_runtime.simulator.server.stream import EventStream

__all__ = ["Broadcast"]

_DEPTH = 1024
_LAST_FRAMES_S = 2.0
_PAUSE_S = 0.25
_PAUSE_SHARE = 0.25

_log = logging.getLogger("strategy_runtime")


class _Listener:
    """A client and its queue of frames."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()

    async def write_for_ever(self) -> None:
        while await self.connection.send(await self.frames.get()):
            self.frames.task_done()


class Broadcast(EventStream):
    """One run of one exchange, by the clock."""

    is_lock_step = False

    def __init__(
        self,
        exchange: Exchange,
        *,
        speed: float,
        ping_interval: float,
        silence_limit: float,
    ) -> None:
        super().__init__(exchange, ping_interval)
        self._speed = speed
        self._silence_limit = silence_limit
        self._depth = _DEPTH
        self._instant = exchange.now_ns
        self._together = 0
        """How many frames the current instant has emitted at once, which even the fastest reader
        cannot avoid queueing."""
        self._listeners: list[_Listener] = []
        self._closing: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Send at once what a command has put into the exchange's outbox."""
        self._publish()

    async def _play(self) -> RunEnd:
        exchange = self.exchange
        first_ns, began = exchange.now_ns, monotonic()
        phases = exchange.phases(is_paced=True)
        while True:
            upcoming = exchange.upcoming_ns
            if upcoming is not None:
                due = began + (upcoming - first_ns) / NANOSECONDS / self._speed
                if upcoming == exchange.now_ns:
                    # An open follows right after a close: leave orders a moment to arrive.
                    due = monotonic() + self._pause
                await sleep(max(due - monotonic(), 0))
            if next(phases, self) is self:
                return RunEnd.COMPLETE
            if exchange.now_ns != self._instant:
                self._instant, self._together = exchange.now_ns, 0
            self._together += len(exchange.outbox)
            self._publish()

    async def _end_run(self, end: RunEnd) -> None:
        await asyncio.gather(*(self._dismiss(each, end) for each in self._listeners))

    async def _dismiss(self, listener: _Listener, end: RunEnd) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_FRAMES_S):
                await listener.frames.join()
        await listener.connection.end_run(end, self._last_words)

    @property
    def _pause(self) -> float:
        step = self.exchange.finest_step / NANOSECONDS / self._speed
        return min(_PAUSE_S, _PAUSE_SHARE * step)

    def _publish(self) -> None:
        for _, frame in self._frames():
            for listener in list(self._listeners):
                if listener.frames.qsize() < self._depth + self._together:
                    listener.frames.put_nowait(frame)
                else:
                    self._drop(listener, CloseCode.SLOW_CONSUMER, "too slow: the queue is full")

    def _drop(self, listener: _Listener, code: int, reason: str) -> None:
        if listener not in self._listeners:
            return  # already being closed
        self._listeners.remove(listener)
        _log.warning("a client is closed with %d: %s", code, reason)
        closing = asyncio.create_task(listener.connection.close(code, reason), name="proxy close")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def say_goodbye(self, pause: float) -> None:
        """Notify all clients of the shutdown, leave them a moment, and close."""
        self._is_going_down = True
        listeners, self._listeners = self._listeners, []
        await asyncio.gather(*(each.connection.say_goodbye(pause) for each in listeners))

    async def attend(self, client: Connection) -> None:
        """Serve one of several clients until it leaves."""
        await client.greet(self._session)
        if self.end is not None or self._is_going_down:
            await self._turn_away(client)
            return
        listener = _Listener(client)
        self._listeners.append(listener)
        self.attached.set()
        if len(self._listeners) == 1:
            self.when_alone(False)
        tasks = (
            asyncio.create_task(listener.write_for_ever(), name="proxy writer"),
            asyncio.create_task(client.ping_for_ever(self._ping_interval), name="proxy pings"),
            asyncio.create_task(self._watch(listener), name="proxy watch"),
        )
        try:
            await client.listen(self._note)
        finally:
            await cancel(*tasks)
            if listener in self._listeners:
                self._listeners.remove(listener)
                if not (self._listeners or self.end):
                    self.when_alone(True)

    async def _watch(self, listener: _Listener) -> None:
        """Close a client that has been silent for too long."""
        while True:
            left = listener.connection.heard_at + self._silence_limit - monotonic()
            if left <= 0:
                self._drop(listener, CloseCode.NO_SIGN_OF_LIFE, "no sign of life")
                return
            await sleep(left)

    def _note(self, ack: EventAck) -> None:
        _log.debug("acknowledged: %s", ack.events_processed)
