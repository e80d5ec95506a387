"""States of our orders before their first event, and which updates are out of date."""

from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from strategy_runtime.protocol.enums import OrderStatus
from strategy_runtime.protocol.models import Order, OrderHandle, OrderRequest

__all__ = [
    "AcceptedOrder",
    "accepted",
    "is_behind",
    "is_on_its_way",
    "name_of",
    "newly_placed",
    "pending",
    "price_of_last_fill",
]

_FORWARD = {
    OrderStatus.PENDING: 0,
    OrderStatus.OPEN: 1,
    OrderStatus.PENDING_CANCEL: 2,
    OrderStatus.PARTIALLY_FILLED: 2,
    OrderStatus.CANCELLED: 3,
    OrderStatus.EXPIRED: 3,
    OrderStatus.REJECTED: 3,
    OrderStatus.FILLED: 4,
}


class AcceptedOrder(Struct, frozen=True, gc=False):
    """An order that the venue has accepted, but that has had no event yet."""

    request: OrderRequest
    handle: OrderHandle

    @property
    def id(self) -> str:
        """The venue's id."""
        return self.handle.id

    @property
    def symbol(self) -> str:
        """As subscribed."""
        return self.request.symbol

    def told(self, client_order_id: str) -> Order:
        """Return the order as others see it."""
        return accepted(pending(self.request, client_order_id), self.handle)


def name_of(order: Order) -> str:
    """Return the client order id of an order, or the venue's id if it has none."""
    return order.client_order_id or order.id


def pending(request: OrderRequest, client_order_id: str) -> Order:
    """Return an order as it is until the venue answers: PENDING, with our id only."""
    return Order(
        id=client_order_id,
        symbol=request.symbol,
        side=request.side,
        status=OrderStatus.PENDING,
        order_type=request.order_type,
        quantity=request.quantity,
        time_in_force=request.time_in_force,
        client_order_id=client_order_id,
        limit_price=request.limit_price,
        stop_price=request.stop_price,
        stop_loss=request.stop_loss,
        take_profit=request.take_profit,
        trailing_distance=request.trailing_distance,
        trailing_type=request.trailing_type,
        position_id=request.position_id,
        reduce_only=request.reduce_only,
        post_only=request.post_only,
        oco_group_id=request.oco_group_id,
    )


def accepted(order: Order, handle: OrderHandle) -> Order:
    """Return an order as the venue answered; if it has ended already, its event will say so."""
    status = OrderStatus.OPEN if handle.status.is_terminal else handle.status
    return replace(order, id=handle.id, status=status)


def newly_placed(order: Order) -> Order:
    """Return an order as the venue answered, without the fills, which its events bring."""
    return replace(
        order,
        status=OrderStatus.OPEN,
        filled_quantity=Decimal(0),
        remaining_quantity=order.quantity,
        average_fill_price=None,
    )


def is_on_its_way(order: Order) -> bool:
    """Whether the venue has not answered an order yet.

    The status alone does not say: a venue may report an order that it has as PENDING, too.
    """
    return order.status is OrderStatus.PENDING and order.id == order.client_order_id


def is_behind(news: Order, known: Order, *, may_step_back: bool = False) -> bool:
    """Whether an update of an order is older than its known state.

    Args:
        may_step_back: Allow an open order to return to an earlier open state, as after a refused
            cancel.
    """
    return (
        known.status.is_terminal
        or news.filled_quantity < known.filled_quantity
        or (not may_step_back and _FORWARD.get(news.status, 1) < _FORWARD.get(known.status, 1))
    )


def price_of_last_fill(before: Order | None, now: Order, delta: Decimal) -> Decimal | None:
    """Return the price of the last fill, from the average prices before and after it."""
    if now.average_fill_price is None:
        return None
    if before is None or before.average_fill_price is None:
        return now.average_fill_price
    spent = (
        now.average_fill_price * now.filled_quantity
        - before.average_fill_price * before.filled_quantity
    )
    return spent / delta
