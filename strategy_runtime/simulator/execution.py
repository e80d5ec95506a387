"""What happens to orders: acceptance, execution, bracket legs, cancellation, and their events.

Events of one execution go out as a set, in the order `order`, `trade`, `account`, `position`
(protocol e.1); the legs of a bracket are created right behind the set of their entry (g.12).
"""

from decimal import Decimal

from strategy_runtime.protocol.enums import (
    OrderEventKind,
    OrderStatus,
    OrderType,
    PositionEventKind,
    RejectReason,
)
from strategy_runtime.protocol.events import (
    AccountEvent,
    Event,
    OrderEvent,
    PositionEvent,
    TradeEvent,
)
from strategy_runtime.protocol.models import OrderRequest, Trade
from strategy_runtime.simulator.ledger import Holding
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.matching import Match
from strategy_runtime.simulator.orders import RestingOrder
from strategy_runtime.simulator.outcome import Fill
from strategy_runtime.simulator.state import ExchangeState

__all__ = ["Execution"]

_ZERO = Decimal(0)


class Execution(ExchangeState):
    """The state of the exchange, and how orders change it."""

    def _emit(self, event: Event) -> None:
        self._events += 1
        self.outbox.append(event)

    def _emit_order(self, order: RestingOrder, kind: OrderEventKind) -> None:
        self._emit(
            OrderEvent(
                event=kind,
                order=order.snapshot(),
                parent_order_id=None if order.parent is None else order.parent.id,
                timestamp=self.now,
            )
        )

    def _accept(self, request: OrderRequest, parent: RestingOrder | None = None) -> RestingOrder:
        sequence = len(self._orders) + 1
        order = RestingOrder(
            request,
            id=f"ord-{sequence}",
            sequence=sequence,
            now_ns=self.now_ns,
            parent=parent,
        )
        instrument = self._instruments[request.symbol]
        self._time_in(instrument, order)
        if order.order_type is OrderType.TRAILING_STOP and instrument.price is not None:
            order.trail(instrument.price)
        self._orders[order.id] = order
        if request.client_order_id is not None:
            self._by_client_id[request.client_order_id] = order
        instrument.resting[order.id] = order
        self._schedule_open(instrument)
        self._emit_order(order, OrderEventKind.ORDER_CREATED)
        return order

    def _time_in(self, instrument: Instrument, order: RestingOrder) -> None:
        """Settle from when on an order as it is now takes part.

        Behind an open it meets the bar that has just begun at its open price and then in its
        range. A bar that has been going on for longer is none of its business: the prices it made
        before the order came cannot be told from those it made afterwards.
        """
        order.open_from = self.now_ns + (self.phase is Phase.OPEN)
        series, row = instrument.series, instrument.row
        order.waits_for_open = row < len(series.starts) and series.starts[row] < self.now_ns

    def _schedule_open(self, instrument: Instrument) -> None:
        raise NotImplementedError

    def _execute(self, instrument: Instrument, order: RestingOrder, match: Match) -> None:
        """Fill an order as far as account and position allow, or reject it."""
        request = order.request
        held = self._ledger.quantity(order.symbol)
        quantity = order.remaining
        if request.reduce_only:
            reducible = abs(held) if held * order.side.sign < 0 else _ZERO
            quantity = min(quantity, reducible)
            if not quantity:
                self._reject(instrument, order, RejectReason.REDUCE_ONLY_VIOLATED)
                return
        base = self._base_price(order, match)
        price = self._costs.price(base, order.side, request.limit_price)
        fee = self._costs.fee(quantity, price)
        signed = quantity * order.side.sign
        if not self._affordable(order.symbol, signed, price, fee):
            self._reject(instrument, order, RejectReason.INSUFFICIENT_MARGIN)
            return
        realized_before = self._ledger.realized
        booking = self._ledger.book(order.symbol, signed, price, fee, self.now_ns)
        if self.phase is Phase.INTRABAR:
            instrument.price = float(price)
        order.fill(quantity, price, self.now_ns)
        holding = booking.current or booking.closed
        order.position_id = None if holding is None else holding.id
        if order.status is OrderStatus.FILLED:
            del instrument.resting[order.id]
        kind = (
            OrderEventKind.ORDER_FILLED
            if order.status is OrderStatus.FILLED
            else OrderEventKind.ORDER_PARTIALLY_FILLED
        )
        self._emit_order(order, kind)
        self._record(instrument, order, match.rule, quantity, price, base, fee, realized_before)
        self._emit(AccountEvent(account=self.account(), timestamp=self.now))
        if booking.closed is not None:
            self._emit_position(booking.closed, PositionEventKind.POSITION_CLOSED)
        if booking.current is not None:
            opened = booking.closed is not None or not held
            self._emit_position(
                booking.current,
                PositionEventKind.POSITION_OPENED
                if opened
                else PositionEventKind.POSITION_MODIFIED,
            )
        self._after_fill(instrument, order)

    def _base_price(self, order: RestingOrder, match: Match) -> Decimal:
        if match.price is not None:
            return Decimal(repr(match.price))
        own = order.request.limit_price if match.at_limit else order.stop_price
        return _ZERO if own is None else own

    def _affordable(self, symbol: str, signed: Decimal, price: Decimal, fee: Decimal) -> bool:
        """Whether equity covers the positions after a fill; what reduces a position always may."""
        held = self._ledger.quantity(symbol)
        if abs(held + signed) <= abs(held):
            return True
        equity = self._ledger.cash - fee - signed * price
        used = _ZERO
        for holding, mark in self._ledger.marked(self._mark):
            if holding.symbol != symbol:
                equity += holding.quantity * mark
                used += abs(holding.quantity) * mark
        after = held + signed
        return equity + after * price >= used + abs(after) * price

    def _record(
        self,
        instrument: Instrument,
        order: RestingOrder,
        rule: str,
        quantity: Decimal,
        price: Decimal,
        base: Decimal,
        fee: Decimal,
        realized_before: Decimal,
    ) -> None:
        trade_id = f"trd-{len(self._fills) + 1}"
        self._fills.append(
            Fill(
                time_ns=self.now_ns,
                bar_ns=instrument.series.starts[instrument.row],
                symbol=order.symbol,
                side=order.side,
                quantity=quantity,
                price=price,
                fee=fee,
                order_id=order.id,
                client_order_id=order.request.client_order_id,
                trade_id=trade_id,
                rule=rule,
            )
        )
        trade = Trade(
            id=trade_id,
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=price,
            commission=fee,
            commission_currency=self.options.currency,
            timestamp=self.now,
            position_id=order.position_id,
            base_price=base,
            realized_pnl=self._ledger.realized - realized_before,
        )
        self._trades.append(trade)
        self._emit(TradeEvent(trade=trade, timestamp=self.now))

    def _emit_position(self, holding: Holding, kind: PositionEventKind) -> None:
        position = self._position_of(holding)
        self._emit(PositionEvent(event=kind, position=position, timestamp=self.now))

    def _after_fill(self, instrument: Instrument, order: RestingOrder) -> None:
        if order.request.stop_loss is not None or order.request.take_profit is not None:
            self._protect(instrument, order)
        if order.status is OrderStatus.FILLED:
            for other in self._siblings(order):
                self._finish(instrument, other, OrderStatus.CANCELLED)
        held = self._ledger.quantity(order.symbol)
        for leg in [each for each in instrument.resting.values() if each.parent is not None]:
            if held * leg.side.sign >= 0:
                self._finish(instrument, leg, OrderStatus.CANCELLED)

    def _siblings(self, order: RestingOrder) -> list[RestingOrder]:
        """Resting orders of which at most one may fill, this one aside."""
        group = order.request.oco_group_id
        resting = self._instruments[order.symbol].resting.values()
        return [
            other
            for other in resting
            if other is not order
            and (
                (order.parent is not None and other.parent is order.parent)
                or (group is not None and other.request.oco_group_id == group)
            )
        ]

    def _protect(self, instrument: Instrument, entry: RestingOrder) -> None:
        """Create the bracket legs of an entry, or grow them after a further partial fill."""
        quantity = min(entry.filled, abs(self._ledger.quantity(entry.symbol)))
        if not quantity or self._ledger.quantity(entry.symbol) * entry.side.sign < 0:
            return
        if entry.legs:
            for leg in entry.legs:
                if leg.id in instrument.resting and leg.request.quantity != quantity:
                    leg.resize(quantity, self.now_ns)
                    self._emit_order(leg, OrderEventKind.ORDER_MODIFIED)
            return
        request = entry.request
        for price, kind, suffix in (
            (request.stop_loss, OrderType.STOP, "sl"),
            (request.take_profit, OrderType.LIMIT, "tp"),
        ):
            if price is None:
                continue
            leg = self._accept(
                OrderRequest(
                    symbol=entry.symbol,
                    side=entry.side.opposite,
                    quantity=quantity,
                    order_type=kind,
                    stop_price=price if kind is OrderType.STOP else None,
                    limit_price=price if kind is OrderType.LIMIT else None,
                    reduce_only=True,
                    position_id=entry.position_id,
                    client_order_id=f"{request.client_order_id or entry.id}-{suffix}",
                ),
                parent=entry,
            )
            leg.waits_for_open |= self.options.children == "next_bar"
            entry.legs.append(leg)

    def _finish(
        self,
        instrument: Instrument,
        order: RestingOrder,
        status: OrderStatus,
        reason: RejectReason | None = None,
    ) -> None:
        """End an order that did not fill, and say so."""
        del instrument.resting[order.id]
        order.end(status, self.now_ns, reason)
        self._emit_order(order, _END_KINDS[status])

    def _reject(self, instrument: Instrument, order: RestingOrder, reason: RejectReason) -> None:
        self._finish(instrument, order, OrderStatus.REJECTED, reason)
        for other in self._siblings(order):
            self._finish(self._instruments[other.symbol], other, OrderStatus.CANCELLED)


_END_KINDS = {
    OrderStatus.CANCELLED: OrderEventKind.ORDER_CANCELLED,
    OrderStatus.EXPIRED: OrderEventKind.ORDER_EXPIRED,
    OrderStatus.REJECTED: OrderEventKind.ORDER_REJECTED,
}
