"""Open and ended orders, and the keys under which they are kept.

The key of an order is its client order id, or the venue's id as long as no other is known: a venue
may send events of our orders without the client order id. An order that a venue placed to replace
another one takes over its key.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import TypeAlias

from msgspec.structs import replace

from strategy_runtime.protocol.enums import OrderStatus
from strategy_runtime.protocol.models import Order, OrderHandle, OrderRequest
from strategy_runtime.protocol.witness import Followed, Statement
from strategy_runtime.runtime.book.nets import check_symbol
from strategy_runtime.runtime.book.order_states import (
    AcceptedOrder,
    accepted,
    is_on_its_way,
    name_of,
    newly_placed,
    pending,
)

__all__ = ["KnownOrders"]

_OPEN = OrderStatus.OPEN
_Known: TypeAlias = Order | Followed | OrderRequest | AcceptedOrder


def _ignore_end(key: str, order: Order) -> None:
    """Ignore the end of an order, until `when_ended` is replaced."""


class KnownOrders:
    """The orders of one run; `Book` adds positions and the account.

    Args:
        own_prefix: Prefix of the strategy's client order ids, in this run and others.
        most_ended: Number of ended orders that are remembered; None for all.

    Attributes:
        statement: The venue's statement while it is followed; None while events bring changes.
        when_ended: Called with the key of an order and the order when an event or refusal ends it.
    """

    def __init__(self, own_prefix: str = "", most_ended: int | None = None) -> None:
        self.statement: Statement | None = None
        self.when_ended: Callable[[str, Order], None] = _ignore_end
        self._own_prefix = own_prefix
        self._open: dict[str, _Known] = {}
        self._open_in: defaultdict[str, dict[str, None]] | None = None
        """Keys of open orders by symbol; None until those of a symbol are first asked for."""
        self._listed: dict[tuple[str | None, bool | None], list[Order]] = {}
        """What `orders` has returned since an open order last changed, by its arguments: strategies
        look at their orders at every bar, and most change much less often."""
        self._most_ended = most_ended
        self._forgotten = 0
        self._ended: OrderedDict[str, Order | Followed] = OrderedDict()
        """Ended orders, without those that the directory has under the client's id."""
        self._keys: dict[str, str] = {}
        self._renamed: dict[str, str] = {}
        """Keys of replaced orders and of their replacements, by the venue's id: all of them may
        have the same client order id."""
        self._directory: Statement | None = None

    # Our orders, until their first event

    def expect(self, request: OrderRequest, client_order_id: str) -> None:
        """Add an order of ours under a new id, before it is sent."""
        self._open[client_order_id] = request
        if self._listed:
            self._listed.clear()
        if self._open_in is not None:
            self._open_in[request.symbol][client_order_id] = None

    def accept(self, client_order_id: str, handle: OrderHandle) -> None:
        """Apply the venue's answer to a submission, or to a request for its outcome.

        Fills and the end of the order are left to its events.
        """
        if self.statement is not None:
            return
        known = self._open.get(client_order_id)
        stray = self._take_external(handle.id, client_order_id)
        self._keys[handle.id] = client_order_id
        if stray is not None:
            self._store(
                client_order_id, replace(stray, client_order_id=client_order_id, external=False)
            )
        elif type(known) is OrderRequest:
            self._enter(client_order_id, AcceptedOrder(known, handle))
        elif isinstance(known, Order) and known.status is OrderStatus.PENDING:
            self._store(client_order_id, accepted(known, handle))

    def recall(self, orders: Iterable[Order]) -> None:
        """Enter orders of ours that an earlier run has left."""
        for order in orders:
            # The venue has it, whatever it called it.
            known = replace(order, status=_OPEN) if is_on_its_way(order) else order
            self._store(name_of(order), known)

    def see_open(self, orders: Iterable[Order]) -> None:
        """Add open orders that no event has reported, or whose submission was not answered."""
        for order in orders:
            known = self.counterpart(order)
            if known is None:
                self._store(self._key(order), self.marked(order))
            elif is_on_its_way(known):
                self.accept(name_of(known), OrderHandle(id=order.id, status=order.status))

    def replace_order(self, known: Order, order: Order) -> None:
        """Replace a known order by the one that the venue placed instead of changing it.

        The replacement takes over its key, and nobody is told that the replaced order has ended.
        """
        key = name_of(known)
        if self._keys.get(order.id) == key:
            return  # its events came before the answer
        told = self._take_external(order.id, key) or newly_placed(order)
        self._make_way(key, known)
        self._renamed[order.id] = key
        own_id, external = known.client_order_id, known.external
        self._store(key, replace(told, client_order_id=own_id, external=external))

    def refuse(self, client_order_id: str) -> None:
        """Mark an order whose submission was refused as rejected."""
        known = self._read(client_order_id)
        if known is not None:
            self._store(client_order_id, replace(known, status=OrderStatus.REJECTED))

    def awaits_first_event(self, key: str) -> bool:
        """Whether an order has been accepted but has had no event yet."""
        return type(self._open.get(key)) is AcceptedOrder

    # Look-up

    def has_order(self, client_order_id: str) -> bool:
        """Whether there is, or was, an order with this id."""
        return client_order_id in self._open or self._past(client_order_id) is not None

    def order(self, key: str) -> Order | None:
        """Return an order by its client order id or the venue's id."""
        return self._read(key) or self._read(self._key_of(key))

    def orders(
        self, symbol: str | None = None, *, external: bool | None = None, beside: str = ""
    ) -> list[Order]:
        """Return open orders, oldest first.

        Args:
            external: True for those of others, False for our own, None for all.
            beside: Client order id of one to leave out.
        """
        keys = self._open if symbol is None else self._keys_in(symbol)
        listed = None if beside else self._listed.get((symbol, external))
        if listed is not None:
            return listed.copy()
        found: list[Order] = []
        may_keep = not beside
        for key in keys:
            if key == beside:
                continue
            if type(self._open[key]) is OrderRequest:
                may_keep = False  # the answer that it waits for is not an event here
            order = self._read(key)
            if order is not None and (external is None or order.external is external):
                found.append(order)
        if may_keep:
            self._listed[symbol, external] = found.copy()
        return found

    def symbol_of_open(self, key: str) -> str | None:
        """Return the symbol of an open order by its key; None if there is no such order."""
        known = self._open.get(key)
        return None if known is None else known.symbol

    def own_open(self, symbol: str | None) -> list[tuple[str, str]]:
        """Return key and symbol of our open orders, oldest first."""
        found = []
        for key in self._open if symbol is None else self._keys_in(symbol):
            known = self._open[key]
            # An order with a client order id of ours need not be read to know whose it is.
            if isinstance(known, OrderRequest) or key != known.id or not self._is_external(key):
                found.append((key, known.symbol))
        return found

    def _is_external(self, key: str) -> bool:
        order = self._read(key)
        return order is not None and order.external

    @property
    def open_count(self) -> int:
        """Number of open orders."""
        return len(self._open)

    @property
    def order_count(self) -> int:
        """Number of all orders so far, open, ended and forgotten."""
        return len(self._open) + len(self._ended) + self._forgotten

    @property
    def what_is_forgotten(self) -> str:
        """Suffix for the error about an unknown order, which may have been forgotten; or empty."""
        if not self._forgotten:
            return ""
        return f", or it ended before the last {self._most_ended:,}; its ticket still knows it"

    def has_open(self, symbol: str, beside: str) -> bool:
        """Whether a symbol has open orders other than the one with the client order id `beside`."""
        has_any = len(self._open) > (beside in self._open)
        return has_any and any(key != beside for key in self._keys_in(symbol))

    def counterpart(self, order: Order) -> Order | None:
        """Return the known state of an order that the venue reports."""
        return self._read(self._key(order))

    def marked(self, order: Order) -> Order:
        """Return the order marked as ours or external, with our id if the venue gave none.

        Ours are the orders placed in this run, those whose id has our prefix, and the legs of such
        orders.
        """
        known, own_id = self.counterpart(order), order.client_order_id
        if known is not None:
            external, own_id = known.external, known.client_order_id or own_id
        elif (order.client_order_id or "").startswith(self._own_prefix):
            external = False
        else:
            parent = self.order(order.parent_order_id or "")
            external = parent is None or parent.external
        if order.external is external and order.client_order_id == own_id:
            return order
        return replace(order, external=external, client_order_id=own_id)

    # Storage

    def _enter(self, key: str, known: _Known) -> None:
        """Store an order as open, in place of its earlier state."""
        self._listed.clear()
        if self._open_in is not None:
            before = self._open.get(key)
            if before is not None and before.symbol != known.symbol:
                self._open_in[before.symbol].pop(key, None)
            self._open_in[known.symbol][key] = None
        self._open[key] = known

    def _leave(self, key: str) -> None:
        """Remove an order from the open ones, if it is there."""
        self._listed.clear()
        known = self._open.pop(key, None)
        if known is not None and self._open_in is not None:
            self._open_in[known.symbol].pop(key, None)

    def _follow(self, key: str, order: Followed) -> None:
        if not order.is_over:
            self._enter(key, order)
            return
        self._leave(key)
        if self._past(key) is None:
            self._ended[key] = order

    def _store(self, key: str, order: Order) -> None:
        self._keys[order.id] = key
        if order.status.is_terminal:
            self._leave(key)
            self._ended[key] = order
            self.when_ended(key, order)
            if self._most_ended is not None and len(self._ended) > self._most_ended:
                self._forget(*self._ended.popitem(last=False))
        else:
            self._enter(key, order)

    def _forget(self, key: str, order: Order | Followed) -> None:
        """Forget an order that ended long ago."""
        self._forgotten += 1
        self._keys.pop(order.id, None)
        self._renamed.pop(order.id, None)

    def _take_external(self, order_id: str, key: str) -> Order | None:
        """Remove and return an order of ours that was stored as external, or return None.

        That happens if its events came before the answer and without our id.
        """
        found = self._keys.get(order_id, key)
        told = None if found == key else self._read(found)
        if told is None or not told.external:
            return None
        self._leave(found)
        self._ended.pop(found, None)
        return told

    def _make_way(self, key: str, known: Order) -> None:
        """Free the key of an ended order for another one; the former is kept by the venue's id."""
        self._leave(key)
        self._ended.pop(key, None)
        if known.id != key:  # otherwise the venue never accepted it
            is_over = known.status.is_terminal
            known = known if is_over else replace(known, status=OrderStatus.CANCELLED)
            self._renamed[known.id] = known.id
            self._store(known.id, known)

    def _read(self, key: str) -> Order | None:
        known = self._open.get(key) or self._past(key)
        if known is None or isinstance(known, Order):
            return known
        if isinstance(known, OrderRequest):
            placed = None if self.statement is None else self.statement.accepted(key)
            order = pending(known, key)
            return order if placed is None else replace(order, id=placed.id, status=_OPEN)
        if isinstance(known, AcceptedOrder):
            return known.told(key)
        order = known.announced()
        # Orders with neither are those of an exchange that liquidates an account.
        is_ours = order.client_order_id or order.parent_order_id
        return order if is_ours else replace(order, external=True)

    def _past(self, key: str) -> Order | Followed | None:
        """Return an ended order by its key; None if there is none."""
        ended, directory = self._ended.get(key), self._directory
        return ended if ended is not None or directory is None else directory.accepted(key)

    def _keys_in(self, symbol: str) -> Collection[str]:
        """Return the keys of the open orders in a symbol, oldest first."""
        if type(symbol) is not str:
            check_symbol(symbol)
        if self._open_in is None:
            self._open_in = defaultdict(dict)
            for key, known in self._open.items():
                self._open_in[known.symbol][key] = None
        return self._open_in.get(symbol, ())

    def _key(self, order: Order) -> str:
        renamed = self._renamed.get(order.id)
        return renamed or order.client_order_id or self._key_of(order.id)

    def _key_of(self, order_id: str) -> str:
        """Return the key of an order by the venue's id."""
        if self._directory is None:
            return self._keys.get(order_id, order_id)
        order = self._directory.followed(order_id)
        return order_id if order is None else order.name
