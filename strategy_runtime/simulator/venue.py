"""The exchange as a venue in process: no sockets, no queues, no copies."""

from collections.abc import AsyncIterator, Callable, Iterator

from strategy_runtime.clock import sleep
from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import CandleRun, ConnectionEvent, Event
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

    Events are handed over one by one straight from the exchange; asking for the next lets time
    move on. Now and then the stream pauses for the event loop, so that signals and the strategy's
    own tasks get their turn.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._in_hand: Event | CandleRun | None = None
        self._has_more = True

    async def open(self) -> None:
        """Nothing to do."""

    async def bursts(self) -> AsyncIterator[Iterator[Event | CandleRun]]:
        """The replay, in pieces."""
        yield iter((CONNECTED,))
        async for burst in self.play(self.exchange.phases()):
            yield burst

    async def play(self, phases: Iterator[None]) -> AsyncIterator[Iterator[Event | CandleRun]]:
        """What some phases of the exchange announce, in pieces."""
        stream = self.exchange.stream(phases)
        self._has_more = True
        while self._has_more:
            yield self._burst(stream)
            await sleep(0)

    def _burst(self, stream: Iterator[Event | CandleRun]) -> Iterator[Event | CandleRun]:
        exchange = self.exchange
        enough = exchange.emitted + _BURST
        for event in stream:
            self._in_hand = event
            yield event
            if exchange.emitted >= enough:
                return
        self._has_more = False

    @property
    def in_hand(self) -> str:
        """The row of the data file, where the event in hand is a candle."""
        event = self._in_hand
        if isinstance(event, CandleRun):
            event = event.last
        return self.exchange.row_of(event) if isinstance(event, Candle) else ""

    def let_look(
        self, witness: Witness | None, tells: Callable[[int], bool] | None = None
    ) -> Statement | None:
        """Show a witness what changes in place of events of orders, positions and the account."""
        if witness is not None and self.exchange.outbox:
            return None
        self.exchange.let_look(witness, tells)
        return self.exchange

    @property
    def direct(self) -> Exchange:
        """The exchange itself, which answers at once."""
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
        """Open orders, newest first; with an id also terminal ones that carry it."""
        exchange = self.exchange
        found = exchange.orders(client_order_id=client_order_id, limit=_MOST)
        if client_order_id is not None:
            found += exchange.order_history(client_order_id=client_order_id, limit=_MOST)
        return found

    async def order(self, order_id: str) -> Order | None:
        """One order, open or ended; None where there is none."""
        try:
            return self.exchange.order(order_id)
        except ApiError:
            return None

    async def positions(self) -> list[Position]:
        """Open positions."""
        return self.exchange.positions()

    async def account(self) -> Account:
        """Balance and margin."""
        return self.exchange.account()

    async def trades(self, *, limit: int = _MOST) -> list[Trade]:
        """The last executions, newest first."""
        return self.exchange.trades(limit=limit)

    async def bars(self, symbol: str, timeframe: str, *, limit: int) -> list[Candle]:
        """The last `limit` closed bars, oldest first."""
        return self.exchange.bars(symbol, timeframe, limit=limit)

    async def capabilities(self) -> Capabilities:
        """What the exchange can do."""
        return self.exchange.capabilities()

    async def close(self) -> None:
        """Nothing to do."""
