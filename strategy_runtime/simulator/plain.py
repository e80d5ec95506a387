"""Market orders with nothing to them, as most orders are: what the general way does, in few steps.

An order is plain where it is for a quantity at the market and no more, on an account that borrows
nothing and holds no short positions, in a market made of bars without costs. Whatever is not so
clear is left to the general way: everything that may end in a refusal, and what turns a position
round.
"""

from decimal import Decimal

from msgspec.structs import astuple

from strategy_runtime.protocol.enums import OrderEventKind, OrderType, Side
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.protocol.values import is_sound
from strategy_runtime.simulator.in_step import PLENTY, InStep
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.matching import Match
from strategy_runtime.simulator.nights import DAY
from strategy_runtime.simulator.orders import RestingOrder

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


class Plain(InStep):
    """The exchange and its clock, and the short way for plain orders."""

    def _accept_plain(self, request: OrderRequest) -> RestingOrder | None:
        """Accept an order if it is plain and nothing speaks against it; else None."""
        if not self._is_simple or self.phase is not Phase.BAR:
            return None
        given = astuple(request)
        if (given[_KIND], given[_EXTRAS], given[_WAY]) != _PLAIN:
            return None
        symbol, side, quantity, _, *_, own_id, _, _ = given
        instrument, ledger = self._instruments.get(symbol), self._ledger
        if instrument is None or not own_id or len(own_id) > _LONGEST_ID:
            return None
        self._close_up(instrument)
        if instrument.quotes is not None or self._is_amid_a_bar(instrument):
            return None
        holding, position_id = ledger.net.get(symbol), request.position_id
        if position_id is not None and (holding is None or holding.id != position_id):
            return None
        if own_id in self._by_client_id or not is_sound(quantity) or quantity <= 0:
            return None
        if side is Side.SELL:
            if holding is None or quantity > holding.quantity:
                return None
        elif request.reduce_only or not self._can_pay(quantity, instrument.price):
            return None
        order = self._made_of(request)
        order.is_plain = True
        self._orders[order.id] = self._by_client_id[own_id] = order
        instrument.resting.add(order)
        self._schedule_open(instrument)
        self._tell_plain(order)
        return order

    def _tell_plain(self, order: RestingOrder) -> None:
        """Have others learn that it was accepted, in its turn."""
        witness = self._witness
        if witness is None:
            self._tell_order(order, OrderEventKind.ORDER_CREATED)
            return
        self.emitted += 1
        if self._walk is not None and self._walk.is_alone:
            witness.see_order(order)  # no hook runs before it is the turn of the event
        else:
            self._untold.append((order, OrderEventKind.ORDER_CREATED))

    def _match_open_at(self, instrument: Instrument, price: float) -> None:
        resting = instrument.resting
        if self._is_simple and len(resting) == 1:
            (order,) = resting.values()
            if order.is_plain and self._fill_plain(instrument, order, price):
                return
        super()._match_open_at(instrument, price)

    def _fill_plain(self, instrument: Instrument, order: RestingOrder, price: float) -> bool:
        """Fill an order at an open; False where it has to be looked at more closely."""
        now_ns, quantity = self.now_ns, order.request.quantity
        if order.open_from > now_ns or self._is_at_risk or order.request is not order.original:
            return False
        if order.side is Side.BUY:
            if not self._can_pay(quantity, price):
                return False
            signed = quantity
        else:
            holding = self._ledger.net.get(order.symbol)
            if holding is None or quantity > holding.quantity:
                return False
            signed = -quantity
        order.is_fresh = order.waits_for_open = False
        order.day = now_ns // DAY
        exact = instrument.exactly(price)
        self._settle(instrument, order, Match(price, "market_open"), signed, exact, exact, _ZERO)
        if instrument.resting.reducing:
            self._sweep(instrument)
        return True

    def _can_pay(self, quantity: Decimal, price: float | None) -> bool:
        """Whether cash is plainly enough; where it is nearly so, that is not for floats to say."""
        cash = self._ledger.cash
        return price is not None and float(cash) > float(quantity) * price * PLENTY
