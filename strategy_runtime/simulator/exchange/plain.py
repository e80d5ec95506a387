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
from strategy_runtime.simulator.exchange.news import News
from strategy_runtime.simulator.exchange.plain_execution import PlainExecution
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.orders import PlainOrder

__all__ = ["PlainOrders"]

_ZERO = Decimal(0)
# Looking up an enum member takes five times as long as a module name, and an order needs dozens.
_INTRABAR, _BAR, _OPEN = Phase.INTRABAR, Phase.BAR, Phase.OPEN
_BUY, _GTC = Side.BUY, TimeInForce.GTC
_MARKET, _LIMIT = OrderType.MARKET, OrderType.LIMIT


class PlainOrders:
    """Accepts and cancels plain orders, and decides which of them the next bar fills.

    Attributes:
        new: Those that do not rest yet, in the order of acceptance, including those cancelled since
            the last bar started.
        has_others: Whether any of these is anything but a market order for the next open.
    """

    __slots__ = ("_agenda", "_execution", "_is_simple", "_news", "_state", "has_others", "new")

    def __init__(self, state: State, news: News, agenda: Agenda, execution: PlainExecution) -> None:
        self._state = state
        self._news = news
        self._agenda = agenda
        self._execution = execution
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
        """Cancel an order that does not rest yet, while there is a witness."""
        state, witness = self._state, self._news.witness
        state.keep_time()
        order.withdraw(state.now_ns)
        state.emitted += 1
        self.has_others = True
        if witness is not None:
            witness.see_order(order)

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
            if not order.is_over:
                self._rest(self._state.instruments[order.symbol], order)

    def _rest(self, instrument: Instrument, order: PlainOrder) -> None:
        resting = self._state.register.bring_to_rest(order)
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

    # At the next bar

    def match_new(self, start: int) -> None:
        """Test the orders placed since the last open, and only these, against the bar at `start`.

        The first that needs the general path, and all after it, come to rest in time for that bar.
        """
        state, agenda, news, execution = self._state, self._agenda, self._news, self._execution
        within: PlainOrder | None = None
        if self.has_others:
            new, within = self._sort_out()
        else:
            new, self.new = self.new, []
        if new:
            if len(new) > 1:
                new.sort(key=self._rank_of)
            state.now_ns, state.phase = start, _OPEN
        for order in new:
            lane = state.instruments[order.request.symbol]
            state.begin_bar(lane)
            if not agenda.due:
                if order.request.order_type is _MARKET:
                    has_filled = execution.fill(lane, order, start)
                else:
                    has_filled = execution.fill_at_price(lane, order, start)
                if has_filled:
                    continue
            resting = state.register.bring_to_rest(order)
            lane.resting.add(resting)
            news.pending.append((resting, OrderEventKind.ORDER_CREATED))
            lane.scheduled = lane.row
            agenda.due[lane.rank] = agenda.busy[lane.rank] = lane
        if within is not None:
            lane = state.instruments[within.request.symbol]
            if not self._fill_within_bar(lane, within, start):
                self._rest(lane, within)
        if news.pending:
            news.show_pending()

    def _sort_out(self) -> tuple[list[PlainOrder], PlainOrder | None]:
        """Take from `new` the orders that meet the next open, and the one reached after it.

        The others are shown, as the bar does not reach their prices. If any order needs the general
        path, let all of them rest, and return none.
        """
        pending, waiting, at_open, within = [], [], [], None
        for order in self.new:
            if order.is_over:
                continue
            phase = self._phase_of(order)
            if order.has_waited or (phase is _INTRABAR and within is not None):
                self.rest_new()
                return [], None
            if phase is _OPEN:
                at_open.append(order)
            elif phase is _INTRABAR:
                within = order
            else:
                pending.append((order, OrderEventKind.ORDER_CREATED))
                waiting.append(order)
        self._news.pending += pending
        for order in waiting:
            order.has_waited = True
        self.new, self.has_others = waiting, bool(waiting)
        return at_open, within

    def _phase_of(self, order: PlainOrder) -> Phase | None:
        """Return the phase in which the next bar reaches an order; None if it does not."""
        state, request = self._state, order.request
        is_limit = request.order_type is _LIMIT
        price = request.limit_price if is_limit else request.stop_price
        walk = state.walk
        if price is None or walk is None:
            return _OPEN
        lane, level = state.instruments[request.symbol], float(price)
        series, row = lane.series, lane.first_row + walk.done
        if (request.side is _BUY) is is_limit:
            if series.lows[row] > level:
                return None
            is_at_open = series.opens[row] <= level
        else:
            if series.highs[row] < level:
                return None
            is_at_open = series.opens[row] >= level
        state.close_up(lane)
        return _OPEN if is_at_open else _INTRABAR

    def _fill_within_bar(self, instrument: Instrument, order: PlainOrder, start: int) -> bool:
        """Fill the only order that the bar at `start` reaches after its open, like `fill`."""
        state, end = self._state, start + instrument.series.step
        if self._agenda.due or self._news.needs_events_at(end):
            return False
        before = state.now_ns, state.phase
        state.now_ns, state.phase = end, _INTRABAR
        state.begin_bar(instrument)
        if self._execution.fill_at_price(instrument, order, start):
            return True
        state.now_ns, state.phase = before
        return False

    def _rank_of(self, order: PlainOrder) -> int:
        return self._state.instruments[order.symbol].rank
