"""Numbers and texts: which ones can be sent and stored exactly, and how to write them."""

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
"""Starts an escape in JSON; an int, since `int in bytes` is faster than `bytes in bytes`."""

NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
"""The text of a decimal number."""

# A member whose string has only characters of numbers, but is not a plain number. The three
# alternatives start with different characters, so that most texts fail at their first one. No group
# is possessive, because Python 3.11.2 loses its place after one that does not match.
_ODD_NUMBER = re.compile(
    rb""":\s*"(?:
        \d{1,19}+(?:[-+\s\d_eE]|\.(?!\d{1,19}+"))[-+\s\d._eE]*+
        | [+\s._eE][-+\s\d._eE]*+
        | -(?!\d{1,19}+(?:\.\d{1,19}+)?")[-+\s\d._eE]*+
    )\"""",
    re.VERBOSE,
)
_BOUNDS = Context(
    prec=38, Emin=-38, Emax=38, traps=[Inexact, InvalidOperation, Overflow, Subnormal]
)


FINEST = Decimal("1e-18")
"""The smallest fraction of a unit."""

LONG = Context(prec=99)
"""Rounds amounts of any size to a decimal place; Python's default context has 28 digits, and fails
if the result needs more."""

_PLAINLY_SHORT = len(f"{FINEST:f}")
_CUT = Context(prec=999, rounding=ROUND_DOWN)


@lru_cache(maxsize=4096, typed=True)
def decimal_of(price: float) -> Decimal:
    """Convert a price to the decimal that its repr shows; cached, since prices recur."""
    return Decimal(repr(price))


def cut_to_finest(quantity: Decimal) -> Decimal:
    """Cut a quantity to 18 decimal places, the finest division of any unit.

    A division returns 28 digits. Adding two such quantities would need more and round, so that
    buying in parts and selling the same parts would leave a residue.
    """
    text = str(quantity)  # eight times as fast as as_tuple()
    if len(text) <= _PLAINLY_SHORT and "E" not in text:
        return quantity
    cut = _CUT.quantize(quantity, FINEST)
    return quantity if cut == quantity else cut


def in_digits(number: Decimal) -> str:
    """Format a decimal without exponent and trailing zeros, so that `1.50` equals `1.5`."""
    if not number:
        return "0"
    text = str(number)
    if "E" in text:
        text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_sound(*numbers: Decimal | None) -> bool:
    """Whether numbers that are not None are 0, or have up to 38 digits, from 1e-38 to 1e38."""
    try:
        for number in numbers:  # twice as fast as all()
            if number is not None and not _BOUNDS.plus(number).is_finite():
                return False
    except ArithmeticError:
        return False
    return True


def has_only_plain_numbers(raw: bytes) -> bool:
    """Whether every quoted number in a JSON text is written like `-12.50`.

    The typed decoder accepts whatever Decimal() does, including `"1_000"` and `" 1"`.
    """
    return raw.isascii() and BACKSLASH not in raw and _ODD_NUMBER.search(raw) is None


def is_unicode(text: str) -> bool:
    """Whether text can be encoded: JSON can escape lone surrogates, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def plain_data(value: Any) -> Any:
    """Convert data to what can be printed and written anywhere: floats, and valid Unicode.

    A number too large for a float becomes text, a lone surrogate becomes a question mark.
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
