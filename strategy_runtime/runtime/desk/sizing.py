"""From what a person gives to what goes on the wire: prices and quantities as exact decimals."""

from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, overload

from strategy_runtime.protocol.values import decimal_of
from strategy_runtime.strategy.desk import Number

__all__ = ["exact", "magnitude", "size_of"]

_SIGNIFICANT = 10
_NEAREST = Context(prec=_SIGNIFICANT)
_DOWN = Context(prec=_SIGNIFICANT, rounding=ROUND_DOWN)


@lru_cache(maxsize=1024)
def _whole(value: int) -> Decimal:
    return Decimal(value)


@overload
def exact(name: str, value: Number) -> Decimal: ...


@overload
def exact(name: str, value: None) -> None: ...


def exact(name: str, value: Number | None) -> Decimal | None:
    """A price or quantity as a decimal: one given as Decimal or int as it is, a float as it is
    written, to ten significant digits, whichever package it comes from.

    Raises:
        ValueError: It is not a finite number above zero.
    """
    if value is None:
        return None
    if type(value) is int and value > 0:
        return _whole(value)
    try:
        number = _decimal(value)
    except (TypeError, ValueError, InvalidOperation):
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0:
        raise ValueError(f"{name} must be a number above zero, not {value}")
    return number


def _decimal(value: Any) -> Decimal:
    if isinstance(value, Integral):
        return Decimal(int(value))
    if isinstance(value, float | Real):
        # What numpy calls a float says more than its number when it is asked for it as text.
        return _NEAREST.create_decimal(repr(float(value)))
    return Decimal(value)


def magnitude(value: Number | None) -> Number | None:
    """A number without its sign."""
    return -value if value is not None and value < 0 else value


def size_of(
    symbol: str,
    quantity: Number | None,
    fraction: Number | None,
    notional: Number | None,
    risk: Number | None,
    equity: Callable[[], Decimal],
    prices: Mapping[str, Any],
    last: Mapping[str, float],
) -> Decimal:
    """The quantity that one of four ways of sizing means, rounded down to ten digits; 0 where it
    is a fraction of an equity that is used up.

    Args:
        equity: Says what a fraction is of.
        prices: Those that the order names, as fields of its request: at which it is to execute, and
            the stop to which `risk` is measured.
        last: The last price seen by symbol, which takes the place of one that is not named.

    Raises:
        ValueError: None or several ways given, or what one of them needs is missing.
    """
    if quantity is not None and fraction is None and notional is None and risk is None:
        return exact("quantity", quantity)
    ways = {"quantity": quantity, "fraction": fraction, "notional": notional, "risk": risk}
    given = {name: value for name, value in ways.items() if value is not None}
    if len(given) != 1:
        said = " and ".join(given) or "none of them"
        raise ValueError(
            f"give exactly one of quantity, fraction, notional and risk for {symbol}, not {said}"
        )
    ((way, value),) = given.items()
    amount = exact(way, value)
    price = prices.get("limit_price") or prices.get("stop_price")
    if price is None and symbol in last:
        price = decimal_of(last[symbol])
    if price is None:
        raise ValueError(
            f"{way}= needs a price of {symbol} and none has been seen; give quantity=, or limit="
        )
    if way == "risk":
        stop_loss = prices.get("stop_loss")
        if stop_loss is None:
            raise ValueError(f"risk= is the loss at the stop: give stop_loss= for {symbol} too")
        distance = abs(price - stop_loss)
        if not distance:
            raise ValueError(f"stop_loss= of {symbol} is the entry price itself, {price}")
        sized = _DOWN.divide(amount, distance)
    elif way == "fraction" and equity() <= 0:
        return Decimal(0)
    else:
        sized = _DOWN.divide(amount * equity() if way == "fraction" else amount, price)
    if sized <= 0:
        raise ValueError(
            f"{way}={value} of {symbol} at {price} gives no quantity (equity is {equity():f})"
        )
    return Decimal(f"{sized:f}")  # a division may give 1.0E+2
