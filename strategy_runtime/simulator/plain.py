"""Market orders with nothing to them, as most orders are: what the general way does, in few steps.

An order is plain where it is for a quantity at the market and no more, on an account that borrows
nothing and holds no short positions, in a market made of bars. Whatever is not so
clear is left to the general way: everything that may end in a refusal, and what turns a position
round.
"""

from decimal import Decimal

from msgspec.structs import astuple

from strategy_runtime.protocol.enums import OrderEventKind, OrderType, Side
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.protocol.values import is_sound
from strategy_runtime.simulator.crossing import Crossing
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.orders import RestingOrder
from strategy_runtime.simulator.outcome import Fill

__all__ = ["Plain"]

_ZERO = Decimal(0)
_KIND = slice(3, 10)
_EXTRAS = slice(12, 17)
_WAY = slice(18, 20)
_EMPTY = astuple(
    OrderRequest(symbol="", side=Side.BUY, quantity=_ZERO, order_type=OrderType.MARKET)
)
_PLAIN = _EMPTY[_KIND], _EMPTY[_EXTRAS], _EMPTY[_WAY]
_LONGEST_ID = 64
# A member of an Enum costs five times a name of the module, and an order meets dozens.
_BAR, _BUY, _SELL = Phase.BAR, Side.BUY, Side.SELL


class Plain(Crossing):
    """The exchange and its executions, and the short way for plain orders."""

    def _accept_plain(self, request: OrderRequest) -> RestingOrder | None:
        """Accept an order if it is plain and nothing speaks against it; else None."""
        if not self._is_simple or self.phase is not _BAR:
            return None
        given = astuple(request)
        if (given[_KIND], given[_EXTRAS], given[_WAY]) != _PLAIN:
            return None
        symbol, own_id, quantity = request.symbol, request.client_order_id, request.quantity
        instrument = self._instruments.get(symbol)
        if instrument is None or not own_id or len(own_id) > _LONGEST_ID:
            return None
        self._close_up(instrument)
        if instrument.quotes is not None or self._is_amid_a_bar(instrument):
            return None
        holding, position_id = self._ledger.net.get(symbol), request.position_id
        if position_id is not None and (holding is None or holding.id != position_id):
            return None
        if own_id in self._by_client_id or not is_sound(quantity) or quantity <= 0:
            return None
        if request.side is _SELL:
            if holding is None or quantity > holding.quantity:
                return None
        elif request.reduce_only or not self._can_pay(quantity, instrument.price):
            return None
        order = self._made_of(request, True)
        self._orders.append(order)
        self._by_client_id[own_id] = order
        if self._witness is None:
            self._tell_order(order, OrderEventKind.ORDER_CREATED)
        else:
            self.emitted += 1
        self._let_wait(instrument, order)
        return order

    def _let_wait(self, instrument: Instrument, order: RestingOrder) -> None:
        """Have a plain order that was accepted wait for the next open: let it rest like others."""
        instrument.resting.add(order)
        self._schedule_open(instrument)
        if self._witness is not None:
            self._untold.append((order, OrderEventKind.ORDER_CREATED))

    def _match_open_at(self, instrument: Instrument, price: float) -> None:
        resting = instrument.resting
        if len(resting) == 1:
            (order,) = resting.values()
            if (
                order.is_plain
                and order.request is order.original
                and order.open_from <= self.now_ns
                and self._fill_plain(instrument, order, price)
            ):
                resting.remove(order)
                return
        super()._match_open_at(instrument, price)

    def _fill_plain(self, instrument: Instrument, order: RestingOrder, opened: float) -> bool:
        """Fill a plain order, the only one of its symbol, at the open of a bar that begins now.

        False where it has to be looked at more closely.
        """
        if self._is_at_risk:
            return False
        ledger, now_ns, symbol, side = self._ledger, self.now_ns, order.symbol, order.side
        base, signed = Decimal(repr(opened)), order.request.quantity
        quantity, price, fee, costs = signed, base, _ZERO, self._costs
        if not costs.are_none:
            price = costs.price(base, side, quantity, instrument.volume, None)
            fee = costs.fee(quantity, price)
        value = quantity * price
        if side is _BUY:
            if ledger.cash - fee < value:
                return False
        else:
            holding = ledger.net.get(symbol)
            if holding is None or quantity > holding.quantity:
                return False
            signed = -quantity
        fills = self._fills
        booking = closed, current, _, profit = ledger.book(symbol, signed, price, fee, now_ns)
        position_id = (current or closed).id  # type: ignore[union-attr]  # there is one
        order.fill_whole(value, now_ns, position_id)
        fill = Fill(
            now_ns,
            now_ns,
            symbol,
            side,
            quantity,
            price,
            fee,
            order.id,
            order.name,
            f"trd-{len(fills) + 1}",
            position_id,
            "market_open",
            base,
            profit,
        )
        fills.append(fill)
        self._tell_fill(fill, order, booking)
        if fee:
            self._weigh_risk()
        return True

    def _can_pay(self, quantity: Decimal, price: float | None) -> bool:
        """Whether cash is plainly enough: for the next whole number, which is soonest said, or for
        the price itself."""
        if price is None:
            return False
        cash, costs = self._ledger.cash, self._costs
        if costs.are_none and cash > quantity * (int(price) + 1):
            return True
        exact = Decimal(repr(price))
        return cash - costs.fee(quantity, exact) >= quantity * exact
