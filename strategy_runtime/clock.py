"""Time: the only module that reads a clock or sleeps.

Inside the package an instant is an integer of nanoseconds since the epoch; in the public API it is
an aware UTC datetime. This module converts between the two.
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
"""Nanoseconds in a second."""

_DAY_SECONDS = 86_400
DAY_NS = _DAY_SECONDS * NANOSECONDS
"""Nanoseconds in a day."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    """Return the wall clock as an aware UTC datetime."""
    return datetime.fromtimestamp(time.time(), UTC)


def now_s() -> float:
    """Return the wall clock in seconds since the epoch."""
    return time.time()


def now_ms() -> int:
    """Return the wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Return seconds on a clock that never jumps; for deadlines and durations only."""
    return time.monotonic()


def stopwatch() -> Callable[[], float]:
    """Return the clock behind `monotonic`, without the extra call; for use at every event."""
    return time.monotonic


async def sleep(seconds: float) -> None:
    """Suspend the calling task."""
    await asyncio.sleep(seconds)


@lru_cache(maxsize=256)
def utc(nanoseconds: int) -> datetime:
    """Convert an instant to an aware UTC datetime, truncated to microseconds."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment + timedelta(microseconds=rest // 1000) if rest else moment


def ns_of(moment: datetime) -> int:
    """Convert an aware datetime to nanoseconds since the epoch."""
    return (moment - _EPOCH) // _MICROSECOND * 1000


def rfc3339(nanoseconds: int) -> str:
    """Format an instant as RFC 3339 in UTC, without trailing zeros: `2024-03-04T14:30:00Z`."""
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
