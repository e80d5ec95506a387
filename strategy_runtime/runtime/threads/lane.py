"""The queue of events between the I/O thread and the strategy's thread.

Nothing is dropped except a quote for which a newer one of its symbol arrives: the newer one takes
its place in the queue. So a slow strategy sees the latest quotes, at most one of each symbol waits,
and candles and everything about orders and the account stay complete and in order.

If events about orders, executions or positions in the symbol have arrived in between, the newer
quote comes behind them instead. A strategy that saw a price before the fill that was made by it
would change an order that is over.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Lock

from msgspec import Struct

from strategy_runtime.protocol.codec import Frame, id_of, unwrap
from strategy_runtime.protocol.events import (
    CandleFrame,
    InstantClosed,
    Item,
    OrderEvent,
    PositionEvent,
    QuoteFrame,
    TradeEvent,
)

__all__ = ["Lane"]

_LONG, _LONGER = 10_000, 10

_log = logging.getLogger("strategy_runtime")


class _Place(Struct):
    """The place in the queue of a symbol's latest quote.

    Attributes:
        frame: None if the latest quote has another place.
        is_final: An event that the latest quote must not overtake is behind it.
    """

    frame: QuoteFrame | None
    is_final: bool = False


class Lane:
    """A queue between two threads.

    Only quotes need the lock: appending to a deque and popping from it are atomic.

    Args:
        wake: Called by the writer when something arrives for a waiting reader; once, however much
            arrives before the reader continues.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._lock = Lock()
        self._queue: deque[Frame | InstantClosed | _Place] = deque()
        self._taken: Frame | None = None
        self._quotes: dict[str, _Place] = {}
        self._reader_waits = False
        self._is_over = False
        self._failure: BaseException | None = None
        self._too_long = _LONG

    @property
    def in_hand(self) -> str:
        """Id of the event that was taken last and is being handled."""
        return "" if self._taken is None else id_of(self._taken) or ""

    def fill(self, frames: Sequence[Frame | InstantClosed]) -> None:
        """Add frames that have arrived."""
        queue, quotes = self._queue, self._quotes
        if quotes or QuoteFrame in map(type, frames):
            for frame in frames:
                if isinstance(frame, QuoteFrame):
                    self._put_quote(frame)
                    continue
                if quotes and (place := quotes.get(_traded_symbol(frame))) is not None:
                    place.is_final = True
                queue.append(frame)
        else:
            queue.extend(frames)
        if self._reader_waits and queue:
            self._reader_waits = False
            self._wake()
        if len(queue) >= self._too_long:
            self._too_long *= _LONGER
            _log.warning("the strategy is %d events behind; its hooks are too slow", len(queue))

    def _put_quote(self, frame: QuoteFrame) -> None:
        symbol = frame.quote.symbol
        with self._lock:
            place = self._quotes.get(symbol)
            if place is not None and not place.is_final:
                place.frame = frame
                return
            if place is not None:
                place.frame = None
            place = self._quotes[symbol] = _Place(frame)
        self._queue.append(place)

    def end(self, failure: BaseException | None = None) -> None:
        """End the stream, with the failure that caused it, if any."""
        self._failure = failure
        self._is_over = True
        self._wake()

    def take(self, most: int) -> Iterator[Item]:
        """Yield the events that are available, `most` at most."""
        queue = self._queue
        for _ in range(most):
            if not queue:
                self._too_long = _LONG
                break
            frame = queue.popleft()
            if type(frame) is CandleFrame:
                self._taken = frame
                yield frame.bar
                continue
            if isinstance(frame, InstantClosed):
                yield frame
                continue
            if isinstance(frame, _Place):
                latest = self._quote_of(frame)
                if latest is None:
                    continue
                frame = latest
            self._taken = frame
            yield unwrap(frame)
        self._taken = None

    def _quote_of(self, place: _Place) -> QuoteFrame | None:
        with self._lock:
            if place.frame is not None:
                del self._quotes[place.frame.quote.symbol]
            return place.frame

    def is_dry(self) -> bool:
        """Whether the reader has to wait to be woken."""
        self._reader_waits = True  # set before the check, so that anything later wakes the reader
        self._reader_waits = not self._queue and not self._is_over
        return self._reader_waits

    def is_over(self) -> bool:
        """Whether everything has been taken and nothing more will come.

        Raises:
            BaseException: The failure that ended the stream.
        """
        if not self._is_over or self._queue:
            return False
        if self._failure is not None:
            raise self._failure
        return True


def _traded_symbol(frame: Frame | InstantClosed) -> str:
    """Return the symbol of an event of our trading; empty for any other."""
    match frame:
        case OrderEvent(order=about) | TradeEvent(trade=about) | PositionEvent(position=about):
            return about.symbol
        case _:
            return ""
