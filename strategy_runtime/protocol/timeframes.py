"""Timeframes such as `1m`, `4h` or `1d`, and the bars they divide time into."""

import re
from calendar import monthrange
from datetime import MAXYEAR, datetime, timedelta
from functools import lru_cache

from msgspec import Struct

from strategy_runtime.clock import DAY_NS, NANOSECONDS, ns_of, utc
from strategy_runtime.errors import TimeframeError

__all__ = ["KNOWN_TIMEFRAMES", "Timeframe", "parse_timeframe"]

_PATTERN = re.compile(r"([1-9]\d{0,5})([smhdwM])", re.ASCII)
_LONGEST = 100 * 366 * 86_400
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

_WEEK = 7 * DAY_NS
_MONDAY = 4 * DAY_NS  # the epoch started on a Thursday

KNOWN_TIMEFRAMES = "1s 5s 10s 15s 30s 1m 2m 3m 5m 10m 15m 30m 1h 2h 4h 6h 8h 12h 1d 1w 1M".split()
"""Common timeframes, finest first; any other `<number><s|m|h|d|w|M>` is valid too."""


class Timeframe(Struct, frozen=True):
    """The length of a bar.

    Attributes:
        text: As written, `5m`.
        seconds: Its length, or None for months, which differ in length.
        months: Number of calendar months, else 0.
    """

    text: str
    seconds: int | None
    months: int = 0

    @property
    def nanoseconds(self) -> int:
        """Length in nanoseconds; a month counts as 30 days, so use it only to compare."""
        seconds = self.months * 30 * 86_400 if self.seconds is None else self.seconds
        return seconds * NANOSECONDS

    def is_as_long_as(self, other: "Timeframe") -> bool:
        """Whether another timeframe has the same length, such as `60m` and `1h`."""
        return (self.seconds, self.months) == (other.seconds, other.months)

    def span_around(self, instant_ns: int) -> tuple[int, int]:
        """Return start and end of the bar that contains an instant, in nanoseconds since the epoch.

        Bars are aligned to UTC: hours start on the full hour, weeks on Monday, months on their
        first day; several months are counted from January of the year 0.
        """
        if self.seconds is None:
            moment = utc(instant_ns)
            first = (moment.year * 12 + moment.month - 1) // self.months * self.months
            start = moment.replace(
                year=first // 12,
                month=first % 12 + 1,
                day=1,
                hour=0,
                minute=0,
                second=0,
                microsecond=0,
            )
            return ns_of(start), ns_of(self.end_of(start))
        step = self.seconds * NANOSECONDS
        shift = _MONDAY if step % _WEEK == 0 else 0
        begin = (instant_ns - shift) // step * step + shift
        return begin, begin + step

    def is_made_of(self, step_ns: int) -> bool:
        """Whether whole bars of a length in nanoseconds fill each of its bars."""
        if self.seconds is None:
            return DAY_NS % step_ns == 0
        return self.nanoseconds % step_ns == 0

    def end_of(self, start: datetime) -> datetime:
        """Return the end of a bar that starts at `start`.

        Raises:
            OverflowError: It is beyond the calendar.
        """
        if self.seconds is not None:
            return start + timedelta(0, self.seconds)  # a third of the time that `seconds=` takes
        years, month = divmod(start.month - 1 + self.months, 12)
        year, month = start.year + years, month + 1
        if year > MAXYEAR:
            raise OverflowError(
                f"no bar of {self.text} from {start} ends before the year {MAXYEAR}"
            )
        return start.replace(year=year, month=month, day=min(start.day, monthrange(year, month)[1]))


@lru_cache(maxsize=256)
def parse_timeframe(text: str) -> Timeframe:
    """Parse a timeframe.

    Raises:
        TimeframeError: `text` does not have the form `<number><s|m|h|d|w|M>`, or is longer than a
            century.
    """
    match = _PATTERN.fullmatch(str(text))  # passing a number of minutes is an easy mistake
    if match is None:
        raise TimeframeError(
            f"{text!r} is not a timeframe; write a number and one of s m h d w M, "
            "such as 1m, 4h or 1d"
        )
    number, unit = int(match[1]), match[2]
    timeframe = (
        Timeframe(text, None, number) if unit == "M" else Timeframe(text, number * _SECONDS[unit])
    )
    if timeframe.nanoseconds > _LONGEST * NANOSECONDS:
        raise TimeframeError(f"{text!r} is longer than a century")
    return timeframe
