"""The simulated exchange as a venue in process: no sockets, no queues, no copies."""

from collections.abc import AsyncIterator, Callable, Iterator

from strategy_runtime.clock import sleep
from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import CandleRun, ConnectionEvent, InstantClosed, Item
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
from strategy_runtime.protocol.witness import Statement, Witness
from strategy_runtime.simulator.exchange import Exchange

__all__ = ["CONNECTED", "SimulatedVenue"]

CONNECTED = ConnectionEvent(event=ConnectionEventKind.CONNECTED)

_BURST = 4096
_MOST = 10_000


class SimulatedVenue:
    """Implements the venue port on an exchange.

    Events come one by one straight from the exchange; requesting the next one advances time. Now
    and then the stream yields to the event loop, so that signals and the strategy's own tasks run.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._in_hand: Item | None = None
        self._has_more = True

    async def open(self) -> None:
        """Do nothing."""

    async def bursts(self) -> AsyncIterator[Iterator[Item]]:
        """Yield the events of the whole run in bursts."""
        yield iter((CONNECTED,))
        async for burst in self.play(self.exchange.phases()):
            yield burst

    async def play(self, phases: Iterator[None]) -> AsyncIterator[Iterator[Item]]:
        """Yield the events of some phases of the exchange in bursts."""
        stream = self.exchange.stream(phases)
        self._has_more = True
        while self._has_more:
            yield self._burst(stream)
            await sleep(0)

    def _burst(self, stream: Iterator[Item]) -> Iterator[Item]:
        exchange = self.exchange
        enough = exchange.emitted + _BURST
        for event in stream:
            if type(event) is not InstantClosed:
                self._in_hand = event
            yield event
            if exchange.emitted >= enough:
                return
        self._has_more = False

    @property
    def in_hand(self) -> str:
        """The row of the data file if the current event is a candle, else empty."""
        event = self._in_hand
        if isinstance(event, CandleRun):
            event = event.last
        return self.exchange.row_of(event) if isinstance(event, Candle) else ""

    def let_look(
        self, witness: Witness | None, tells: Callable[[int], bool] | None = None
    ) -> Statement | None:
        """Show changes of orders, positions and account to a witness, instead of as events."""
        if witness is not None and self.exchange.outbox:
            return None
        self.exchange.let_look(witness, tells)
        return self.exchange

    async def tell_instants(self) -> bool:
        """Deliver `InstantClosed` after the last candle of each instant from now on."""
        self.exchange.tell_instants()
        return True

    @property
    def direct(self) -> Exchange:
        """The exchange, whose methods can be called without awaiting."""
        return self.exchange

    async def submit(self, request: OrderRequest) -> OrderHandle:
        """Place an order."""
        return self.exchange.submit(request)

    async def modify(self, order_id: str, changes: OrderChanges) -> Order:
        """Change a resting order."""
        return self.exchange.modify(order_id, changes)

    async def cancel(self, order_id: str) -> Order:
        """Cancel a resting order."""
        return self.exchange.cancel(order_id)

    async def orders(self, *, client_order_id: str | None = None) -> list[Order]:
        """Return open orders, newest first; with a client's id, ended ones that have it too."""
        exchange = self.exchange
        found = exchange.orders(client_order_id=client_order_id, limit=_MOST)
        if client_order_id is not None:
            found += exchange.order_history(client_order_id=client_order_id, limit=_MOST)
        return found

    async def order(self, order_id: str) -> Order | None:
        """Return one order, open or ended, or None."""
        try:
            return self.exchange.order(order_id)
        except ApiError:
            return None

    async def positions(self) -> list[Position]:
        """Return the open positions."""
        return self.exchange.positions()

    async def account(self) -> Account:
        """Return balance and margin."""
        return self.exchange.account()

    async def trades(self, *, limit: int = _MOST) -> list[Trade]:
        """Return the last executions, newest first."""
        return self.exchange.trades(limit=limit)

    async def bars(self, symbol: str, timeframe: str, *, limit: int) -> list[Candle]:
        """Return the last `limit` closed bars, oldest first."""
        return self.exchange.bars(symbol, timeframe, limit=limit)

    async def capabilities(self) -> Capabilities:
        """Return what the exchange can do."""
        return self.exchange.capabilities()

    async def close(self) -> None:
        """Do nothing."""
