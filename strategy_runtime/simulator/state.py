"""What the exchange knows, and every question that can be asked of it.

Answers are as of simulated now: bars that have not closed, and prices that have not been, are not
visible (protocol e.4).
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import TypeVar

from strategy_runtime.clock import ns_of, utc
from strategy_runtime.errors import ApiError, ConfigError
from strategy_runtime.ids import counted
from strategy_runtime.protocol.enums import (
    OrderEventKind,
    OrderStatus,
    OrderType,
    PositionMode,
    PositionSide,
    Side,
)
from strategy_runtime.protocol.events import Event
from strategy_runtime.protocol.models import (
    Account,
    Candle,
    Capabilities,
    Order,
    Position,
    Quote,
    Trade,
)
from strategy_runtime.protocol.subscriptions import Subscriptions
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.protocol.values import decimal_of
from strategy_runtime.simulator.costs import Costs
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries, TickSeries
from strategy_runtime.simulator.ledger import Holding, Ledger
from strategy_runtime.simulator.market import PROVIDER, Instrument, Phase
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.orders import KeptOrder, RestingOrder, Snapshots
from strategy_runtime.simulator.outcome import ORDER, Adjustment, Fill, Outcome
from strategy_runtime.simulator.rollup import GivenBars, Rollup, candle_of, rolled_up
from strategy_runtime.simulator.splits import schedule_of

__all__ = ["ExchangeState"]

_T = TypeVar("_T")
_ZERO = Decimal(0)
_MOST_DIGITS = 15
_OF_TRADES = "1m"
"""Candles made of single trades, where nobody says which."""

_OPEN = frozenset(status for status in OrderStatus if not status.is_terminal)

FEATURES = [
    "bracket_orders",
    "client_order_id_dedupe",
    "lock_step",
    "oco",
    "reduce_only",
    "short_selling",
    "trailing_stop",
]


class ExchangeState:
    """Orders, account and market at a simulated instant; the questions, not the moves.

    Attributes:
        outbox: Events emitted and not yet delivered.
        now_ns: The simulated instant.
        phase: Where within the instant the exchange stands.
        emitted: Number of events so far.
    """

    __slots__ = (
        "_adjustments",
        "_brackets",
        "_by_client_id",
        "_charged_day",
        "_costs",
        "_data",
        "_fills",
        "_groups",
        "_instruments",
        "_is_at_risk",
        "_is_bankrupt",
        "_is_simple",
        "_is_unlevered",
        "_is_warned",
        "_ledger",
        "_looked_at",
        "_orders",
        "_splits",
        "_start_ns",
        "_unended",
        "_untold",
        "_volume_share",
        "_warnings",
        "emitted",
        "now_ns",
        "options",
        "outbox",
        "phase",
    )

    def __init__(
        self,
        data: Sequence[BarSeries],
        options: ExchangeOptions | None = None,
        subscriptions: Subscriptions | None = None,
        costs: Costs | None = None,
        timeframe: str | None = None,
        quotes: Sequence[QuoteSeries] = (),
        trades: Sequence[TickSeries] = (),
    ) -> None:
        self.options = options or ExchangeOptions()
        self.outbox: deque[Event] = deque()
        self.phase = Phase.START
        self.emitted = 0
        self._data = list(data)
        self._instruments = _line_up(self._data, subscriptions, timeframe)
        for each in quotes:
            self._add_quotes(each, subscriptions)
        for each in trades:
            self._add_trades(each, subscriptions, timeframe)
        firsts = [series.starts[0] for series in self._data if len(series.starts)]
        firsts += [each.stamps[0] for each in (*quotes, *trades) if len(each)]
        self.now_ns = self._start_ns = min(firsts, default=0)
        self._costs = costs or Costs(self.options)
        self._ledger = Ledger(self.options.cash, self.options.mode, counted("pos-"))
        self._orders: list[KeptOrder] = []
        self._by_client_id: dict[str, KeptOrder] = {}
        self._unended: list[KeptOrder] = []
        self._looked_at = 0
        self._groups: dict[str, list[RestingOrder]] = {}
        self._brackets: dict[str, list[RestingOrder]] = {}
        self._fills: list[Fill] = []
        self._adjustments: list[Adjustment] = []
        self._warnings: list[str] = []
        self._untold: list[tuple[RestingOrder, OrderEventKind]] = []
        self._splits = schedule_of(self.options.splits)
        if self._splits and self._instruments and not self._splits.keys() & self._instruments:
            raise ConfigError(
                f"the splits are of {', '.join(self._splits)}, of which none is loaded; loaded are "
                f"{', '.join(self._instruments)}"
            )
        self._is_unlevered = self.options.leverage == 1
        self._is_simple = self.options.is_simple
        self._volume_share = self.options.max_volume_share
        self._is_at_risk = False
        self._charged_day = 0
        self._is_warned = False
        self._is_bankrupt = False
        self._furnish()

    def _furnish(self) -> None:
        """Put in place what a room keeps beside this, at the end of construction."""

    @property
    def now(self) -> datetime:
        """The simulated instant."""
        return utc(self.now_ns)

    def catch_up(self) -> None:
        """Have the market stand where the event in hand does; `InStep` can fall behind it."""

    def _close_up(self, instrument: Instrument) -> None:
        """The same for the bars of one symbol."""

    @property
    def is_complete(self) -> bool:
        """True once the end of the data has been announced."""
        return self.phase is Phase.END

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
        wanted = frozenset(statuses) if statuses else _OPEN
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
            statuses=ended.intersection(statuses) if statuses else ended,
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

    def _account_at(self, mark_of: Callable[[str], Decimal]) -> Account:
        ledger = self._ledger
        unrealized = used = _ZERO
        for holding, mark in ledger.marked(mark_of):
            worth = holding.quantity * mark
            unrealized += worth - holding.cost
            used += abs(worth)
        if not self._is_unlevered:
            used /= self.options.leverage
        balance = ledger.balance
        equity = balance + unrealized
        return Account(
            balance=balance,
            equity=equity,
            margin_used=used,
            margin_available=equity - used,
            unrealized_pnl=unrealized,
            currency=self.options.currency,
            realized_pnl=ledger.realized,
            total_commission=ledger.fees,
        )

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

    def _trade_of(self, fill: Fill) -> Trade:
        return Trade(
            id=fill.trade_id,
            order_id=fill.order_id,
            symbol=fill.symbol,
            side=fill.side,
            quantity=fill.quantity,
            price=fill.price,
            commission=fill.fee,
            commission_currency=self.options.currency,
            timestamp=utc(fill.time_ns),
            is_maker=fill.is_maker,
            position_id=fill.position_id or None,
            base_price=fill.base_price,
            realized_pnl=fill.realized_pnl,
            liquidation=fill.rule == "liquidation",
        )

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
        features = set(FEATURES)
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
        )

    def _add_quotes(self, quotes: QuoteSeries, subscriptions: Subscriptions | None) -> None:
        instrument = self._instruments.get(quotes.symbol)
        if instrument is None:
            instrument = self._add_without_bars(quotes)
        instrument.quotes = quotes
        instrument.wants_quotes = not subscriptions or subscriptions.wants_quote(quotes.symbol)

    def _add_trades(
        self, trades: TickSeries, subscriptions: Subscriptions | None, timeframe: str | None
    ) -> None:
        """Have trades make the candles of a symbol without bars, and price its orders where there
        are no quotes."""
        instrument = self._instruments.get(trades.symbol)
        if instrument is None:
            instrument = self._add_without_bars(trades)
        if instrument.quotes is None:
            instrument.quotes = trades
            instrument.wants_quotes = False
        if not len(instrument.series):
            instrument.trades = trades
            wanted = _timeframes_wanted(trades.symbol, timeframe or _OF_TRADES, subscriptions)
            for text in sorted(wanted, key=lambda text: parse_timeframe(text).nanoseconds):
                rank = len(self._instruments) + len(instrument.rollups)
                instrument.rollups.append(Rollup(trades.symbol, text, rank, PROVIDER))

    def _add_without_bars(self, quotes: QuoteSeries) -> Instrument:
        no_bars = BarSeries(quotes.symbol, "1m", 60_000_000_000, sources=quotes.sources)
        instrument = Instrument(no_bars, len(self._instruments), subscribed=False)
        self._instruments[quotes.symbol] = instrument
        return instrument

    def _order(self, order_id: str) -> KeptOrder:
        order = self.followed(order_id)
        if order is None:
            raise ApiError(
                404,
                "ORDER_NOT_FOUND",
                f"no order {order_id}",
                {"resource": "order", "id": order_id},
            )
        return order

    def followed(self, order_id: str) -> KeptOrder | None:
        """An order as the exchange keeps it, by its id; None where there is none."""
        number = order_id.removeprefix(ORDER)
        if len(number) > _MOST_DIGITS or not (number.isascii() and number.isdigit()):
            return None
        sequence = int(number)
        order = self._orders[sequence - 1] if 0 < sequence <= len(self._orders) else None
        return order if order is not None and order.id == order_id else None

    def _holding(self, position_id: str) -> Holding:
        holding = self._ledger.holdings.get(position_id)
        if holding is not None:
            return holding
        raise ApiError(
            404,
            "POSITION_NOT_FOUND",
            f"no open position {position_id}",
            {"resource": "position", "id": position_id},
        )

    def _instrument(self, symbol: str) -> Instrument:
        instrument = self._instruments.get(symbol)
        if instrument is None:
            raise ApiError(
                404, "SYMBOL_NOT_FOUND", f"no data for symbol {symbol}", {"symbol": symbol}
            )
        return instrument

    def _visible_price(self, instrument: Instrument) -> float | None:
        series, row = instrument.series, instrument.row
        if (
            instrument.quotes is None
            and self.phase is Phase.OPEN
            and row < len(series.starts)
            and series.starts[row] == self.now_ns
        ):
            return series.opens[row]
        return instrument.price

    def _mark(self, symbol: str) -> Decimal:
        instrument = self._instruments[symbol]
        price = self._visible_price(instrument)
        return _ZERO if price is None else decimal_of(price)

    def _position_of(self, holding: Holding) -> Position:
        mark = self._mark(holding.symbol)
        return Position(
            id=holding.id,
            symbol=holding.symbol,
            side=PositionSide.SHORT if holding.quantity < 0 else PositionSide.LONG,
            quantity=abs(holding.quantity),
            average_entry_price=holding.average_entry_price,
            current_price=mark,
            unrealized_pnl=holding.unrealized(mark),
            realized_pnl=holding.realized_pnl,
            opened_at=utc(holding.opened_ns),
            updated_at=utc(holding.updated_ns),
        )


def _line_up(
    data: Sequence[BarSeries], subscriptions: Subscriptions | None, timeframe: str | None
) -> dict[str, Instrument]:
    """Instruments by symbol, ranked by timeframe and then by the order they were given in.

    A symbol executes in its finest bars; coarser ones are only told, where they are wanted.
    """
    instruments: dict[str, Instrument] = {}
    coarser: list[tuple[int, int, str, Instrument, bool]] = []
    order = sorted(range(len(data)), key=lambda index: data[index].step)
    for rank, index in enumerate(order):
        series = data[index]
        if series.symbol in instruments:
            continue
        given = {
            other.timeframe: other
            for other in data
            if other is not series and other.symbol == series.symbol
        }
        if series.timeframe in given:
            raise ConfigError(f"{series.symbol} has two series of {series.timeframe} bars")
        plain = series.timeframe
        if timeframe is not None and parse_timeframe(timeframe).nanoseconds > series.step:
            plain = timeframe
        wanted = _timeframes_wanted(series.symbol, plain, subscriptions, series.timeframe, *given)
        instrument = Instrument(series, rank, subscribed=series.timeframe in wanted)
        instruments[series.symbol] = instrument
        for text in (wanted | given.keys()) - {series.timeframe}:
            coarse = parse_timeframe(text)
            if text not in given and not coarse.is_made_of(series.step):
                raise ConfigError(
                    f"candles of {text} cannot be made of the {series.timeframe} bars of "
                    f"{series.symbol}"
                )
            coarser.append((coarse.nanoseconds, rank, text, instrument, text in wanted))
    given_bars = {(each.symbol, each.timeframe): each for each in data}
    for rank, (_, _, text, instrument, is_wanted) in enumerate(
        sorted(coarser, key=lambda item: item[:3]), start=len(data)
    ):
        bars = given_bars.get((instrument.series.symbol, text))
        if bars is None:
            instrument.rollups.append(Rollup(instrument.series.symbol, text, rank, PROVIDER))
        else:
            instrument.coarser.append(GivenBars(bars, rank, PROVIDER, subscribed=is_wanted))
    return instruments


def _timeframes_wanted(
    symbol: str, plain: str, subscriptions: Subscriptions | None, *loaded: str
) -> set[str]:
    """Timeframes in which the candles of a symbol are sent.

    Args:
        plain: Of a `candle` that does not say; never finer than the data.
        loaded: Of the bars in the data.
    """
    if not subscriptions:
        return {plain}
    wanted = set()
    for entry in subscriptions:
        if entry.symbol in ("*", symbol):
            if entry.event == "*" or entry.timeframe == "*":
                wanted |= {*loaded, plain}
            elif entry.event == "candle":
                wanted.add(entry.timeframe or plain)
    return wanted


def _within(time_ns: int, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or time_ns >= ns_of(since)) and (until is None or time_ns < ns_of(until))


def _first(found: Iterable[_T], limit: int) -> list[_T]:
    return [item for item, _ in zip(found, range(limit), strict=False)]
