"""What a proxy has sent: bytes become events, handled ones acknowledgements. Free of I/O.

The order of the acknowledgements is that of the events, and every frame with an id has its place
among them: malformed ones, unknown ones, repetitions and those beyond the subscriptions too.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator

from strategy_runtime.errors import FrameError
from strategy_runtime.protocol.codec import PONG, FrameDecoder, encode_ack, unwrap
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import (
    BacktestComplete,
    CandleFrame,
    ConnectionEvent,
    Event,
    OrderEvent,
    Ping,
    Pong,
    ProxyErrorEvent,
)
from strategy_runtime.protocol.models import Candle, Order, Quote
from strategy_runtime.protocol.subscriptions import Subscriptions
from strategy_runtime.proxy.transport import Closed

__all__ = ["Inbox"]

_REMEMBERED = 100_000
_BROKEN_OFF = ("DATA_ERROR", "INTERNAL_ERROR")

_log = logging.getLogger("strategy_runtime")


class Inbox:
    """Frames received, over all connections of a run; a `Receiver`.

    Args:
        decoder: Reads frames.
        subscriptions: Candles and quotes beyond them are acknowledged and passed over.
        always_ack: Acknowledge frames without id by an empty ack, for old gateways (protocol e.2).
        wake: Called when there is something new: a frame, or the end of the connection.
        sighted: Called with the order of every order event at once, before its turn has come.

    Attributes:
        in_hand: Id of the event that was taken last.
        closed: How the present connection ended; None while it has not.
        is_leaving: The proxy has said that it goes down.
        last_words: What it said had broken its backtest.
    """

    def __init__(
        self,
        decoder: FrameDecoder,
        subscriptions: Subscriptions,
        *,
        always_ack: bool,
        wake: Callable[[], object],
        sighted: Callable[[Order], object],
    ) -> None:
        self.in_hand = ""
        self.closed: Closed | None = None
        self.is_leaving = False
        self.last_words: str | None = None
        self._decode = decoder.decode
        self._subscriptions = subscriptions if len(subscriptions) else None
        self._always_ack = always_ack
        self._wake = wake
        self._sighted = sighted
        self._deliveries: deque[tuple[Event | None, str | None]] = deque()
        self._is_greeted = False
        self._is_last_here = False
        self._done: list[str] = []
        self._owes_empty_ack = False
        self._recent: set[str] = set()
        self._older: set[str] = set()

    # Arriving

    def opened(self) -> None:
        """A new connection; what is said on it is yet to come."""
        self.closed, self._is_greeted = None, False

    def feed(self, data: bytes) -> bytes | None:
        """Take the payload of one message; gives back what has to be answered at once."""
        try:
            frame, event_id, warnings = self._decode(data)
        except FrameError as error:
            _log.warning("a frame was dropped: %s", error)
            if not self._is_greeted:
                self._greet(None)
            self._deliveries.append((None, error.event_id))
            self._wake()
            return None
        kind = type(frame)
        if kind is Ping or kind is Pong:
            self._wake()
            return PONG if kind is Ping else None
        if warnings:
            _log.warning("odd %s: %s", kind.__name__, "; ".join(warnings))
        event = unwrap(frame)
        if kind is not CandleFrame:
            self._note(event)
        if not self._is_greeted:
            self._greet(event)
        is_wanted = self._subscriptions is None or self._is_wanted(self._subscriptions, event)
        self._deliveries.append((event if is_wanted else None, event_id))
        self._wake()
        return None

    @staticmethod
    def _is_wanted(subscriptions: Subscriptions, event: Event) -> bool:
        if isinstance(event, Candle):
            return subscriptions.wants_candle(event.symbol, event.timeframe)
        return not isinstance(event, Quote) or subscriptions.wants_quote(event.symbol)

    def presume_connected(self) -> None:
        """The proxy does not greet: take it as connected."""
        self._is_greeted, self.is_leaving = True, False
        self._deliveries.append((ConnectionEvent(event=ConnectionEventKind.CONNECTED), None))

    def lost(self, closed: Closed) -> None:
        """The connection has ended."""
        self.closed = closed
        self._wake()

    def _greet(self, event: Event | None) -> None:
        self._is_greeted = True
        if not isinstance(event, ConnectionEvent) or (
            event.event is not ConnectionEventKind.CONNECTED
        ):
            self.presume_connected()

    def _note(self, event: Event) -> None:
        """What matters before the strategy's turn has come."""
        if isinstance(event, OrderEvent):
            self._sighted(event.order)
        elif isinstance(event, BacktestComplete):
            self._is_last_here = True
        elif isinstance(event, ConnectionEvent):
            self.is_leaving = event.event is ConnectionEventKind.DISCONNECTING
        elif isinstance(event, ProxyErrorEvent) and event.code in _BROKEN_OFF:
            self.last_words = f"{event.code}: {event.message}"

    # Leaving

    @property
    def has_some(self) -> bool:
        """Whether there is anything to take."""
        return bool(self._deliveries)

    @property
    def is_complete(self) -> bool:
        """Whether the last event of a backtest has been handled."""
        return self._is_last_here and not self._deliveries

    def take(self) -> Iterator[Event]:
        """What is at hand; asking for the next marks the one before as done."""
        deliveries, done = self._deliveries, self._done
        while deliveries:
            event, event_id = deliveries.popleft()
            if event_id is None:
                if event is not None:
                    self.in_hand = ""
                    yield event
                self._owes_empty_ack = self._always_ack
                continue
            if event_id not in self._recent and event_id not in self._older:
                if event is not None:
                    self.in_hand = event_id
                    yield event
                self._recent.add(event_id)
                if len(self._recent) >= _REMEMBERED:
                    self._older, self._recent = self._recent, set()
            done.append(event_id)

    def ack(self, correlation: Callable[[], str], now_ms: int) -> bytes | None:
        """One frame that acknowledges everything that is done, or None where nothing is."""
        if not self._done and not self._owes_empty_ack:
            return None
        frame = encode_ack(self._done, correlation(), now_ms)
        self._done.clear()
        self._owes_empty_ack = False
        return frame
