"""Which orders an open, a range or a quote is tested against, and in what order.

An order placed during an open phase is tested against that open and then the range, both when the
bar closes; any other order is tested against the opens and ranges that follow it.
"""

from strategy_runtime.clock import DAY_NS
from strategy_runtime.protocol.enums import OrderStatus, OrderType, RejectReason, Side, TimeInForce
from strategy_runtime.simulator.data.series import middle
from strategy_runtime.simulator.exchange.acceptance import Acceptance
from strategy_runtime.simulator.exchange.execution import Execution
from strategy_runtime.simulator.exchange.nights import Nights
from strategy_runtime.simulator.exchange.plain_execution import PlainExecution
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.market import Instrument
from strategy_runtime.simulator.matching import at_open, within_bar
from strategy_runtime.simulator.orders import RestingOrder

__all__ = ["Crossing"]


class Crossing:
    """Tests the orders of a symbol against one bar or quote at a time."""

    __slots__ = ("_acceptance", "_execution", "_nights", "_plain", "_state")

    def __init__(
        self,
        state: State,
        acceptance: Acceptance,
        execution: Execution,
        nights: Nights,
        plain: PlainExecution,
    ) -> None:
        self._state = state
        self._acceptance = acceptance
        self._execution = execution
        self._nights = nights
        self._plain = plain

    def match_open(self, instrument: Instrument) -> None:
        """Apply overnight splits, then test the orders of a symbol against the open of a bar."""
        price, now_ns = instrument.series.opens[instrument.row], self._state.now_ns
        self._nights.split_before(instrument, now_ns, price)
        if instrument.row:
            self._nights.check_for_split(instrument)
        self.match_open_at(instrument, price)

    def match_open_at(self, instrument: Instrument, price: float) -> None:
        """Test the orders of a symbol against an open, if it is known that there was no split."""
        self._state.begin_bar(instrument)
        if instrument.price is None and instrument.resting:
            instrument.price = price  # other symbols may close before the first close of this one
        if not self._plain.fill_alone(instrument):
            self._match_at(instrument, price, price)

    def match_quote(self, instrument: Instrument) -> None:
        """Test the orders of a symbol against a quote: buys at the ask, sells at the bid."""
        quotes, tick = instrument.quotes, instrument.tick
        if quotes is None:
            return
        bid, ask = quotes.bids[tick], quotes.asks[tick]
        instrument.tick = tick + 1
        state = self._state
        price, now_ns = middle(bid, ask), state.now_ns
        has_split = bool(state.splits) and self._nights.split_before(instrument, now_ns, price)
        if tick and not has_split and quotes.stamps[tick - 1] // DAY_NS != now_ns // DAY_NS:
            self._nights.check_quote_for_split(instrument, quotes, tick)
        instrument.price = price
        state.revalue_all()
        if not instrument.resting:
            return
        self._match_at(instrument, bid, ask)
        for order in instrument.resting.reached(min(bid, ask), max(bid, ask)):
            if order.order_type is OrderType.TRAILING_STOP and not order.waits_for_open:
                order.trail(bid if order.side is Side.SELL else ask)
            if order.is_immediate and order.day is not None:
                self._acceptance.finish(order, OrderStatus.CANCELLED)
        instrument.resting.put_to_sleep(now_ns)

    def _match_at(self, instrument: Instrument, bid: float, ask: float) -> None:
        """Test buys against `ask` and sells against `bid`; at an open both are the same."""
        now = self._state.now_ns
        low, high = (bid, ask) if bid <= ask else (ask, bid)
        if now >= instrument.resting.expires_ns:
            instrument.resting.wake_expired()
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
        """Test an order against one open, or expire it if its day is over."""
        today = start // DAY_NS
        is_fresh = order.is_fresh and instrument.row <= order.slept_before
        order.is_fresh = False
        if order.day is None:
            order.day = today
        elif order.request.time_in_force is TimeInForce.DAY and order.day != today:
            self._acceptance.finish(order, OrderStatus.EXPIRED)
            return
        if order.order_type is OrderType.TRAILING_STOP and order.stop_price is None:
            order.trail(price)
            return
        match = at_open(order, price, has_rested=not is_fresh)
        if match is None:
            return
        if is_fresh and order.request.post_only:
            self._acceptance.reject(order, RejectReason.POST_ONLY_VIOLATED)
        else:
            self._execution.execute(instrument, order, match)

    def match_range(self, instrument: Instrument) -> None:
        """Test the orders of a symbol against the range of the bar that closes."""
        series, row = instrument.series, instrument.row
        start, high, low = series.starts[row], series.highs[row], series.lows[row]
        self._state.begin_bar(instrument)
        reached = instrument.resting.reached(low, high)
        while late := [
            each for each in reached if each.is_fresh and _arrived_after_open(each, start)
        ]:
            price = series.opens[row]
            for order in _stops_first(late, price, price):
                if not order.is_over:
                    self._meet_open(instrument, order, price, start)
            reached = instrument.resting.reached(low, high)  # fills may have placed legs
        for order in _stops_first(reached, low, high):
            self._meet_range(instrument, order, high, low)
            if order.is_immediate and order.day is not None and not order.is_over:
                self._acceptance.finish(order, OrderStatus.CANCELLED)
        instrument.resting.put_to_sleep(self._state.now_ns)

    def _meet_range(
        self, instrument: Instrument, order: RestingOrder, high: float, low: float
    ) -> None:
        """Test an order against the range of a bar, unless it waits for an open or is over."""
        if order.waits_for_open or order.is_over:
            return
        match = within_bar(order, high, low)
        if match is not None:
            self._execution.execute(instrument, order, match)
        elif order.order_type is OrderType.TRAILING_STOP:
            order.trail(high if order.side is Side.SELL else low)


def _arrived_after_open(order: RestingOrder, start: int) -> bool:
    """Return whether a new order was placed after the open of the bar in progress."""
    return (
        order.open_from > start
        and order.order_type is not OrderType.MARKET
        and not order.waits_for_open
    )


def _stops_first(orders: list[RestingOrder], low: float, high: float) -> list[RestingOrder]:
    """Move stops ahead of the limit order they are tied to, if the market reaches that limit.

    At most one of several tied orders may fill. A bar does not say which it reached first, so the
    worse outcome is assumed. All other orders keep their places.
    """
    if len(orders) < 2:
        return orders
    stops: dict[tuple[str | None, str | None], list[RestingOrder]] = {}
    for order in orders:
        if order.tie is not None and order.order_type is not OrderType.LIMIT:
            stops.setdefault(order.tie, []).append(order)
    if not stops:
        return orders
    found: dict[str, RestingOrder] = {}
    for order in orders:
        if (
            order.tie is not None
            and order.order_type is OrderType.LIMIT
            and order.is_limit_within(low, high)
        ):
            found.update((stop.id, stop) for stop in stops.pop(order.tie, ()))
        found.setdefault(order.id, order)
    return list(found.values())
