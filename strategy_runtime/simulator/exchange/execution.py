"""Fills: how much of an order fills at what price, and what that does to the account.

The events of one execution are emitted as a set, in the order `order`, `trade`, `account`,
`position`; the legs of a bracket are created right after the set of their entry.
"""

from decimal import Decimal

from strategy_runtime.protocol.enums import (
    OrderStatus,
    RejectReason,
    Side,
    TimeInForce,
)
from strategy_runtime.simulator.exchange.acceptance import Acceptance
from strategy_runtime.simulator.exchange.brackets import Brackets
from strategy_runtime.simulator.exchange.margin import Margin
from strategy_runtime.simulator.exchange.news import News
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.matching import Match
from strategy_runtime.simulator.orders import RestingOrder
from strategy_runtime.simulator.outcome import Fill

__all__ = ["Execution"]

_ZERO = Decimal(0)


class Execution:
    """Fills orders."""

    __slots__ = ("_acceptance", "_brackets", "_margin", "_news", "_state")

    def __init__(
        self,
        state: State,
        news: News,
        acceptance: Acceptance,
        brackets: Brackets,
        margin: Margin,
    ) -> None:
        self._state = state
        self._news = news
        self._acceptance = acceptance
        self._brackets = brackets
        self._margin = margin

    def execute(self, instrument: Instrument, order: RestingOrder, match: Match) -> None:
        """Fill an order as far as position, volume and account allow, or reject or cancel it."""
        request, is_buy = order.request, order.side is Side.BUY
        holding = self._state.ledger.addressed(order.symbol, order.position_id)
        quantity = order.remaining
        if request.reduce_only:
            held = _ZERO if holding is None else holding.quantity
            quantity = min(quantity, abs(held)) if (held < 0 if is_buy else held > 0) else _ZERO
            if not quantity:
                self._acceptance.reject(order, RejectReason.REDUCE_ONLY_VIOLATED)
                return
        if instrument.volume_left is not None and quantity > instrument.volume_left:
            quantity = instrument.volume_left
            if request.time_in_force is TimeInForce.FOK:
                self._acceptance.finish(order, OrderStatus.CANCELLED)
                return
            if not quantity:
                order.trigger()
                return
        costs = self._state.costs
        base = price = match.price
        fee = _ZERO
        if not costs.are_none:
            volume = instrument.volume_at(self._state.now_ns)
            price = costs.price(base, order.side, quantity, volume, request.limit_price)
            fee = costs.fee(quantity, price, is_maker=match.is_maker)
        signed = quantity if is_buy else -quantity
        if not self._margin.affords(order.symbol, holding, signed, price, fee):
            self._acceptance.reject(order, RejectReason.INSUFFICIENT_MARGIN)
            return
        has_closed = self._settle(instrument, order, match, signed, price, base, fee)
        if request.stop_loss is not None or request.take_profit is not None:
            self._brackets.protect(order, quantity, at_open=match.rule.endswith("open"))
        if order.is_over:
            self._acceptance.cancel_siblings(order)
        if has_closed and instrument.resting.reducing:
            self._acceptance.cancel_obsolete(instrument)

    def _settle(
        self,
        instrument: Instrument,
        order: RestingOrder,
        match: Match,
        signed: Decimal,
        price: Decimal,
        base: Decimal,
        fee: Decimal,
    ) -> bool:
        """Book a fill and announce it; return whether it closed a position."""
        state, now_ns, quantity = self._state, self._state.now_ns, abs(signed)
        value, position_id = signed * price, order.position_id
        booking = state.ledger.book(order.symbol, signed, price, value, fee, now_ns, position_id)
        if state.phase is Phase.INTRABAR and instrument.quotes is None:
            instrument.note_price(float(price), now_ns)
        state.revalue(order.symbol, booking[0])
        if instrument.volume_left is not None:
            instrument.volume_left -= quantity
        order.fill(quantity, price, now_ns)
        holding = booking[1] or booking[0]
        order.position_id = None if holding is None else holding.id
        if order.is_over:
            instrument.resting.remove(order)
        rule, quotes = match.rule, instrument.quotes
        if quotes is not None and state.phase is Phase.QUOTE and rule.endswith("open"):
            rule = rule.removesuffix("open") + quotes.KIND
        fill = Fill(
            now_ns,
            instrument.bar_start_at(now_ns),
            order.symbol,
            order.side,
            quantity,
            price,
            fee,
            order.sequence,
            order.request.client_order_id,
            len(state.fills) + 1,
            order.position_id or "",
            rule,
            base,
            booking[3],
            match.is_maker,
        )
        state.fills.append(fill)
        if order.peak is not None:
            order.mark_announced()
        self._news.announce_fill(fill, order, booking)
        self._margin.update_risk()
        return booking[0] is not None
