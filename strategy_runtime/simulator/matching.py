"""The fill rules: at what price, if any, an order executes in a bar; see docs/fill-rules.md.

Two questions are asked of a resting order in the course of a bar, in this order: does it execute
at the open (`at_open`), and if not, does it execute within the range (`within_bar`)? Each answers
with the market's price and the name of the rule, or None. Both compare floats, since a bar's
prices are floats and an order's limit becomes the same float as the text it was written as.
"""

from msgspec import Struct

from strategy_runtime.protocol.enums import OrderType, Side
from strategy_runtime.simulator.orders import RestingOrder

__all__ = ["Match", "at_open", "within_bar"]


class Match(Struct, frozen=True, gc=False):
    """Where the market stood when an order executed, and by which rule.

    `price` is None where it stood exactly at the order's own price, which is then taken as it is
    written, every digit of it. `is_maker` is True where the order had rested and the market came.
    """

    price: float | None
    rule: str
    is_maker: bool = False


def at_open(order: RestingOrder, price: float, *, has_rested: bool) -> Match | None:
    """Test an order against the open of a bar, which may not be the first one it has met."""
    kind = order.order_type
    if kind is OrderType.MARKET:
        return Match(price, "market_open")
    buy = order.side is Side.BUY
    if kind is OrderType.LIMIT:
        limit = order.limit
        if (price <= limit) if buy else (price >= limit):
            rule = "limit_touch_open" if price == limit else "limit_gap_open"
            return Match(price, rule, is_maker=has_rested)
        return None
    stop = order.stop
    if not ((price >= stop) if buy else (price <= stop)):
        return None
    if kind is OrderType.STOP_LIMIT:
        order.trigger()
        if (price <= order.limit) if buy else (price >= order.limit):
            return Match(price, "stop_limit_open")
        return None
    name = "stop" if kind is OrderType.STOP else "trailing_stop"
    return Match(price, f"{name}_touch_open" if price == stop else f"{name}_gap_open")


def within_bar(order: RestingOrder, high: float, low: float) -> Match | None:
    """Test an order that did not execute at the open against the range of the bar."""
    kind = order.order_type
    buy = order.side is Side.BUY
    if kind is OrderType.LIMIT:
        if (low <= order.limit) if buy else (high >= order.limit):
            return Match(None, "limit_touch", is_maker=True)
        return None
    if kind is OrderType.MARKET:
        return None
    stop = order.stop
    if not ((high >= stop) if buy else (low <= stop)):
        return None
    if kind is OrderType.STOP_LIMIT:
        order.trigger()
        if (stop <= order.limit) if buy else (stop >= order.limit):
            return Match(None, "stop_limit_touch")
        return None
    return Match(None, "stop_touch" if kind is OrderType.STOP else "trailing_stop_touch")
