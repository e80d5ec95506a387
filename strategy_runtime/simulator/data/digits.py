"""Compares columns of floats, many rows at a time.

The bits of non-negative floats, read as integers, sort like the floats. So a column is read as one
large integer with a 64-bit digit per row, and one subtraction compares two columns row by row. The
sign bits, which are all 0, are set in the first integer before the second is subtracted; where one
is still set afterwards, the first was not less in that row.
"""

import sys
from collections.abc import Iterable
from functools import lru_cache
from struct import pack
from typing import Any, TypeAlias

__all__ = [
    "GREATEST",
    "LEAST",
    "Digits",
    "are_apart",
    "are_at_most",
    "are_signed",
    "digits_of",
    "repeated",
]

Digits: TypeAlias = int

LEAST = 5e-324
GREATEST = sys.float_info.max
_BITS = 64


def digits_of(column: "memoryview[Any]") -> Digits:
    """Return the rows of a column as digits."""
    return int.from_bytes(column, sys.byteorder)


def repeated(number: float, rows: int) -> Digits:
    """Return digits with the same number in every row."""
    most = 1 << (rows - 1).bit_length()
    return _repeated(number, most) >> _BITS * (most - rows)


def are_signed(columns: Iterable[Digits], rows: int) -> bool:
    """Return whether any number has a sign bit, so that the columns cannot be compared."""
    together = 0
    for column in columns:
        together |= column
    return together & repeated(-0.0, rows) != 0


def are_at_most(pairs: Iterable[tuple[Digits, Digits]], rows: int) -> bool:
    """Return whether in every row the first of each pair is at most the second; none has a sign.

    Infinity is greater than any number, and NaN is greater than infinity.
    """
    signs = left = repeated(-0.0, rows)
    for lower, upper in pairs:
        left &= (upper | signs) - lower
    return left == signs


def are_apart(numbers: "memoryview[int]", step: int) -> bool:
    """Return whether integers in rising order are all one step apart.

    Also False if they cross zero, where the digits start again.
    """
    rows = len(numbers) - 1
    if numbers[-1] - numbers[0] != rows * step:
        return False
    ones = repeated(LEAST, rows)  # whose bits are those of 1
    return digits_of(numbers[1:]) - digits_of(numbers[:-1]) == step * ones


@lru_cache(maxsize=16)
def _repeated(number: float, rows: int) -> Digits:
    return int.from_bytes(pack("d", number) * rows, sys.byteorder)
