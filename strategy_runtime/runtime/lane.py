"""What has arrived and waits for the strategy: written by one thread, read by another.

Nothing is dropped except a quote that a newer one of its symbol has overtaken: the newer takes its
place in the queue. So a strategy that is slow sees the latest quotes, at most one a symbol waits,
and candles and everything about orders and the account stay complete and in order.
"""

import logging
from collections import deque
from collections.abc import Callable
from threading import Lock

from strategy_runtime.protocol.events import Event
from strategy_runtime.protocol.models import Quote

__all__ = ["Lane"]

_LONG = 10_000

_log = logging.getLogger("strategy_runtime")

Waiting = tuple[Event, str]
"""An event, and where it came from."""


class Lane:
    """A queue between two threads.

    Args:
        wake: Called by the writer when the reader has found nothing and now there is something;
            once, however much arrives until the reader looks again.

    Attributes:
        conflated: Number of quotes that newer ones took the place of.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self.conflated = 0
        self._wake = wake
        self._lock = Lock()
        self._queue: deque[list[Waiting]] = deque()
        self._quotes: dict[str, list[Waiting]] = {}
        self._reader_waits = False
        self._is_over = False
        self._failure: BaseException | None = None
        self._said_long = False

    def put(self, event: Event, came_from: str) -> None:
        """Add an event."""
        slot: list[Waiting] = [(event, came_from)]
        with self._lock:
            if isinstance(event, Quote):
                waiting = self._quotes.setdefault(event.symbol, slot)
                if waiting is not slot:
                    waiting[:] = slot
                    self.conflated += 1
                    return
            self._queue.append(slot)
            wakes, self._reader_waits = self._reader_waits, False
            is_long = len(self._queue) >= _LONG and not self._said_long
            self._said_long = self._said_long or is_long
        if wakes:
            self._wake()
        if is_long:
            _log.warning("the strategy is %d events behind; its hooks are too slow", _LONG)

    def end(self, failure: BaseException | None = None) -> None:
        """Nothing more will come; with a failure, because of it."""
        with self._lock:
            self._is_over, self._failure = True, failure
        self._wake()

    def take(self) -> Waiting | None:
        """The next event, or None where there is none at hand."""
        with self._lock:
            if not self._queue:
                self._said_long = False
                return None
            waiting = self._queue.popleft()[0]
            if isinstance(waiting[0], Quote):
                del self._quotes[waiting[0].symbol]
            return waiting

    def is_dry(self) -> bool:
        """Whether the reader has to wait to be woken.

        Raises:
            BaseException: What ended the stream, after all events before it were taken.
        """
        with self._lock:
            if self._queue:
                return False
            if self._failure is not None:
                raise self._failure
            self._reader_waits = not self._is_over
            return self._reader_waits

    @property
    def is_over(self) -> bool:
        """Whether everything has been taken and nothing more will come."""
        with self._lock:
            return self._is_over and not self._queue
