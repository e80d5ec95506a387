"""Converts texts and numbers to nanoseconds since the epoch.

Reads ISO 8601 dates and times (with `T` or a space, with or without a zone, up to nine fraction
digits), dates with the year first and `/` or `.` between, the compact `YYYYMMDD` forms, English
names of months, and numbers since the epoch in s, ms, µs or ns, told apart by magnitude. A text
without a zone is UTC unless another zone is given. Ambiguous texts are refused, never guessed.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from strategy_runtime.clock import NANOSECONDS, ns_of, utc
from strategy_runtime.errors import ConfigError
from strategy_runtime.simulator.data.numbers import integers
from strategy_runtime.simulator.data.written_times import Dates, in_iso

__all__ = ["LONGEST_CLOCK_CHANGE", "StampReader", "instant_of", "stamp_of", "zone_of"]

LONGEST_CLOCK_CHANGE = 2 * 3600 * NANOSECONDS

_ISO = re.compile(
    r"(\d{4}-\d\d?-\d\d?|\d{4}/\d\d?/\d\d?|\d{4}\.\d\d?\.\d\d?|\d{8})"
    r"([TD ]+(\d\d?):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?)?"
    r" ?(Z|UTC|GMT|(?:UTC|GMT)?[+-]\d\d:?(?:\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
_MINUTES_TOGETHER = re.compile(r"(?:19|20)\d{10}", re.ASCII)
_OF_A_PLACE = re.compile(r"(.+\d) ([A-Za-z]+/[\w/+-]+)", re.ASCII)
_YEAR_OR_MONTH = re.compile(r"((?:1[6-9]|2[0-2])\d\d)(?:[-/.](\d\d?))?", re.ASCII)
_NUMBER = re.compile(r"(-?)(\d{1,19})(?:\.(\d*))?", re.ASCII)
_SCALES = {10: 10**9, 13: 10**6, 16: 10**3}
"""Nanoseconds per unit of integers since the epoch, by the numbers of digits that are certain."""
_UNITS = ((10**17, 0), (10**14, 3), (10**11, 6), (10**8, 9))
_FIRST_YEAR, _LAST_YEAR = 1678, 2261  # whole years that 64 bits of nanoseconds hold
_USUAL_DATE = len("2024-03-04")
_REMEMBERED = 100_000
_MOST_MISSES = 1000
_FEW, _MANY = 32, 1024
_AFTER_ALL = "\U0010ffff"
_DIGITS = "0123456789"
_PLACES = 9  # of a fraction of a second, down to nanoseconds


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its IANA name.

    Raises:
        ConfigError: There is no zone of that name.
    """
    try:
        return UTC if name.upper() == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, AttributeError, ValueError, OSError):
        raise ConfigError(
            f"{name!r} is no time zone; write its IANA name, such as America/New_York"
        ) from None


def instant_of(text: str, zone: tzinfo, origin: str, dates: Dates | None = None) -> datetime:
    """Return a single time that a user has given, as in an option.

    Args:
        zone: Zone of a time without one.
        dates: What comes first in a date whose year comes last.
        origin: Where the text comes from, for the error message.

    Raises:
        ConfigError: The text cannot be read.
    """
    try:
        return utc(StampReader(zone, dates).read(text))
    except ValueError as error:
        raise ConfigError(f"{origin}: {error}") from None


def stamp_of(moment: datetime) -> int:
    """Return nanoseconds since the epoch.

    Raises:
        ValueError: They do not fit into 64 bits.
    """
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"{moment.date()} is not within the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return ns_of(moment)


