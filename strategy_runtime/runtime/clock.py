"""The strategy's clock: simulated time in a backtest, the wall clock live.

Simulated time comes from the events: a candle happens when its bar ends, an order's change when
the venue says it was changed. The timestamp of a frame is never used if the payload has one, since
a proxy may put its own wall clock there.
"""

from datetime import datetime

from strategy_runtime.clock import monotonic, now
from strategy_runtime.protocol.events import CandleRun, Event, OrderEvent, PositionEvent, TradeEvent
from strategy_runtime.protocol.models import Candle, Quote
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.strategy.desk import Mode

__all__ = ["RunClock", "time_of"]

_MICROSECONDS = 1_000_000


class RunClock:
    """The current time of the strategy; in a backtest it never goes back.

    Attributes:
        event: The last event with a timestamp, or the candle run that it belongs to.
        is_live: Whether it is the wall clock.
    """

    __slots__ = ("_reached", "event", "is_live")

    def __init__(self, mode: Mode) -> None:
        self.is_live = mode == "live"
        self._reached: datetime | None = None
        self.event: Event | CandleRun | None = None

    @property
    def latest(self) -> Event | None:
        """The last event with a timestamp."""
        return self.event.last if isinstance(self.event, CandleRun) else self.event

    @property
    def is_between_events(self) -> bool:
        """Whether the time is between two events, as when a timer of a backtest fires."""
        return self.event is None and self._reached is not None

    @property
    def now(self) -> datetime:
        """The current time, aware and in UTC.

        Raises:
            RuntimeError: Simulated time has not started yet.
        """
        if self.is_live:
            return now()
        latest = self.latest
        moment = None if latest is None else time_of(latest)
        if moment is not None and (self._reached is None or moment > self._reached):
            self._reached = moment
        if self._reached is None:
            raise RuntimeError("simulated time begins with the first event; `now` is not known yet")
        return self._reached

    def seconds(self) -> float:
        """Return seconds of which only differences matter.

        Live they are monotonic; in a backtest they count from the epoch, and are 0 before the
        first event.
        """
        if self.is_live:
            return monotonic()
        event = self.event
        if isinstance(event, CandleRun) and event.last is not None:
            length = parse_timeframe(event.last.timeframe).seconds
            if length is not None:
                begin: int = event.last.stamp  # type: ignore[assignment]  # made in process
                return (begin // 1000 + length * _MICROSECONDS) / _MICROSECONDS
        try:
            return self.now.timestamp()
        except RuntimeError:
            return 0.0

    def reach(self, moment: datetime) -> None:
        """Advance to a moment between two events, for a timer."""
        self.event = None
        if self._reached is None or moment > self._reached:
            self._reached = moment


def time_of(event: Event) -> datetime | None:
    """Return the timestamp of an event, or None if it has none."""
    if isinstance(event, Candle):
        return event.end
    if isinstance(event, Quote):
        return event.timestamp
    if isinstance(event, OrderEvent):
        return event.order.updated_at
    if isinstance(event, TradeEvent):
        return event.trade.timestamp
    return event.position.updated_at if isinstance(event, PositionEvent) else None
