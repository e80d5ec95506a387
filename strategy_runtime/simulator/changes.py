"""Which changes a resting order can take; asked before any of them is made."""

from strategy_runtime.protocol.models import OrderChanges
from strategy_runtime.protocol.orders import (
    check_amount,
    check_distance,
    invalid_request,
    invalid_value,
)
from strategy_runtime.simulator.orders import RestingOrder

__all__ = ["check_changes"]

_LEGS = ("stop_loss", "take_profit")


def check_changes(order: RestingOrder, changes: OrderChanges) -> None:
    """See whether an order can take changes.

    Raises:
        ApiError: 400 `INVALID_REQUEST` for none at all, `INVALID_VALUE` for one it cannot take.
    """
    given = changes.given
    if not given:
        raise invalid_request("nothing to change; name at least one field")
    for name, value in given.items():
        why_not = _why_not(order, name)
        if why_not:
            raise invalid_value(name, value, f"{name} {why_not}")
        check_amount(name, value)
    if changes.quantity is not None and changes.quantity <= order.filled:
        raise invalid_value(
            "quantity",
            changes.quantity,
            f"quantity must stay above the {order.filled:f} already filled",
        )
    check_distance(order.request.trailing_type, changes.trailing_distance)


def _why_not(order: RestingOrder, name: str) -> str:
    """Why an order cannot have a field changed, or nothing."""
    request = order.request
    if name in _LEGS:
        return "does not apply to an order that reduces a position" if request.reduce_only else ""
    if getattr(request, name) is None:
        return f"does not apply to {request.order_type}"
    if name in ("stop_price", "trailing_distance") and order.order_type is not request.order_type:
        return f"has been triggered; what is left is a {order.order_type} order"
    return ""
