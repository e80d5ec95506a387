"""Which orders there are, open and ended, and what each is known by.

An order goes by our id, and by the venue's as long as no other is known: a venue may tell of an
order of ours without its id. One that a venue has placed instead of changing another goes on under
that one's name.
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


def _nobody_minds(key: str, order: Order) -> None:
    """What happens when an order ends of which nobody holds a ticket."""


class KnownOrders:
    """The orders of one run; `Book` adds what they and other events do to what is held.

    Args:
        own_prefix: What the client order ids of the strategy begin with, in this run or another.
        most_ended: How many orders that have ended are remembered; None for all of them.

    Attributes:
        statement: The venue's own, whose orders and positions are followed; None where events tell.
        when_ended: Called with every order that events or refusals have end, and what it goes by.
    """

    def __init__(self, own_prefix: str = "", most_ended: int | None = None) -> None:
        self.statement: Statement | None = None
        self.when_ended: Callable[[str, Order], None] = _nobody_minds
        self._own_prefix = own_prefix
        self._open: dict[str, _Known] = {}
        self._open_in: defaultdict[str, dict[str, None]] | None = None
        """What they are kept under, by symbol; None until those of a symbol are first asked for."""
        self._most_ended = most_ended
        self._forgotten = 0
        self._ended: OrderedDict[str, Order | Followed] = OrderedDict()
        """Without those that the directory has under the client's id."""
        self._keys: dict[str, str] = {}
        self._renamed: dict[str, str] = {}
        """What replaced orders are kept under, and those in their place, by the venue's id: they
        may all have one client order id."""
        self._directory: Statement | None = None

    # Ours, on their way

    def expect(self, request: OrderRequest, client_order_id: str) -> None:
        """Enter an order of ours, with an id of its own, before it is sent."""
        self._open[client_order_id] = request
        if self._open_in is not None:
            self._open_in[request.symbol][client_order_id] = None

    def accept(self, client_order_id: str, handle: OrderHandle) -> None:
        """The venue answered a submission, or a question what became of it.

        What has happened to the order since is for its events to tell.
        """
        if self.statement is not None:
            return
        known, stray = self._open.get(client_order_id), self._stray(handle.id, client_order_id)
        self._keys[handle.id] = client_order_id
        if stray is not None:
            self._store(
                client_order_id, replace(stray, client_order_id=client_order_id, external=False)
            )
        elif type(known) is OrderRequest:
            self._open[client_order_id] = AcceptedOrder(known, handle)
        elif isinstance(known, Order) and known.status is OrderStatus.PENDING:
            self._store(client_order_id, accepted(known, handle))

    def see_open(self, orders: Iterable[Order]) -> None:
        """Take note of open orders that no event has told of, or that were not answered."""
        for order in orders:
            known = self.counterpart(order)
            if known is None:
                self._store(self._key(order), self.marked(order))
            elif is_on_its_way(known):
                self.accept(name_of(known), OrderHandle(id=order.id, status=order.status))

    def put_in_place(self, known: Order, order: Order) -> None:
        """The venue has placed an order instead of changing one that is known.

        It goes on under that one's name; the end of the other is none that anybody is told of.
        """
        key = name_of(known)
        if self._keys.get(order.id) == key:
            return  # its events came before the answer
        told = self._stray(order.id, key) or newly_placed(order)
        self._make_way(key, known)
        self._renamed[order.id] = key
        own_id, external = known.client_order_id, known.external
        self._store(key, replace(told, client_order_id=own_id, external=external))

    def refuse(self, client_order_id: str) -> None:
        """The venue refused a submission."""
        known = self._read(client_order_id)
        if known is not None:
            self._store(client_order_id, replace(known, status=OrderStatus.REJECTED))

    def is_untold(self, key: str) -> bool:
        """Whether the venue has accepted an order of which no event has come yet."""
        return type(self._open.get(key)) is AcceptedOrder

    # Whatever is known

    def has_order(self, client_order_id: str) -> bool:
        """Whether there is, or was, an order with such an id."""
        return client_order_id in self._open or self._past(client_order_id) is not None

    def order(self, key: str) -> Order | None:
        """An order by its client order id, or by the venue's id."""
        return self._read(key) or self._read(self._key_of(key))

    def orders(
        self, symbol: str | None = None, *, external: bool | None = None, beside: str = ""
    ) -> list[Order]:
        """Open orders, oldest first: those of others, our own, or all of them.

        Args:
            beside: Client order id of one to leave out.
        """
        keys = self._open if symbol is None else self._keys_in(symbol)
        return [
            order
            for order in (self._read(key) for key in keys if key != beside)
            if order is not None and (external is None or order.external is external)
        ]

    def symbol_of_open(self, key: str) -> str | None:
        """The symbol of an open order, by what it is kept under; None where there is none."""
        known = self._open.get(key)
        return None if known is None else known.symbol

    def own_open(self, symbol: str | None) -> list[tuple[str, str]]:
        """What our open orders are kept under, and their symbols, oldest first."""
        found = []
        for key in self._open if symbol is None else self._keys_in(symbol):
            known = self._open[key]
            # Of an order that we have named no more need be known.
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
        """Number of orders ever heard of by events."""
        return len(self._open) + len(self._ended) + self._forgotten

    @property
    def what_is_forgotten(self) -> str:
        """To add where an order is not known: whether it may have been, and when; often empty."""
        if not self._forgotten:
            return ""
        return f", or it ended before the last {self._most_ended:,}; its ticket still knows it"

    def has_open(self, symbol: str, beside: str) -> bool:
        """Whether there are open orders in a symbol, one aside, whose client order id is given."""
        has_any = len(self._open) > (beside in self._open)
        return has_any and any(key != beside for key in self._keys_in(symbol))

    def counterpart(self, order: Order) -> Order | None:
        """What is known of an order of the venue's."""
        return self._read(self._key(order))

    def marked(self, order: Order) -> Order:
        """The order with what is known of whose it is, and with our id where the venue has none.

        Ours are those that were given in this run, that have an id such as our runs give, and the
        legs of such orders.
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

    # Where they are kept

    def _enter(self, key: str, known: _Known) -> None:
        """Keep an order as an open one, in the place of what it was before."""
        if self._open_in is not None:
            before = self._open.get(key)
            if before is not None and before.symbol != known.symbol:
                self._open_in[before.symbol].pop(key, None)
            self._open_in[known.symbol][key] = None
        self._open[key] = known

    def _leave(self, key: str) -> None:
        """An order is open no more, if it was."""
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
        """Let go of what is known of an order that ended long ago."""
        self._forgotten += 1
        self._keys.pop(order.id, None)
        self._renamed.pop(order.id, None)

    def _stray(self, order_id: str, key: str) -> Order | None:
        """Take out what events have told of an order that was taken for another's, since they have
        no id of ours; None where there is nothing of the kind."""
        found = self._keys.get(order_id, key)
        told = None if found == key else self._read(found)
        if told is None or not told.external:
            return None
        self._leave(found)
        self._ended.pop(found, None)
        return told

    def _make_way(self, key: str, known: Order) -> None:
        """Let another order have the name of one, which has ended and keeps the venue's id."""
        self._leave(key)
        self._ended.pop(key, None)
        if known.id != key:  # else the venue has never taken it
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
        order = known.told()
        # Only an exchange that closes what an account cannot hold gives orders like that.
        is_ours = order.client_order_id or order.parent_order_id
        return order if is_ours else replace(order, external=True)

    def _past(self, key: str) -> Order | Followed | None:
        """An order that has come to its end, by what it is kept under; None where there is none."""
        ended, directory = self._ended.get(key), self._directory
        return ended if ended is not None or directory is None else directory.accepted(key)

    def _keys_in(self, symbol: str) -> Collection[str]:
        """What the open orders in a symbol are kept under, oldest first."""
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
        """What an order is kept under, by the venue's id."""
        if self._directory is None:
            return self._keys.get(order_id, order_id)
        order = self._directory.followed(order_id)
        return order_id if order is None else order.name
