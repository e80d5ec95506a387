"""The inbox of received frames: decodes them to events, and acknowledges handled ones. No I/O.

Acknowledgements are in the order of the events and include every frame with an id: malformed,
unknown and repeated ones, and those outside the subscriptions, too.
"""

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from msgspec import Struct

from strategy_runtime.errors import FrameError, StrategyRuntimeError
from strategy_runtime.protocol.codec import PONG, Frame, FrameDecoder, encode_ack, id_of, unwrap
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import (
    INSTANT_CLOSED,
    BacktestComplete,
    CandleFrame,
    ConnectionEvent,
    InstantClosed,
    Item,
    OrderEvent,
    Ping,
    Pong,
    ProxyErrorEvent,
    QuoteFrame,
)
from strategy_runtime.protocol.models import Order
from strategy_runtime.protocol.subscriptions import Subscriptions
from strategy_runtime.proxy.continuity import Continuity
from strategy_runtime.proxy.transport import Closed
from strategy_runtime.proxy.wanted import Wanted

__all__ = ["Inbox"]

_REMEMBERED = 16_384
_SYMBOLS = 4096
# If a hook blocks while the connection is lost, the ack of its own event is sent in vain, and so is
# that of the events received by then but read only afterwards. Sending both again does no harm.
_IN_DOUBT = 2
_BROKEN_OFF = ("DATA_ERROR", "INTERNAL_ERROR")

_log = logging.getLogger("strategy_runtime")


class _Skipped(Struct, gc=False):
    """A frame that is only acknowledged.

    Attributes:
        more: Whether it does not end the candles of an instant.
    """

    event_id: str | None
    legacy_id: None = None
    more: bool = True


_Received = Frame | _Skipped


