"""Tests of whether one line has crossed another."""

from decimal import Decimal
from numbers import Real

from strategy_runtime.indicators.base import Line

__all__ = ["crossed_above", "crossed_below"]


def crossed_above(one: Line, other: Line | float) -> bool:
    """Whether `one` has just risen above `other`: it was not above it a candle ago, and is now."""
    try:
        # Python compares floats fastest directly in an `if`.
        if one.value > other.value:  # type: ignore[union-attr]
            return one.previous <= other.previous  # type: ignore[union-attr]
        return False
    except AttributeError:
        _check_comparable(one, other)
        return one.value > other and one.previous <= other  # type: ignore[operator]


def crossed_below(one: Line, other: Line | float) -> bool:
    """Whether `one` has just fallen below `other`: it was not below it a candle ago, and is now."""
    try:
        if one.value < other.value:  # type: ignore[union-attr]
            return one.previous >= other.previous  # type: ignore[union-attr]
        return False
    except AttributeError:
        _check_comparable(one, other)
        return one.value < other and one.previous >= other  # type: ignore[operator]


def _check_comparable(one: object, other: object) -> None:
    if not hasattr(one, "previous") or not isinstance(other, Decimal | Real):
        raise TypeError(
            "compare an indicator with another one or with a number, as in crossed_above("
            f"self.fast[symbol], 30), not {type(one).__name__} with {type(other).__name__}"
        )
