"""Time: the only module that reads a clock or sleeps.

Instants are integer nanoseconds since the epoch inside the package and aware UTC datetimes at
its surface; this module converts between the two.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

__all__ = [
    "DAY_NS",
    "NANOSECONDS",
    "monotonic",
    "now",
    "now_ms",
    "now_s",
    "ns_of",
    "rfc3339",
    "sleep",
    "stopwatch",
    "utc",
]

NANOSECONDS = 1_000_000_000
"""In a second."""

_DAY_SECONDS = 86_400
DAY_NS = _DAY_SECONDS * NANOSECONDS
"""Nanoseconds in a day."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    """The wall clock, aware and in UTC."""
    return datetime.fromtimestamp(time.time(), UTC)


def now_s() -> float:
    """The wall clock in seconds since the epoch."""
    return time.time()


def now_ms() -> int:
    """The wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Seconds on a clock that never jumps; for deadlines and durations only."""
    return time.monotonic()


def stopwatch() -> Callable[[], float]:
    """What tells the seconds of `monotonic`, for whoever asks at every event: it is no detour."""
    return time.monotonic


async def sleep(seconds: float) -> None:
    """Suspend the calling task."""
    await asyncio.sleep(seconds)


@lru_cache(maxsize=256)
def utc(nanoseconds: int) -> datetime:
    """The aware UTC datetime of an instant; below a microsecond it is cut off."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment + timedelta(microseconds=rest // 1000) if rest else moment


def ns_of(moment: datetime) -> int:
    """Nanoseconds since the epoch of an aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND * 1000


def rfc3339(nanoseconds: int) -> str:
    """An instant as RFC 3339 text in UTC, with the digits it needs: `2024-03-04T14:30:00Z`."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    days, seconds = divmod(seconds, _DAY_SECONDS)
    if not rest:
        return f"{_date(days)}T{_time_of_day(seconds)}Z"
    return f"{_date(days)}T{_time_of_day(seconds)}.{rest:09d}".rstrip("0") + "Z"


@lru_cache(maxsize=256)
def _date(days: int) -> str:
    return (_EPOCH + timedelta(days=days)).date().isoformat()


@lru_cache(maxsize=2048)
def _time_of_day(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"
