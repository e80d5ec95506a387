"""Timers: functions that are called at times of the strategy's clock."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from heapq import heappop, heappush, heapreplace
from itertools import count
from math import inf
from operator import itemgetter
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from strategy_runtime.clock import DAY_NS, ns_of, utc
from strategy_runtime.protocol.events import Event
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.runtime.clock import RunClock, time_of
from strategy_runtime.strategy.desk import TimerFunction
from strategy_runtime.strategy.timer import Timer

__all__ = ["LONG_AGO_NS", "Timers"]

LONG_AGO_NS = -(2**63)
"""Before all bars; the epoch is too late, as some price histories are a century long."""

_MOST_LATE = 100  # active timers set after the first event; setting one per event is a mistake
_DAY = timedelta(days=1)
_CORRECTION = timedelta(minutes=1)


def _nothing() -> None:
    """Ignore a timer that is set before `when_set` is replaced."""


class _Timer(Timer):
    """One timer: `following` returns its next time, `when` describes its times."""

    def __init__(self, function: TimerFunction, when: str) -> None:
        super().__init__()
        self.function = function
        self.when = when

    def following(self, moment: datetime) -> datetime:
        raise NotImplementedError

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", repr(self.function))
        return f"<Timer {self.when}: {name}{', cancelled' if self.is_cancelled else ''}>"


class _Every(_Timer):
    def __init__(self, interval: str, function: TimerFunction) -> None:
        super().__init__(function, f"every {interval}")
        self._length = parse_timeframe(interval)
        self._step = timedelta(microseconds=self._length.nanoseconds // 1000)

    def following(self, moment: datetime) -> datetime:
        if self._step > _DAY:
            return utc(self._length.span_around(ns_of(moment))[1])
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        multiple = midnight + ((moment - midnight) // self._step + 1) * self._step
        return min(multiple, midnight + _DAY)


class _At(_Timer):
    def __init__(self, time_of_day: str, function: TimerFunction, tz: tzinfo | str) -> None:
        super().__init__(function, f"at {time_of_day} {tz}")
        try:
            self._time = time.fromisoformat(time_of_day)
        except (TypeError, ValueError):
            raise ValueError(f"at({time_of_day!r}): write '09:30' or '09:30:00'") from None
        if self._time.tzinfo is not None:
            raise ValueError(f"at({time_of_day!r}): give the time zone as tz=")
        # Zones of pytz are used by name: as `tzinfo` of a time they mean local mean time.
        zone = getattr(tz, "zone", None) or tz
        try:
            self._zone = ZoneInfo(zone) if isinstance(zone, str) else zone
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
            raise _no_zone(tz) from None
        if not isinstance(self._zone, tzinfo):
            raise _no_zone(tz)

    def following(self, moment: datetime) -> datetime:
        day = moment.astimezone(self._zone).date()
        while True:
            due = datetime.combine(day, self._time, self._zone).astimezone(UTC)
            if due > moment:
                return due
            day += _DAY


def _no_zone(tz: object) -> ValueError:
    return ValueError(f"at(…, tz={tz!r}): no such time zone; try 'America/New_York'")


class Timers:
    """All timers of a strategy.

    In a backtest events advance the time, so they fire timers. Live they fire by the wall clock.

    Args:
        clock: Clock of the run.

    Attributes:
        is_set: True in a backtest while there are timers that an event might fire.
        were_set: True once a timer has been set.
        when_set: Called when a timer is added.
    """

    def __init__(self, clock: RunClock) -> None:
        self._clock = clock
        self._new: list[_Timer] = []
        """Timers that have not been scheduled yet."""
        self._agenda: list[tuple[datetime, int, _Timer]] = []
        """The others: a heap of due time, number in the order of setting, and timer."""
        self._numbers = count()
        self._next_due: datetime | None = None
        self._next_due_ns = 0
        self._latest: datetime | None = None
        self._has_begun = False
        self._late: list[_Timer] = []
        self.is_set = False
        self.were_set = False
        self.when_set: Callable[[], None] = _nothing

    def might_be_due(self, event: Event) -> bool:
        """Whether `due` might yield a timer at an event's time."""
        moment = time_of(event)
        return moment is not None and (self._next_due is None or moment >= self._next_due)

    def are_due_at(self, instant_ns: int) -> bool:
        """Whether `due` might yield a timer at an instant, in nanoseconds since the epoch."""
        return self.is_set and (self._next_due is None or instant_ns >= self._next_due_ns)

    def earliest_due_start(self, timeframe: str) -> int:
        """Return the earliest start of a bar at whose end a timer may be due.

        It is in nanoseconds since the epoch. No timer is due at the end of bars that start before.
        """
        if self._next_due is None:
            return LONG_AGO_NS
        length = parse_timeframe(timeframe)
        return self._next_due_ns - length.nanoseconds - length.months * DAY_NS

    def every(self, interval: str, function: TimerFunction) -> Timer:
        """Add a timer for every multiple of an interval within the UTC day.

        If the interval is longer than a day, it fires when bars of that length start.

        Raises:
            TimeframeError: The interval is invalid.
            RuntimeError: Too many timers are set after the first event, as in a hook.
        """
        return self._add(_Every(interval, function))

    def at(self, time_of_day: str, function: TimerFunction, tz: tzinfo | str) -> Timer:
        """Add a timer for a time of day in a time zone."""
        return self._add(_At(time_of_day, function, tz))

    def _add(self, timer: _Timer) -> Timer:
        if self._has_begun:
            self._late = [each for each in self._late if not each.is_cancelled]
            if len(self._late) == _MOST_LATE:
                raise RuntimeError(
                    f"{_MOST_LATE} timers were set after the first event and not cancelled: set "
                    "them in on_start, because one that is set at each candle fires again and "
                    "again beside the others"
                )
            self._late.append(timer)
        try:
            set_at = None if self._clock.is_live else self._clock.now
        except RuntimeError:
            set_at = None
        if set_at is None:
            self._new.append(timer)
        else:
            self._count_from(set_at, timer)
        self._next_due = None
        self.is_set = not self._clock.is_live
        self.were_set = True
        self.when_set()
        return timer

    def due(self, moment: datetime) -> Iterator[tuple[datetime, TimerFunction]]:
        """Yield what is due up to and including `moment`, in the order of time.

        A timer counts from when it was set, or, if that was before the first event, from the first
        call of this. If several of its times have passed, each is yielded.
        """
        agenda = self._agenda
        self._begin(moment)
        while (following := self._following()) is not None and following <= moment:
            self._next_due, number, timer = agenda[0]
            heapreplace(agenda, (timer.following(self._next_due), number, timer))
            yield self._next_due, timer.function
            self._begin(moment)
        self._next_due = following
        self._next_due_ns = 0 if following is None else ns_of(following)
        self.is_set = following is not None

    def overdue(self, moment: datetime) -> Iterator[TimerFunction]:
        """Return what is due by a moment, in the order of time.

        A timer of which several times have passed is called once, and one that another timer
        cancels meanwhile is not called.
        """
        self._follow(moment)
        agenda, passed = self._agenda, list[_Timer]()
        while agenda and agenda[0][0] <= moment:
            _, number, timer = agenda[0]
            heapreplace(agenda, (timer.following(moment), number, timer))
            passed.append(timer)
        return (timer.function for timer in passed if not timer.is_cancelled)

    def seconds_to_next(self, moment: datetime) -> float:
        """Return the seconds until the next timer is due; infinite if there is none."""
        self._follow(moment)
        following = self._following()
        return inf if following is None else (following - moment).total_seconds()

    def _following(self) -> datetime | None:
        """Drop cancelled timers, and return when the next one is due."""
        agenda = self._agenda
        while agenda and agenda[0][2].is_cancelled:
            heappop(agenda)
        return agenda[0][0] if agenda else None

    def _begin(self, moment: datetime) -> None:
        """Schedule new timers from a moment on, which may itself be one of their times."""
        self._has_begun = True
        for timer in self._new:
            self._count_from(moment - timedelta(microseconds=1), timer)
        self._new.clear()

    def _count_from(self, moment: datetime, timer: _Timer) -> None:
        """Schedule a timer for its first time after a moment."""
        heappush(self._agenda, (timer.following(moment), next(self._numbers), timer))

    def _follow(self, moment: datetime) -> None:
        """Schedule new timers by the wall clock, and all timers again if it was set back.

        A small correction of the clock does not count: nothing fires twice because of it.
        """
        if self._latest is not None and moment < self._latest - _CORRECTION:
            self._new[:0] = [timer for _, _, timer in sorted(self._agenda, key=itemgetter(1))]
            self._agenda.clear()
        self._latest = moment
        self._begin(moment)
