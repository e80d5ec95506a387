"""From acceptance to end: how orders come to rest, are changed, and end unfilled."""

from strategy_runtime.protocol.enums import (
    EVENT_OF_STATUS,
    OrderEventKind,
    OrderStatus,
    OrderType,
    RejectReason,
)
from strategy_runtime.protocol.models import OrderChanges, OrderRequest
from strategy_runtime.simulator.exchange.agenda import Agenda
from strategy_runtime.simulator.exchange.news import News
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.orders import NEVER, RestingOrder

__all__ = ["Acceptance"]

# A member of an Enum costs five times a name of the module.
_MARKET, _TRAILING_STOP, _BAR = OrderType.MARKET, OrderType.TRAILING_STOP, Phase.BAR


class Acceptance:
    """Lets orders rest, and takes them out again."""

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
        """Let an order rest, or a leg of a bracket, which has a parent where an entry made it."""
        state = self._state
        order = RestingOrder.of(request, len(state.register.all) + 1, state.now_ns)
        order.is_leg = is_leg
        order.parent_id = None if parent is None else parent.id
        instrument = state.instruments[request.symbol]
        is_between_bars = self._is_between_bars(instrument)
        if not is_between_bars:
            self.time_in(instrument, order)
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
        self._news.tell_order(order, OrderEventKind.ORDER_CREATED)
        return order

    def _is_between_bars(self, instrument: Instrument) -> bool:
        """Whether bars walk in step, and none is going on."""
        return self._state.phase is _BAR and instrument.first_row >= 0

    def time_in(self, instrument: Instrument, order: RestingOrder) -> None:
        """Settle from when on an order as it is now takes part.

        Behind an open it meets the bar that has just begun at its open price and then in its
        range. A bar that has been going on for longer is none of its business: the prices it made
        before the order came cannot be told from those it made afterwards. An order that was to
        wait for an open anyway still does.
        """
        state = self._state
        order.open_from = state.now_ns + (state.phase is Phase.OPEN)
        order.is_fresh, order.slept_before = True, NEVER
        if instrument.quotes is None and state.is_amid_a_bar(instrument):
            order.waits_for_open = True

    def move(self, order: RestingOrder, changes: OrderChanges) -> None:
        """Change an order on demand; with other terms it meets the market like a new one."""
        terms = order.terms
        self.change(order, changes)
        if order.terms != terms:
            instrument = self._state.instruments[order.symbol]
            self.time_in(instrument, order)
            if self._is_between_bars(instrument):
                instrument.resting.add_asleep(order, instrument.row)

    def change(self, order: RestingOrder, changes: OrderChanges) -> None:
        """Apply a modification that has been checked, and say so, unless it changes nothing, as one
        that is sent again because its answer was lost.
        """
        if order.is_as(changes):
            return
        self._news.keep_told(order)
        order.change(changes, self._state.now_ns)
        self._state.instruments[order.symbol].resting.wake(order)
        self._news.tell_order(order, OrderEventKind.ORDER_MODIFIED)

    def finish(
        self, order: RestingOrder, status: OrderStatus, reason: RejectReason | None = None
    ) -> None:
        """End an order that did not fill, and say so."""
        self._news.keep_told(order)
        self._state.instruments[order.symbol].resting.remove(order)
        order.end(status, self._state.now_ns, reason)
        self._news.tell_order(order, EVENT_OF_STATUS[status])

    def reject(self, order: RestingOrder, reason: RejectReason) -> None:
        """End an order that the account or its flags do not allow; its group ends with it."""
        self.finish(order, OrderStatus.REJECTED, reason)
        self.cancel_siblings(order)

    def cancel_siblings(self, order: RestingOrder) -> None:
        """Cancel the orders of which at most one may fill, this one aside."""
        for other in self._state.register.untie(order):
            self.finish(other, OrderStatus.CANCELLED)

    def sweep(self, instrument: Instrument) -> None:
        """Cancel legs, and what is left of reduce-only orders, that have nothing to reduce."""
        for order in list(instrument.resting.reducing.values()):
            if not (order.is_leg or (order.request.reduce_only and order.filled)):
                continue
            holding = self._state.ledger.addressed(order.symbol, order.position_id)
            if holding is None or holding.quantity * order.side.sign >= 0:
                self.finish(order, OrderStatus.CANCELLED)
