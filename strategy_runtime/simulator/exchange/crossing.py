"""The market meets the orders: which of them an open, a range or a quote is tested against, and in
what order.

An order that came during an open phase meets the open it came behind, and then the range, when
that bar closes; every other meets the opens and ranges that follow it.
"""

from strategy_runtime.clock import DAY_NS
from strategy_runtime.protocol.enums import OrderStatus, OrderType, RejectReason, Side, TimeInForce
from strategy_runtime.simulator.data.series import middle
from strategy_runtime.simulator.exchange.nights import Nights
from strategy_runtime.simulator.market import Instrument
from strategy_runtime.simulator.matching import at_open, within_bar
from strategy_runtime.simulator.orders import RestingOrder

__all__ = ["Crossing"]


class Crossing(Nights):
    """The exchange and its executions, tested against one bar or quote at a time."""

    __slots__ = ()

    def _match_open(self, instrument: Instrument) -> None:
        """Test the orders of a symbol against the open of a bar."""
        price = instrument.series.opens[instrument.row]
        if self._is_split_due(instrument, self.now_ns):
            self._split_before(instrument, self.now_ns, price)
        if instrument.row:
            self._look_for_split(instrument)
        self._match_open_at(instrument, price)

    def _match_open_at(self, instrument: Instrument, price: float) -> None:
        self._match_at(instrument, price, price)

    def _begin_bar(self, instrument: Instrument) -> None:
        share = self._volume_share
        if share is not None and instrument.begun_row != instrument.row:
            instrument.begin_bar(share)

    def _match_quote(self, instrument: Instrument) -> None:
        """Test the orders of a symbol against a quote: buys at the ask, sells at the bid."""
        quotes, tick = instrument.quotes, instrument.tick
        if quotes is None:
            return
        bid, ask = quotes.bids[tick], quotes.asks[tick]
        instrument.tick = tick + 1
        if self._is_split_due(instrument, self.now_ns):
            self._split_before(instrument, self.now_ns, middle(bid, ask))
        instrument.price = middle(bid, ask)
        if not instrument.resting:
            return
        self._match_at(instrument, bid, ask)
        for order in instrument.resting.reached(min(bid, ask), max(bid, ask)):
            if order.waits_for_open:
                continue
            if order.order_type is OrderType.TRAILING_STOP:
                order.trail(bid if order.side is Side.SELL else ask)
            if order.is_immediate:
                self._finish(order, OrderStatus.CANCELLED)
        instrument.resting.let_sleep(self.now_ns)

    def _match_at(self, instrument: Instrument, bid: float, ask: float) -> None:
        now = self.now_ns
        low, high = (bid, ask) if bid <= ask else (ask, bid)
        for order in instrument.resting.reached(low, high):
            order.waits_for_open = False
            if order.open_from > now or order.is_over:
                continue
            if order.delay:
                order.delay -= 1
                order.waits_for_open = True
                continue
            self._meet_open(instrument, order, ask if order.side is Side.BUY else bid, now)

    def _meet_open(
        self, instrument: Instrument, order: RestingOrder, price: float, start: int
    ) -> None:
        """Test an order against one open, unless its day is over."""
        today = start // DAY_NS
        is_fresh, order.is_fresh = order.is_fresh, False
        if order.day < 0:
            order.day = today
        elif order.request.time_in_force is TimeInForce.DAY and order.day != today:
            self._finish(order, OrderStatus.EXPIRED)
            return
        if order.order_type is OrderType.TRAILING_STOP and order.stop_price is None:
            order.trail(price)
            return
        match = at_open(order, price, has_rested=not is_fresh)
        if match is None:
            return
        if is_fresh and order.request.post_only:
            self._reject(order, RejectReason.POST_ONLY_VIOLATED)
        else:
            self._execute(instrument, order, match)

    def _match_range(self, instrument: Instrument) -> None:
        """Test the orders of a symbol against the range of the bar that closes."""
        series, row = instrument.series, instrument.row
        start, high, low = series.starts[row], series.highs[row], series.lows[row]
        self._begin_bar(instrument)
        for order in _stops_first(instrument.resting.reached(low, high)):
            if order.waits_for_open or order.is_over:
                continue
            if order.open_from > start and order.order_type is not OrderType.MARKET:
                self._meet_open(instrument, order, series.opens[row], start)
            self._meet_range(instrument, order, high, low)
            if order.is_immediate and order.day >= 0 and not order.is_over:
                self._finish(order, OrderStatus.CANCELLED)
        instrument.resting.let_sleep(self.now_ns)

    def _meet_range(
        self, instrument: Instrument, order: RestingOrder, high: float, low: float
    ) -> None:
        """Test an order against the range of a bar, unless the open has dealt with it."""
        if order.waits_for_open or order.is_over:
            return
        match = within_bar(order, high, low)
        if match is not None:
            self._execute(instrument, order, match)
        elif order.order_type is OrderType.TRAILING_STOP:
            order.trail(high if order.side is Side.SELL else low)


def _stops_first(orders: list[RestingOrder]) -> list[RestingOrder]:
    """Put the stops of which only one or a limit may fill before that limit; else keep the order.

    Within a bar nobody knows which came first, so the worse outcome is taken.
    """
    found: dict[str, RestingOrder] = {}
    for order in orders:
        if order.order_type is OrderType.LIMIT and order.has_siblings:
            for other in orders:
                if other.order_type is not OrderType.LIMIT and order.excludes(other):
                    found.setdefault(other.id, other)
        found.setdefault(order.id, order)
    return list(found.values())
