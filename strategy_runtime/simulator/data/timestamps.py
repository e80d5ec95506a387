"""Texts and numbers to nanoseconds since the epoch.

ISO 8601 dates and times (with `T` or a blank, a zone or none, up to nine fraction digits), the
compact `YYYYMMDD` forms, and numbers since the epoch in s, ms, µs or ns, told apart by magnitude.
A text without a zone is UTC unless another zone is given.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from strategy_runtime.clock import NANOSECONDS, ns_of
from strategy_runtime.errors import ConfigError

__all__ = ["StampReader", "zone_of"]

_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d|\d{8})(?:[T ]+(\d\d?):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?)?"
    r" ?(Z|UTC|[+-]\d\d:?(?:\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
_SLASHES = re.compile(r"\d{1,4}[/.]\d{1,2}[/.]\d{1,4}.*")
_UNITS = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (10**8, 10**9))


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name.

    Raises:
        ConfigError: There is none of that name.
    """
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"{name!r} is no time zone; write its IANA name, such as America/New_York"
        ) from None


class StampReader:
    """Reads the stamps of one file; days are looked up, so that a row costs little."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._zone = zone
        self._is_utc = zone is UTC
        self._days: dict[str, int] = {}

    def read(self, text: str) -> int:
        """Nanoseconds since the epoch.

        Raises:
            ValueError: Says what is wrong with the text.
        """
        match = _ISO.fullmatch(text)
        if match is None:
            return self._read_other(text)
        day, hour, minute, second, fraction, zone = match.groups()
        seconds = 0
        if hour is not None:
            seconds = int(hour) * 3600 + int(minute) * 60 + int(second or 0)
            if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 59:
                raise ValueError(f"{text!r} is no time of day")
        nanos = seconds * NANOSECONDS + (int(fraction.ljust(9, "0")) if fraction else 0)
        midnight = self._days.get(day)
        if midnight is None:
            midnight = self._days[day] = _midnight(day)
        if zone is not None:
            return midnight + nanos - _offset(zone)
        if self._is_utc:
            return midnight + nanos
        return self._from_local(midnight, seconds, nanos, text)

    def _from_local(self, midnight: int, seconds: int, nanos: int, text: str) -> int:
        local = datetime.fromtimestamp(midnight // NANOSECONDS, UTC) + timedelta(seconds=seconds)
        aware = local.replace(tzinfo=self._zone)
        moment = aware.astimezone(UTC)
        if moment.astimezone(self._zone).replace(tzinfo=None) != aware.replace(tzinfo=None):
            raise ValueError(f"{text!r} does not exist in {self._zone}: the clocks went forward")
        if aware.replace(fold=1).utcoffset() != aware.utcoffset():
            raise ValueError(
                f"{text!r} is ambiguous in {self._zone}: the clocks went back; give UTC offsets"
            )
        return ns_of(moment) + nanos % NANOSECONDS

    def _read_other(self, text: str) -> int:
        try:
            whole, _, fraction = text.partition(".")
            number = int(whole)
        except ValueError:
            if _SLASHES.fullmatch(text):
                raise ValueError(
                    f"{text!r} may mean several dates; write it as YYYY-MM-DD"
                ) from None
            raise ValueError(f"{text!r} is no time; write it as 2024-03-04T14:30:00Z") from None
        for least, unit in _UNITS:
            if abs(number) >= least:
                part = int(float(f"0.{fraction}") * unit) if fraction else 0
                return number * unit + part
        raise ValueError(f"{text!r} is no time since the epoch in s, ms, µs or ns")


def _midnight(day: str) -> int:
    form = "%Y-%m-%d" if "-" in day else "%Y%m%d"
    try:
        return ns_of(datetime.strptime(day, form).replace(tzinfo=UTC))
    except ValueError:
        raise ValueError(f"{day!r} is no date") from None


def _offset(zone: str) -> int:
    if zone.upper() in ("Z", "UTC"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return (-seconds if zone[0] == "-" else seconds) * NANOSECONDS
