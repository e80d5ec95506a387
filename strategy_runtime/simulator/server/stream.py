"""The event stream: paces the exchange by the acknowledgements of one client (protocol b, e).

A *conductor* task plays the exchange phase by phase: it hands every event to the barrier, writes
what is not written yet, and waits until the barrier is clear. A *connection* reads what the client
sends. A new connection takes over from the old one and is sent again what was not acknowledged.
"""

import asyncio
from collections import deque
from enum import Enum

from aiohttp import WSCloseCode, WSMsgType, web

from strategy_runtime.clock import monotonic, now, sleep
from strategy_runtime.errors import FrameError
from strategy_runtime.protocol.commands import ClientPing, EventAck
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import ConnectionEvent, ProxyErrorEvent
from strategy_runtime.protocol.server_codec import (
    PONG,
    decode_client_frame,
    encode_connected,
    encode_event,
    encode_frame,
    encode_ping,
)
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server.barrier import AckBarrier

__all__ = ["EventStream", "RunEnd"]

CLOSE_ACK_TIMEOUT = 4003
CLOSE_SUPERSEDED = 4004
_MOST_BAD_FRAMES = 20
_BAD_FRAMES_WINDOW_S = 10.0
_TERMINAL_ACK_S = 10.0
_MAX_FRAME = 1024 * 1024


class RunEnd(Enum):
    """How a run ended."""

    COMPLETE = "complete"
    ACK_TIMEOUT = "ack timeout"


