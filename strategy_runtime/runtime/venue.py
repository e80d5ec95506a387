"""The venue port: what the runtime needs from a venue.

Two venues implement it: `simulator.SimulatedVenue` in process and `proxy.ProxyVenue` over
WebSocket and REST. They do not import this module; the type checker compares them with it when a
command passes one to the runner. Live, `threads.ThreadedVenue` runs a venue on a thread of its own;
for that, the venue also needs `frames`.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

from strategy_runtime.protocol.events import Item
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
from strategy_runtime.protocol.witness import Followed, Statement, Witness

__all__ = ["Venue"]


class Direct(Protocol):
    """Accepts orders and answers synchronously."""

    def submit(self, request: OrderRequest) -> OrderHandle:
        """Place an order."""
        ...

    def place(self, request: OrderRequest) -> Followed:
        """Place an order while a witness is attached, and return the order itself."""
        ...

    def revise(self, name: str, changes: OrderChanges) -> None:
        """Change an order while a witness is attached, by the client's id or the venue's."""
        ...

    def withdraw(self, name: str) -> None:
        """Cancel an order while a witness is attached, by the client's id or the venue's.

        Does nothing if the order has ended or does not exist.
        """
        ...


class Venue(Protocol):
    """An execution venue, and its stream of events.

    Requests raise `ApiError` if the venue refuses, `FateUnknown` if an order was sent but may not
    have arrived, and `Unreachable` if there is no answer.
    """

    @property
    def direct(self) -> Direct | None:
        """The synchronous interface of a venue in process, whose other requests never wait either.

        None if answers have to be awaited.
        """
        ...

    async def open(self) -> None:
        """Get ready for requests; events start only when `bursts` is iterated."""
        ...

    def bursts(self) -> AsyncIterator[Iterator[Item]]:
        """Iterate over the stream of events, in bursts of those available; candles may be in runs.

        Asking for the next event acknowledges the one before. So the consumer asks only when the
        hook has returned and every order it placed has been answered. A consumer that fails stops
        asking, and the current event is never acknowledged. The stream ends after
        `BacktestComplete`; a live stream ends only with `close`.
        """
        ...

    @property
    def in_hand(self) -> str:
        """Origin of the current event: an event id or a row of a data file; may be empty."""
        ...

    def let_look(
        self, witness: Witness | None, tells: Callable[[int], bool] | None = None
    ) -> Statement | None:
        """Attach a witness, or with None detach it.

        A witness is shown changes directly, in place of events of orders, trades, positions and
        the account.

        Returns:
            The statement to read account and positions from; None, without any effect, if the
            venue only sends events, now or always.

        Args:
            tells: Whether the strategy might act between two changes at an instant, in nanoseconds
                since the epoch. The witness is then detached before that instant.
        """
        ...

    async def tell_instants(self) -> bool:
        """Deliver `InstantClosed` after the last candle of each instant from now on.

        Returns:
            False, without any effect, if the venue does not know which one is the last.
        """
        ...

    async def submit(self, request: OrderRequest) -> OrderHandle:
        """Place an order."""
        ...

    async def modify(self, order_id: str, changes: OrderChanges) -> Order:
        """Change a resting order; the answer may carry a new id."""
        ...

    async def cancel(self, order_id: str) -> Order:
        """Cancel a resting order; the answer is its last state."""
        ...

    async def orders(self, *, client_order_id: str | None = None) -> list[Order]:
        """Return open orders, newest first; with an id also ended ones that have it."""
        ...

    async def order(self, order_id: str) -> Order | None:
        """Return one order, open or ended; None if the venue does not know it, or does not say."""
        ...

    async def positions(self) -> list[Position]:
        """Return the open positions."""
        ...

    async def account(self) -> Account:
        """Return balance and margin."""
        ...

    async def trades(self, *, limit: int = 1000) -> list[Trade]:
        """Return the last executions, newest first."""
        ...

    async def bars(self, symbol: str, timeframe: str, *, limit: int) -> list[Candle]:
        """Return the last `limit` closed bars, oldest first."""
        ...

    async def capabilities(self) -> Capabilities:
        """Return what the venue supports."""
        ...

    async def close(self) -> None:
        """Release all resources; safe to call more than once."""
        ...
