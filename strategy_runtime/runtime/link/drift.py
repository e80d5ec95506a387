"""Detection of lost events while the link is healthy.

Open orders are compared every few seconds; everything is compared once a minute, or if fills and
positions contradict each other. A difference that is seen once may be an event on its way; the same
one two seconds later was lost. If a hook that waits for an order delays the report until the book
has changed, the check is repeated at once.
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

__all__ = ["Drift", "compare", "drifts", "rest_after"]

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
    """The differences between venue and book.

    Attributes:
        lost: Ids of the events that never came, of orders, executions and positions only.
        has_any: Whether anything differs, including the account.
        believed: State of the book when the venue was asked; if it has changed since, the snapshot
            is out of date.
        is_reported: Whether the strategy has been told, set by the consumer.
    """

    snapshot: Snapshot
    lost: list[str]
    has_any: bool
    believed: _Belief
    is_reported: bool = False

    def is_current(self, book: Book) -> bool:
        """Whether the book is unchanged since the venue was asked."""
        return _belief(book) == self.believed


async def drifts(
    venue: Venue, book: Book, rng: Random, *, may_check: Callable[[], bool]
) -> AsyncIterator[Drift | None]:
    """Compare book and venue every few seconds, without end; yield None if nothing is wrong.

    Args:
        may_check: Whether the link is healthy and no other reconciliation is running.

    Raises:
        AccessDenied: The venue no longer accepts the key.
    """
    suspected: set[str] = set()
    looked_at, is_urgent, failures = monotonic(), False, 0
    while True:
        pause = _AGAIN_S if is_urgent else _SECOND_LOOK_S if suspected else _LOOK_S
        await sleep(pause * rng.uniform(_EARLIEST_SHARE, 1.0))
        found: Drift | None = None
        if may_check():
            is_due = bool(suspected) or book.is_inconsistent or monotonic() - looked_at >= _SELDOM_S
            try:
                if is_due or (book.orders() and await orders_differ(venue, book)):
                    found = await compare(venue, book)
                failures = 0
            except AccessDenied:
                raise
            except StrategyRuntimeError as error:
                failures += 1  # even if events still come, orders would not get through
                level = logging.WARNING if failures > 1 else logging.INFO
                _log.log(level, "the book cannot be compared with the venue: %s", error)
        if found is None or not found.is_current(book):
            yield None  # not checked, or the book has changed meanwhile: check again
            continue
        looked_at = monotonic()
        book.is_contradicted = False
        lost = set(found.lost)
        is_certain = bool(lost & suspected) or (found.has_any and not lost)
        yield found if is_certain else None
        is_urgent = is_certain and not found.is_reported
        suspected = set() if found.is_reported else lost


def rest_after(event: RateLimitEvent) -> float:
    """Return for how many seconds to pause checks after an event of the proxy's rate limit.

    The requests that are left are needed for orders and cancels.
    """
    if event.event is not RateLimitEventKind.RATE_LIMIT_HIT:
        return 0.0
    if event.reset_at is None:
        return _REST_S
    return min(max((event.reset_at - now()).total_seconds(), 0.0), _LONGEST_REST_S)


async def compare(venue: Venue, book: Book) -> Drift:
    """Compare the venue with the book once.

    Raises:
        StrategyRuntimeError: The venue did not answer.
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
