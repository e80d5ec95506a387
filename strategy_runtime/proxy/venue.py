"""The proxy as a venue: events from the stream, orders over REST, and their coordination."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from strategy_runtime.clock import monotonic, now_ms, sleep
from strategy_runtime.errors import ConnectionLost, ProtocolError, Unreachable
from strategy_runtime.ids import counted, generator, token
from strategy_runtime.protocol.codec import Frame
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import ConnectionEvent, InstantClosed, Item
from strategy_runtime.protocol.models import OrderHandle, OrderRequest
from strategy_runtime.protocol.subscriptions import EVERYTHING, Subscription, Subscriptions
from strategy_runtime.protocol.witness import Witness
from strategy_runtime.proxy.connection import Act, Connection, State
from strategy_runtime.proxy.endpoints import Endpoints
from strategy_runtime.proxy.inbox import Inbox
from strategy_runtime.proxy.network import Network
from strategy_runtime.proxy.order_entry import OrderEntry
from strategy_runtime.proxy.policy import Delays, reconnect_delays, retry_delays, startup_delays
from strategy_runtime.proxy.recording import Recording
from strategy_runtime.proxy.requests import RestClient
from strategy_runtime.proxy.resources import Resources
from strategy_runtime.proxy.submission import Patience
from strategy_runtime.proxy.transport import Closed, ConnectFailed, Receiver, Socket, Transport

__all__ = ["ProxyVenue"]

_MAX_FRAME = 1024 * 1024
_MOST_CONNECTIONS = 12
_CLOSING_S = 2.0
# A dead connection is given up within twice as long, and replaced within 12 s live.
_HEARTBEAT_S = 5.0
_TELL_EVERY_S = 60.0
_PATIENCE = Patience()
_INSTANTS = "instants"
_GREETING = State.GREETING  # looking up an Enum member costs much more than a module global

_log = logging.getLogger("strategy_runtime")

_T = TypeVar("_T")


class ProxyVenue(Resources):
    """Implements the venue port on a proxy.

    Args:
        is_live: Whether to detect a dead connection within seconds and reconnect for ever. In a
            backtest, whose hooks may take any time, it is detected within a minute of silence.
        subscriptions: Candles and quotes outside them are acknowledged and skipped.
        timeframe: Timeframe of candles that have none.
        connect_deadline: Seconds for the first connection, and in a backtest for every later one.
        connected_wait: Seconds to wait for the proxy's CONNECTED, which not every proxy sends.
        max_frame: Maximum size of a frame, in bytes.
        most_connections: Limit per minute.
        reconnect_delays: Source of delays between connections, after one was lost.
        startup_delays: Source of delays between attempts while the proxy is starting.
        retry_delays: Source of delays between attempts at one request.
        patience: How long an order may take.
        transport: The network; None for real sockets.
        recording: Records everything that the event stream delivers.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        *,
        is_live: bool,
        subscriptions: Subscriptions = EVERYTHING,
        timeframe: str = "1m",
        connect_deadline: float = 60.0,
        connected_wait: float = 5.0,
        max_frame: int = _MAX_FRAME,
        most_connections: int = _MOST_CONNECTIONS,
        reconnect_delays: Delays = reconnect_delays,
        startup_delays: Delays = startup_delays,
        retry_delays: Delays = retry_delays,
        patience: Patience = _PATIENCE,
        transport: Transport | None = None,
        recording: Recording | None = None,
    ) -> None:
        self._is_live = is_live
        self._connect_deadline = connect_deadline
        self._rng = generator()
        self._startup_delays = startup_delays
        self._correlation = counted(f"{token()}-")
        self._waiter: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop
        self._socket: Socket | None = None
        self._lost_at: float | None = None
        self._tell_at = 0.0
        self._transport = transport or Network(
            headers=endpoints.headers,
            heartbeat=_HEARTBEAT_S if is_live else None,
            max_frame=max_frame,
        )
        super().__init__(RestClient(self._transport, endpoints, delays=retry_delays, rng=self._rng))
        self._entry = OrderEntry(
            self._rest, patience, self, is_shutting_down=lambda: self._inbox.is_shutting_down
        )
        self._inbox = Inbox(
            subscriptions,
            default_timeframe=timeframe,
            is_live=is_live,
            wake=self._wake,
            order_seen=self._entry.order_seen,
        )
        self._receiver: Receiver = recording.before(self._inbox) if recording else self._inbox
        self._connection = Connection(
            endpoints.stream_urls,
            setting=endpoints.ws_setting,
            is_live=is_live,
            deadline=connect_deadline,
            greeting=connected_wait,
            most_connections=most_connections,
            reconnect_delays=reconnect_delays,
            startup_delays=startup_delays,
            rng=self._rng,
        )

    @property
    def in_hand(self) -> str:
        """Id of the event being handled."""
        return self._inbox.in_hand

    @property
    def unmet(self) -> list[Subscription]:
        """Subscriptions without any event so far."""
        return self._inbox.wants.unmet

    @property
    def came(self) -> set[str]:
        """What the proxy has sent so far, wanted or not, written like subscriptions."""
        return self._inbox.wants.came

    # Opening and closing

    async def open(self) -> None:
        """Wait until the proxy answers requests.

        Raises:
            Unreachable: It did not within the deadline.
            ConfigError: Requests are redirected.
            ProtocolError: The responses are not those of a proxy.
        """
        deadline = monotonic() + self._connect_deadline
        for delay in self._startup_delays(self._rng):
            try:
                await self._rest.find_base()
                return
            except (Unreachable, ConnectionLost, ProtocolError) as error:
                if monotonic() + delay >= deadline:
                    # A load balancer may answer in place of the proxy until it has started.
                    kind = ProtocolError if isinstance(error, ProtocolError) else Unreachable
                    raise kind(f"{error}; gave up after {self._connect_deadline:g} s") from None
                await sleep(delay)

    async def close(self) -> None:
        """Acknowledge what is done and close all connections, within about two seconds."""
        self._connection.over()
        if self._socket is not None:
            self._flush(self._socket)
            await self._socket.close()
        await self._transport.close()

    # Events

    def bursts(self) -> AsyncIterator[Iterator[Item]]:
        """Iterate over events as they arrive, over as many connections as needed."""
        return self._arrivals(self._inbox.take, iter)

    def frames(self) -> AsyncIterator[list[Frame | InstantClosed]]:
        """Iterate over frames, likewise; asking for more acknowledges all before."""
        return self._arrivals(self._inbox.take_all, list[Frame | InstantClosed])

    async def _arrivals(
        self, take: Callable[[], _T], wrap: Callable[[tuple[ConnectionEvent]], _T]
    ) -> AsyncIterator[_T]:
        inbox, connection = self._inbox, self._connection
        self._loop = asyncio.get_running_loop()
        while True:
            step = connection.next(monotonic())
            if step.act is Act.CONNECT:
                await self._connect(step.url)
            elif step.act is Act.WAIT:
                await sleep(step.seconds or 0.0)
            elif step.act is Act.READ and self._socket is not None:
                while True:
                    if inbox.waiting:
                        if connection.state is _GREETING:
                            connection.greeted()
                        yield take()
                        self._flush(self._socket)
                    elif inbox.is_complete:
                        connection.over()
                        await self._await_close(self._socket)
                        break
                    elif inbox.closed is not None:
                        break
                    elif connection.state is _GREETING:
                        await self._await_greeting()
                    else:
                        await self._arrival()
                if connection.state is not State.OVER:
                    yield wrap((self._lost(),))
            else:
                return

    async def _connect(self, url: str) -> None:
        self._inbox.opened()
        try:
            self._socket = await self._transport.connect(url, self._receiver)
        except ConnectFailed as failure:
            self._connection.refused(failure, monotonic())
            self._note_failure(url, failure)
        else:
            self._connection.opened(monotonic())

    def _note_failure(self, url: str, failure: ConnectFailed) -> None:
        """Log why a lost connection cannot be made again: at once, and then every minute."""
        now = monotonic()
        if self._lost_at is not None and now >= self._tell_at:
            self._tell_at = now + _TELL_EVERY_S
            said = "no connection to %s for %.0f s (%s); trying again"
            _log.warning(said, url, now - self._lost_at, failure.said)

    def _lost(self) -> ConnectionEvent:
        """Start to reconnect, unless the run cannot continue; return the event of the loss."""
        if self._inbox.broken is not None:
            raise self._inbox.broken
        closed = self._inbox.closed or Closed(None)
        words = None if self._is_live else self._inbox.last_words
        self._connection.lost(closed, monotonic(), words)
        self._lost_at, self._tell_at = monotonic(), 0.0
        _log.warning("the connection to the proxy was lost (%s); connecting again", closed.said)
        return ConnectionEvent(event=ConnectionEventKind.RECONNECTING, error=closed.said)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _arrival(self) -> asyncio.Future[None]:
        """Return a future that is done when the inbox has changed.

        Check the inbox first, and do not await anything between the check and this future.
        """
        self._waiter = self._loop.create_future()
        return self._waiter

    async def _await_greeting(self) -> None:
        try:
            async with asyncio.timeout(self._connection.next(monotonic()).seconds):
                await self._arrival()
        except TimeoutError:
            self._inbox.presume_connected()

    def _flush(self, socket: Socket) -> None:
        """Acknowledge all events done, in one frame."""
        self._inbox.ack(socket.send, self._correlation, now_ms())

    async def _await_close(self, socket: Socket) -> None:
        """Wait briefly for the proxy to close after the end of the run, then close ourselves."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                while self._inbox.closed is None:
                    await self._arrival()
        await socket.close()

    # Orders

    @property
    def direct(self) -> None:
        """None: responses must be awaited."""

    def let_look(self, witness: Witness | None, tells: Callable[[int], bool] | None = None) -> None:
        """Do nothing: changes arrive only as events."""

    async def tell_instants(self) -> bool:
        """Deliver `InstantClosed` after the last candle of each instant, if the proxy marks it."""
        self._inbox.tells_instants = _INSTANTS in (await self.capabilities()).features
        return self._inbox.tells_instants

    async def submit(self, request: OrderRequest) -> OrderHandle:
        """Place an order, effectively once; see `OrderEntry.submit`."""
        return await self._entry.submit(request)
