"""Every order of a run: by number, by the client's id, and by OCO group and bracket."""

from collections.abc import Iterator, Sequence
from itertools import chain

from strategy_runtime.errors import ApiError
from strategy_runtime.simulator.orders import KeptOrder, PlainOrder, RestingOrder
from strategy_runtime.simulator.outcome import ORDER

__all__ = ["Register"]

_MOST_DIGITS = 15


class Register:
    """All accepted orders.

    Attributes:
        all: In the order of acceptance: order number n is at index n - 1.
        by_client_id: Those with a client's id, by that id.
    """

    __slots__ = ("_brackets", "_groups", "_open", "_scanned", "all", "by_client_id")

    def __init__(self) -> None:
        self.all: list[KeptOrder] = []
        self.by_client_id: dict[str, KeptOrder] = {}
        self._open: list[KeptOrder] = []
        self._scanned = 0
        self._groups: dict[str, list[RestingOrder]] = {}
        self._brackets: dict[str, list[RestingOrder]] = {}

    def add(self, order: RestingOrder) -> None:
        """Add an order that has just been accepted."""
        request = order.request
        self.all.append(order)
        if request.client_order_id is not None:
            self.by_client_id[request.client_order_id] = order
        if request.oco_group_id is not None:
            self._groups.setdefault(request.oco_group_id, []).append(order)

    def bring_to_rest(self, order: PlainOrder) -> RestingOrder:
        """Replace a plain order with its resting form, and return that."""
        resting = order.at_rest()
        self.all[order.sequence - 1] = self.by_client_id[order.name] = resting
        return resting

    def tie(self, leg: RestingOrder, bracket: str | None) -> None:
        """Add a leg to a bracket, of whose legs at most one may fill; None starts a new one."""
        leg.bracket = bracket or leg.id
        self._brackets.setdefault(leg.bracket, []).append(leg)

    def untie(self, order: RestingOrder) -> Iterator[RestingOrder]:
        """Dissolve the OCO group and the bracket of an order that has ended.

        Return the other open orders in them, which the caller must cancel.
        """
        siblings = self._groups.pop(order.request.oco_group_id or "", [])
        siblings += self._brackets.pop(order.bracket or "", [])
        return (other for other in siblings if other is not order and not other.is_over)

    def open_ones(self) -> Sequence[KeptOrder]:
        """Return the open orders, oldest first; an ended order is skipped only once."""
        kept = self.all  # an order scanned earlier may have been replaced there since
        orders = (kept[order.sequence - 1] for order in chain(self._open, kept[self._scanned :]))
        self._open = [order for order in orders if not order.is_over]
        self._scanned = len(kept)
        return self._open

    def find(self, order_id: str) -> KeptOrder | None:
        """Return an order by its id, or None."""
        number = order_id.removeprefix(ORDER)
        if len(number) > _MOST_DIGITS or not (number.isascii() and number.isdigit()):
            return None
        sequence = int(number)
        order = self.all[sequence - 1] if 0 < sequence <= len(self.all) else None
        return order if order is not None and order.id == order_id else None

    def get(self, order_id: str) -> KeptOrder:
        """Return an order by its id.

        Raises:
            ApiError: 404 `ORDER_NOT_FOUND`.
        """
        order = self.find(order_id)
        if order is None:
            raise ApiError(
                404,
                "ORDER_NOT_FOUND",
                f"no order {order_id}",
                {"resource": "order", "id": order_id},
            )
        return order
