"""What a proxy has sent: bytes become events, handled ones acknowledgements. Free of I/O.

The order of the acknowledgements is that of the events, and every frame with an id has its place
among them: malformed ones, unknown ones, repetitions and those beyond the subscriptions too.
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
    BacktestComplete,
    CandleFrame,
    ConnectionEvent,
    Event,
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
# Where a hook blocks while the connection goes down, its own ack is sent in vain, and so is that of
# what had come by then and is read only afterwards. To send them once more does no harm.
_IN_DOUBT = 2
_BROKEN_OFF = ("DATA_ERROR", "INTERNAL_ERROR")

_log = logging.getLogger("strategy_runtime")


class _PassedOver(Struct, gc=False):
    """A frame of which nothing but its id is of interest."""

    event_id: str | None
    legacy_id: None = None


_Received = Frame | _PassedOver


class Inbox:
    """Frames received, over all connections of a run; a `Receiver`.

    Args:
        default_timeframe: Of candles that do not say.
        subscriptions: Candles and quotes beyond them are acknowledged and passed over.
        is_live: Nothing is sent again on a new connection, so ids that are repeated there name
            something new.
        wake: Called when something has come, be it but a ping, and when the connection has ended.
        sighted: Called with the order of every order event at once, before its turn has come.

    Attributes:
        closed: How the present connection ended; None while it has not.
        is_leaving: The proxy has said that it goes down.
        broken: Why the run cannot go on with what the proxy sends, which is passed over from then
            on; None while it can.
        last_words: What it said had broken its backtest.
        waiting: What there is to take.
        wants: Which candles and quotes are taken.
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        *,
        default_timeframe: str,
        is_live: bool,
        wake: Callable[[], object],
        sighted: Callable[[Order], object],
    ) -> None:
        self.closed: Closed | None = None
        self.is_leaving = False
        self.broken: StrategyRuntimeError | None = None
        self.last_words: str | None = None
        self.waiting: deque[_Received] = deque()
        self._decode = FrameDecoder(
            default_timeframe=default_timeframe, subscriptions=subscriptions, odd=_say_odd
        ).decode
        self._wants_all = not len(subscriptions)
        self.wants = Wanted(subscriptions)
        self._wanted: defaultdict[str, set[str]] = defaultdict(set)
        self._is_live = is_live
        self._wake = wake
        self._sighted = sighted
        self._taken: Frame | None = None
        self._is_greeted = False
        self._is_usual = False  # candles and quotes need no look of their own
        self._continuity = Continuity()
        self._is_last_here = False
        self._done: list[str] = []
        self._sent: deque[list[str]] = deque(maxlen=_IN_DOUBT)
        self._carried: list[str] = []
        self._recent: set[str] = set()
        self._older: set[str] = set()

    # Arriving

    def opened(self) -> None:
        """A new connection; what is said on it is yet to come."""
        self.closed, self._is_greeted, self._is_usual = None, False, False
        if self._is_live:
            self._recent, self._older = set(), set()
        else:
            self._continuity.opened()
            self._carried += [*chain.from_iterable(self._sent), *self._done]
        self._sent.clear()
        self._done.clear()

    def feed(self, messages: list[bytes]) -> Sequence[bytes]:
        """Take the payloads of messages; gives back what has to be answered at once."""
        waiting, recent, older = self.waiting, self._recent, self._older
        is_usual, wants_all, wanted = self._is_usual, self._wants_all, self._wanted
        answers: list[bytes] = []
        decoded: Frame | FrameError | None = None
        for decoded in self._decode(messages):
            frame: _Received | None
            if is_usual and (type(decoded) is CandleFrame or type(decoded) is QuoteFrame):
                frame = decoded
            else:
                frame = self._heeded(decoded, answers)
                is_usual = self._is_usual
                if frame is None:
                    continue
            event_id = frame.event_id or frame.legacy_id
            if event_id:
                if event_id in recent or event_id in older:
                    frame = _PassedOver(event_id)
                recent.add(event_id)
            if (
                not wants_all
                # What nearly every frame of a stream is, without a call.
                and not (
                    type(frame) is CandleFrame
                    and (bar := frame.bar).symbol in wanted[bar.timeframe]
                )
                and not self._is_wanted(frame)
            ):
                frame = _PassedOver(event_id)
            waiting.append(frame)
        if type(decoded) is CandleFrame:
            self._continuity.latest = decoded
        self._wake()
        if len(recent) >= _REMEMBERED:
            self._older, self._recent = recent, set()
        return answers

    def _heeded(self, frame: Frame | FrameError, answers: list[bytes]) -> _Received | None:
        """See to what matters before the strategy's turn has come; None if that was all."""
        if isinstance(frame, Ping | Pong):
            if isinstance(frame, Ping):
                answers.append(PONG)
            return None
        received: _Received
        if self.broken is not None:
            return None
        if isinstance(frame, FrameError):
            _log.warning("a frame was dropped: %s", frame, extra={"event_id": frame.event_id})
            received = _PassedOver(frame.event_id)
        elif not self._is_live and (broken := self._continuity.broken_by(frame)) is not None:
            self._break_off(broken)
            return None
        else:
            received = frame
        self._note(received)
        if not self._is_greeted:
            self._greet(received)
        self._is_usual = not self._continuity.is_open
        return received

    def _break_off(self, broken: StrategyRuntimeError) -> None:
        """Take nothing any more, and acknowledge nothing of it."""
        self.broken, self._is_usual, self._is_last_here = broken, False, False
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
        """The proxy does not greet: take it as connected."""
        self._go_on()
        self.is_leaving = False
        self.waiting.append(ConnectionEvent(event=ConnectionEventKind.CONNECTED))

    def lost(self, closed: Closed) -> None:
        """The connection has ended."""
        self.closed = closed
        self._wake()

    def _greet(self, frame: _Received) -> None:
        if isinstance(frame, ConnectionEvent) and frame.event is ConnectionEventKind.CONNECTED:
            self._go_on()
        else:
            self.presume_connected()

    def _go_on(self) -> None:
        """It is known where the connection leads to."""
        self._is_greeted = True
        if self._continuity.is_same:
            self._done[:0] = self._carried
        self._carried.clear()

    def _note(self, event: _Received) -> None:
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
    def is_complete(self) -> bool:
        """Whether the last event of a backtest has been handled."""
        return self._is_last_here and not self.waiting

    @property
    def in_hand(self) -> str:
        """Id of the event that was taken last and is not done yet."""
        return "" if self._taken is None else id_of(self._taken) or ""

    def take(self) -> Iterator[Event]:
        """What is at hand; asking for the next marks the one before as done."""
        waiting, done = self.waiting, self._done
        while waiting:
            frame = waiting.popleft()
            if type(frame) is CandleFrame:
                self._taken = frame
                yield frame.bar
            elif not isinstance(frame, _PassedOver):
                self._taken = frame
                yield unwrap(frame)
            event_id = frame.event_id or frame.legacy_id
            if event_id:
                done.append(event_id)
        self._taken = None

    def take_all(self) -> list[Frame]:
        """What is at hand, all of it done at once."""
        waiting = self.waiting
        self._done += filter(None, (each.event_id or each.legacy_id for each in waiting))
        frames = [each for each in waiting if not isinstance(each, _PassedOver)]
        waiting.clear()
        return frames

    def ack(
        self, send: Callable[[bytes], bool], correlation: Callable[[], str], now_ms: int
    ) -> None:
        """Acknowledge everything that is done, in one frame; what cannot be sent remains so."""
        if self._done and send(encode_ack(self._done, correlation(), now_ms)):
            self._sent.append(self._done.copy())
            self._done.clear()


def _say_odd(frame: Frame, warnings: list[str]) -> None:
    about = {"event_id": id_of(frame)}
    _log.warning("odd %s: %s", type(frame).__name__, "; ".join(warnings), extra=about)
