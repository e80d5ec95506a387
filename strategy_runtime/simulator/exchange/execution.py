"""Fills: what an order gets when the market meets it, and what that does to the account.

Events of one execution go out as a set, in the order `order`, `trade`, `account`, `position`; the
legs of a bracket are created right behind the set of their entry.
"""

from decimal import Decimal

from strategy_runtime.protocol.enums import (
    AccountEventKind,
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
    TimeInForce,
)
from strategy_runtime.protocol.events import ProxyErrorEvent
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.protocol.values import decimal_of
from strategy_runtime.simulator.exchange.acceptance import Acceptance
from strategy_runtime.simulator.ledger import Holding
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.matching import Match
from strategy_runtime.simulator.orders import RestingOrder
from strategy_runtime.simulator.outcome import LIQUIDATION, Fill

__all__ = ["Execution"]

_ZERO = Decimal(0)


class Execution(Acceptance):
    """The state of the exchange, its orders, and their executions."""

    __slots__ = ()

    def _execute(self, instrument: Instrument, order: RestingOrder, match: Match) -> None:
        """Fill an order as far as position, volume and account allow, or end it."""
        request, is_buy = order.request, order.side is Side.BUY
        holding = self._ledger.addressed(order.symbol, order.position_id)
        quantity = request.quantity - order.filled
        if request.reduce_only:
            held = _ZERO if holding is None else holding.quantity
            quantity = min(quantity, abs(held)) if (held < 0 if is_buy else held > 0) else _ZERO
            if not quantity:
                self._reject(order, RejectReason.REDUCE_ONLY_VIOLATED)
                return
        if instrument.left is not None and quantity > instrument.left:
            quantity = instrument.left
            if request.time_in_force is TimeInForce.FOK:
                self._finish(order, OrderStatus.CANCELLED)
                return
            if not quantity:
                return
        costs = self._costs
        base = price = self._base_price(order, match)
        fee = _ZERO
        if not costs.are_none:
            volume = instrument.volume
            price = costs.price(base, order.side, quantity, volume, request.limit_price)
            fee = costs.fee(quantity, price, is_maker=match.is_maker)
        signed = quantity if is_buy else -quantity
        if not self._affordable(order.symbol, holding, signed, price, fee):
            self._reject(order, RejectReason.INSUFFICIENT_MARGIN)
            return
        self._settle(instrument, order, match, signed, price, base, fee)
        if request.stop_loss is not None or request.take_profit is not None:
            self._protect(order, quantity)
        if order.is_over:
            self._cancel_siblings(order)
        if instrument.resting.reducing:
            self._sweep(instrument)

    def _base_price(self, order: RestingOrder, match: Match) -> Decimal:
        if match.price is not None:
            return decimal_of(match.price)
        own = order.request.limit_price if match.is_maker else order.stop_price
        return _ZERO if own is None else own

    def _affordable(
        self, symbol: str, holding: Holding | None, signed: Decimal, price: Decimal, fee: Decimal
    ) -> bool:
        """Whether equity covers the margin after a fill; what reduces a position always may."""
        held = _ZERO if holding is None else holding.quantity
        after = held + signed
        if abs(after) <= abs(held):
            return True
        ledger = self._ledger
        equity = ledger.cash - fee - signed * price
        if self._is_unlevered and after > 0 and not ledger.has_shorts:
            return equity >= 0  # what is held is worth the same on both sides
        value = _ZERO
        for other, mark in ledger.marked(self._mark):
            here = price if other.symbol == symbol else mark
            equity += other.quantity * here
            if other is not holding:
                value += abs(other.quantity) * here
        equity += signed * price
        value += abs(after) * price
        return equity * self.options.leverage >= value

    def _settle(
        self,
        instrument: Instrument,
        order: RestingOrder,
        match: Match,
        signed: Decimal,
        price: Decimal,
        base: Decimal,
        fee: Decimal,
    ) -> None:
        """Book a fill and announce it."""
        ledger, now_ns, quantity = self._ledger, self.now_ns, abs(signed)
        value, position_id = signed * price, order.position_id
        booking = ledger.book(order.symbol, signed, price, value, fee, now_ns, position_id)
        if self.phase is Phase.INTRABAR and instrument.quotes is None:
            instrument.note_price(float(price), now_ns)
        if instrument.left is not None:
            instrument.left -= quantity
        order.fill(quantity, price, now_ns)
        holding = booking[1] or booking[0]
        order.position_id = None if holding is None else holding.id
        if order.is_over:
            instrument.resting.remove(order)
        rule, quotes = match.rule, instrument.quotes
        if quotes is not None and self.phase is Phase.QUOTE and rule.endswith("open"):
            rule = rule.removesuffix("open") + quotes.KIND
        fill = Fill(
            now_ns,
            instrument.bar_start,
            order.symbol,
            order.side,
            quantity,
            price,
            fee,
            order.sequence,
            order.request.client_order_id,
            len(self._fills) + 1,
            order.position_id or "",
            rule,
            base,
            booking[3],
            match.is_maker,
        )
        self._fills.append(fill)
        if order.peak is not None:
            order.tell()
        self._tell_fill(fill, order, booking)
        self._weigh_risk()

    # Margin

    def _weigh_risk(self) -> None:
        ledger = self._ledger
        is_at_risk = ledger.has_shorts or (ledger.cash < 0 and bool(ledger.holdings))
        if is_at_risk is not self._is_at_risk:
            self._face_risk(is_at_risk)

    def _face_risk(self, is_at_risk: bool) -> None:
        """Note whether the account can run short of margin: it owes money or shares."""
        self._is_at_risk = is_at_risk

    def _check_margin(self) -> None:
        """Warn of an account that is short of margin, and liquidate one that is out of it."""
        equity, value = self._ledger.cash, _ZERO
        for holding, mark in self._ledger.marked(self._mark):
            equity += holding.quantity * mark
            value += abs(holding.quantity) * mark
        if equity <= 0 or equity < value * self.options.kept_margin:
            self._liquidate(equity)
        elif equity * self.options.leverage < value:
            if not self._is_warned:
                self._tell_account(AccountEventKind.MARGIN_WARNING)
            self._is_warned = True
        else:
            self._is_warned = False

    def _liquidate(self, equity: Decimal) -> None:
        """Cancel everything and close every position at the prices that stand."""
        self._tell_account(AccountEventKind.MARGIN_CALL)
        self._warn(
            "LIQUIDATION",
            f"equity of {equity:f} {self.options.currency} does not cover the open positions; all "
            "were closed",
        )
        for order in self._open_ones():
            if isinstance(order, RestingOrder):  # as all do where an account is at risk
                self._finish(order, OrderStatus.CANCELLED)
        for holding in list(self._ledger.holdings.values()):
            instrument = self._instruments[holding.symbol]
            order = self._accept(
                OrderRequest(
                    symbol=holding.symbol,
                    side=Side.SELL if holding.quantity > 0 else Side.BUY,
                    quantity=abs(holding.quantity),
                    order_type=OrderType.MARKET,
                    reduce_only=True,
                    position_id=holding.id,
                )
            )
            instrument.left = None
            self._execute(instrument, order, Match(instrument.price, LIQUIDATION))
        if self.account().equity <= 0:
            self._is_bankrupt = True
            self._warn("LIQUIDATION", "the account is bankrupt; the run ends here")

    def _warn(self, code: str, text: str) -> None:
        """Say something loud, to the strategy at once and in the result."""
        self._warnings.append(f"{self.now:%Y-%m-%d %H:%M} {text}")
        self._emit(ProxyErrorEvent(code=code, message=text, timestamp=self.now))