class Inbox:
    """Frames received over all connections of a run; a `Receiver`.

    Args:
        default_timeframe: Timeframe of candles that have none.
        subscriptions: Candles and quotes outside them are acknowledged and skipped.
        is_live: Nothing is sent again on a new connection, so that a repeated id is a new event.
        wake: Called when anything was received, even a ping, and when the connection ended.
        order_seen: Called with the order of every order event on arrival, before it is delivered.

    Attributes:
        closed: How the current connection ended; None while it is up.
        is_shutting_down: Whether the proxy has announced its shutdown.
        broken: Why the run cannot continue with this proxy, whose frames are ignored from then on;
            None while it can.
        last_words: What failed in the proxy's backtest, if it said so.
        waiting: Frames that are ready to take.
        wants: Filter for candles and quotes.
        tells_instants: Whether `InstantClosed` follows the last candle of each instant.
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        *,
        default_timeframe: str,
        is_live: bool,
        wake: Callable[[], object],
        order_seen: Callable[[Order], object],
    ) -> None:
        self.closed: Closed | None = None
        self.is_shutting_down = False
        self.broken: StrategyRuntimeError | None = None
        self.last_words: str | None = None
        self.waiting: deque[_Received] = deque()
        self.tells_instants = False
        self._decode = FrameDecoder(
            default_timeframe=default_timeframe,
            subscriptions=subscriptions,
            on_warnings=_log_warnings,
        ).decode
        self._wants_all = not len(subscriptions)
        self.wants = Wanted(subscriptions)
        self._wanted: defaultdict[str, set[str]] = defaultdict(set)
        self._is_live = is_live
        self._wake = wake
        self._order_seen = order_seen
        self._taken: Frame | None = None
        self._is_greeted = False
        self._is_fast_path = False  # whether candles and quotes need no individual check
        self._continuity = Continuity()
        self._is_last_here = False
        self._done: list[str] = []
        self._sent: deque[list[str]] = deque(maxlen=_IN_DOUBT)
        self._carried: list[str] = []
        self._recent: set[str] = set()
        self._older: set[str] = set()

    # Receiving

    def opened(self) -> None:
        """A new connection is being made."""
        self.closed, self._is_greeted, self._is_fast_path = None, False, False
        if self._is_live:
            self._recent, self._older = set(), set()
        else:
            self._continuity.opened()
            self._carried += [*chain.from_iterable(self._sent), *self._done]
        self._sent.clear()
        self._done.clear()

    def feed(self, messages: list[bytes]) -> Sequence[bytes]:
        """Decode messages; return the frames to answer immediately."""
        waiting, recent, older = self.waiting, self._recent, self._older
        is_fast_path, wants_all, wanted = self._is_fast_path, self._wants_all, self._wanted
        answers: list[bytes] = []
        decoded: Frame | FrameError | None = None
        for decoded in self._decode(messages):
            frame: _Received | None
            if is_fast_path and (type(decoded) is CandleFrame or type(decoded) is QuoteFrame):
                frame = decoded
            else:
                frame = self._preprocess(decoded, answers)
                is_fast_path = self._is_fast_path
                if frame is None:
                    continue
            event_id = frame.event_id or frame.legacy_id
            if event_id:
                if event_id in recent or event_id in older:
                    frame = _Skipped(event_id)
                recent.add(event_id)
            if (
                not wants_all
                # Fast path for candles, without a call.
                and not (
                    type(frame) is CandleFrame
                    and (bar := frame.bar).symbol in wanted[bar.timeframe]
                )
                and not self._is_wanted(frame)
            ):
                is_last = type(frame) is CandleFrame and not frame.more
                frame = _Skipped(event_id, more=not is_last)
            waiting.append(frame)
        if type(decoded) is CandleFrame:
            self._continuity.latest = decoded
        self._wake()
        if len(recent) >= _REMEMBERED:
            self._older, self._recent = recent, set()
        return answers

    def _preprocess(self, frame: Frame | FrameError, answers: list[bytes]) -> _Received | None:
        """Handle what must not wait for the strategy; return the frame to deliver, if any."""
        if isinstance(frame, Ping | Pong):
            if isinstance(frame, Ping):
                answers.append(PONG)
            return None
        received: _Received
        if self.broken is not None:
            return None
        if isinstance(frame, FrameError):
            _log.warning("a frame was dropped: %s", frame, extra={"event_id": frame.event_id})
            received = _Skipped(frame.event_id)
        elif not self._is_live and (broken := self._continuity.broken_by(frame)) is not None:
            self._break_off(broken)
            return None
        else:
            received = frame
        self._handle_early(received)
        if not self._is_greeted:
            self._greet(received)
        self._is_fast_path = not self._continuity.must_check
        return received

    def _break_off(self, broken: StrategyRuntimeError) -> None:
        """Ignore all frames from now on, and acknowledge none of those still waiting."""
        self.broken, self._is_fast_path, self._is_last_here = broken, False, False
        self.waiting.clear()
        self.lost(Closed(None, "another run"))

    def _is_wanted(self, frame: _Received) -> bool:
        if isinstance(frame, CandleFrame):
            symbol, timeframe = frame.bar.symbol, frame.bar.timeframe
            is_wanted = self.wants.candle(symbol, timeframe)
            if is_wanted:
                known = self._wanted[timeframe]
                if len(known) >= _SYMBOLS:
                    known.clear()
                known.add(symbol)
            return is_wanted
        return not isinstance(frame, QuoteFrame) or self.wants.quote(frame.quote.symbol)

    def presume_connected(self) -> None:
        """Treat the proxy as connected although it has not sent CONNECTED."""
        self._resume()
        self.is_shutting_down = False
        self.waiting.append(ConnectionEvent(event=ConnectionEventKind.CONNECTED))

    def lost(self, closed: Closed) -> None:
        """The connection ended."""
        self.closed = closed
        self._wake()

    def _greet(self, frame: _Received) -> None:
        if isinstance(frame, ConnectionEvent) and frame.event is ConnectionEventKind.CONNECTED:
            self._resume()
        else:
            self.presume_connected()

    def _resume(self) -> None:
        """The proxy's run is known: carry over unconfirmed acknowledgements if it is the same."""
        self._is_greeted = True
        if self._continuity.is_same:
            self._done[:0] = self._carried
        self._carried.clear()

    def _handle_early(self, event: _Received) -> None:
        """Handle what must not wait until the event is delivered."""
        if isinstance(event, OrderEvent):
            self._order_seen(event.order)
        elif isinstance(event, BacktestComplete):
            self._is_last_here = True
        elif isinstance(event, ConnectionEvent):
            self.is_shutting_down = event.event is ConnectionEventKind.DISCONNECTING
        elif isinstance(event, ProxyErrorEvent) and event.code in _BROKEN_OFF:
            self.last_words = f"{event.code}: {event.message}"

    # Delivering and acknowledging

    @property
    def is_complete(self) -> bool:
        """Whether the last event of a backtest has been handled."""
        return self._is_last_here and not self.waiting

    @property
    def in_hand(self) -> str:
        """Id of the event being handled."""
        return "" if self._taken is None else id_of(self._taken) or ""

    def take(self) -> Iterator[Item]:
        """Iterate over the waiting events; asking for the next marks the one before as done."""
        waiting, done, tells_instants = self.waiting, self._done, self.tells_instants
        while waiting:
            frame = waiting.popleft()
            if type(frame) is CandleFrame:
                self._taken = frame
                yield frame.bar
                if tells_instants and not frame.more:
                    yield INSTANT_CLOSED
            elif not isinstance(frame, _Skipped):
                self._taken = frame
                yield unwrap(frame)
            elif tells_instants and not frame.more:
                yield INSTANT_CLOSED
            event_id = frame.event_id or frame.legacy_id
            if event_id:
                done.append(event_id)
        self._taken = None

    def take_all(self) -> list[Frame | InstantClosed]:
        """Return the waiting frames, and mark all of them as done."""
        waiting = self.waiting
        self._done += filter(None, (each.event_id or each.legacy_id for each in waiting))
        frames: list[Frame | InstantClosed] = []
        for frame in waiting:
            if not isinstance(frame, _Skipped):
                frames.append(frame)
            if self.tells_instants and isinstance(frame, CandleFrame | _Skipped) and not frame.more:
                frames.append(INSTANT_CLOSED)
        waiting.clear()
        return frames

    def ack(
        self, send: Callable[[bytes], bool], correlation: Callable[[], str], now_ms: int
    ) -> None:
        """Acknowledge all events done, in one frame; if it cannot be sent, they stay pending."""
        if self._done and send(encode_ack(self._done, correlation(), now_ms)):
            self._sent.append(self._done.copy())
            self._done.clear()


def _log_warnings(frame: Frame, warnings: list[str]) -> None:
    about = {"event_id": id_of(frame)}
    _log.warning("odd %s: %s", type(frame).__name__, "; ".join(warnings), extra=about)
