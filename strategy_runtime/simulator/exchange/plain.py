"""Orders with nothing to them, as most orders are: what the general way does, in few steps.

An order is plain where it is for a quantity at the market, or at one price, and no more, on an
account that borrows nothing and holds no short positions, in a market made of bars. Whatever is not
so clear is left to the general way: everything that may end in a refusal, and what turns a position
round.

An order at a price is plain during the next bar only, as many strategies replace theirs at every
bar. Where the bar does not reach the price and the order is not withdrawn, it comes to rest like
any other.
"""

from decimal import Decimal

from strategy_runtime.protocol.enums import OrderEventKind, OrderType, Side, TimeInForce
from strategy_runtime.protocol.models import LONGEST_ID, OrderRequest
from strategy_runtime.protocol.orders import is_bare_order
from strategy_runtime.protocol.values import decimal_of, is_sound
from strategy_runtime.simulator.exchange.agenda import Agenda
from strategy_runtime.simulator.exchange.margin import Margin
from strategy_runtime.simulator.exchange.news import News
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.orders import KeptOrder, PlainOrder, RestingOrder
from strategy_runtime.simulator.outcome import Fill

__all__ = ["PlainOrders"]

_ZERO = Decimal(0)
# A member of an Enum costs five times a name of the module, and an order meets dozens.
_BAR, _OPEN, _BUY, _GTC = Phase.BAR, Phase.OPEN, Side.BUY, TimeInForce.GTC
_MARKET, _LIMIT = OrderType.MARKET, OrderType.LIMIT


