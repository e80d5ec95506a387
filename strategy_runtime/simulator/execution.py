"""Fills: what an order gets when the market meets it, and what that does to the account.

Events of one execution go out as a set, in the order `order`, `trade`, `account`, `position`
(protocol e.1); the legs of a bracket are created right behind the set of their entry (g.12).
"""

from decimal import Decimal

from strategy_runtime.protocol.enums import (
    AccountEventKind,
    OrderEventKind,
    OrderStatus,
    OrderType,
    PositionEventKind,
    RejectReason,
    Side,
    TimeInForce,
)
from strategy_runtime.protocol.events import (
    AccountEvent,
    PositionEvent,
    ProxyErrorEvent,
    TradeEvent,
)
from strategy_runtime.protocol.models import OrderRequest, Trade
from strategy_runtime.simulator.acceptance import Acceptance
from strategy_runtime.simulator.ledger import Booking, Holding
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.matching import Match
from strategy_runtime.simulator.orders import RestingOrder
from strategy_runtime.simulator.outcome import Fill

__all__ = ["Execution"]

_ZERO = Decimal(0)


class Execution(Acceptance):
    """The state of the exchange, its orders, and their executions."""

    def _execute(self, instrument: Instrument, order: RestingOrder, match: Match) -> None:
        """Fill an order as far as position, volume and account allow, or end it."""
        quantity = self._fillable(instrument, order)
        if not quantity:
            return
        base = self._base_price(order, match)
        volume = instrument.volume
        price = self._costs.price(base, order.side, quantity, volume, order.request.limit_price)
        fee = self._costs.fee(quantity, price, is_maker=match.is_maker)
        if not self._affordable(order, quantity, price, fee):
            self._reject(order, RejectReason.INSUFFICIENT_MARGIN)
            return
        self._settle(instrument, order, match, quantity, price, base, fee)
        if order.request.stop_loss is not None or order.request.take_profit is not None:
            self._protect(order, quantity)
        if order.status is OrderStatus.FILLED:
            self._cancel_siblings(order)
        self._sweep(instrument)

    def _fillable(self, instrument: Instrument, order: RestingOrder) -> Decimal:
        """How much of an order can execute; one that never will is ended."""
        quantity = order.remaining
        if order.request.reduce_only:
            holding = self._ledger.addressed(order.symbol, order.position_id)
            held = _ZERO if holding is None else holding.quantity
            quantity = min(quantity, abs(held) if held * order.side.sign < 0 else _ZERO)
            if not quantity:
                self._reject(order, RejectReason.REDUCE_ONLY_VIOLATED)
                return _ZERO
        if instrument.left is not None and quantity > instrument.left:
            if order.request.time_in_force is TimeInForce.FOK:
                self._finish(order, OrderStatus.CANCELLED)
                return _ZERO
            quantity = instrument.left
        return quantity

    def _base_price(self, order: RestingOrder, match: Match) -> Decimal:
        if match.price is not None:
            return Decimal(repr(match.price))
        own = order.request.limit_price if match.is_maker else order.stop_price
        return _ZERO if own is None else own

    def _affordable(
        self, order: RestingOrder | OrderRequest, quantity: Decimal, price: Decimal, fee: Decimal
    ) -> bool:
        """Whether equity covers the margin after a fill; what reduces a position always may."""
        symbol, signed = order.symbol, quantity * order.side.sign
        holding = self._ledger.addressed(symbol, order.position_id)
        held = _ZERO if holding is None else holding.quantity
        if abs(held + signed) <= abs(held):
            return True
        equity = self._ledger.cash - fee - signed * price
        if self._is_unlevered and not self._ledger.has_shorts and held + signed > 0:
            return equity >= 0  # what is held is worth the same on both sides
        value = _ZERO
        for other, mark in self._ledger.marked(self._mark):
            here = price if other.symbol == symbol else mark
            equity += other.quantity * here
            if other is not holding:
                value += abs(other.quantity) * here
        equity += signed * price
        value += abs(held + signed) * price
        return equity * self.options.leverage >= value

    def _settle(
        self,
        instrument: Instrument,
        order: RestingOrder,
        match: Match,
        quantity: Decimal,
        price: Decimal,
        base: Decimal,
        fee: Decimal,
    ) -> None:
        """Book a fill and announce it."""
        before = self._ledger.realized
        booking = self._ledger.book(
            order.symbol, quantity * order.side.sign, price, fee, self.now_ns, order.position_id
        )
        if self.phase is Phase.INTRABAR and instrument.quotes is None:
            instrument.price = float(price)
        if instrument.left is not None:
            instrument.left -= quantity
        order.fill(quantity, price, self.now_ns)
        holding = booking.current or booking.closed
        order.position_id = None if holding is None else holding.id
        whole = order.status is OrderStatus.FILLED
        if whole:
            instrument.resting.remove(order)
        self._emit_order(
            order,
            OrderEventKind.ORDER_FILLED if whole else OrderEventKind.ORDER_PARTIALLY_FILLED,
        )
        trade = Trade(
            id=f"trd-{len(self._fills) + 1}",
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=price,
            commission=fee,
            commission_currency=self.options.currency,
            timestamp=self.now,
            is_maker=match.is_maker,
            position_id=order.position_id,
            base_price=base,
            realized_pnl=self._ledger.realized - before,
            liquidation=match.rule == "liquidation",
        )
        rule = match.rule
        if instrument.quotes is not None and self.phase is Phase.QUOTE and rule.endswith("open"):
            rule = rule.removesuffix("open") + instrument.quotes.KIND
        self._note(instrument, order, trade, rule)
        self._emit(TradeEvent(trade=trade, timestamp=self.now))
        self._emit(AccountEvent(account=self.account(), timestamp=self.now))
        self._emit_positions(booking)
        self._weigh_risk()

    def _note(self, instrument: Instrument, order: RestingOrder, trade: Trade, rule: str) -> None:
        self._trades.append(trade)
        self._fills.append(
            Fill(
                time_ns=self.now_ns,
                bar_ns=instrument.bar_start,
                symbol=order.symbol,
                side=order.side,
                quantity=trade.quantity,
                price=trade.price,
                fee=trade.commission,
                order_id=order.id,
                client_order_id=order.request.client_order_id,
                trade_id=trade.id,
                position_id=trade.position_id or "",
                rule=rule,
            )
        )

    def _emit_positions(self, booking: Booking) -> None:
        if booking.closed is not None:
            self._emit_position(booking.closed, PositionEventKind.POSITION_CLOSED)
        if booking.current is not None:
            self._emit_position(
                booking.current,
                PositionEventKind.POSITION_OPENED
                if booking.has_opened
                else PositionEventKind.POSITION_MODIFIED,
            )

    def _emit_position(self, holding: Holding, kind: PositionEventKind) -> None:
        position = self._position_of(holding)
        self._emit(PositionEvent(event=kind, position=position, timestamp=self.now))

    # Margin

    def _weigh_risk(self) -> None:
        """Note whether the account can run short of margin: it owes money or shares."""
        ledger = self._ledger
        self._is_at_risk = ledger.has_shorts or (bool(ledger.holdings) and ledger.cash < 0)

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
                self._emit_account(AccountEventKind.MARGIN_WARNING)
            self._is_warned = True
        else:
            self._is_warned = False

    def _emit_account(self, kind: AccountEventKind) -> None:
        self._emit(AccountEvent(event=kind, account=self.account(), timestamp=self.now))

    def _liquidate(self, equity: Decimal) -> None:
        """Cancel everything and close every position at the prices that stand."""
        self._emit_account(AccountEventKind.MARGIN_CALL)
        self._warn(
            "LIQUIDATION",
            f"equity of {equity:f} {self.options.currency} does not cover the open positions; all "
            "were closed",
        )
        for order in [each for each in self._orders.values() if not each.status.is_terminal]:
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
            self._execute(instrument, order, Match(instrument.price, "liquidation"))
        if self.account().equity <= 0:
            self._is_bankrupt = True
            self._warn("LIQUIDATION", "the account is bankrupt; the run ends here")

    def _warn(self, code: str, text: str) -> None:
        """Say something loud, to the strategy at once and in the result."""
        self._warnings.append(f"{self.now:%Y-%m-%d %H:%M} {text}")
        self._emit(ProxyErrorEvent(code=code, message=text, timestamp=self.now))
