"""Convert and check the arguments of order methods: numbers, order types, text and flags."""

from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache
from math import inf
from numbers import Integral, Real
from typing import Any, overload

from strategy_runtime.protocol.enums import OrderType, TimeInForce, TrailingType
from strategy_runtime.protocol.models import OrderChanges
from strategy_runtime.protocol.values import FINEST, cut_to_finest, in_digits, is_unicode
from strategy_runtime.strategy.desk import Number

__all__ = [
    "SIGNIFICANT",
    "changes_of",
    "check_flags",
    "check_text",
    "exact",
    "magnitude",
    "prices_of",
    "time_in_force_of",
    "units",
]

SIGNIFICANT = 10
"""Significant digits of a number that was not given as Decimal or int."""

_rounded = Context(prec=SIGNIFICANT).create_decimal


# Looking up an Enum member is five times slower than a global.
_MARKET, _LIMIT, _STOP = OrderType.MARKET, OrderType.LIMIT, OrderType.STOP


@lru_cache(maxsize=1024)
def _whole(value: int) -> Decimal:
    return Decimal(value)


@overload
def exact(name: str, value: Number) -> Decimal: ...


@overload
def exact(name: str, value: None) -> None: ...


def exact(name: str, value: Number | None) -> Decimal | None:
    """Convert a price or quantity to a Decimal.

    A Decimal or int is converted exactly, a float of any package as it prints, to ten significant
    digits.

    Raises:
        ValueError: It is not a finite number above zero.
    """
    if value is None:
        return None
    if type(value) is int and value > 0:
        return _whole(value)
    if type(value) is float and 0.0 < value < inf:
        return _rounded(repr(value))
    try:
        number = _decimal(value)
    except (TypeError, ValueError, InvalidOperation):
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0:
        raise ValueError(f"{name} must be a number above zero, not {value!r}")
    return number


@overload
def units(quantity: Number) -> Decimal: ...


@overload
def units(quantity: None) -> None: ...


def units(quantity: Number | None) -> Decimal | None:
    """Convert a quantity to a Decimal like `exact`, cut to 18 decimal places.

    Raises:
        ValueError: It is not a finite number above zero, or less than the last of these places.
    """
    number = exact("quantity", quantity)
    if number is None or (number >= 1 and not isinstance(quantity, Decimal)):
        return number  # has few decimal places
    cut = cut_to_finest(number)
    if not cut:
        raise ValueError(f"quantity must be at least {in_digits(FINEST)}, not {in_digits(number)}")
    return cut


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, float):
        if isinstance(value, bool | str):
            raise TypeError
        if isinstance(value, Integral):
            return Decimal(int(value))
        if not isinstance(value, Real):
            return Decimal(value)
    # The repr of a numpy float is more than its number.
    return _rounded(repr(float(value)))


def magnitude(value: Any) -> Any:
    """Return the absolute value of a number; anything else unchanged."""
    kind = type(value)
    if kind is int or kind is float or kind is Decimal:
        return abs(value)
    if value is None or isinstance(value, bool) or not isinstance(value, Decimal | Real):
        return value
    return abs(value)


def check_text(name: str, text: str) -> None:
    """Check that an argument is text that can be sent.

    Raises:
        TypeError: It is not a string.
        ValueError: It is not valid Unicode.
    """
    if not isinstance(text, str):
        raise TypeError(f"{name} is a text, not {text!r}")
    if not is_unicode(text):
        raise ValueError(
            f"{name} {text!r} has half of a surrogate pair, which is not a character and cannot "
            "be sent"
        )


def check_flags(**flags: object) -> None:
    """Check that flags are bool, since a text such as "no" is true in Python.

    Raises:
        TypeError: One is not; the message names it.
    """
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} is True or False, not {value!r}")


def time_in_force_of(name: str) -> TimeInForce:
    """Return a time in force by its name.

    Raises:
        ValueError: There is none of that name.
    """
    try:
        return TimeInForce(name)
    except ValueError:
        known = ", ".join(TimeInForce)
        raise ValueError(f"time_in_force is one of {known}, not {name!r}") from None


def prices_of(
    limit: Number | None,
    stop: Number | None,
    trailing: Number | None,
    trailing_percent: Number | None,
    stop_loss: Number | None,
    take_profit: Number | None,
) -> dict[str, Any]:
    """Return type and prices of an order as fields of its request.

    Raises:
        ValueError: They contradict each other, or one is not a number above zero.
    """
    kind = _type_of(limit, stop, trailing, trailing_percent)
    fields: dict[str, Any] = {
        "order_type": kind,
        "limit_price": limit if limit is None else exact("limit", limit),
        "stop_price": stop if stop is None else exact("stop", stop),
        "stop_loss": stop_loss if stop_loss is None else exact("stop_loss", stop_loss),
        "take_profit": take_profit if take_profit is None else exact("take_profit", take_profit),
    }
    if trailing is not None:
        fields["trailing_distance"] = exact("trailing", trailing)
        fields["trailing_type"] = TrailingType.ABSOLUTE
    elif trailing_percent is not None:
        fields["trailing_distance"] = exact("trailing_percent", trailing_percent)
        fields["trailing_type"] = TrailingType.PERCENT
    return fields


def changes_of(
    quantity: Number | None,
    limit: Number | None,
    stop: Number | None,
    trailing: Number | None,
    stop_loss: Number | None,
    take_profit: Number | None,
) -> OrderChanges:
    """Return the changes of an order.

    Raises:
        ValueError: One is not a number above zero.
    """
    return OrderChanges(
        quantity=quantity if quantity is None else units(quantity),
        limit_price=limit if limit is None else exact("limit", limit),
        stop_price=stop if stop is None else exact("stop", stop),
        stop_loss=stop_loss if stop_loss is None else exact("stop_loss", stop_loss),
        take_profit=take_profit if take_profit is None else exact("take_profit", take_profit),
        trailing_distance=trailing if trailing is None else exact("trailing", trailing),
    )


def _type_of(
    limit: Number | None,
    stop: Number | None,
    trailing: Number | None,
    trailing_percent: Number | None,
) -> OrderType:
    if trailing is not None or trailing_percent is not None:
        if trailing is not None and trailing_percent is not None:
            raise ValueError("give trailing= (price units) or trailing_percent=, not both")
        if limit is not None or stop is not None:
            raise ValueError("a trailing stop takes neither limit= nor stop=")
        return OrderType.TRAILING_STOP
    if stop is not None:
        return _STOP if limit is None else OrderType.STOP_LIMIT
    return _MARKET if limit is None else _LIMIT
