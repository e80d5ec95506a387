"""A second look while the link is healthy: a proxy may be connected and still have lost an event.

Open orders are compared every few seconds, everything once a minute, or where fills and positions
contradict each other. What differs once may be on its way; what differs in the same way two
seconds later was lost. Where a hook that waits for an order keeps it from being told until the
book has moved on, it is looked for again at once.
"""

import logging
from collections.abc import AsyncIterator, Callable

from msgspec import Struct

from strategy_runtime.clock import monotonic, now, sleep
from strategy_runtime.errors import AccessDenied, StrategyRuntimeError
from strategy_runtime.ids import Random
from strategy_runtime.protocol.enums import RateLimitEventKind
from strategy_runtime.protocol.events import AccountEvent, RateLimitEvent
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.link.reconciliation import (
    Snapshot,
    differences,
    orders_differ,
    take_snapshot,
)
from strategy_runtime.runtime.venue import Venue

__all__ = ["Drift", "drifts", "look", "rest_after"]

_LOOK_S = 4.5
_EARLIEST_SHARE = 0.8
_SECOND_LOOK_S = 2.0
_AGAIN_S = 0.25
_SELDOM_S = 60.0
_REST_S = 10.0
_LONGEST_REST_S = 60.0

_log = logging.getLogger("strategy_runtime")

_Belief = tuple[object, ...]


class Drift(Struct):
    """What the venue says, and the book does not.

    Attributes:
        lost: Ids of the events that never came, orders, executions and positions only.
        has_any: Whether anything differs, the account included.
        believed: What the book held when the venue was asked; if it has moved on since, the
            snapshot is out of date.
        is_told: Whoever was given it has told the strategy.
    """

    snapshot: Snapshot
    lost: list[str]
    has_any: bool
    believed: _Belief
    is_told: bool = False

    def is_current(self, book: Book) -> bool:
        """Whether the book is as it was."""
        return _belief(book) == self.believed


async def drifts(
    venue: Venue, book: Book, chance: Random, *, may_look: Callable[[], bool]
) -> AsyncIterator[Drift | None]:
    """Look every few seconds, for ever; None where nothing is wrong.

    Args:
        may_look: Whether there is a healthy link and nothing else is being found out.

    Raises:
        AccessDenied: The venue no longer takes the key.
    """
    suspected: set[str] = set()
    looked_at, is_urgent, failures = monotonic(), False, 0
    while True:
        pause = _AGAIN_S if is_urgent else _SECOND_LOOK_S if suspected else _LOOK_S
        await sleep(pause * chance.uniform(_EARLIEST_SHARE, 1.0))
        found: Drift | None = None
        if may_look():
            is_due = bool(suspected) or book.is_torn or monotonic() - looked_at >= _SELDOM_S
            try:
                if is_due or (book.orders() and await orders_differ(venue, book)):
                    found = await look(venue, book)
                failures = 0
            except AccessDenied:
                raise
            except StrategyRuntimeError as error:
                failures += 1  # events may come all the same, but no order would get through
                level = logging.WARNING if failures > 1 else logging.INFO
                _log.log(level, "the venue does not say whether the book is right: %s", error)
        if found is None or not found.is_current(book):
            yield None  # not looked, or something happened meanwhile: look again
            continue
        looked_at = monotonic()
        book.is_contradicted = False
        lost = set(found.lost)
        is_certain = bool(lost & suspected) or (found.has_any and not lost)
        yield found if is_certain else None
        is_urgent = is_certain and not found.is_told
        suspected = set() if found.is_told else lost


def rest_after(event: RateLimitEvent) -> float:
    """Seconds without looks after the proxy has said how many requests are left: none of them is
    needed as orders and cancels are."""
    if event.event is not RateLimitEventKind.RATE_LIMIT_HIT:
        return 0.0
    if event.reset_at is None:
        return _REST_S
    return min(max((event.reset_at - now()).total_seconds(), 0.0), _LONGEST_REST_S)


async def look(venue: Venue, book: Book) -> Drift:
    """What the venue says now, beside what the book holds.

    Raises:
        StrategyRuntimeError: It did not answer.
    """
    believed = _belief(book)
    snapshot = await take_snapshot(venue, book)
    found = {str(event.event_id): event for event in differences(book, snapshot)}
    lost = [name for name, event in found.items() if not isinstance(event, AccountEvent)]
    return Drift(snapshot, lost, bool(found), believed)


def _belief(book: Book) -> _Belief:
    return (
        [(order.id, order.status, order.filled_quantity) for order in book.orders()],
        [(net.symbol, net.quantity) for net in book.positions],
        book.order_count,
    )