class StampReader:
    """Reads the timestamps of one file.

    Days and times of day are cached, because files repeat both, so that most timestamps cost two
    look-ups. A day that repeats all times of day of others costs little more than a comparison. The
    fractions of seconds of quotes and trades do not repeat, but their seconds do.

    Args:
        zone: Zone of times without one.
        dates: What comes first in dates whose year comes last; None refuses such dates.
        days: Cache of days, because files of one folder repeat them. It may be shared with readers
            of the same `zone` and `dates`.

    Attributes:
        is_utc: Whether times without a zone are UTC.
    """

    def __init__(
        self,
        zone: tzinfo = UTC,
        dates: Dates | None = None,
        days: dict[str, int] | None = None,
    ) -> None:
        self._zone = zone
        self._dates: Dates | None = dates
        self._elsewhere: dict[str, StampReader] = {}
        self.is_utc = zone is UTC
        self._date = _USUAL_DATE  # length of the date in a text, taken from the first one
        self._days = {} if days is None else days
        self._clocks: dict[str, int] = {}
        self._seconds: dict[str, int] = {}
        self._routine: list[str] = []
        self._nanos: Sequence[int] = []
        self._places: dict[str, int] = {}
        self._since = 0

    def read(self, text: str) -> int:
        """Return nanoseconds since the epoch.

        A date without a time means the first instant of that day.

        Raises:
            ValueError: Says what is wrong with the text.
        """
        midnight = self._days.get(text[: self._date])
        if midnight is not None:
            clock = text[self._date :]
            nanos = self._clocks.get(clock)
            if nanos is not None:
                return midnight + nanos
            second, fraction = _split(clock)
            nanos = self._seconds.get(second)
            if nanos is not None:
                return midnight + nanos + fraction
        return self._parse(text.strip())

    def read_all(self, texts: Sequence[str]) -> list[int]:
        """Read many texts.

        Raises:
            ValueError: A text cannot be read.
        """
        scale = _SCALES.get(len(texts[0]))
        if scale is not None and {*map(len, texts)} == {len(texts[0])}:
            together = "".join(texts)
            if together.isascii() and together.isdecimal():
                return [number * scale for number in integers(texts)]
        stamps: list[int] = []
        while (row := len(stamps)) < len(texts):
            day = texts[row][: self._date]
            end = bisect_left(texts, day + _AFTER_ALL, row)
            if end - row < _FEW:
                stamps += self._by_day_and_time(texts[row : row + _MANY])
                continue
            part = texts[row:end]
            stamps += self._by_routine(day, part) or self._by_day_and_time(part)
        return stamps

    def _by_routine(self, day: str, texts: Sequence[str]) -> Sequence[int] | None:
        """Read texts of one day whose times of day follow each other as on earlier days.

        Return None if they do not.
        """
        self.read(texts[0])  # caches the day
        self._since += len(texts)
        if len(self._clocks) != len(self._routine) and self._since > 4 * len(self._routine):
            self._since = 0
            self._routine = sorted(self._clocks, key=self._clocks.__getitem__)
            self._nanos = _in_steps([self._clocks[clock] for clock in self._routine])
            self._places = {clock: place for place, clock in enumerate(self._routine)}
        midnight, first = self._days.get(day), self._places.get(texts[0][self._date :])
        if midnight is None or first is None:
            return None
        upto = first + len(texts)
        clocks = self._routine[first:upto]
        # If the joined texts are equal, so is each, because no time of day has a line break.
        if len(clocks) < len(texts) or "\n".join(texts) != day + f"\n{day}".join(clocks):
            return None
        nanos = self._nanos[first:upto]
        if isinstance(nanos, range):
            return range(midnight + nanos.start, midnight + nanos.stop, nanos.step)
        return [midnight + each for each in nanos]

    def _by_day_and_time(self, texts: Sequence[str]) -> list[int]:
        """Read any texts, each by its day and its time of day."""
        days, clocks = self._days, self._clocks
        stamps: list[int] = []
        rest = iter(texts)
        for _ in range(_MOST_MISSES):
            date = self._date
            try:
                stamps.extend(days[text[:date]] + clocks[text[date:]] for text in rest)
            except KeyError:
                stamps.append(self.read(texts[len(stamps)]))
            else:
                return stamps
        stamps.extend(map(self.read, rest))
        return stamps

    def _parse(self, text: str) -> int:
        match, length = _ISO.fullmatch(text), None
        if match is None:
            written = in_iso(text, self._dates)
            if written is not None:
                match, length = _ISO.fullmatch(written[0]), written[1]
        if match is None:
            place = _OF_A_PLACE.fullmatch(text)
            return _read_other(text) if place is None else self._read_of(*place.groups())
        day, clock, hour, minute, second, fraction, zone = match.groups()
        midnight = _midnight(day)
        length = length or len(day)
        nanos = 0
        if clock is not None:
            if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 59:
                raise ValueError(f"{text!r} is no time of day")
            seconds = int(hour) * 3600 + int(minute) * 60 + int(second or 0)
            nanos = seconds * NANOSECONDS + int((fraction or "0").ljust(9, "0"))
        if zone is not None:
            nanos -= _offset(zone)
            if self.is_utc:
                self._remember(text, length, midnight, nanos)
            return midnight + nanos
        if not self.is_utc:
            offset = _offset_all_day(midnight, self._zone)
            if offset is None:
                return _from_local(midnight, nanos, self._zone, text, is_date=clock is None)
            midnight -= offset
        self._remember(text, length, midnight, nanos)
        return midnight + nanos

    def _read_of(self, text: str, name: str) -> int:
        """Read a time that is followed by the name of its zone."""
        reader = self._elsewhere.get(name)
        if reader is None:
            try:
                reader = StampReader(zone_of(name), self._dates)
            except ConfigError as error:
                raise ValueError(str(error)) from None
            self._elsewhere[name] = reader
        return reader.read(text)

    def _remember(self, text: str, length: int, midnight: int, nanos: int) -> None:
        if not self._clocks:
            self._date = length
        if length != self._date:
            return
        if len(self._clocks) >= _REMEMBERED:
            self._clocks.clear()
            self._seconds.clear()
        clock = text[length:]
        self._days[text[:length]] = midnight
        self._clocks[clock] = nanos
        second, fraction = _split(clock)
        if second:
            self._seconds[second] = nanos - fraction


