"""When one line crosses another."""

from strategy_runtime.indicators.base import Line

__all__ = ["crossed_above", "crossed_below"]


def crossed_above(one: Line, other: Line | float) -> bool:
    """Whether `one` has just risen above `other`: it was not above it a candle ago, and is now."""
    try:
        # A comparison of floats is quick where an `if` stands before it.
        if one.value > other.value:  # type: ignore[union-attr]
            return one.previous <= other.previous  # type: ignore[union-attr]
        return False
    except AttributeError:
        return one.value > other and one.previous <= other  # type: ignore[operator]


def crossed_below(one: Line, other: Line | float) -> bool:
    """Whether `one` has just fallen below `other`: it was not below it a candle ago, and is now."""
    try:
        if one.value < other.value:  # type: ignore[union-attr]
            return one.previous >= other.previous  # type: ignore[union-attr]
        return False
    except AttributeError:
        return one.value < other and one.previous >= other  # type: ignore[operator]
