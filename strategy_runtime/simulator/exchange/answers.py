"""The queries of the exchange.

Answers are as of simulated now: bars that have not closed and prices still to come are not visible.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from heapq import nlargest
from itertools import islice
from operator import attrgetter
from typing import TypedDict, Unpack

from strategy_runtime.clock import ns_of, utc
from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.enums import (
    OrderStatus,
    OrderType,
    PositionMode,
    RejectReason,
    Side,
)
from strategy_runtime.protocol.models import (
    Account,
    Candle,
    Capabilities,
    Order,
    Position,
    Quote,
    Trade,
)
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.simulator.data.series import PROVIDER
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.ledger import Holding
from strategy_runtime.simulator.market import Phase
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.orders import KeptOrder, RestingOrder, Snapshots
from strategy_runtime.simulator.outcome import Fill, Outcome
from strategy_runtime.simulator.rollup import made_of_trades, rolled_up

__all__ = ["Answers"]

_ZERO = Decimal(0)

_ENDED = frozenset(status for status in OrderStatus if status.is_terminal)
_OPEN = frozenset(OrderStatus) - _ENDED

_FEATURES = (
    "bracket_orders client_order_id_dedupe instants lock_step oco reduce_only short_selling "
    "trailing_stop"
).split()


class _Wanted(TypedDict, total=False):
    """Filters for orders; one that is missing or None matches any order.

    `since` is inclusive and `until` exclusive; both refer to the time of creation.
    """

    symbol: str | None
    side: Side | None
    client_order_id: str | None
    oco_group_id: str | None
    since: datetime | None
    until: datetime | None


class Answers:
    """Answers queries about an exchange."""

    __slots__ = ("_state",)

    def __init__(self, state: State) -> None:
        self._state = state

    # Progress

    @property
    def options(self) -> ExchangeOptions:
        """How the exchange was set up."""
        return self._state.options

    @property
    def now_ns(self) -> int:
        """The simulated instant, in nanoseconds since the epoch."""
        return self._state.now_ns

    @property
    def now(self) -> datetime:
        """The simulated instant."""
        return self._state.now

    @property
    def phase(self) -> Phase:
        """Phase of the current instant."""
        return self._state.phase

    @property
    def emitted(self) -> int:
        """Number of events emitted so far."""
        return self._state.emitted

    @property
    def is_complete(self) -> bool:
        """True once the end of the data has been announced."""
        return self._state.is_complete

    @property
    def finest_step(self) -> int:
        """Length of the shortest bars, in nanoseconds."""
        return min((series.step for series in self._state.data), default=0)

    # Orders and executions

    @property
    def fills(self) -> list[Fill]:
        """All executions so far, in order."""
        return list(self._state.fills)

    @property
    def balance(self) -> Decimal:
        """Starting cash plus realised profit, less fees and interest."""
        return self._state.ledger.balance

    def followed(self, order_id: str) -> KeptOrder | None:
        """Return the exchange's own order by its id, or None."""
        return self._state.register.find(order_id)

    def accepted(self, client_order_id: str) -> KeptOrder | None:
        """Return the exchange's own order by the client's id, or None."""
        return self._state.register.by_client_id.get(client_order_id)

    def order(self, order_id: str) -> Order:
        """Return one order, open or not.

        Raises:
            ApiError: 404 `ORDER_NOT_FOUND`.
        """
        return self._state.register.get(order_id).snapshot()

    def orders(
        self,
        *,
        statuses: Collection[OrderStatus] | None = None,
        limit: int = 100,
        **wanted: Unpack[_Wanted],
    ) -> list[Order]:
        """Return orders, newest first: the open ones, or those in `statuses` if given."""
        self._state.catch_up()
        found = self._kept(_OPEN if statuses is None else frozenset(statuses), **wanted)
        return [order.snapshot() for order in islice(found, limit)]

    def order_history(
        self,
        *,
        statuses: Collection[OrderStatus] | None = None,
        limit: int = 100,
        **wanted: Unpack[_Wanted],
    ) -> list[Order]:
        """Return orders that have ended, the last to end first."""
        self._state.catch_up()
        found = self._kept(_ENDED if statuses is None else _ENDED.intersection(statuses), **wanted)
        last = nlargest(limit, found, key=attrgetter("updated_ns"))
        return [order.snapshot() for order in last]

    def _kept(
        self,
        statuses: frozenset[OrderStatus],
        symbol: str | None = None,
        side: Side | None = None,
        client_order_id: str | None = None,
        oco_group_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[KeptOrder]:
        """Return the orders that match the filters, newest first."""
        register = self._state.register
        kept: Sequence[KeptOrder]
        if client_order_id is not None:
            named = register.by_client_id.get(client_order_id)
            kept = () if named is None else (named,)
        else:
            kept = register.open_ones() if statuses <= _OPEN else register.all
        return (
            order
            for order in reversed(kept)
            if order.status in statuses
            and (symbol is None or order.symbol == symbol)
            and (side is None or order.side is side)
            and (oco_group_id is None or order.request.oco_group_id == oco_group_id)
            and _within(order.created_ns, since, until)
        )

    # Positions, account and market

    def parts_of(self, symbol: str) -> Sequence[Holding]:
        """Return the open positions in a symbol, oldest first."""
        return self._state.ledger.of(symbol)

    def position(self, position_id: str) -> Position:
        """Return one open position.

        Raises:
            ApiError: 404 `POSITION_NOT_FOUND`.
        """
        self._state.catch_up()
        return self._state.position_of(self._state.holding(position_id))

    def positions(self, symbol: str | None = None) -> list[Position]:
        """Return the open positions, oldest first."""
        self._state.catch_up()
        return [
            self._state.position_of(holding)
            for holding in self._state.ledger.holdings.values()
            if symbol is None or holding.symbol == symbol
        ]

    def account(self) -> Account:
        """Return balance, equity and margin at the visible prices."""
        return self._state.account()

    def trades(
        self,
        *,
        symbol: str | None = None,
        order_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> list[Trade]:
        """Return executions, newest first."""
        found = (
            fill
            for fill in reversed(self._state.fills)
            if (symbol is None or fill.symbol == symbol)
            and (order_id is None or fill.order_id == order_id)
            and _within(fill.time_ns, since, until)
        )
        return [self._state.trade_of(fill) for fill in islice(found, limit)]

    def quote(self, symbol: str) -> Quote:
        """Return the last quote, or one made from the last price and the configured spread.

        Raises:
            ApiError: 404 `SYMBOL_NOT_FOUND`; 400 `INVALID_REQUEST` before the first price.
        """
        self._state.catch_up()
        instrument = self._state.instrument(symbol)
        quoted = instrument.quote()
        if quoted is not None:
            return quoted
        price = self._state.visible_price(instrument)
        if price is None:
            raise ApiError(
                400, "INVALID_REQUEST", f"{symbol} has no price yet", {"field": "symbol"}
            )
        half = float(self._state.options.spread / 2)
        return Quote(
            symbol, price - half, price + half, self._state.now_ns, last=price, provider=PROVIDER
        )

    def bars(
        self,
        symbol: str,
        timeframe: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
    ) -> list[Candle]:
        """Return closed bars, oldest first; `start` and `end` are inclusive and mean bar starts.

        With `start`, the first `limit` bars; without, the last.

        Raises:
            ApiError: 404 `SYMBOL_NOT_FOUND`; 400 `INVALID_REQUEST` for a timeframe not loaded.
        """
        self._state.catch_up()
        instrument = self._state.instrument(symbol)
        series, now_ns = instrument.series, self._state.now_ns
        if self._state.phase is Phase.INTRABAR:
            now_ns -= 1  # a bar that ends now has not closed yet
        wanted = parse_timeframe(timeframe)
        start_ns = None if start is None else ns_of(start)
        end_ns = None if end is None else ns_of(end)
        if instrument.trades is not None:
            return made_of_trades(
                instrument.trades,
                instrument.trade,
                timeframe,
                now_ns,
                start_ns=start_ns,
                end_ns=end_ns,
                limit=limit,
            )
        given = next((g for g in instrument.coarser if g.series.timeframe == timeframe), None)
        if timeframe == series.timeframe:
            bars, count = series, instrument.row
        elif given is not None:
            bars, count = given.series, given.count(now_ns)
        elif wanted.is_made_of(series.step) or not len(series):
            return rolled_up(
                series,
                instrument.row,
                timeframe,
                now_ns,
                start_ns=start_ns,
                end_ns=end_ns,
                limit=limit,
            )
        else:
            raise ApiError(
                400,
                "INVALID_REQUEST",
                f"timeframe {timeframe} is not loaded: {symbol} has bars of {series.timeframe}",
                {"field": "timeframe"},
            )
        first = 0 if start_ns is None else bisect_left(bars.starts, start_ns)
        last = count if end_ns is None else bisect_right(bars.starts, end_ns, 0, count)
        rows = range(first, last)
        chosen = rows[-limit:] if start_ns is None else rows[:limit]
        return [bars.candle(row) for row in chosen]

    def capabilities(self) -> Capabilities:
        """Return what this exchange can do."""
        features = set(_FEATURES)
        if self._state.options.mode is PositionMode.HEDGING:
            features.add("hedging")
        if self._state.options.leverage > 1:
            features.add("leverage")
        return Capabilities(
            supported_asset_classes=["STOCK", "FOREX", "CRYPTO", "FUTURES"],
            supported_order_types=[kind.value for kind in OrderType],
            position_mode=self._state.options.mode,
            features=sorted(features),
            max_leverage=format(self._state.options.leverage, "f"),
        )

    def row_of(self, candle: Candle) -> str:
        """Return the place of a candle in its file, such as `prices.csv line 34`; else empty."""
        instrument = self._state.instruments.get(candle.symbol)
        if instrument is None:
            return ""
        series, stamp = instrument.series, candle.stamp
        if series.timeframe != candle.timeframe or not isinstance(stamp, int):
            return ""
        row = bisect_left(series.starts, stamp)
        return series.where(row) if series.starts[row : row + 1] == array("q", [stamp]) else ""

    def outcome(self) -> Outcome:
        """Return the run so far as plain data."""
        state, account = self._state, self.account()
        ledger, orders = state.ledger, state.register.all
        instruments = state.instruments.values()
        value = state.valued().added_to(_ZERO)
        quoted = {
            symbol: each.quotes.as_bars()
            for symbol, each in state.instruments.items()
            if each.quotes is not None
        }
        series = [each for each in state.data if state.instruments[each.symbol].series is each]
        series += [
            bars
            for symbol, bars in quoted.items()
            if state.instruments[symbol].series not in state.data
        ]
        rejections = [
            order.reject_reason
            for order in orders
            if isinstance(order, RestingOrder) and order.status is OrderStatus.REJECTED
        ]
        return Outcome(
            fills=self.fills,
            adjustments=list(state.adjustments),
            orders=Snapshots(orders),
            originals={
                order.id: order.original for order in orders if order.request is not order.original
            },
            rejected_orders=len(rejections),
            unaffordable_orders=rejections.count(RejectReason.INSUFFICIENT_MARGIN),
            open_orders=[order.snapshot() for order in orders if not order.is_over],
            positions=self.positions(),
            start_equity=state.options.cash,
            cash=account.equity - value,
            equity=account.equity,
            fees=ledger.fees,
            financing=ledger.financing,
            realized_pnl=ledger.realized,
            unrealized_pnl=account.unrealized_pnl,
            bars=sum(each.row for each in instruments),
            events=state.emitted,
            start=utc(state.start_ns) if instruments else None,
            end=state.now if instruments else None,
            end_ns=state.now_ns,
            complete=state.is_complete,
            bankrupt=state.is_bankrupt,
            warnings=list(state.warnings),
            doubted=frozenset(state.doubted),
            series=series,
            marks=[quoted.get(each.symbol, each) for each in series],
            context=[given.series for each in instruments for given in each.coarser],
            sent=[
                f"{symbol}:{name}"
                for symbol, each in state.instruments.items()
                for name in each.sent
            ],
        )


def _within(time_ns: int, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or time_ns >= ns_of(since)) and (until is None or time_ns < ns_of(until))
