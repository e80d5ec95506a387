"""The simulated exchange: a clock made of bars, and orders that execute in them.

Free of I/O: commands and queries are plain calls, events are put into `outbox`, and `phases` moves
the clock whenever it is resumed. In process the next event is asked for, over the wire the last
one is acknowledged: the same resumption, so the same data gives the same fills.

At every instant there are three phases (protocol e.4): orders are tested against the range of the
bars that close, then the candles of these bars are announced, then orders are tested against the
opens of the bars that begin. Whatever a phase announces is delivered before the next one begins,
and an order takes part from the next phase on.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from heapq import heappop, heappush
from typing import TypeVar

from strategy_runtime.errors import ApiError, DataError
from strategy_runtime.protocol.enums import (
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
    TimeInForce,
)
from strategy_runtime.protocol.events import BacktestComplete
from strategy_runtime.protocol.models import (
    Candle,
    Order,
    OrderChanges,
    OrderHandle,
    OrderRequest,
)
from strategy_runtime.protocol.orders import (
    invalid_request,
    invalid_value,
    validate_order_request,
)
from strategy_runtime.protocol.subscriptions import Subscriptions
from strategy_runtime.simulator.costs import Costs
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries, middle
from strategy_runtime.simulator.execution import Execution
from strategy_runtime.simulator.market import PROVIDER, Instrument, Phase
from strategy_runtime.simulator.matching import at_open, within_bar
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.orders import RestingOrder
from strategy_runtime.simulator.rollup import Rollup
from strategy_runtime.simulator.splits import suspected_split

__all__ = ["Exchange"]

_DAY = 86_400_000_000_000
_T = TypeVar("_T")


class Exchange(Execution):
    """An exchange that replays bars: its clock and its commands."""

    def __init__(
        self,
        data: Sequence[BarSeries],
        options: ExchangeOptions | None = None,
        subscriptions: Subscriptions | None = None,
        costs: Costs | None = None,
        timeframe: str | None = None,
        quotes: Sequence[QuoteSeries] = (),
    ) -> None:
        super().__init__(data, options, subscriptions, costs, timeframe, quotes)
        self._rollups: list[tuple[int, int, Rollup]] = []
        self._closes: list[tuple[int, int, Instrument]] = []
        self._opens: list[tuple[int, int, Instrument]] = []
        self._ticks: list[tuple[int, int, Instrument]] = []
        for instrument in self._instruments.values():
            self._schedule_close(instrument)
            self._schedule_quote(instrument)

    def phases(self) -> Iterator[None]:
        """Run to the next phase that announced something, again and again, to the end of the data.

        To be resumed only when all of `outbox` has been delivered and dealt with, what commands
        added meanwhile included. The last phase announces `BacktestComplete`. Call it once.
        """
        yield from self.replay()
        yield from self.finish()

    def finish(self) -> Iterator[None]:
        """The last phase of a run: no bar will follow."""
        self.phase = Phase.END
        self._emit(BacktestComplete(broker=PROVIDER, timestamp=self.now))
        yield

    def replay(self) -> Iterator[None]:
        """The phases of all the bars there are; after `extend`, of those that came since."""
        outbox, closes, opens, rollups = self.outbox, self._closes, self._opens, self._rollups
        ticks = self._ticks
        if outbox:
            yield
        while not self._is_bankrupt:
            if len(closes) == 1 and not opens and not rollups and not ticks:
                yield from self._quiet_bars(closes[0][2])
            now = _soonest(closes, rollups, ticks)
            if now is None:
                return
            if opens and opens[0][0] < now:
                now = opens[0][0]
            self.now_ns = now
            if (closes and closes[0][0] == now) or (rollups and rollups[0][0] == now):
                closing = _pop_all(closes, now)
                self.phase = Phase.INTRABAR
                for instrument in closing:
                    if instrument.resting and instrument.quotes is None:
                        self._match_range(instrument)
                if self._is_at_risk:
                    for instrument in closing:
                        if instrument.quotes is None:
                            instrument.price = instrument.series.closes[instrument.row]
                    self._check_margin()
                if outbox:
                    yield
                self.phase = Phase.BAR
                for instrument in closing:
                    self._close_bar(instrument)
                for rollup in _pop_all(rollups, now):
                    candle = rollup.take()
                    if candle is not None:
                        self._emit(candle)
                if outbox:
                    yield
            if ticks and ticks[0][0] == now:
                self.phase = Phase.QUOTE
                quoted = _pop_all(ticks, now)
                for instrument in quoted:
                    self._match_quote(instrument)
                if self._is_at_risk:
                    self._check_margin()
                if outbox:
                    yield
                for instrument in quoted:
                    quote = instrument.quote()
                    if quote is not None and instrument.wants_quotes:
                        self._emit(quote)
                    self._schedule_quote(instrument)
                if outbox:
                    yield
            if opens and opens[0][0] == now:
                self.phase = Phase.OPEN
                for instrument in _pop_all(opens, now):
                    self._match_open(instrument)
                if outbox:
                    yield

    def _quiet_bars(self, instrument: Instrument) -> Iterator[None]:
        """The bars of the only symbol for as long as nothing but its candles can happen.

        The same as the general way, without its agendas: most bars of most runs are such.
        """
        series, outbox = instrument.series, self.outbox
        starts, opens, highs, lows = series.starts, series.opens, series.highs, series.lows
        closes, volumes = series.closes, series.volumes
        symbol, timeframe, step = series.symbol, series.timeframe, series.step
        resting, holdings = instrument.resting, self._ledger.holdings
        row, count = instrument.row, len(starts)
        if not instrument.subscribed or instrument.rollups:
            return
        self._closes.clear()
        try:
            while row < count and not resting and not self._is_at_risk:
                self.now_ns = starts[row] + step
                self.phase = Phase.BAR
                if holdings and row:
                    self._look_for_split(instrument)
                close = closes[row]
                instrument.price = close
                self._events += 1
                outbox.append(
                    Candle(
                        symbol,
                        timeframe,
                        starts[row],
                        opens[row],
                        highs[row],
                        lows[row],
                        close,
                        volumes[row],
                        PROVIDER,
                    )
                )
                instrument.row = row = row + 1
                yield
        finally:
            self._schedule_close(instrument)

    @property
    def upcoming_ns(self) -> int | None:
        """The next instant at which something can happen, or None at the end of the data."""
        return _soonest(self._closes, self._opens, self._rollups, self._ticks)

    @property
    def finest_step(self) -> int:
        """Length of the shortest bars, in nanoseconds."""
        return min((series.step for series in self._data), default=0)

    def extend(self, series: BarSeries) -> None:
        """Add bars while the exchange runs: to a symbol it has, or of a new one.

        Raises:
            ValueError: They begin before simulated now.
        """
        if series.starts and series.starts[0] < self.now_ns and self.phase is not Phase.START:
            raise ValueError(
                f"bars of {series.symbol} begin before the simulated instant {self.now}"
            )
        instrument = self._instruments.get(series.symbol)
        if instrument is None:
            self._data.append(series)
            instrument = Instrument(series, len(self._instruments), subscribed=True)
            self._instruments[series.symbol] = instrument
            if self.phase is Phase.START and len(self._instruments) == 1 and series.starts:
                self.now_ns = self._start_ns = series.starts[0]
            self._schedule_close(instrument)
            return
        was_exhausted = instrument.row == len(instrument.series.starts)
        instrument.series.extend(series)
        if was_exhausted:
            self._schedule_close(instrument)
            if instrument.resting:
                self._schedule_open(instrument)

    def submit(self, request: OrderRequest) -> OrderHandle:
        """Accept an order; it takes part from the next phase on.

        The same `client_order_id` with the same content answers with the first order and changes
        nothing (protocol f.5).

        Raises:
            ApiError: 400 for what cannot be an order, 422 `ORDER_REJECTED` for what the account or
                the market does not allow.
        """
        known = self._by_client_id.get(request.client_order_id or "")
        if known is not None:
            if known.original != request:
                raise ApiError(
                    400,
                    "INVALID_VALUE",
                    f"client_order_id {request.client_order_id} was used for another order",
                    {"field": "client_order_id", "provided": request.client_order_id},
                )
            return _handle(known)
        validate_order_request(request)
        self._check_acceptable(request)
        return _handle(self._accept(request))

    def modify(self, order_id: str, changes: OrderChanges) -> Order:
        """Change a resting order in place.

        Raises:
            ApiError: 404 unknown, 409 no longer open, 400 for a change the order cannot take.
        """
        order = self._open_order(order_id)
        _check_changes(order, changes)
        self._time_in(self._instruments[order.symbol], order)
        self._change(order, changes)
        for leg in order.legs:
            moved = OrderChanges(
                stop_price=changes.stop_loss if leg.order_type is OrderType.STOP else None,
                limit_price=changes.take_profit if leg.order_type is OrderType.LIMIT else None,
            )
            if moved != OrderChanges() and not leg.status.is_terminal:
                self._change(leg, moved)
        return order.snapshot()

    def cancel(self, order_id: str) -> Order:
        """Cancel a resting order.

        Raises:
            ApiError: 404 unknown, 409 `ORDER_NOT_MODIFIABLE` no longer open.
        """
        order = self._open_order(order_id)
        self._finish(order, OrderStatus.CANCELLED)
        return order.snapshot()

    def cancel_all(self, symbol: str | None = None) -> list[Order]:
        """Cancel all resting orders, of one symbol where given, in the order of acceptance."""
        wanted = [
            order
            for order in self._orders.values()
            if not order.status.is_terminal and symbol in (None, order.symbol)
        ]
        return [self.cancel(order.id) for order in wanted]

    def close_position(
        self,
        position_id: str,
        quantity: Decimal | None = None,
        order_type: OrderType = OrderType.MARKET,
        limit_price: Decimal | None = None,
    ) -> OrderHandle:
        """Give a reduce-only order against a position; a quantity beyond it is clipped.

        Raises:
            ApiError: 404 `POSITION_NOT_FOUND`, and what `submit` raises.
        """
        holding = self._holding(position_id)
        held = abs(holding.quantity)
        return self.submit(
            OrderRequest(
                symbol=holding.symbol,
                side=Side.SELL if holding.quantity > 0 else Side.BUY,
                quantity=held if quantity is None else min(quantity, held),
                order_type=order_type,
                limit_price=limit_price,
                position_id=position_id,
                reduce_only=True,
            )
        )

    def close_positions(self, symbol: str | None = None) -> list[OrderHandle]:
        """Close all positions at the market, of one symbol where given."""
        wanted = [h.id for h in self._ledger.holdings.values() if symbol in (None, h.symbol)]
        return [self.close_position(position_id) for position_id in wanted]

    def protect_position(
        self, position_id: str, stop_loss: Decimal | None, take_profit: Decimal | None
    ) -> dict[str, list[Order]]:
        """Move the bracket legs of a position, or place those it lacks.

        Returns:
            The legs under `stop_loss` and `take_profit`, as far as these were given.

        Raises:
            ApiError: 404 `POSITION_NOT_FOUND`; 400 without a price, or with one not above zero.
        """
        holding = self._holding(position_id)
        if stop_loss is None and take_profit is None:
            raise invalid_request("give stop_loss, take_profit or both")
        moved: dict[str, list[Order]] = {}
        for name, kind, price in (
            ("stop_loss", OrderType.STOP, stop_loss),
            ("take_profit", OrderType.LIMIT, take_profit),
        ):
            if price is None:
                continue
            if price <= 0:
                raise invalid_value(name, price, f"{name} must be positive")
            legs = self._legs_of(holding, kind)
            for leg in legs:
                self._time_in(self._instruments[leg.symbol], leg)
                is_stop = kind is OrderType.STOP
                self._change(
                    leg,
                    OrderChanges(
                        stop_price=price if is_stop else None,
                        limit_price=None if is_stop else price,
                    ),
                )
            if not legs:
                size = abs(holding.quantity)
                legs = [self._place_leg(holding, kind, price, size, holding.id, None)]
            moved[name] = [leg.snapshot() for leg in legs]
        return moved

    # The clock

    def _schedule_close(self, instrument: Instrument) -> None:
        series, row = instrument.series, instrument.row
        if row < len(series.starts):
            heappush(self._closes, (series.starts[row] + series.step, instrument.rank, instrument))

    def _schedule_quote(self, instrument: Instrument) -> None:
        quotes, tick = instrument.quotes, instrument.tick
        if quotes is not None and tick < len(quotes):
            heappush(self._ticks, (quotes.stamps[tick], instrument.rank, instrument))

    def _schedule_open(self, instrument: Instrument) -> None:
        """Put the open of the bar to come on the agenda, once, unless it has begun already."""
        if instrument.quotes is not None:
            return
        series, row = instrument.series, instrument.row
        if row == len(series.starts) or instrument.scheduled == row:
            return
        start = series.starts[row]
        if start > self.now_ns or (start == self.now_ns and self.phase is not Phase.OPEN):
            instrument.scheduled = row
            heappush(self._opens, (start, instrument.rank, instrument))

    def _close_bar(self, instrument: Instrument) -> None:
        row = instrument.row
        if row and self._ledger.holdings:
            self._look_for_split(instrument)
        if instrument.quotes is None:
            instrument.price = instrument.series.closes[row]
        if instrument.subscribed:
            self._emit(instrument.candle(row))
        for rollup in instrument.rollups:
            if rollup.add(instrument.series, row):
                heappush(self._rollups, (rollup.end, rollup.rank, rollup))
        instrument.row = row + 1
        self._schedule_close(instrument)
        if instrument.resting:
            self._schedule_open(instrument)

    def _look_for_split(self, instrument: Instrument) -> None:
        """Warn of a jump over night that looks like a split, where a position was held over it."""
        series, row = instrument.series, instrument.row
        is_overnight = series.step >= _DAY or series.starts[row] > (
            series.starts[row - 1] + series.step
        )
        if not is_overnight or not self._ledger.of(series.symbol):
            return
        close, opened = series.closes[row - 1], series.opens[row]
        split = suspected_split(close, opened)
        if split is None:
            return
        where = f", {series.source} line {series.lines[row]}" if series.lines is not None else ""
        text = (
            f"{series.symbol} went from {close:g} to {opened:g} over night with a position open: "
            f"it looks like a {split} split that the prices are not adjusted for{where}"
        )
        if self.options.refuse_splits:
            raise DataError(f"{text} (strict)")
        self._warn("DATA_ERROR", text)

    def _match_open(self, instrument: Instrument) -> None:
        """Test the orders of a symbol against the open of a bar."""
        price = instrument.series.opens[instrument.row]
        instrument.begin_bar(self.options.max_volume_share)
        self._match_at(instrument, price, price)

    def _match_quote(self, instrument: Instrument) -> None:
        """Test the orders of a symbol against a quote: buys at the ask, sells at the bid."""
        quotes, tick = instrument.quotes, instrument.tick
        if quotes is None:
            return
        bid, ask = quotes.bids[tick], quotes.asks[tick]
        instrument.tick = tick + 1
        instrument.price = middle(bid, ask)
        if not instrument.resting:
            return
        self._match_at(instrument, bid, ask)
        for order in list(instrument.resting.values()):
            if order.waits_for_open:
                continue
            if order.order_type is OrderType.TRAILING_STOP:
                order.trail(bid if order.side is Side.SELL else ask)
            if order.is_immediate:
                self._finish(order, OrderStatus.CANCELLED)

    def _match_at(self, instrument: Instrument, bid: float, ask: float) -> None:
        start = self.now_ns
        for order in list(instrument.resting.values()):
            order.waits_for_open = False
            if order.open_from > start or order.status.is_terminal:
                continue
            if order.delay:
                order.delay -= 1
                order.waits_for_open = True
                continue
            today = start // _DAY
            first = order.day < 0
            if first:
                order.day = today
            elif order.request.time_in_force is TimeInForce.DAY and order.day != today:
                self._finish(order, OrderStatus.EXPIRED)
                continue
            price = ask if order.side is Side.BUY else bid
            if order.order_type is OrderType.TRAILING_STOP and order.stop_price is None:
                order.trail(price)
                continue
            match = at_open(order, price)
            if match is None:
                continue
            if first and order.request.post_only:
                self._reject(order, RejectReason.POST_ONLY_VIOLATED)
            else:
                self._execute(instrument, order, match)

    def _match_range(self, instrument: Instrument) -> None:
        series, row = instrument.series, instrument.row
        start, high, low = series.starts[row], series.highs[row], series.lows[row]
        if instrument.scheduled != row:
            instrument.begin_bar(self.options.max_volume_share)
        for order in _stops_first(list(instrument.resting.values())):
            if order.waits_for_open or order.status.is_terminal:
                continue
            match = None
            if order.open_from > start and order.order_type is not OrderType.MARKET:
                match = at_open(order, series.opens[row])  # it came right behind the open
            if match is None and not order.waits_for_open:
                match = within_bar(order, high, low)
            if match is not None:
                self._execute(instrument, order, match)
            elif order.order_type is OrderType.TRAILING_STOP:
                order.trail(high if order.side is Side.SELL else low)
            if (
                order.is_immediate
                and order.id in instrument.resting
                and (order.order_type is not OrderType.MARKET or order.filled)
            ):
                self._finish(order, OrderStatus.CANCELLED)

    # Checks of commands

    def _open_order(self, order_id: str) -> RestingOrder:
        order = self._order(order_id)
        if order.status.is_terminal:
            raise ApiError(
                409, "ORDER_NOT_MODIFIABLE", f"order is {order.status}", {"order_id": order_id}
            )
        return order

    def _check_acceptable(self, request: OrderRequest) -> None:
        instrument = self._instruments.get(request.symbol)
        if instrument is None:
            known = ", ".join(self._instruments)
            raise _rejected("INVALID_SYMBOL", f"no data for {request.symbol}; loaded are {known}")
        if self.phase is Phase.END:
            raise _rejected("MARKET_CLOSED", "the backtest is over")
        holding = self._ledger.addressed(request.symbol, request.position_id)
        held = Decimal(0) if holding is None else holding.quantity
        if request.reduce_only and held * request.side.sign >= 0:
            named = f"position {request.position_id}" if request.position_id else "position"
            raise _rejected(
                "REDUCE_ONLY_VIOLATED", f"there is no {named} in {request.symbol} to reduce"
            )
        price = request.limit_price or request.stop_price
        if price is None and instrument.price is not None:
            price = Decimal(repr(instrument.price))
        if price is None or request.reduce_only:
            return
        fee = self._costs.fee(request.quantity, price)
        if not self._affordable(request, request.quantity, price, fee):
            free = self.account().margin_available
            raise _rejected(
                "INSUFFICIENT_FUNDS",
                f"{request.quantity} {request.symbol} at {price} need more than the free margin "
                f"of {free:f} {self.options.currency}",
                "INSUFFICIENT_MARGIN",
            )


def _pop_all(agenda: list[tuple[int, int, _T]], now: int) -> list[_T]:
    due: list[_T] = []
    while agenda and agenda[0][0] == now:
        due.append(heappop(agenda)[2])
    return due


def _soonest(*agendas: Sequence[tuple[int, int, object]]) -> int | None:
    soonest: int | None = None
    for agenda in agendas:
        if agenda and (soonest is None or agenda[0][0] < soonest):
            soonest = agenda[0][0]
    return soonest


def _stops_first(orders: list[RestingOrder]) -> list[RestingOrder]:
    """Put the stop of each one-cancels-other group before its limits; else keep the order.

    Within a bar nobody knows which came first, so the worse outcome is taken (protocol g.12).
    """
    groups = {order.request.oco_group_id for order in orders} - {None}
    if not groups:
        return orders

    def key(order: RestingOrder) -> bool:
        grouped = order.request.oco_group_id is not None
        return grouped and order.order_type is OrderType.LIMIT

    return sorted(orders, key=key)


def _handle(order: RestingOrder) -> OrderHandle:
    return OrderHandle(
        id=order.id, status=order.status, client_order_id=order.request.client_order_id
    )


def _rejected(code: str, message: str, reason: str | None = None) -> ApiError:
    details = {"reject_code": code, "reject_reason": reason or code}
    return ApiError(422, "ORDER_REJECTED", message, details)


def _check_changes(order: RestingOrder, changes: OrderChanges) -> None:
    request = order.request
    given = {
        name: value
        for name in changes.__struct_fields__
        if (value := getattr(changes, name)) is not None
    }
    if not given:
        raise ApiError(
            400, "INVALID_REQUEST", "nothing to change; name at least one field", {"field": None}
        )
    for name, value in given.items():
        takes = name in ("quantity", "stop_loss", "take_profit") or (
            getattr(request, name) is not None
        )
        if not takes or value <= 0:
            problem = "must be positive" if takes else f"does not apply to {request.order_type}"
            raise ApiError(
                400,
                "INVALID_VALUE",
                f"{name} {problem}",
                {"field": name, "provided": format(value, "f")},
            )
    if changes.quantity is not None and changes.quantity <= order.filled:
        raise ApiError(
            400,
            "INVALID_VALUE",
            f"quantity must stay above the {order.filled:f} already filled",
            {"field": "quantity", "provided": format(changes.quantity, "f")},
        )
