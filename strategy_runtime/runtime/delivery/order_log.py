"""What a live run logs of its own orders, so that an operator can follow them."""

import logging
from decimal import Decimal

from strategy_runtime.protocol.events import OrderEvent
from strategy_runtime.protocol.models import Order
from strategy_runtime.protocol.values import in_digits

__all__ = ["log_order"]

_log = logging.getLogger("strategy_runtime")


def log_order(event: OrderEvent) -> None:
    """Log what happened to an order of the strategy, on one line."""
    order = event.order
    if order.external:
        return
    what = event.event.removeprefix("ORDER_").lower().replace("_", " ")
    _log.info(
        "order %s: %s%s",
        "accepted" if what == "created" else what,
        _in_words(order),
        ", learned from a snapshot" if event.synthetic else "",
    )


def _in_words(order: Order) -> str:
    """Such as `buy 10 S:AAPL limit 187.2, 4 filled at 187.15 (SmaCross-a1-3, ord-7)`."""
    prices = "".join(
        f" {name} {in_digits(price)}"
        for name, price in (("limit", order.limit_price), ("stop", order.stop_price))
        if price is not None
    )
    filled = ""
    if order.filled_quantity:
        filled = f", {in_digits(order.filled_quantity)} filled{_at(order.average_fill_price)}"
    why = f", {order.reject_reason}" if order.reject_reason else ""
    ids = ", ".join(filter(None, (order.client_order_id, order.id)))
    what = f"{order.side.lower()} {in_digits(order.quantity)} {order.symbol}"
    return f"{what}{prices}{filled}{why} ({ids})"


def _at(price: Decimal | None) -> str:
    return "" if price is None else f" at {in_digits(price)}"
