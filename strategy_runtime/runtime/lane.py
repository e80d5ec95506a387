"""What has arrived and waits for the strategy: written by one thread, read by another.

Nothing is dropped except a quote that a newer one of its symbol has overtaken: the newer takes its
place in the queue. So a strategy that is slow sees the latest quotes, at most one a symbol waits,
and candles and everything about orders and the account stay complete and in order.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import Protocol

from msgspec import Struct

from strategy_runtime.protocol.events import Event
from strategy_runtime.protocol.models import Quote

__all__ = ["Lane"]

_LONG = 10_000

_log = logging.getLogger("strategy_runtime")

Waiting = tuple[Event, str]
"""An event, and where it came from."""


class Source(Protocol):
    """Where events come from: a venue."""

    @property
    def in_hand(self) -> str:
        """Where the present one does."""
        ...


class _Place(Struct):
    """The place in the queue of a symbol's latest quote."""

    symbol: str
    quote: Waiting


class Lane:
    """A queue between two threads.

    Only quotes take the lock: taking from and adding to a deque is whole by itself.

    Args:
        wake: Called by the writer when the reader has found nothing and now there is something;
            once, however much arrives until the reader looks again.

    Attributes:
        conflated: Number of quotes that newer ones took the place of.
        in_hand: Where the event that was taken last came from.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self.conflated = 0
        self.in_hand = ""
        self._wake = wake
        self._lock = Lock()
        self._queue: deque[Waiting | _Place] = deque()
        self._quotes: dict[str, _Place] = {}
        self._reader_waits = False
        self._is_over = False
        self._failure: BaseException | None = None
        self._said_long = False

    def fill(self, burst: Iterable[Event], source: Source) -> None:
        """Add events as they come."""
        queue = self._queue
        for event in burst:
            waiting = event, source.in_hand
            if type(event) is Quote:
                self._put_quote(event.symbol, waiting)
            else:
                queue.append(waiting)
            if self._reader_waits:
                self._reader_waits = False
                self._wake()
        if len(queue) >= _LONG and not self._said_long:
            self._said_long = True
            _log.warning("the strategy is %d events behind; its hooks are too slow", len(queue))

    def _put_quote(self, symbol: str, waiting: Waiting) -> None:
        with self._lock:
            place = self._quotes.get(symbol)
            if place is not None:
                place.quote = waiting
                self.conflated += 1
                return
            place = self._quotes[symbol] = _Place(symbol, waiting)
        self._queue.append(place)

    def end(self, failure: BaseException | None = None) -> None:
        """Nothing more will come; with a failure, because of it."""
        self._failure = failure
        self._is_over = True
        self._wake()

    def take(self, most: int) -> Iterator[Event]:
        """Up to so many events, as long as there are any at hand."""
        queue = self._queue
        for _ in range(most):
            if not queue:
                self._said_long = False
                return
            waiting = queue.popleft()
            if isinstance(waiting, _Place):
                waiting = self._take_quote(waiting)
            event, self.in_hand = waiting
            yield event

    def _take_quote(self, place: _Place) -> Waiting:
        with self._lock:
            del self._quotes[place.symbol]
            return place.quote

    def is_dry(self) -> bool:
        """Whether the reader has to wait to be woken."""
        self._reader_waits = True  # before looking, so that whatever comes after that wakes
        self._reader_waits = not self._queue and not self._is_over
        return self._reader_waits

    def is_over(self) -> bool:
        """Whether everything has been taken and nothing more will come.

        Raises:
            BaseException: What ended the stream.
        """
        if not self._is_over or self._queue:
            return False
        if self._failure is not None:
            raise self._failure
        return True
