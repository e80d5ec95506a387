"""Fills plain orders (see `plain`): in full or not at all, at little cost."""

from decimal import Decimal

from strategy_runtime.protocol.enums import Side
from strategy_runtime.protocol.values import decimal_of
from strategy_runtime.simulator.exchange.margin import Margin
from strategy_runtime.simulator.exchange.news import News
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.matching import MARKET_OPEN, Match, at_open, within_bar
from strategy_runtime.simulator.orders import KeptOrder, PlainOrder
from strategy_runtime.simulator.outcome import Fill

__all__ = ["PlainExecution"]

_ZERO = Decimal(0)
# Looking up an enum member takes five times as long as a module name.
_INTRABAR, _OPEN, _BUY = Phase.INTRABAR, Phase.OPEN, Side.BUY


class PlainExecution:
    """Fills plain orders, and leaves to `Execution` those that need more.

    Its methods return False, with nothing done, if an order needs the general path.
    """

    __slots__ = ("_margin", "_news", "_state")

    def __init__(self, state: State, news: News, margin: Margin) -> None:
        self._state = state
        self._news = news
        self._margin = margin

    def fill_alone(self, instrument: Instrument) -> bool:
        """Fill a symbol's only resting order at an open, if plain."""
        resting = instrument.resting
        if len(resting) != 1:
            return False
        (order,) = resting.values()
        if (
            order.is_plain
            and order.request is order.original
            and not order.filled
            and order.open_from <= self._state.now_ns
            and self.fill(instrument, order, self._state.now_ns)
        ):
            resting.remove(order)
            return True
        return False

    def fill(
        self, instrument: Instrument, order: KeptOrder, start: int, match: Match | None = None
    ) -> bool:
        """Fill an order, the only one of its symbol, in the bar that starts at `start`.

        Args:
            match: Price and rule; None for a market order at the open.
        """
        state = self._state
        if state.is_at_risk:
            return False
        request, ledger, now_ns = order.request, state.ledger, state.now_ns
        symbol, side, quantity = request.symbol, request.side, request.quantity
        left = instrument.volume_left
        if left is not None and quantity > left:
            return False
        if match is None:
            base = decimal_of(instrument.series.opens[instrument.row])
            rule, is_maker = MARKET_OPEN, False
        else:
            base, rule, is_maker = match.price, match.rule, match.is_maker
        price, fee, costs = base, _ZERO, state.costs
        if not costs.are_none:
            volume = instrument.volume_at(now_ns)
            price = costs.price(base, side, quantity, volume, request.limit_price)
            fee = costs.fee(quantity, price, is_maker=is_maker)
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
        if state.phase is _INTRABAR:
            instrument.note_price(float(price), now_ns)
        state.revalue(symbol, closed)
        if left is not None:
            instrument.volume_left = left - quantity
        fills = state.fills
        fill = Fill(
            now_ns,
            start,
            symbol,
            side,
            quantity,
            price,
            fee,
            order.sequence,
            request.client_order_id,
            len(fills) + 1,
            (current or closed).id,  # type: ignore[union-attr]  # there is one
            rule,
            base,
            profit,
            is_maker,
        )
        fills.append(fill)
        order.fill_whole(fill)
        self._news.announce_fill(fill, order, booking)
        if fee:
            self._margin.update_risk()
        return True

    def fill_at_price(self, instrument: Instrument, order: PlainOrder, start: int) -> bool:
        """Fill an order with a price by the rules of the current phase."""
        series, row = instrument.series, instrument.row
        resting = self._state.register.bring_to_rest(order)
        if self._state.phase is _OPEN:
            match = at_open(resting, series.opens[row], has_rested=False)
        else:
            match = within_bar(resting, series.highs[row], series.lows[row])
        return match is not None and self.fill(instrument, resting, start, match)
