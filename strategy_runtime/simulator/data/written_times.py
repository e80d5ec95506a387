"""Converts other notations of dates and times to ISO 8601."""

import re
from typing import Literal, TypeAlias

__all__ = ["Dates", "in_iso"]

Dates: TypeAlias = Literal["dmy", "mdy"]
"""Whether the day or the month comes first in dates such as 03/04/2024."""

_REST = r"(?:,?[T ]+(.*))?"
_YEAR = r"(?P<year>\d{4}|\d\d)"
_NAME = r"([a-z]{3,9})"
_NUMBERS = re.compile(rf"(\d\d?)([/.-])(\d\d?)\2{_YEAR}{_REST}", re.ASCII)
_DAY_AND_NAME = re.compile(rf"(\d\d?)[ -]?{_NAME}[ -]?{_YEAR}{_REST}", re.ASCII | re.I)
_NAME_AND_DAY = re.compile(rf"{_NAME}\.? (\d\d?),? {_YEAR}{_REST}", re.ASCII | re.I)
_TOGETHER = re.compile(r"((?:19|20)\d{6})(\d{6})", re.ASCII)
_THOUSANDTHS = re.compile(r"(\d{8}) (\d{6})(\d{3})", re.ASCII)
_IN_HALF_DAYS = re.compile(r"(\d{4}-\d\d?-\d\d?)[T ]+(.*[AP]M)", re.ASCII | re.I)
_HALF_A_DAY = re.compile(r"(\d\d?)(:.*?)?[ -]?([AP])M", re.ASCII | re.I)
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_FIRST_YEAR_OF_TWO_DIGITS = 69


def in_iso(text: str, dates: Dates | None) -> tuple[str, int] | None:
    """Return a date, with or without a time, as ISO 8601, and the length of the date in the text.

    Return None if the text is in no known notation.

    Args:
        dates: Whether day or month comes first in numeric dates; None if unknown.

    Raises:
        ValueError: A numeric date is ambiguous, or does not fit `dates`.
    """
    if match := _TOGETHER.fullmatch(text):
        return " ".join(match.groups()), 8
    if match := _THOUSANDTHS.fullmatch(text):
        return "{} {}.{}".format(*match.groups()), 8
    if match := _IN_HALF_DAYS.fullmatch(text):
        return f"{match[1]} {_with_24_hours(match[2])}", match.end(1)
    if match := _NUMBERS.fullmatch(text):
        if dates is None:
            raise ValueError(
                f"{text!r} may mean several dates; say which with --dates mdy (month first) or "
                "--dates dmy (day first), or write it as YYYY-MM-DD"
            )
        first, _, second, year, rest = match.groups()
        day, month = (first, second) if dates == "dmy" else (second, first)
        if int(month) > len(_MONTHS):
            raise ValueError(f"{text!r} is no date of the form {dates}, which --dates says it has")
    elif match := _DAY_AND_NAME.fullmatch(text):
        day, month, year, rest = match.groups()
    elif match := _NAME_AND_DAY.fullmatch(text):
        month, day, year, rest = match.groups()
    else:
        return None
    number = month if month.isdecimal() else _number_of(month)
    if number is None:
        return None
    if len(year) == 2:
        year = f"{20 if int(year) < _FIRST_YEAR_OF_TWO_DIGITS else 19}{year}"
    date = f"{year}-{number:0>2}-{day:0>2}"
    if rest is None:
        return date, len(text)
    return f"{date} {_with_24_hours(rest)}", match.end("year")


def _number_of(month: str) -> str | None:
    name = month.lower()
    return next((str(at) for at, full in enumerate(_MONTHS, 1) if full.startswith(name)), None)


def _with_24_hours(clock: str) -> str:
    match = _HALF_A_DAY.fullmatch(clock)
    if match is None or not 1 <= int(match[1]) <= 12:
        return clock
    hour, rest, half = match.groups()
    return f"{int(hour) % 12 + 12 * (half.upper() == 'P'):02}{rest or ':00'}"
