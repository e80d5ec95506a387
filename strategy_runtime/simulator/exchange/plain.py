"""The fast path for plain orders, which most orders are.

An order is plain if it has only a quantity and at most one price, on an account that borrows
nothing and holds no short positions, in a market made of bars. Everything else takes the general
path, including orders that may be rejected and those that flip a position.

An order with a price is plain during the next bar only, because many strategies replace theirs at
every bar. If the bar does not reach the price and the order is not cancelled, it then rests like
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
# Looking up an enum member takes five times as long as a module name, and an order needs dozens.
_BAR, _OPEN, _BUY, _GTC = Phase.BAR, Phase.OPEN, Side.BUY, TimeInForce.GTC
_MARKET, _LIMIT = OrderType.MARKET, OrderType.LIMIT


class PlainOrders:
    """Accepts, cancels and fills plain orders.

    Attributes:
        new: Those that do not rest yet, in the order of acceptance, including those cancelled since
            the last bar started.
        has_others: Whether any of these is anything but a market order for the next open.
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
        """Accept an order if it is plain and certain to be valid; else return None."""
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
            self._rest(instrument, order)
        elif order is not None:
            self.new.append(order)
        return order

    def _accept_priced(
        self, request: OrderRequest, own_id: str, instrument: Instrument
    ) -> PlainOrder | None:
        """Accept an order with a price, if there is a witness and no order rests anywhere."""
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
        """Register an order and return it; None if another order has its id."""
        state = self._state
        register = state.register
        order = PlainOrder(request, len(register.all) + 1, state.now_ns)
        if register.by_client_id.setdefault(own_id, order) is not order:
            return None
        register.all.append(order)
        self._news.announce_plain(order)
        return order

    def withdraw(self, order: PlainOrder) -> None:
        """Cancel an order that does not rest yet."""
        state = self._state
        state.keep_time()
        order.withdraw(state.now_ns)
        state.emitted += 1
        self.has_others = True

    def _price_between_bars(self, instrument: Instrument) -> float | None:
        """Return the last price if the symbol has bars and none is in progress, else None."""
        walk = self._state.walk
        if walk is None or instrument.first_row < 0:
            if instrument.quotes is not None or self._state.is_within_bar(instrument):
                return None
            return instrument.price
        row = instrument.row = instrument.first_row + walk.done
        if row:
            instrument.price = instrument.series.closes[row - 1]
        return instrument.price

    def _can_pay(self, quantity: Decimal, price: float) -> bool:
        """Return whether cash is enough, trying the next whole price first, which is faster."""
        cash, costs = self._state.ledger.cash, self._state.costs
        if costs.are_none and cash > quantity * (int(price) + 1):
            return True
        return self._covers(quantity, decimal_of(price))

    def _covers(self, quantity: Decimal, price: Decimal) -> bool:
        """Return whether cash covers so many units and their fee."""
        state = self._state
        return state.ledger.cash - state.costs.fee(quantity, price) >= quantity * price

    # Before the open

    def rest_new(self) -> None:
        """Let new orders rest like any other."""
        new, self.new = self.new, []
        self.has_others = False
        for order in new:
            if order.is_over:
                self._news.pending.append((order, OrderEventKind.ORDER_CANCELLED))
            else:
                self._rest(self._state.instruments[order.symbol], order)

    def _rest(self, instrument: Instrument, order: PlainOrder) -> None:
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
            self._news.pending.append((resting, OrderEventKind.ORDER_CREATED))

    def _at_rest(self, order: PlainOrder) -> RestingOrder:
        """Replace the order in the register with a resting one, and return that."""
        resting = order.at_rest()
        self._state.register.replace(resting)
        return resting

    # At the open

    def match_new(self, start: int) -> None:
        """Test the orders placed since the last open, and only these, against the open at `start`.

        The first that needs the general path, and all after it, come to rest in time for that open.
        """
        state, agenda, news = self._state, self._agenda, self._news
        if self.has_others:
            new = self._take_market_orders()
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
            news.pending.append((resting, OrderEventKind.ORDER_CREATED))
            lane.scheduled = row
            agenda.due[lane.rank] = agenda.busy[lane.rank] = lane
        if news.pending:
            news.show_pending()

    def _take_market_orders(self) -> list[PlainOrder]:
        """Take the market orders from `new`, and show the others: the next bar does not reach their
        prices, or they were cancelled.

        If any order needs the general path, let all of them rest and return none.
        """
        pending, waiting, at_market = [], [], []
        for order in self.new:
            if order.is_over:
                pending.append((order, OrderEventKind.ORDER_CANCELLED))
            elif order.request.order_type is _MARKET:
                at_market.append(order)
            elif order.has_waited or self._reaches(order.request):
                self.rest_new()
                self._news.show_pending()
                return []
            else:
                pending.append((order, OrderEventKind.ORDER_CREATED))
                waiting.append(order)
        self._news.pending += pending
        self._news.show_pending()
        for order in waiting:
            order.has_waited = True
        self.new, self.has_others = waiting, bool(waiting)
        return at_market

    def _reaches(self, request: OrderRequest) -> bool:
        """Return whether the next bar reaches the price of an order."""
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
        """Fill a symbol's only resting order at an open, if plain; return whether it filled."""
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
        """Fill a plain order, the only one of its symbol, at the open of a bar that starts now.

        Return False, with nothing done, if it needs the general path.
        """
        state = self._state
        if state.is_at_risk:
            return False
        request, ledger, now_ns = order.request, state.ledger, state.now_ns
        symbol, side, quantity = request.symbol, request.side, request.quantity
        left = instrument.volume_left
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
            instrument.volume_left = left - quantity
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
        self._news.announce_fill(fill, order, booking)
        if fee:
            self._margin.update_risk()
        return True
