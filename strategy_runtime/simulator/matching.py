"""The fill rules: at what price, if any, an order fills in a bar; see docs/fill-rules.md.

A resting order is tested twice per bar: against the open (`at_open`), and if it did not fill there,
against the range (`within_bar`). Each test returns the market's price and the name of the rule, or
None. Both compare floats: a bar's prices are floats, and a limit becomes the same float as a bar's
price that is written alike.
"""

from decimal import Decimal

from msgspec import Struct

from strategy_runtime.protocol.enums import OrderType
from strategy_runtime.protocol.values import decimal_of
from strategy_runtime.simulator.orders import RestingOrder

__all__ = ["MARKET_OPEN", "Match", "at_open", "within_bar"]

MARKET_OPEN = "market_open"
"""The rule of a market order."""

_ZERO = Decimal(0)


class Match(Struct, frozen=True, gc=False):
    """The market's price at which an order fills, and the fill rule.

    `price` is that of the bar, or the order's own with all its digits. `is_maker` is True if the
    order was resting when the market came to it.
    """

    price: Decimal
    rule: str
    is_maker: bool = False


def at_open(order: RestingOrder, price: float, *, has_rested: bool) -> Match | None:
    """Test an order against the open of a bar; `has_rested` if it met an earlier open."""
    kind = order.order_type
    if kind is OrderType.MARKET:
        return Match(decimal_of(price), MARKET_OPEN)
    if kind is OrderType.LIMIT:
        if not order.is_limit_within(price, price):
            return None
        rule = "limit_touch_open" if price == order.limit else "limit_gap_open"
        return Match(decimal_of(price), rule, is_maker=has_rested)
    if not order.is_stop_within(price, price):
        return None
    if kind is OrderType.STOP_LIMIT:
        order.trigger()
        is_allowed = order.is_limit_within(price, price)
        return Match(decimal_of(price), "stop_limit_open") if is_allowed else None
    name = "stop" if kind is OrderType.STOP else "trailing_stop"
    rule = f"{name}_touch_open" if price == order.stop else f"{name}_gap_open"
    return Match(decimal_of(price), rule)


def within_bar(order: RestingOrder, high: float, low: float) -> Match | None:
    """Test an order that did not fill at the open against the range of the bar."""
    kind = order.order_type
    if kind is OrderType.LIMIT:
        is_reached = order.is_limit_within(low, high)
        own = order.request.limit_price or _ZERO
        return Match(own, "limit_touch", is_maker=True) if is_reached else None
    if kind is OrderType.MARKET or not order.is_stop_within(low, high):
        return None
    own = order.stop_price or _ZERO
    if kind is OrderType.STOP_LIMIT:
        order.trigger()
        is_allowed = order.is_limit_within(order.stop, order.stop)
        return Match(own, "stop_limit_touch") if is_allowed else None
    return Match(own, "stop_touch" if kind is OrderType.STOP else "trailing_stop_touch")
