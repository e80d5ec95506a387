"""Looking on: what a run tells those who watch it, and how it stands at a moment.

Nobody watches unless asked to, and then nothing is done for it: handlers are only wrapped where
there is an observer. What an observer has to find out about a kind of event it finds out before the
first of them.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from msgspec import Struct

from strategy_runtime.clock import stopwatch
from strategy_runtime.protocol.events import Event
from strategy_runtime.strategy.desk import Mode
from strategy_runtime.strategy.views import RiskState

__all__ = [
    "Handler",
    "Note",
    "Observer",
    "Observers",
    "OrderStatusLine",
    "PositionStatus",
    "RunStatus",
    "observed",
]

Handler = Callable[[Any], Awaitable[None] | None]
"""What deals with an event; gives back None, or something to await."""


Note = Callable[[Any, float, float], None]
"""Told of an event that was delivered, and from when to when, in monotonic seconds, book,
indicators and the hook had to do with it."""


class Observer(Protocol):
    """Told of everything that happens, in the thread of the strategy. It must be quick."""

    def noting(self, kind: type[Any], hook: str | None, mode: Mode) -> Note:
        """What is to be told of each event of a kind, asked for before the first.

        Args:
            hook: Name of the strategy's hook, or None where it has none for this kind.
        """
        ...

    def hook_failed(self, hook: str) -> None:
        """A hook raised."""

    def request_settled(self, verb: str, outcome: str, seconds: float) -> None:
        """A request was answered.

        Args:
            verb: `submit`, `modify` or `cancel`.
            outcome: `accepted`, `refused`, or `unanswered`.
            seconds: From when it was sent.
        """


class Observers:
    """Several observers as one."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def noting(self, kind: type[Any], hook: str | None, mode: Mode) -> Note:
        """What is to be told of each event of a kind."""
        notes = [each.noting(kind, hook, mode) for each in self._observers]

        def note(event: Event, began: float, ended: float) -> None:
            for each in notes:
                each(event, began, ended)

        return note

    def hook_failed(self, hook: str) -> None:
        """A hook raised."""
        for each in self._observers:
            each.hook_failed(hook)

    def request_settled(self, verb: str, outcome: str, seconds: float) -> None:
        """A request was answered."""
        for each in self._observers:
            each.request_settled(verb, outcome, seconds)


class PositionStatus(Struct, frozen=True):
    """A position that is open; short ones have a negative quantity."""

    symbol: str
    quantity: str
    average_entry_price: str
    unrealized_pnl: str


class OrderStatusLine(Struct, frozen=True):
    """An order that is open; external where another than the strategy gave it."""

    client_order_id: str
    symbol: str
    side: str
    type: str
    quantity: str
    filled_quantity: str
    status: str
    external: bool = False


class RunStatus(Struct, frozen=True, kw_only=True):
    """How a run stands.

    Attributes:
        connected: The event stream is up.
        reconciled: Orders and positions have been read since it came up.
        risk_state: Which orders are let through.
        halted_symbols: In these no orders are sent, since the fate of one is not known.
        failures: Hooks that failed.
        rejections: Requests refused without anybody awaiting them.
        queued: Orders given and not yet answered.
        last_event: Kind of the last event.
        last_event_at: When it happened by its own account, RFC 3339.
        equity: Decimal text, with `currency`.
    """

    strategy: str
    run_id: str
    mode: Mode
    connected: bool
    reconciled: bool
    risk_state: RiskState
    halted_symbols: list[str]
    complete: bool
    failures: int
    rejections: int
    queued: int
    last_event: str | None
    last_event_at: str | None
    equity: str
    currency: str
    positions: list[PositionStatus]
    open_orders: list[OrderStatusLine]


def observed(handler: Handler, note: Note) -> Handler:
    """A handler that tells how long it took, with whatever it gives to await; also if it raises."""

    monotonic = stopwatch()

    def handle(event: Event) -> Awaitable[None] | None:
        began = monotonic()
        try:
            result = handler(event)
        except BaseException:
            note(event, began, monotonic())
            raise
        if result is not None and hasattr(result, "__await__"):
            return finish(result, event, began)
        note(event, began, monotonic())
        return None

    async def finish(result: Awaitable[None], event: Event, began: float) -> None:
        try:
            await result
        finally:
            note(event, began, monotonic())

    return handle
