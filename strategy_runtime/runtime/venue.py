"""The venue port: what the runtime needs from the other side, whoever stands there.

Two venues implement it: `simulator.SimulatedVenue` in process and `proxy.ProxyVenue` over
WebSocket and REST. They need not import this module; a type checker holds them to it where a
command hands one to the runner.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

from strategy_runtime.protocol.events import CandleRun, Event
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
    """Takes orders and answers at once."""

    def submit(self, request: OrderRequest) -> OrderHandle:
        """Place an order."""
        ...

    def place(self, request: OrderRequest) -> Followed:
        """Place an order for somebody who looks on; gives back the order itself."""
        ...

    def revise(self, name: str, changes: OrderChanges) -> None:
        """Change an order for somebody who looks on, by the client's id or the venue's."""
        ...

    def withdraw(self, name: str) -> None:
        """Cancel an order for somebody who looks on, by the client's id or the venue's; nothing
        happens to one that has ended, or of which there is none.
        """
        ...


class Venue(Protocol):
    """One side of the conversation.

    Requests raise `ApiError` when the venue answers with a refusal, `FateUnknown` when an order was
    sent and nobody can say whether it arrived, and `Unreachable` where nobody answers.
    """

    @property
    def direct(self) -> Direct | None:
        """Takes orders and answers at once, in process; no other request waits there either.

        None where answers have to be waited for.
        """
        ...

    async def open(self) -> None:
        """Get ready for requests; events flow only once `bursts` is iterated."""
        ...

    def bursts(self) -> AsyncIterator[Iterator[Event | CandleRun]]:
        """The stream of events, in bursts of what is at hand; candles may come in runs.

        Asking for the next event acknowledges the one before: so the taker asks only when the
        hook has returned and every order it gave has been answered. A taker that fails stops
        asking, and the event in hand is never acknowledged. The stream ends after
        `BacktestComplete`; a live stream ends only by `close`.
        """
        ...

    @property
    def in_hand(self) -> str:
        """Where the event in hand came from: an event id or a row of a data file; may be empty."""
        ...

    def let_look(
        self, witness: Witness | None, tells: Callable[[int], bool] | None = None
    ) -> Statement | None:
        """Show a witness what changes, in place of events of orders, trades, positions and the
        account, until it is told to make events again (None).

        Gives back the account to look at; None, and nothing else happens, where only events tell,
        now or ever.

        Args:
            tells: Whether somebody might look between two things that happen at an instant, in
                nanoseconds since the epoch: then the witness is told to look away before it.
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
        """Open orders, newest first; with an id also terminal ones that carry it."""
        ...

    async def order(self, order_id: str) -> Order | None:
        """One order, open or ended; None where the venue does not know it, or does not tell."""
        ...

    async def positions(self) -> list[Position]:
        """Open positions."""
        ...

    async def account(self) -> Account:
        """Balance and margin."""
        ...

    async def trades(self, *, limit: int = 1000) -> list[Trade]:
        """The last executions, newest first."""
        ...

    async def bars(self, symbol: str, timeframe: str, *, limit: int) -> list[Candle]:
        """The last `limit` closed bars, oldest first."""
        ...

    async def capabilities(self) -> Capabilities:
        """What the venue can do."""
        ...

    async def close(self) -> None:
        """Let go of everything; safe to call more than once."""
        ...
