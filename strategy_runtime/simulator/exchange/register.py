"""Every order of a run: by number, by the client's id, and by what at most one of them may fill."""

from collections.abc import Iterator, Sequence
from itertools import chain

from strategy_runtime.errors import ApiError
from strategy_runtime.simulator.orders import KeptOrder, RestingOrder
from strategy_runtime.simulator.outcome import ORDER

__all__ = ["Register"]

_MOST_DIGITS = 15


class Register:
    """The orders that have been accepted, in that order.

    Attributes:
        all: Each at the place that its number says, counted from one.
        by_client_id: Those that the client has named.
    """

    __slots__ = ("_brackets", "_groups", "_looked_at", "_unended", "all", "by_client_id")

    def __init__(self) -> None:
        self.all: list[KeptOrder] = []
        self.by_client_id: dict[str, KeptOrder] = {}
        self._unended: list[KeptOrder] = []
        self._looked_at = 0
        self._groups: dict[str, list[RestingOrder]] = {}
        self._brackets: dict[str, list[RestingOrder]] = {}

    def add(self, order: RestingOrder) -> None:
        """Enter an order that has just been accepted."""
        request = order.request
        self.all.append(order)
        if request.client_order_id is not None:
            self.by_client_id[request.client_order_id] = order
        if request.oco_group_id is not None:
            self._groups.setdefault(request.oco_group_id, []).append(order)

    def replace(self, order: RestingOrder) -> None:
        """Have a plain order be kept as one that rests."""
        self.all[order.sequence - 1] = self.by_client_id[order.name] = order

    def tie(self, leg: RestingOrder, bracket: str | None) -> None:
        """Have a leg be of a bracket, of whose legs at most one may fill; None begins one."""
        leg.bracket = bracket or leg.id
        self._brackets.setdefault(leg.bracket, []).append(leg)

    def untie(self, order: RestingOrder) -> Iterator[RestingOrder]:
        """Undo the group and the bracket of an order that has ended.

        Gives back the open orders that were in them, which the caller has to cancel.
        """
        siblings = self._groups.pop(order.request.oco_group_id or "", [])
        siblings += self._brackets.pop(order.bracket or "", [])
        return (other for other in siblings if other is not order and not other.is_over)

    def open_ones(self) -> Sequence[KeptOrder]:
        """Orders that have not ended, oldest first; one that has is passed over only once."""
        kept = self.all  # what was looked at before may have been replaced there since
        orders = (
            kept[order.sequence - 1] for order in chain(self._unended, kept[self._looked_at :])
        )
        self._unended = [order for order in orders if not order.is_over]
        self._looked_at = len(kept)
        return self._unended

    def find(self, order_id: str) -> KeptOrder | None:
        """An order by its id; None where there is none."""
        number = order_id.removeprefix(ORDER)
        if len(number) > _MOST_DIGITS or not (number.isascii() and number.isdigit()):
            return None
        sequence = int(number)
        order = self.all[sequence - 1] if 0 < sequence <= len(self.all) else None
        return order if order is not None and order.id == order_id else None

    def get(self, order_id: str) -> KeptOrder:
        """The same.

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