def _split(clock: str) -> tuple[str, int]:
    """Return a time of day without the fraction of its second, and that in nanoseconds; the text is
    empty if it has no fraction, or one that is too long.
    """
    second, _, rest = clock.partition(".")
    zone = rest.lstrip(_DIGITS)
    size = len(rest) - len(zone)
    if not 0 < size <= _PLACES:
        return "", 0
    return second + zone, int(rest[:size]) * 10 ** (_PLACES - size)


def _in_steps(numbers: list[int]) -> Sequence[int]:
    """Return numbers as a range if they are evenly spaced, else unchanged."""
    if len(numbers) < 2 or numbers[0] == numbers[1]:
        return numbers
    steps = range(numbers[0], numbers[-1] + 1, numbers[1] - numbers[0])
    return steps if list(steps) == numbers else numbers


@lru_cache(maxsize=256)
def _midnight(day: str) -> int:
    """Return the start of a day in UTC."""
    year, month, number = (day[:4], day[4:6], day[6:]) if day.isdecimal() else day.split(day[4])
    try:
        moment = datetime(int(year), int(month), int(number), tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{day!r} is no date") from None
    return stamp_of(moment)


def _offset(zone: str) -> int:
    """Return the nanoseconds by which a written offset is ahead of UTC."""
    zone = zone.upper().removeprefix("UTC").removeprefix("GMT")
    if zone in ("Z", ""):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError(f"{zone!r} is no offset from UTC")
    seconds = hours * 3600 + minutes * 60
    return (-seconds if zone[0] == "-" else seconds) * NANOSECONDS


def _offset_all_day(midnight: int, zone: tzinfo) -> int | None:
    """Return the nanoseconds a zone is ahead of UTC; None if its clocks change on that day."""
    local = utc(midnight).replace(tzinfo=zone)
    first, last = local.utcoffset(), (local + timedelta(days=1)).utcoffset()
    if first is None or first != last:
        return None
    return round(first.total_seconds()) * NANOSECONDS


def _from_local(midnight: int, nanos: int, zone: tzinfo, text: str, *, is_date: bool) -> int:
    rest = nanos % NANOSECONDS
    aware = utc(midnight + nanos - rest).replace(tzinfo=zone)
    moment = aware.astimezone(UTC)
    if not is_date:
        if moment.astimezone(zone).replace(tzinfo=None) != aware.replace(tzinfo=None):
            raise ValueError(f"{text!r} does not exist in {zone}: the clocks went forward")
        if aware.replace(fold=1).utcoffset() != aware.utcoffset():
            raise ValueError(
                f"{text!r} is ambiguous in {zone}: the clocks went back; give UTC offsets"
            )
    return ns_of(moment) + rest


def _read_other(text: str) -> int:
    if _MINUTES_TOGETHER.fullmatch(text) and _is_minute(text):
        raise ValueError(
            f"{text!r} may be a date and time or milliseconds since the epoch; write a space "
            "after the date"
        )
    part = _YEAR_OR_MONTH.fullmatch(text)
    if part is not None:
        year, month = part.groups()
        what = "a year" if month is None else "a month"
        raise ValueError(f"{text!r} is {what}; write it as {year}-{int(month or 1):02}-01")
    number = _NUMBER.fullmatch(text)
    if number is None:
        raise ValueError(f"{text!r} is no time; write it as 2024-03-04T14:30:00Z")
    sign, whole, fraction = number.groups()
    for least, digits in _UNITS:
        if int(whole) >= least:
            stamp = int(sign + whole + (fraction or "")[:digits].ljust(digits, "0"))
            if abs(stamp) < 2**63:
                return stamp
    raise ValueError(f"{text!r} is no time since the epoch in s, ms, µs or ns")


def _is_minute(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True
