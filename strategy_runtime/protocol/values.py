"""Numbers and texts: which can be sent and kept exactly, and how they are written."""

import re
from decimal import (
    ROUND_DOWN,
    Context,
    Decimal,
    Inexact,
    InvalidOperation,
    Overflow,
    Subnormal,
)
from functools import lru_cache
from math import isfinite
from typing import Any

__all__ = [
    "BACKSLASH",
    "FINEST",
    "LONG",
    "NUMBER",
    "cut_to_finest",
    "decimal_of",
    "has_only_plain_numbers",
    "in_digits",
    "is_sound",
    "is_unicode",
    "plain_data",
]

BACKSLASH = ord("\\")
"""With which characters are spelt in JSON; as a number, since bytes look for bytes less quickly."""

NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
"""A decimal number as text."""

# A member that is a string of nothing but the characters of numbers, and not plainly a number.
# The three alternatives begin with different characters, so that most texts fail at their first.
_ODD_NUMBER = re.compile(
    rb""":\s*"(?:
        \d{1,19}+(?:\.\d{1,19}+)?+[-+\s\d._eE]++
        | [+\s._eE][-+\s\d._eE]*+
        | -(?!\d{1,19}+(?:\.\d{1,19}+)?+")[-+\s\d._eE]*+
    )\"""",
    re.VERBOSE,
)
_BOUNDS = Context(
    prec=38, Emin=-38, Emax=38, traps=[Inexact, InvalidOperation, Overflow, Subnormal]
)


FINEST = Decimal("1e-18")
"""The least that there can be of a unit."""

LONG = Context(prec=99)
"""To round amounts of any size to a decimal place; what Python has by default holds 28 digits, and
fails where there are more up to that place."""

_PLAINLY_SHORT = len(f"{FINEST:f}")
_CUT = Context(prec=999, rounding=ROUND_DOWN)


@lru_cache(maxsize=4096, typed=True)
def decimal_of(price: float) -> Decimal:
    """A price as the decimal it is written as; prices come again, so many are kept."""
    return Decimal(repr(price))


def cut_to_finest(quantity: Decimal) -> Decimal:
    """A quantity to 18 decimal places, which is as finely as any unit is divided.

    What divisions leave has 28 digits. The sum of two such would need more and be rounded, and what
    is bought in parts and sold in the same parts would leave something.
    """
    text = str(quantity)  # takes an eighth of the time of as_tuple()
    if len(text) <= _PLAINLY_SHORT and "E" not in text:
        return quantity
    cut = _CUT.quantize(quantity, FINEST)
    return quantity if cut == quantity else cut


def in_digits(number: Decimal) -> str:
    """A decimal as digits only: no exponent, no zeros at the end, so `1.50` and `1.5` are one."""
    if not number:
        return "0"
    text = str(number)
    if "E" in text:
        text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_sound(*numbers: Decimal | None) -> bool:
    """Whether numbers, where given, are finite, of up to 38 digits and from 1e-38 to 1e38, or 0."""
    try:
        for number in numbers:  # a loop costs half of all()
            if number is not None and not _BOUNDS.plus(number).is_finite():
                return False
    except ArithmeticError:
        return False
    return True


def has_only_plain_numbers(raw: bytes) -> bool:
    """Whether every member of a JSON text that is a number in quotes is written like `-12.50`.

    The typed decoder takes whatever Decimal() does, `"1_000"` and `" 1"` included.
    """
    return raw.isascii() and BACKSLASH not in raw and _ODD_NUMBER.search(raw) is None


def is_unicode(text: str) -> bool:
    """Whether text can be sent: JSON can spell halves of surrogate pairs, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def plain_data(value: Any) -> Any:
    """The same data as anybody can print and write it: floats, and whole characters.

    A number too large for a float becomes text, half a surrogate pair a question mark.
    """
    if isinstance(value, str):
        return value if is_unicode(value) else value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {plain_data(key): plain_data(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_data(item) for item in value]
    if isinstance(value, Decimal):
        number = float(value)
        return number if isfinite(number) else str(value)
    return value
