"""Order sizing: the quantity from one of quantity, fraction, notional and risk."""

from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, Context, Decimal
from typing import Any

from strategy_runtime.protocol.enums import Side
from strategy_runtime.protocol.values import FINEST, cut_to_finest, decimal_of, in_digits
from strategy_runtime.runtime.desk.arguments import SIGNIFICANT, exact, units
from strategy_runtime.strategy.desk import Number

__all__ = ["size_of"]

_LOSES = {Side.BUY: "below", Side.SELL: "above"}
_DOWN = Context(prec=SIGNIFICANT, rounding=ROUND_DOWN)


def size_of(
    symbol: str,
    side: Side,
    quantity: Number | None,
    fraction: Number | None,
    notional: Number | None,
    risk: Number | None,
    equity: Callable[[], Decimal],
    prices: Mapping[str, Any],
    last: Mapping[str, float],
) -> Decimal:
    """Return the quantity of an order, rounded down to ten significant digits.

    It is 0 for a fraction if there is no equity left.

    Args:
        equity: Returns the equity that a fraction refers to.
        prices: Prices of the order, as fields of its request: the one at which it is to execute,
            and the stop loss that `risk` refers to.
        last: Last price by symbol, used if the order has no price.

    Raises:
        ValueError: None or several of the four are given, or what one of them needs is missing.
    """
    if quantity is not None and fraction is None and notional is None and risk is None:
        return units(quantity)
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
    if price <= 0:
        raise ValueError(
            f"{way}= needs a price of {symbol} above zero, and the last one is {price}; give "
            "quantity=, or limit="
        )
    if way == "risk":
        stop_loss = prices.get("stop_loss")
        if stop_loss is None:
            raise ValueError(f"risk= is the loss at the stop: give stop_loss= for {symbol} too")
        distance = price - stop_loss if side is Side.BUY else stop_loss - price
        if distance <= 0:
            raise ValueError(
                f"stop_loss= of {symbol} must be {_LOSES[side]} the entry price {in_digits(price)} "
                f"for risk= to be lost there, not {in_digits(stop_loss)}"
            )
        sized = _DOWN.divide(amount, distance)
    elif way == "fraction":
        worth = equity()
        if worth <= 0:
            return Decimal(0)
        sized = _DOWN.divide(amount * worth, price)
    else:
        sized = _DOWN.divide(amount, price)
    cut = cut_to_finest(Decimal(f"{sized:f}"))  # a division may give 1.0E+2
    if not cut:
        raise ValueError(
            f"{way}={in_digits(amount)} of {symbol} at {in_digits(price)} gives no quantity that "
            f"could be traded, which is at least {in_digits(FINEST)}"
        )
    return cut
