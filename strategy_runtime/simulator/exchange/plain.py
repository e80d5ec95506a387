"""Market orders with nothing to them, as most orders are: what the general way does, in few steps.

An order is plain where it is for a quantity at the market and no more, on an account that borrows
nothing and holds no short positions, in a market made of bars. Whatever is not so clear is left to
the general way: everything that may end in a refusal, and what turns a position round.
"""

from decimal import Decimal

from strategy_runtime.protocol.enums import OrderEventKind, Side, TimeInForce
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.protocol.orders import is_bare_market_order
from strategy_runtime.protocol.values import decimal_of, is_sound
from strategy_runtime.simulator.exchange.crossing import Crossing
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.orders import KeptOrder, PlainOrder, RestingOrder
from strategy_runtime.simulator.outcome import Fill

__all__ = ["Plain"]

_ZERO = Decimal(0)
_LONGEST_ID = 64
# A member of an Enum costs five times a name of the module, and an order meets dozens.
_BAR, _BUY, _GTC = Phase.BAR, Side.BUY, TimeInForce.GTC


class Plain(Crossing):
    """The exchange and its executions, and the short way for plain orders."""

    __slots__ = ()

    def _accept_plain(self, request: OrderRequest) -> PlainOrder | None:
        """Accept an order if it is plain and nothing speaks against it; else None."""
        if (
            not self._is_simple
            or self._is_at_risk
            or self.phase is not _BAR
            or request.time_in_force is not _GTC
            or not is_bare_market_order(request)
        ):
            return None
        symbol, own_id, quantity = request.symbol, request.client_order_id, request.quantity
        instrument = self._instruments.get(symbol)
        if instrument is None or not own_id or len(own_id) > _LONGEST_ID:
            return None
        price = self._price_between_bars(instrument)
        if price is None:
            return None
        holding, position_id = self._ledger.net.get(symbol), request.position_id
        if position_id is not None and (holding is None or holding.id != position_id):
            return None
        is_all = holding is not None and quantity is holding.quantity
        if not is_all and (not is_sound(quantity) or quantity <= _ZERO):
            return None
        if request.side is not _BUY:
            if not is_all and (holding is None or quantity > holding.quantity):
                return None
        elif request.reduce_only or not self._can_pay(quantity, price):
            return None
        order = PlainOrder(request, len(self._orders) + 1, self.now_ns)
        if self._by_client_id.setdefault(own_id, order) is not order:
            return None
        self._orders.append(order)
        self.emitted += 1
        if self._witness is None:
            self.outbox.append(self._order_event(order, OrderEventKind.ORDER_CREATED))
        self._let_wait(instrument, order)
        return order

    def _price_between_bars(self, instrument: Instrument) -> float | None:
        """The last close where there are bars and none is going on, else None."""
        self._close_up(instrument)
        if instrument.quotes is not None or self._is_amid_a_bar(instrument):
            return None
        return instrument.price

    def _let_wait(self, instrument: Instrument, order: PlainOrder) -> None:
        """Have a plain order that was accepted wait for the next open: let it rest like others."""
        resting = self._put_to_rest(instrument, order)
        self._schedule_open(instrument)
        if self._witness is not None:
            self._untold.append((resting, OrderEventKind.ORDER_CREATED))

    def _put_to_rest(self, instrument: Instrument, order: PlainOrder) -> RestingOrder:
        """Have a plain order be one that rests from now on."""
        resting = self._orders[order.sequence - 1] = order.at_rest()
        self._by_client_id[order.name] = resting
        instrument.resting.add(resting)
        return resting

    def _match_open_at(self, instrument: Instrument, price: float) -> None:
        resting = instrument.resting
        self._begin_bar(instrument)
        if len(resting) == 1:
            (order,) = resting.values()
            if (
                order.is_plain
                and order.request is order.original
                and not order.filled
                and order.open_from <= self.now_ns
                and self._fill_plain(instrument, order, price)
            ):
                resting.remove(order)
                return
        super()._match_open_at(instrument, price)

    def _fill_plain(self, instrument: Instrument, order: KeptOrder, opened: float) -> bool:
        """Fill a plain order, the only one of its symbol, at the open of a bar that begins now.

        False where it has to be looked at more closely.
        """
        if self._is_at_risk:
            return False
        request, ledger, now_ns = order.request, self._ledger, self.now_ns
        symbol, side, quantity = request.symbol, request.side, request.quantity
        left = instrument.left
        if left is not None and quantity > left:
            return False
        base = price = decimal_of(opened)
        fee, costs = _ZERO, self._costs
        if not costs.are_none:
            price = costs.price(base, side, quantity, instrument.volume, None)
            fee = costs.fee(quantity, price)
        value = quantity * price
        if side is _BUY:
            if ledger.cash < (value + fee if fee else value):
                return False
            booking = ledger.book(symbol, quantity, price, value, fee, now_ns)
        else:
            holding = ledger.net.get(symbol)
            if holding is None:
                return False
            held = holding.quantity
            if quantity is not held and quantity > held:
                return False
            booking = ledger.book(symbol, -quantity, price, -value, fee, now_ns)
        closed, current, _, profit = booking
        if left is not None:
            instrument.left = left - quantity
        fills = self._fills
        fill = Fill(
            now_ns,
            now_ns,
            symbol,
            side,
            quantity,
            price,
            fee,
            order.sequence,
            request.client_order_id,
            len(fills) + 1,
            (current or closed).id,  # type: ignore[union-attr]  # there is one
            "market_open",
            base,
            profit,
        )
        fills.append(fill)
        order.fill_whole(fill)
        self._tell_fill(fill, order, booking)
        if fee:
            self._weigh_risk()
        return True

    def _can_pay(self, quantity: Decimal, price: float) -> bool:
        """Whether cash is plainly enough: for the next whole number, which is soonest said, or for
        the price itself."""
        cash, costs = self._ledger.cash, self._costs
        if costs.are_none and cash > quantity * (int(price) + 1):
            return True
        exact = decimal_of(price)
        return cash - costs.fee(quantity, exact) >= quantity * exact
