"""From acceptance to end: how orders come to rest, are tied to each other, and end unfilled."""

from decimal import Decimal
from itertools import count

from strategy_runtime.protocol.enums import (
    EVENT_OF_STATUS,
    OrderEventKind,
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
)
from strategy_runtime.protocol.models import OrderChanges, OrderRequest
from strategy_runtime.simulator.exchange.telling import Telling
from strategy_runtime.simulator.ledger import Holding
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.orders import RestingOrder

__all__ = ["Acceptance"]


class Acceptance(Telling):
    """The state of the exchange, and the orders that rest in it."""

    __slots__ = ()

    def _schedule_open(self, instrument: Instrument) -> None:
        raise NotImplementedError

    def _accept(
        self,
        request: OrderRequest,
        *,
        is_leg: bool = False,
        parent: RestingOrder | None = None,
    ) -> RestingOrder:
        """Let an order rest, or a leg of a bracket, which has a parent where an entry made it."""
        order = RestingOrder.of(request, len(self._orders) + 1, self.now_ns)
        order.is_leg = is_leg
        order.parent_id = None if parent is None else parent.id
        instrument = self._instruments[request.symbol]
        self._time_in(instrument, order)
        if not order.is_leg and self.options.latency:
            order.delay = self.options.latency
            order.waits_for_open = True
        if order.order_type is not OrderType.MARKET:
            order.read_prices()
            price = self._visible_price(instrument)
            if order.order_type is OrderType.TRAILING_STOP and price is not None:
                order.trail(price)
        self._orders.append(order)
        if request.client_order_id is not None:
            self._by_client_id[request.client_order_id] = order
        if request.oco_group_id is not None:
            self._groups.setdefault(request.oco_group_id, []).append(order)
        instrument.resting.add(order)
        self._schedule_open(instrument)
        self._tell_order(order, OrderEventKind.ORDER_CREATED)
        return order

    def _time_in(self, instrument: Instrument, order: RestingOrder) -> None:
        """Settle from when on an order as it is now takes part.

        Behind an open it meets the bar that has just begun at its open price and then in its
        range. A bar that has been going on for longer is none of its business: the prices it made
        before the order came cannot be told from those it made afterwards. An order that was to
        wait for an open anyway still does.
        """
        order.open_from = self.now_ns + (self.phase is Phase.OPEN)
        order.is_fresh = True
        if instrument.quotes is None and self._is_amid_a_bar(instrument):
            order.waits_for_open = True

    def _is_amid_a_bar(self, instrument: Instrument) -> bool:
        """Whether a bar began before now and has not closed."""
        starts, row = instrument.series.starts, instrument.row
        return row < len(starts) and starts[row] < self.now_ns

    # Ends

    def _finish(
        self, order: RestingOrder, status: OrderStatus, reason: RejectReason | None = None
    ) -> None:
        """End an order that did not fill, and say so."""
        if self._is_commanded:
            order.keep_told()
        self._instruments[order.symbol].resting.remove(order)
        order.end(status, self.now_ns, reason)
        self._tell_order(order, EVENT_OF_STATUS[status])

    def _reject(self, order: RestingOrder, reason: RejectReason) -> None:
        """End an order that the account or its flags do not allow; its group ends with it."""
        self._finish(order, OrderStatus.REJECTED, reason)
        self._cancel_siblings(order)

    def _cancel_siblings(self, order: RestingOrder) -> None:
        """Cancel the orders of which at most one may fill, this one aside."""
        group = order.request.oco_group_id
        if group is None and order.bracket is None:
            return
        siblings = list(self._groups.get(group or "", ()))
        if order.bracket is not None:
            siblings += self._brackets[order.bracket]
        for other in siblings:
            if other is not order and not other.is_over:
                self._finish(other, OrderStatus.CANCELLED)

    def _sweep(self, instrument: Instrument) -> None:
        """Cancel legs, and what is left of reduce-only orders, that have nothing to reduce."""
        for order in list(instrument.resting.reducing.values()):
            if not (order.is_leg or (order.request.reduce_only and order.filled)):
                continue
            holding = self._ledger.addressed(order.symbol, order.position_id)
            if holding is None or holding.quantity * order.side.sign >= 0:
                self._finish(order, OrderStatus.CANCELLED)

    # Brackets

    def _protect(self, entry: RestingOrder, filled: Decimal) -> None:
        """Cover what an entry has just filled: by the legs it has, else by new ones."""
        holding = self._ledger.addressed(entry.symbol, entry.position_id)
        if holding is None or holding.quantity * entry.side.sign < 0:
            return
        quantity = min(filled, abs(holding.quantity))
        legs = [leg for leg in entry.legs if not leg.is_over]
        for leg in legs:
            self._change(leg, OrderChanges(quantity=leg.request.quantity + quantity))
        if legs:
            return
        for kind, price in (
            (OrderType.STOP, entry.request.stop_loss),
            (OrderType.LIMIT, entry.request.take_profit),
        ):
            if price is not None:
                leg = self._place_leg(holding, kind, price, quantity, entry.name, entry)
                leg.waits_for_open |= self.options.children == "next_bar"

    def _place_leg(
        self,
        holding: Holding,
        kind: OrderType,
        price: Decimal,
        quantity: Decimal,
        name: str,
        entry: RestingOrder | None,
    ) -> RestingOrder:
        suffix = "sl" if kind is OrderType.STOP else "tp"
        bracket = self._bracket_of(holding) if entry is None else self._bracket_with(entry)
        names = (f"{name}-{suffix}" + (f"-{n}" if n else "") for n in count())
        leg = self._accept(
            OrderRequest(
                symbol=holding.symbol,
                side=Side.SELL if holding.quantity > 0 else Side.BUY,
                quantity=quantity,
                order_type=kind,
                stop_price=price if kind is OrderType.STOP else None,
                limit_price=price if kind is OrderType.LIMIT else None,
                reduce_only=True,
                position_id=holding.id,
                client_order_id=next(each for each in names if each not in self._by_client_id),
            ),
            is_leg=True,
            parent=entry,
        )
        leg.bracket = bracket or leg.id
        self._brackets.setdefault(leg.bracket, []).append(leg)
        if entry is not None:
            entry.legs += (leg,)
        return leg

    def _bracket_with(self, entry: RestingOrder) -> str | None:
        return entry.legs[0].bracket if entry.legs else None

    def _bracket_of(self, holding: Holding) -> str | None:
        """What the legs that protect a position so far share: a further one joins them."""
        legs = self._instruments[holding.symbol].resting.reducing.values()
        for order in legs:
            if order.bracket is not None and order.position_id == holding.id:
                return order.bracket
        return None

    def _legs_of(self, holding: Holding, kind: OrderType) -> list[RestingOrder]:
        """The resting legs of one kind that protect a position."""
        return [
            order
            for order in self._instruments[holding.symbol].resting.reducing.values()
            if order.is_leg
            and order.order_type is kind
            and self._ledger.addressed(holding.symbol, order.position_id) is holding
        ]

    def _change(self, order: RestingOrder, changes: OrderChanges) -> bool:
        """Apply a modification that has been checked, and say so; False where it changes nothing,
        as one that is sent again because its answer was lost.
        """
        if order.is_as(changes):
            return False
        if self._is_commanded:
            order.keep_told()
        order.change(changes, self.now_ns)
        self._instruments[order.symbol].resting.wake(order)
        self._tell_order(order, OrderEventKind.ORDER_MODIFIED)
        return True