class PlainOrders:
    """The short way for plain orders.

    Attributes:
        new: Those that rest nowhere, in the order of their acceptance; also such as were withdrawn
            since the last bar began.
        has_others: Whether any of these is not simply to meet the next open at the market.
    """

    __slots__ = ("_agenda", "_is_simple", "_margin", "_news", "_state", "has_others", "new")

    def __init__(self, state: State, news: News, agenda: Agenda, margin: Margin) -> None:
        self._state = state
        self._news = news
        self._agenda = agenda
        self._margin = margin
        self._is_simple = state.options.is_simple
        self.new: list[PlainOrder] = []
        self.has_others = False

    def accept(self, request: OrderRequest) -> PlainOrder | None:
        """Accept an order if it is plain and nothing speaks against it; else None."""
        state = self._state
        if (
            not self._is_simple
            or state.is_at_risk
            or state.phase is not _BAR
            or request.time_in_force is not _GTC
            or not is_bare_order(request)
        ):
            return None
        symbol, own_id, quantity = request.symbol, request.client_order_id, request.quantity
        instrument = state.instruments.get(symbol)
        if instrument is None or not own_id or len(own_id) > LONGEST_ID:
            return None
        if request.order_type is not _MARKET:
            return self._accept_priced(request, own_id, instrument)
        price = self._price_between_bars(instrument)
        if price is None:
            return None
        holding, position_id = state.ledger.net.get(symbol), request.position_id
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
        order = self._entered(request, own_id)
        if order is not None and instrument.first_row < 0:
            self._let_rest(instrument, order)
        elif order is not None:
            self.new.append(order)
        return order

    def _accept_priced(
        self, request: OrderRequest, own_id: str, instrument: Instrument
    ) -> PlainOrder | None:
        """Likewise for an order at a price, while somebody looks on and nothing rests anywhere."""
        agenda, quantity = self._agenda, request.quantity
        if (
            instrument.first_row < 0
            or self._news.witness is None
            or request.reduce_only
            or request.position_id is not None
            or agenda.due
            or (agenda.busy and agenda.with_orders())
        ):
            return None
        price = request.limit_price or request.stop_price
        if price is None or not is_sound(quantity, price) or quantity <= _ZERO or price <= _ZERO:
            return None
        if request.side is _BUY:
            if not self._covers(quantity, price):
                return None
        else:
            holding = self._state.ledger.net.get(request.symbol)
            if holding is None or quantity > holding.quantity:
                return None
        order = self._entered(request, own_id)
        if order is not None:
            self.new.append(order)
            self.has_others = True
        return order

    def _entered(self, request: OrderRequest, own_id: str) -> PlainOrder | None:
        """An order that has been accepted; None where its id is that of another."""
        state = self._state
        register = state.register
        order = PlainOrder(request, len(register.all) + 1, state.now_ns)
        if register.by_client_id.setdefault(own_id, order) is not order:
            return None
        register.all.append(order)
        self._news.tell_plain(order)
        return order

    def withdraw(self, order: PlainOrder) -> None:
        """Cancel an order that rests nowhere."""
        state = self._state
        state.keep_time()
        order.withdraw(state.now_ns)
        state.emitted += 1
        self.has_others = True

    def _price_between_bars(self, instrument: Instrument) -> float | None:
        """The last price where there are bars and none is going on, else None."""
        walk = self._state.walk
        if walk is None or instrument.first_row < 0:
            if instrument.quotes is not None or self._state.is_amid_a_bar(instrument):
                return None
            return instrument.price
        row = instrument.row = instrument.first_row + walk.done
        if row:
            instrument.price = instrument.series.closes[row - 1]
        return instrument.price

    def _can_pay(self, quantity: Decimal, price: float) -> bool:
        """Whether cash is plainly enough: for the next whole number, which is soonest said, or for
        the price itself."""
        cash, costs = self._state.ledger.cash, self._state.costs
        if costs.are_none and cash > quantity * (int(price) + 1):
            return True
        return self._covers(quantity, decimal_of(price))

    def _covers(self, quantity: Decimal, price: Decimal) -> bool:
        """Whether cash is enough for so many units and their fee."""
        state = self._state
        return state.ledger.cash - state.costs.fee(quantity, price) >= quantity * price

    # Before the open

    def let_new_rest(self) -> None:
        """Have new orders wait for what comes like others."""
        new, self.new = self.new, []
        self.has_others = False
        for order in new:
            if order.is_over:
                self._news.untold.append((order, OrderEventKind.ORDER_CANCELLED))
            else:
                self._let_rest(self._state.instruments[order.symbol], order)

    def _let_rest(self, instrument: Instrument, order: PlainOrder) -> None:
        resting = self._at_rest(order)
        if order.request.order_type is _MARKET:
            instrument.resting.add(resting)
            self._agenda.add_open(instrument)
        else:
            self._state.close_up(instrument)
            instrument.resting.add_asleep(resting, instrument.row - order.has_waited)
            self._agenda.add_busy(instrument)
        witness = self._news.witness
        if witness is not None and order.has_waited:
            witness.see_order(resting)
        elif witness is not None:
            self._news.untold.append((resting, OrderEventKind.ORDER_CREATED))

    def _at_rest(self, order: PlainOrder) -> RestingOrder:
        """The order that the register has in its place from here on."""
        resting = order.at_rest()
        self._state.register.replace(resting)
        return resting

    # At the open

    def open_new(self, start: int) -> None:
        """Have the orders that came since the last open, and only these, meet that which comes now.

        From one on that has to be looked at more closely, they come to rest in time for it.
        """
        state, agenda, news = self._state, self._agenda, self._news
        if self.has_others:
            new = self._sifted()
            if not new:
                return
        else:
            new, self.new = self.new, []
        if len(new) > 1:
            new.sort(key=self._rank_of)
        state.now_ns, state.phase = start, _OPEN
        for order in new:
            lane = state.instruments[order.request.symbol]
            row = lane.row
            state.begin_bar(lane)
            if not agenda.due and self.fill(lane, order, lane.series.opens[row]):
                continue
            resting = self._at_rest(order)
            lane.resting.add(resting)
            news.untold.append((resting, OrderEventKind.ORDER_CREATED))
            lane.scheduled = row
            agenda.due[lane.rank] = agenda.busy[lane.rank] = lane
        if news.untold:
            news.show()

    def _sifted(self) -> list[PlainOrder]:
        """The new orders at the market, the others having been dealt with: the bar that comes next
        does not come to their prices, or they were withdrawn.

        Where one has to be looked at more closely, all of them come to rest, and none is left.
        """
        untold, waiting, at_market = [], [], []
        for order in self.new:
            if order.is_over:
                untold.append((order, OrderEventKind.ORDER_CANCELLED))
            elif order.request.order_type is _MARKET:
                at_market.append(order)
            elif order.has_waited or self._comes_to(order.request):
                self.let_new_rest()
                self._news.show()
                return []
            else:
                untold.append((order, OrderEventKind.ORDER_CREATED))
                waiting.append(order)
        self._news.untold += untold
        self._news.show()
        for order in waiting:
            order.has_waited = True
        self.new, self.has_others = waiting, bool(waiting)
        return at_market

    def _comes_to(self, request: OrderRequest) -> bool:
        """Whether the bar that comes next comes to the price of an order."""
        lane = self._state.instruments[request.symbol]
        self._state.close_up(lane)
        series, row, is_limit = lane.series, lane.row, request.order_type is _LIMIT
        price = float(request.limit_price if is_limit else request.stop_price)  # type: ignore[arg-type]
        if (request.side is _BUY) is is_limit:
            return series.lows[row] <= price
        return series.highs[row] >= price

    def _rank_of(self, order: PlainOrder) -> int:
        return self._state.instruments[order.symbol].rank

    def fill_alone(self, instrument: Instrument, opened: float) -> bool:
        """Fill what rests in a symbol, if that is a single plain order, at the open of a bar."""
        resting = instrument.resting
        if len(resting) != 1:
            return False
        (order,) = resting.values()
        if (
            order.is_plain
            and order.request is order.original
            and not order.filled
            and order.open_from <= self._state.now_ns
            and self.fill(instrument, order, opened)
        ):
            resting.remove(order)
            return True
        return False

    def fill(self, instrument: Instrument, order: KeptOrder, opened: float) -> bool:
        """Fill a plain order, the only one of its symbol, at the open of a bar that begins now.

        False where it has to be looked at more closely.
        """
        state = self._state
        if state.is_at_risk:
            return False
        request, ledger, now_ns = order.request, state.ledger, state.now_ns
        symbol, side, quantity = request.symbol, request.side, request.quantity
        left = instrument.left
        if left is not None and quantity > left:
            return False
        base = price = decimal_of(opened)
        fee, costs = _ZERO, state.costs
        if not costs.are_none:
            price = costs.price(base, side, quantity, instrument.volume_at(now_ns), None)
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
        state.revalue(symbol, closed)
        if left is not None:
            instrument.left = left - quantity
        fills = state.fills
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
        self._news.tell_fill(fill, order, booking)
        if fee:
            self._margin.weigh_risk()
        return True
