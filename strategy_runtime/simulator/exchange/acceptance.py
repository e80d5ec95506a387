"""The life of an order apart from fills: acceptance, changes, and ends without a fill."""

from collections.abc import Mapping
from decimal import Decimal

from strategy_runtime.protocol.enums import (
    EVENT_OF_STATUS,
    OrderEventKind,
    OrderStatus,
    OrderType,
    RejectReason,
)
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.simulator.exchange.agenda import Agenda
from strategy_runtime.simulator.exchange.news import News
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.orders import NEVER, RestingOrder

__all__ = ["Acceptance"]

# Looking up an enum member takes five times as long as a module name.
_MARKET, _TRAILING_STOP, _BAR = OrderType.MARKET, OrderType.TRAILING_STOP, Phase.BAR


class Acceptance:
    """Accepts, changes and ends orders."""

    __slots__ = ("_agenda", "_news", "_state")

    def __init__(self, state: State, news: News, agenda: Agenda) -> None:
        self._state = state
        self._news = news
        self._agenda = agenda

    def accept(
        self,
        request: OrderRequest,
        *,
        is_leg: bool = False,
        parent: RestingOrder | None = None,
    ) -> RestingOrder:
        """Accept an order, or a leg of a bracket, whose parent is its entry if it has one."""
        state = self._state
        order = RestingOrder.of(request, len(state.register.all) + 1, state.now_ns)
        order.is_leg = is_leg
        order.parent_id = None if parent is None else parent.id
        instrument = state.instruments[request.symbol]
        is_between_bars = self._is_between_bars(instrument)
        if not is_between_bars:
            self.set_start(instrument, order)
        if not order.is_leg and state.options.latency:
            order.delay = state.options.latency
            order.waits_for_open = True
        kind = order.order_type
        if kind is not _MARKET:
            order.read_prices()
        if kind is _TRAILING_STOP and (price := state.visible_price(instrument)) is not None:
            order.trail(price)
        state.register.add(order)
        if is_between_bars and instrument.resting.add_asleep(order, instrument.row):
            self._agenda.add_busy(instrument)
        else:
            instrument.resting.add(order)
            self._agenda.add_open(instrument)
        self._news.announce_order(order, OrderEventKind.ORDER_CREATED)
        return order

    def _is_between_bars(self, instrument: Instrument) -> bool:
        """Return whether symbols are in step and between two bars."""
        return self._state.phase is _BAR and instrument.first_row >= 0

    def set_start(self, instrument: Instrument, order: RestingOrder) -> None:
        """Set from when on an order, as it now is, can fill.

        Right after an open it can fill at that open and then in the range of its bar. It cannot
        fill in a bar that started earlier, because prices from before the order cannot be told from
        later ones. An order that already waits for an open keeps waiting.
        """
        state = self._state
        order.open_from = state.now_ns + (state.phase is Phase.OPEN)
        order.is_fresh, order.slept_before = True, NEVER
        if instrument.quotes is None and state.is_within_bar(instrument):
            order.waits_for_open = True

    def move(self, order: RestingOrder, changes: Mapping[str, Decimal]) -> None:
        """Change an order for a client; with new terms it meets the market like a new order."""
        terms = order.terms
        self.change(order, changes)
        if order.terms != terms:
            instrument = self._state.instruments[order.symbol]
            self.set_start(instrument, order)
            if self._is_between_bars(instrument):
                instrument.resting.add_asleep(order, instrument.row)

    def change(self, order: RestingOrder, changes: Mapping[str, Decimal]) -> None:
        """Apply and announce a checked modification, by field.

        Do nothing if it changes nothing, as when a client repeats a request after a lost answer.
        """
        request = order.changed_by(changes)
        if request is None:
            return
        self._news.keep_announced(order)
        order.change(request, changes, self._state.now_ns)
        self._state.instruments[order.symbol].resting.wake(order)
        self._news.announce_order(order, OrderEventKind.ORDER_MODIFIED)

    def finish(
        self, order: RestingOrder, status: OrderStatus, reason: RejectReason | None = None
    ) -> None:
        """End an order without a fill, and announce it."""
        self._news.keep_announced(order)
        self._state.instruments[order.symbol].resting.remove(order)
        order.end(status, self._state.now_ns, reason)
        self._news.announce_order(order, EVENT_OF_STATUS[status])

    def reject(self, order: RestingOrder, reason: RejectReason) -> None:
        """Reject an accepted order that the account or its flags forbid, and cancel its group."""
        self.finish(order, OrderStatus.REJECTED, reason)
        self.cancel_siblings(order)

    def cancel_siblings(self, order: RestingOrder) -> None:
        """Cancel the other orders of its OCO group and bracket."""
        for other in self._state.register.untie(order):
            self.finish(other, OrderStatus.CANCELLED)

    def cancel_obsolete(self, instrument: Instrument) -> None:
        """Cancel legs and partly filled reduce-only orders that have nothing left to reduce."""
        for order in list(instrument.resting.reducing.values()):
            if not (order.is_leg or (order.request.reduce_only and order.filled)):
                continue
            holding = self._state.ledger.addressed(order.symbol, order.position_id)
            if holding is None or holding.quantity * order.side.sign >= 0:
                self.finish(order, OrderStatus.CANCELLED)
