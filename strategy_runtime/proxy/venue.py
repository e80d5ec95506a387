"""The proxy as a venue: events from the link, requests over REST, and what joins the two."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import datetime

import aiohttp
from aiohttp.resolver import ThreadedResolver
from msgspec import Struct

from strategy_runtime.clock import monotonic, now_ms, sleep
from strategy_runtime.errors import (
    ApiError,
    ConnectionLost,
    StrategyRuntimeError,
    Unreachable,
)
from strategy_runtime.ids import Random, counted, generator, token
from strategy_runtime.protocol.codec import FrameDecoder, encode_ack, unwrap
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import (
    BacktestComplete,
    ConnectionEvent,
    Event,
    ProxyErrorEvent,
)
from strategy_runtime.protocol.models import (
    Account,
    Candle,
    Capabilities,
    Order,
    OrderChanges,
    OrderHandle,
    OrderRequest,
    Position,
    Quote,
    Trade,
)
from strategy_runtime.protocol.subscriptions import Subscriptions
from strategy_runtime.proxy.endpoints import Endpoints
from strategy_runtime.proxy.link import Link, no_redirects
from strategy_runtime.proxy.policy import (
    STABLE_AFTER_S,
    backoff,
    fatal_close,
    fatal_failure,
    knocks,
)
from strategy_runtime.proxy.requests import RestClient, query_of, segment
from strategy_runtime.proxy.submission import Act, Patience, Submission

__all__ = ["ProxyVenue"]

_REMEMBERED = 10_000
_MAX_FRAME = 1024 * 1024
_CLOSING_S = 2.0
# The client library waits half as long again for the answer; with the rounding of its timers
# and the first delay, a dead link is replaced within 12 s.
_LIVE_HEARTBEAT_S = 5.0
_PATIENCE = Patience()
_BROKEN_OFF = ("DATA_ERROR", "INTERNAL_ERROR")
_NOT_OFFERED = (404, 405, 501)

_log = logging.getLogger("strategy_runtime")


class _Changed(Struct):
    order: Order


class ProxyVenue:
    """Implements the venue port on a proxy.

    Args:
        is_live: Heartbeats watch the link, and reconnecting is never given up. A backtest has
            none, since its hooks may take as long as they like.
        subscriptions: Candles and quotes beyond them are acknowledged and passed over.
        timeframe: Of candles that do not say.
        connect_deadline: Seconds in which the proxy must have come up, or come back in a backtest.
        connected_wait: Seconds to wait for the proxy's CONNECTED, which not every proxy sends.
        always_ack: Acknowledge frames without id by an empty ack, for old gateways (protocol e.2).
        delays: Source of delays between connections, after one was lost.
        knocking: Source of delays between attempts while the proxy is not up yet.
        patience: How long an order may take.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        *,
        is_live: bool,
        subscriptions: Subscriptions | None = None,
        timeframe: str = "1m",
        connect_deadline: float = 60.0,
        connected_wait: float = 5.0,
        always_ack: bool = False,
        max_frame: int = _MAX_FRAME,
        delays: Callable[[Random], Iterator[float]] = backoff,
        knocking: Callable[[Random], Iterator[float]] = knocks,
        patience: Patience = _PATIENCE,
    ) -> None:
        self._endpoints = endpoints
        self._is_live = is_live
        self._subscriptions = subscriptions or Subscriptions()
        self._decoder = FrameDecoder(default_timeframe=timeframe)
        self._connect_deadline = connect_deadline
        self._connected_wait = connected_wait
        self._always_ack = always_ack
        self._max_frame = max_frame
        self._chance = generator()
        self._delays = delays
        self._knocking = knocking
        self._patience = patience
        self._dedupes: bool | None = None
        self._awaited: dict[str, asyncio.Future[Order]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._rest: RestClient | None = None
        self._link: Link | None = None
        self._closing = False
        self._done: list[str] = []
        self._owes_empty_ack = False
        self._acknowledged: dict[str, None] = {}
        self._in_hand: str | None = None
        self._is_complete = False
        self._last_words: str | None = None
        self._correlation = counted(f"{token()}-")

    @property
    def in_hand(self) -> str:
        """The id of the event in hand."""
        return self._in_hand or ""

    @property
    def _is_over(self) -> bool:
        return self._closing or self._is_complete

    # Life

    async def open(self) -> None:
        """Wait until the proxy answers requests.

        Raises:
            Unreachable: It did not within the deadline.
        """
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, resolver=ThreadedResolver()),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            trace_configs=[no_redirects()],
        )
        self._rest = RestClient(self._session, self._endpoints)
        deadline = monotonic() + self._connect_deadline
        for delay in self._knocking(self._chance):
            try:
                await self._rest.find_base()
                return
            except (Unreachable, ConnectionLost) as error:
                if monotonic() + delay >= deadline:
                    raise Unreachable(
                        f"{error}; gave up after {self._connect_deadline:g} s"
                    ) from None
                await sleep(delay)

    async def close(self) -> None:
        """Close socket and session, within two seconds or so."""
        self._closing = True
        if self._link is not None:
            await self._flush(self._link)
            await self._link.close()
        if self._session is not None:
            await self._session.close()

    # Events

    async def bursts(self) -> AsyncIterator[Iterator[Event]]:
        """Events as they arrive, over as many connections as it takes."""
        delays, attempts = self._delays(self._chance), self._knocking(self._chance)
        while not self._is_over:
            link = await self._connect(attempts)
            opened = monotonic()
            async for burst in self._bursts_of(link):
                yield burst
            if self._is_over:
                return
            fatal = fatal_close(link.close_code, link.close_reason, self._last_words)
            if fatal is not None:
                raise fatal
            said = f"{link.close_code} {link.close_reason}".strip()
            _log.warning("the connection to the proxy was lost (%s); connecting again", said)
            yield iter((ConnectionEvent(event=ConnectionEventKind.RECONNECTING, error=said),))
            if monotonic() - opened >= STABLE_AFTER_S:
                delays = self._delays(self._chance)
            attempts = delays
            await sleep(next(delays))

    async def _connect(self, delays: Iterator[float]) -> Link:
        deadline = monotonic() + self._connect_deadline
        was_connected = self._link is not None
        while True:
            try:
                self._link = await Link.open(
                    self._http,
                    self._endpoints,
                    self._decoder,
                    heartbeat=_LIVE_HEARTBEAT_S if self._is_live else None,
                    awaited=self._awaited,
                    max_frame=self._max_frame,
                )
                return self._link
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                fatal = fatal_failure(error)
                if fatal is not None:
                    raise fatal from None
                delay = next(delays)
                if monotonic() + delay >= deadline and not (self._is_live and was_connected):
                    raise self._gave_up(error, was_connected) from None
                await sleep(delay)

    def _gave_up(self, error: Exception, was_connected: bool) -> StrategyRuntimeError:
        waited = f"for {self._connect_deadline:g} s at {self._endpoints.ws_url}: {error}"
        if was_connected:
            return ConnectionLost(
                f"the backtest ended early, its completeness is unknown: nobody answers {waited}"
            )
        return Unreachable(f"nobody answers {waited}; is the proxy running? check PROXY_WS_URL")

    async def _bursts_of(self, link: Link) -> AsyncIterator[Iterator[Event]]:
        if not await self._greeted(link):
            yield iter((ConnectionEvent(event=ConnectionEventKind.CONNECTED),))
        while True:
            link.arrived.clear()
            if link.deliveries:
                yield self._take(link)
            elif not link.is_open:
                return
            else:
                await link.arrived.wait()
                continue
            await self._flush(link)
            if self._is_complete:
                await self._await_close(link)
                return

    async def _greeted(self, link: Link) -> bool:
        """Whether the proxy says CONNECTED before anything else, within a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._connected_wait):
                await link.arrived.wait()
        first = link.deliveries[0][0] if link.deliveries else None
        return isinstance(first, ConnectionEvent) and first.event is ConnectionEventKind.CONNECTED

    def _take(self, link: Link) -> Iterator[Event]:
        """What is at hand; asking for the next marks the one before as done."""
        deliveries, done, acknowledged = link.deliveries, self._done, self._acknowledged
        subscriptions = self._subscriptions
        while deliveries:
            frame, event_id = deliveries.popleft()
            if frame is not None and (event_id is None or event_id not in acknowledged):
                event = unwrap(frame)
                if not len(subscriptions) or (
                    (
                        not isinstance(event, Candle)
                        or subscriptions.wants_candle(event.symbol, event.timeframe)
                    )
                    and (not isinstance(event, Quote) or subscriptions.wants_quote(event.symbol))
                ):
                    self._in_hand = event_id
                    yield event
                if isinstance(event, BacktestComplete):
                    self._is_complete = True
                elif isinstance(event, ProxyErrorEvent) and event.code in _BROKEN_OFF:
                    self._last_words = None if self._is_live else f"{event.code}: {event.message}"
            if event_id is not None:
                done.append(event_id)
                acknowledged[event_id] = None
                if len(acknowledged) > _REMEMBERED:
                    del acknowledged[next(iter(acknowledged))]
            elif self._always_ack:
                self._owes_empty_ack = True

    async def _flush(self, link: Link) -> None:
        """Acknowledge everything that is done, in one frame."""
        if not self._done and not self._owes_empty_ack:
            return
        ids, self._done = self._done, []
        self._owes_empty_ack = False
        await link.send(encode_ack(ids, self._correlation(), now_ms()))

    async def _await_close(self, link: Link) -> None:
        """After the end, the proxy closes; one that does not is left."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                while link.is_open:
                    link.arrived.clear()
                    if link.is_open:
                        await link.arrived.wait()
        await link.close()

    # Requests

    async def submit(self, request: OrderRequest) -> OrderHandle:
        """Place an order, effectively once; see `submission`.

        Raises:
            ApiError: It was refused.
            FateUnknown: Nobody can say whether it arrived.
            Unreachable: It was never sent.
        """
        submission = Submission(
            request, dedupes=await self._knows_ids(), now=monotonic(), patience=self._patience
        )
        own_id = request.client_order_id or ""
        sighted = self._awaited[own_id] = asyncio.get_running_loop().create_future()
        try:
            while not submission.is_done:
                step = submission.next(monotonic())
                if step.act is Act.WAIT:
                    await asyncio.wait({sighted}, timeout=step.seconds)
                elif step.act is Act.SEND:
                    await self._send(submission)
                else:
                    await self._ask_for(submission)
                if sighted.done():
                    submission.sighted(sighted.result())
        finally:
            del self._awaited[own_id]
        if submission.handle is None:
            raise submission.error or ConnectionLost("the order was not answered")
        return submission.handle

    async def _send(self, submission: Submission) -> None:
        try:
            handle = await self._requests.send("POST", "/orders", submission.request, OrderHandle)
        except StrategyRuntimeError as error:
            wait = error.retry_after if isinstance(error, ApiError) else None
            submission.failed(error, monotonic(), wait)
        else:
            submission.accepted(handle)

    async def _ask_for(self, submission: Submission) -> None:
        try:
            found = await self.orders(client_order_id=submission.request.client_order_id)
        except StrategyRuntimeError:
            submission.not_told(monotonic())
            return
        if found:
            submission.sighted(found[0])
        else:
            submission.absent(monotonic())

    async def _knows_ids(self) -> bool:
        """Whether the proxy promises to know the id of an order again; asked once."""
        if self._dedupes is None:
            try:
                features = (await self.capabilities()).features
            except StrategyRuntimeError:
                return False
            self._dedupes = "client_order_id_dedupe" in features
        return self._dedupes

    async def modify(self, order_id: str, changes: OrderChanges) -> Order:
        """Change a resting order."""
        path = f"/orders/{segment(order_id)}"
        return (await self._requests.send("PATCH", path, changes, _Changed)).order

    async def cancel(self, order_id: str) -> Order:
        """Cancel a resting order."""
        return (await self._requests.remove(f"/orders/{segment(order_id)}", _Changed)).order

    async def orders(self, *, client_order_id: str | None = None) -> list[Order]:
        """Open orders; with an id also ended ones that carry it.

        Some proxies ignore the filter, so it is applied again here.
        """
        query = query_of(client_order_id=client_order_id)
        found = await self._requests.ask("/orders", list[Order], query)
        if client_order_id is None:
            return [order for order in found if order.is_open]
        if not any(order.client_order_id == client_order_id for order in found):
            try:
                found += await self._requests.ask("/orders/history", list[Order], query)
            except ApiError as error:
                if error.status not in _NOT_OFFERED:
                    raise
        return [order for order in found if order.client_order_id == client_order_id]

    async def positions(self) -> list[Position]:
        """Open positions."""
        return [
            each for each in await self._requests.ask("/positions", list[Position]) if each.quantity
        ]

    async def account(self) -> Account:
        """Balance and margin."""
        return await self._requests.ask("/account", Account)

    async def trades(self, *, symbol: str | None = None) -> list[Trade]:
        """Executions, newest first."""
        return await self._requests.ask("/trades", list[Trade], query_of(symbol=symbol))

    async def bars(
        self, symbol: str, timeframe: str, *, limit: int, until: datetime | None = None
    ) -> list[Candle]:
        """The last `limit` closed bars that start at or before `until`, oldest first."""
        end = None if until is None else until.isoformat()
        query = query_of(timeframe=timeframe, limit=limit, end=end)
        return await self._requests.ask(f"/bars/{segment(symbol)}", list[Candle], query)

    async def quote(self, symbol: str) -> Quote:
        """Best bid and ask at this moment."""
        return await self._requests.ask(f"/quotes/{segment(symbol)}", Quote)

    async def capabilities(self) -> Capabilities:
        """What the proxy can do."""
        return await self._requests.ask("/capabilities", Capabilities)

    @property
    def _requests(self) -> RestClient:
        if self._rest is None:
            raise RuntimeError("open() the venue before asking it anything")
        return self._rest

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("open() the venue before connecting")
        return self._session