class EventStream:
    """One run of one exchange.

    Attributes:
        exchange: What is replayed.
        barrier: What time waits for.
        end: How the run ended, once it has.
        attached: Set once a client has connected for the first time.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        first_ack_timeout: float = 120.0,
        ack_timeout: float = 30.0,
        ping_interval: float = 15.0,
        legacy_id: bool = False,
    ) -> None:
        self.exchange = exchange
        self.barrier = AckBarrier()
        self.end: RunEnd | None = None
        self._first_ack_timeout = first_ack_timeout
        self._ack_timeout = ack_timeout
        self._ping_interval = ping_interval
        self._legacy_id = legacy_id
        self._client: web.WebSocketResponse | None = None
        self.attached = asyncio.Event()
        self._stirred = asyncio.Event()
        self._ended = asyncio.Event()
        self._has_been_acked = False
        self._last_release = monotonic()
        self._writing = asyncio.Lock()

    async def wait_end(self) -> RunEnd:
        """Wait until the run has ended."""
        await self._ended.wait()
        return self.end or RunEnd.COMPLETE

    @property
    def has_client(self) -> bool:
        """Whether a strategy is connected."""
        return self._client is not None

    def stir(self) -> None:
        """Something was put into the exchange's outbox by a command."""
        self._stirred.set()

    # The conductor

    async def conduct(self) -> None:
        """Play the exchange to its end, as fast as the client acknowledges."""
        await self.attached.wait()
        for _ in self.exchange.phases():
            if not await self._clear_barrier():
                await self._finish(RunEnd.ACK_TIMEOUT)
                return
        await self._finish(RunEnd.COMPLETE)

    async def _clear_barrier(self) -> bool:
        """Write all there is and wait until all is acknowledged; False where patience ran out."""
        self._last_release = monotonic()
        while True:
            self._announce()
            if self.barrier.is_clear:
                return True
            await self._write_waiting()
            if self.barrier.is_clear and not self.exchange.outbox:
                return True
            self._stirred.clear()
            try:
                async with asyncio.timeout(self._patience()):
                    await self._stirred.wait()
            except TimeoutError:
                if self._client is None:
                    self._last_release = monotonic()
                elif self.exchange.is_complete:
                    return True
                elif self._patience() == 0:
                    await self._complain_of_silence()
                    return False

    def _patience(self) -> float | None:
        if self._client is None:
            return None
        if self.exchange.is_complete:
            limit = _TERMINAL_ACK_S
        else:
            limit = self._ack_timeout if self._has_been_acked else self._first_ack_timeout
            if not limit:
                return None
        return max(self._last_release + limit - monotonic(), 0)

    def _announce(self) -> None:
        outbox = self.exchange.outbox
        while outbox:
            event_id = self.barrier.next_id()
            frame = encode_event(
                outbox.popleft(),
                event_id=event_id,
                timestamp=self.exchange.now,
                legacy_id=self._legacy_id,
            )
            self.barrier.announce(event_id, frame)

    async def _write_waiting(self) -> None:
        async with self._writing:
            client = self._client
            if client is None:
                return
            for event_id, frame in self.barrier.unwritten():
                self.barrier.written(event_id)
                if not await _send(client, frame):
                    return

    async def _complain_of_silence(self) -> None:
        missing = self.barrier.missing
        error = ProxyErrorEvent(
            code="ACK_TIMEOUT",
            message=f"no acknowledgement of {', '.join(missing[:5])}; the run is halted",
            details={"missing": missing},
            timestamp=self.exchange.now,
        )
        if self._client is not None:
            await _send(self._client, encode_frame(error))

    async def _finish(self, end: RunEnd) -> None:
        self.end = end
        client, self._client = self._client, None
        if client is not None:
            code = WSCloseCode.OK if end is RunEnd.COMPLETE else CLOSE_ACK_TIMEOUT
            await client.close(code=code, message=end.value.encode())
        self._ended.set()

    async def say_goodbye(self) -> None:
        """Tell the client that the proxy goes down, and close."""
        client, self._client = self._client, None
        if client is not None:
            frame = ConnectionEvent(
                event=ConnectionEventKind.DISCONNECTING, timestamp=self.exchange.now
            )
            await _send(client, encode_frame(frame))
            await client.close(code=WSCloseCode.GOING_AWAY, message=b"the proxy is shutting down")

    # Connections

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it leaves or a newer one takes over."""
        client = web.WebSocketResponse(
            timeout=2.0, autoping=True, compress=False, max_msg_size=_MAX_FRAME
        )
        await client.prepare(request)
        if self.end is not None:
            await client.close(code=WSCloseCode.OK, message=b"the run is over")
            return client
        older = self._client
        async with self._writing:
            self._client = client
            self.barrier.new_client()
            await _send(client, encode_connected(self.exchange.now))
        if older is not None:
            await older.close(code=CLOSE_SUPERSEDED, message=b"superseded by a newer connection")
        self._last_release = monotonic()
        self.attached.set()
        self._stirred.set()
        pinger = asyncio.create_task(self._ping(client), name="proxy pings")
        try:
            await self._listen(client)
        finally:
            pinger.cancel()
            if self._client is client:
                self._client = None
                self._stirred.set()
        return client

    async def _ping(self, client: web.WebSocketResponse) -> None:
        while True:
            await sleep(self._ping_interval)
            await _send(client, encode_ping(now()))

    async def _listen(self, client: web.WebSocketResponse) -> None:
        bad: deque[float] = deque(maxlen=_MOST_BAD_FRAMES + 1)
        binaries = 0
        async for message in client:
            if message.type is WSMsgType.TEXT:
                try:
                    frame = decode_client_frame(message.data)
                except FrameError as error:
                    problem = str(error)
                else:
                    if isinstance(frame, EventAck):
                        self._acknowledge(frame)
                    elif isinstance(frame, ClientPing):
                        await _send(client, PONG)
                    continue
            elif message.type is WSMsgType.BINARY:
                problem = "binary frames are not part of the protocol; send text"
                binaries += 1
                if binaries > _MOST_BAD_FRAMES // 2:
                    await client.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"binary frames")
                    return
            else:
                return
            bad.append(monotonic())
            if len(bad) > _MOST_BAD_FRAMES and bad[-1] - bad[0] < _BAD_FRAMES_WINDOW_S:
                await client.close(
                    code=WSCloseCode.POLICY_VIOLATION, message=b"too many malformed frames"
                )
                return
            error_frame = ProxyErrorEvent(
                code="INVALID_MESSAGE", message=problem, timestamp=self.exchange.now
            )
            await _send(client, encode_frame(error_frame))

    def _acknowledge(self, ack: EventAck) -> None:
        if self.barrier.acknowledge(ack.events_processed):
            self._has_been_acked = True
            self._last_release = monotonic()
            if self.barrier.is_clear:
                self._stirred.set()


async def _send(client: web.WebSocketResponse, frame: bytes) -> bool:
    """Write a text frame; False where the client has gone."""
    try:
        await client.send_frame(frame, WSMsgType.TEXT)
    except (ConnectionError, RuntimeError):
        return False
    return True
