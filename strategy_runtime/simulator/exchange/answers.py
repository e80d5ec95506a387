"""Every question that can be asked of the exchange.

Answers are as of simulated now: bars that have not closed, and prices that have not been, are not
visible.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import TypeVar

from strategy_runtime.clock import ns_of, utc
from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.enums import OrderStatus, OrderType, PositionMode, Side
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
from strategy_runtime.simulator.exchange.state import ExchangeState
from strategy_runtime.simulator.market import PROVIDER
from strategy_runtime.simulator.orders import KeptOrder, Snapshots
from strategy_runtime.simulator.outcome import Fill, Outcome
from strategy_runtime.simulator.rollup import candle_of, rolled_up

__all__ = ["Answers"]

_T = TypeVar("_T")
_ZERO = Decimal(0)

_OPEN = frozenset(status for status in OrderStatus if not status.is_terminal)

_FEATURES = [
    "bracket_orders",
    "client_order_id_dedupe",
    "lock_step",
    "oco",
    "reduce_only",
    "short_selling",
    "trailing_stop",
]


class Answers(ExchangeState):
    """The state of the exchange, and the questions that can be asked of it."""

    __slots__ = ()

    @property
    def fills(self) -> list[Fill]:
        """All executions so far, in order."""
        return list(self._fills)

    def knows(self, client_order_id: str | None) -> bool:
        """True where an order with this id has been accepted in this run."""
        return client_order_id in self._by_client_id

    def order(self, order_id: str) -> Order:
        """One order, open or not.

        Raises:
            ApiError: 404 `ORDER_NOT_FOUND`.
        """
        return self._order(order_id).snapshot()

    def orders(
        self,
        *,
        symbol: str | None = None,
        statuses: Collection[OrderStatus] | None = None,
        side: Side | None = None,
        client_order_id: str | None = None,
        oco_group_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> list[Order]:
        """Orders, newest first: the open ones, or those in `statuses` where given.

        `since` is inclusive and `until` exclusive; both mean the time of creation.
        """
        self.catch_up()
        wanted = _OPEN if statuses is None else frozenset(statuses)
        found = (
            order
            for order in reversed(self._open_ones() if wanted <= _OPEN else self._orders)
            if order.status in wanted
            and (symbol is None or order.symbol == symbol)
            and (side is None or order.side is side)
            and (client_order_id is None or order.request.client_order_id == client_order_id)
            and (oco_group_id is None or order.request.oco_group_id == oco_group_id)
            and _within(order.created_ns, since, until)
        )
        return [order.snapshot() for order in _first(found, limit)]

    def _open_ones(self) -> Sequence[KeptOrder]:
        """Orders that have not ended, oldest first; one that has is passed over only once."""
        fresh = self._orders[self._looked_at :]
        self._unended = [order for order in chain(self._unended, fresh) if not order.is_over]
        self._looked_at = len(self._orders)
        return self._unended

    def order_history(
        self,
        *,
        symbol: str | None = None,
        statuses: Collection[OrderStatus] | None = None,
        side: Side | None = None,
        client_order_id: str | None = None,
        oco_group_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> list[Order]:
        """Orders that have come to an end, the one that ended last first."""
        ended = {status for status in OrderStatus if status.is_terminal}
        found = self.orders(
            symbol=symbol,
            statuses=ended if statuses is None else ended.intersection(statuses),
            side=side,
            client_order_id=client_order_id,
            oco_group_id=oco_group_id,
            since=since,
            until=until,
            limit=len(self._orders),
        )
        found.sort(key=lambda order: self._order(order.id).updated_ns, reverse=True)
        return found[:limit]

    def position(self, position_id: str) -> Position:
        """One open position.

        Raises:
            ApiError: 404 `POSITION_NOT_FOUND`.
        """
        self.catch_up()
        return self._position_of(self._holding(position_id))

    def positions(self, symbol: str | None = None) -> list[Position]:
        """Open positions, the longest-standing first."""
        self.catch_up()
        return [
            self._position_of(holding)
            for holding in self._ledger.holdings.values()
            if symbol is None or holding.symbol == symbol
        ]

    def account(self) -> Account:
        """Balance, equity and margin at the visible prices."""
        self.catch_up()
        return self._account_at(self._mark)

    def trades(
        self,
        *,
        symbol: str | None = None,
        order_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
    ) -> list[Trade]:
        """Executions, newest first."""
        found = (
            fill
            for fill in reversed(self._fills)
            if (symbol is None or fill.symbol == symbol)
            and (order_id is None or fill.order_id == order_id)
            and _within(fill.time_ns, since, until)
        )
        return [self._trade_of(fill) for fill in _first(found, limit)]

    def quote(self, symbol: str) -> Quote:
        """The last price as a quote, widened by half the configured spread to either side.

        Raises:
            ApiError: 404 `SYMBOL_NOT_FOUND`; 400 `INVALID_REQUEST` before the first price.
        """
        self.catch_up()
        instrument = self._instrument(symbol)
        quoted = instrument.quote()
        if quoted is not None:
            return quoted
        price = self._visible_price(instrument)
        if price is None:
            raise ApiError(
                400, "INVALID_REQUEST", f"{symbol} has no price yet", {"field": "symbol"}
            )
        half = float(self.options.spread / 2)
        return Quote(symbol, price - half, price + half, self.now_ns, last=price, provider=PROVIDER)

    def bars(
        self,
        symbol: str,
        timeframe: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
    ) -> list[Candle]:
        """Closed bars, oldest first; `start` and `end` are inclusive and mean the bar's start.

        With neither, and with `end` alone, the last `limit` ones; with `start` the first ones.

        Raises:
            ApiError: 404 `SYMBOL_NOT_FOUND`; 400 `INVALID_REQUEST` for a timeframe not loaded.
        """
        self.catch_up()
        instrument = self._instrument(symbol)
        series = instrument.series
        wanted = parse_timeframe(timeframe)
        given = next((g for g in instrument.coarser if g.series.timeframe == timeframe), None)
        if given is None and timeframe != series.timeframe and not wanted.is_made_of(series.step):
            raise ApiError(
                400,
                "INVALID_REQUEST",
                f"timeframe {timeframe} is not loaded: {symbol} has bars of {series.timeframe}",
                {"field": "timeframe"},
            )
        if given is not None or timeframe == series.timeframe:
            if given is None:
                bars, count = series, instrument.row
            else:
                bars, count = given.series, given.count(self.now_ns)
            first = 0 if start is None else bisect_left(bars.starts, ns_of(start))
            last = count if end is None else bisect_right(bars.starts, ns_of(end), 0, count)
            rows = range(first, last)
            chosen = rows[-limit:] if start is None else rows[:limit]
            return [candle_of(bars, row, PROVIDER) for row in chosen]
        found = [
            candle
            for candle in rolled_up(series, instrument.row, timeframe, self.now_ns, PROVIDER)
            if (start is None or candle.timestamp >= start)
            and (end is None or candle.timestamp <= end)
        ]
        return found[-limit:] if start is None else found[:limit]

    def capabilities(self) -> Capabilities:
        """What this exchange can do."""
        features = set(_FEATURES)
        if self.options.mode is PositionMode.HEDGING:
            features.add("hedging")
        if self.options.leverage > 1:
            features.add("leverage")
        return Capabilities(
            supported_asset_classes=["STOCK", "FOREX", "CRYPTO", "FUTURES"],
            supported_order_types=[kind.value for kind in OrderType],
            position_mode=self.options.mode,
            features=sorted(features),
            max_leverage=format(self.options.leverage, "f"),
        )

    def row_of(self, candle: Candle) -> str:
        """Where a candle stands in its file: `prices.csv line 34`."""
        instrument = self._instruments.get(candle.symbol)
        if instrument is None:
            return ""
        series, stamp = instrument.series, candle.stamp
        if series.timeframe != candle.timeframe or not isinstance(stamp, int):
            return ""
        row = bisect_left(series.starts, stamp)
        return series.where(row) if series.starts[row : row + 1] == array("q", [stamp]) else ""

    def outcome(self) -> Outcome:
        """The run so far, as plain data."""
        account = self.account()
        value = sum((h.quantity * mark for h, mark in self._ledger.marked(self._mark)), _ZERO)
        orders = self._orders
        return Outcome(
            fills=self.fills,
            adjustments=list(self._adjustments),
            orders=Snapshots(orders),
            originals={
                order.id: order.original for order in orders if order.request is not order.original
            },
            rejected_orders=sum(order.status is OrderStatus.REJECTED for order in orders),
            open_orders=[order.snapshot() for order in orders if not order.is_over],
            positions=self.positions(),
            start_equity=self.options.cash,
            cash=account.equity - value,
            equity=account.equity,
            fees=self._ledger.fees,
            financing=self._ledger.financing,
            realized_pnl=self._ledger.realized,
            unrealized_pnl=account.unrealized_pnl,
            bars=sum(instrument.row for instrument in self._instruments.values()),
            events=self.emitted,
            start=utc(self._start_ns) if self._instruments else None,
            end=self.now if self._instruments else None,
            complete=self.is_complete,
            bankrupt=self._is_bankrupt,
            warnings=list(self._warnings),
            series=[
                *(each for each in self._data if self._instruments[each.symbol].series is each),
                *(
                    each.quotes.as_bars()
                    for each in self._instruments.values()
                    if each.quotes is not None and each.series not in self._data
                ),
            ],
            context=[given.series for each in self._instruments.values() for given in each.coarser],
            sent=[
                f"{symbol}:{name}"
                for symbol, each in self._instruments.items()
                for name in each.sent
            ],
        )


def _within(time_ns: int, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or time_ns >= ns_of(since)) and (until is None or time_ns < ns_of(until))


def _first(found: Iterable[_T], limit: int) -> list[_T]:
    return [item for item, _ in zip(found, range(limit), strict=False)]
