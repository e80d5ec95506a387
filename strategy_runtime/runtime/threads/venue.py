"""A venue on a thread and an event loop of its own, so that no hook can harm the connection.

Live, a hook may block its thread for a minute, but pings must be answered and events read all the
same. Events cross to the strategy through a `Lane`, requests cross the other way.

An event is acknowledged when it has crossed, since live acknowledgements hold nothing back. In a
backtest they advance the time, so it uses the venue directly.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Protocol, TypeVar

from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.protocol.codec import Frame
from strategy_runtime.protocol.events import InstantClosed, Item
from strategy_runtime.protocol.models import (
    Account,
    Candle,
    Capabilities,
    Order,
    OrderChanges,
    OrderHandle,
    OrderRequest,
    Position,
    Trade,
)
from strategy_runtime.protocol.witness import Witness
from strategy_runtime.runtime.threads.lane import Lane
from strategy_runtime.runtime.threads.starting import start
from strategy_runtime.runtime.threads.watchdog import watch
from strategy_runtime.runtime.venue import Venue

__all__ = ["ThreadedVenue"]

_T = TypeVar("_T")
_BURST = 64
_TURN_S = 0.005
_PATIENCE_S = 5.0


class Framed(Venue, Protocol):
    """A venue that can return its events as the frames they came in."""

    def frames(self) -> AsyncIterator[list[Frame | InstantClosed]]:
        """Iterate over the stream of events; asking for more acknowledges all those before."""
        ...


class ThreadedVenue:
    """Runs another venue on a thread of its own.

    Args:
        inner: The venue; from `open` on it belongs to that thread.
        loop_factory: Creates that thread's event loop; None for the standard one.
        patience: Seconds a hook may block its thread before its stack is logged.
    """

    def __init__(
        self,
        inner: Framed,
        *,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
        patience: float = _PATIENCE_S,
    ) -> None:
        self._inner = inner
        self._loop_factory = loop_factory
        self._patience = patience
        self._lane: Lane | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._arrived = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def in_hand(self) -> str:
        """Origin of the current event."""
        return "" if self._lane is None else self._lane.in_hand

    # Life

    async def open(self) -> None:
        """Start the thread, and open the venue on it.

        Raises:
            ConfigError: No thread can be started.
        """
        here = asyncio.get_running_loop()
        loop = (self._loop_factory or asyncio.new_event_loop)()
        thread = threading.Thread(target=loop.run_forever, name="strategy-runtime I/O", daemon=True)
        try:
            start(thread)
        except BaseException:
            loop.close()
            raise
        self._loop, self._thread = loop, thread
        guard = watch(here, threading.get_ident(), patience=self._patience)
        await self._cross(self._begin(guard))
        await self._cross(self._inner.open())

    async def close(self) -> None:
        """Close the venue, end the thread."""
        loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        try:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._finish(), loop))
        finally:
            self._thread.join()
            loop.close()

    async def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(asyncio.create_task(work))

    async def _finish(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await loop.shutdown_asyncgens()
            await self._inner.close()
        finally:
            loop.call_soon(loop.stop)  # even if nobody waits for it any longer

    # Events

    async def bursts(self) -> AsyncIterator[Iterator[Item]]:
        """Iterate over the events as they arrive, in bursts of those available.

        However many there are, the event loop gets control after some milliseconds, or after a few
        dozen events if hooks are slow.
        """
        here = asyncio.get_running_loop()
        lane = self._lane = Lane(lambda: here.call_soon_threadsafe(self._arrived.set))
        await self._cross(self._begin(self._fill(lane)))
        began = monotonic()
        while not lane.is_over():
            self._arrived.clear()
            if lane.is_dry():
                await self._arrived.wait()
                began = monotonic()
                continue
            yield lane.take(_BURST)
            if monotonic() - began > _TURN_S:
                await sleep(0)
                began = monotonic()

    async def _fill(self, lane: Lane) -> None:
        failure: BaseException | None = None
        try:
            async for frames in self._inner.frames():
                lane.fill(frames)
        except Exception as error:
            failure = error
        lane.end(failure)

    # Requests

    @property
    def direct(self) -> None:
        """None: answers have to be awaited."""

    def let_look(self, witness: Witness | None, tells: Callable[[int], bool] | None = None) -> None:
        """Do nothing: changes only come as events."""

    async def tell_instants(self) -> bool:
        """Deliver `InstantClosed` after the last candle of each instant, if the venue knows it."""
        return await self._cross(self._inner.tell_instants())

    async def submit(self, request: OrderRequest) -> OrderHandle:
        """Place an order."""
        return await self._cross(self._inner.submit(request))

    async def modify(self, order_id: str, changes: OrderChanges) -> Order:
        """Change a resting order."""
        return await self._cross(self._inner.modify(order_id, changes))

    async def cancel(self, order_id: str) -> Order:
        """Cancel a resting order."""
        return await self._cross(self._inner.cancel(order_id))

    async def orders(self, *, client_order_id: str | None = None) -> list[Order]:
        """Return open orders; with an id also ended ones that have it."""
        return await self._cross(self._inner.orders(client_order_id=client_order_id))

    async def order(self, order_id: str) -> Order | None:
        """Return one order, open or ended."""
        return await self._cross(self._inner.order(order_id))

    async def positions(self) -> list[Position]:
        """Return the open positions."""
        return await self._cross(self._inner.positions())

    async def account(self) -> Account:
        """Return balance and margin."""
        return await self._cross(self._inner.account())

    async def trades(self, *, limit: int = 1000) -> list[Trade]:
        """Return the last executions, newest first."""
        return await self._cross(self._inner.trades(limit=limit))

    async def bars(self, symbol: str, timeframe: str, *, limit: int) -> list[Candle]:
        """Return the last `limit` closed bars, oldest first."""
        return await self._cross(self._inner.bars(symbol, timeframe, limit=limit))

    async def capabilities(self) -> Capabilities:
        """Return what the venue supports."""
        return await self._cross(self._inner.capabilities())

    async def _cross(self, request: Coroutine[Any, Any, _T]) -> _T:
        """Await a request on the other thread."""
        if self._loop is None:
            request.close()
            raise RuntimeError("open() the venue before asking it anything")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(request, self._loop))
