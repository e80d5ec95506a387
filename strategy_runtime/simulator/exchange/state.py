"""What the exchange knows: orders, account and market at a simulated instant."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from strategy_runtime.clock import utc
from strategy_runtime.errors import ApiError, ConfigError
from strategy_runtime.ids import counted
from strategy_runtime.protocol.enums import OrderEventKind, PositionSide
from strategy_runtime.protocol.events import Event
from strategy_runtime.protocol.models import Account, Position, Trade
from strategy_runtime.protocol.subscriptions import Subscriptions
from strategy_runtime.protocol.values import decimal_of
from strategy_runtime.simulator.costs import Costs
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries, TickSeries
from strategy_runtime.simulator.ledger import Holding, Ledger
from strategy_runtime.simulator.listing import listed
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.orders import KeptOrder, RestingOrder
from strategy_runtime.simulator.outcome import LIQUIDATION, ORDER, Adjustment, Fill
from strategy_runtime.simulator.splits import schedule_of

__all__ = ["ExchangeState"]

_ZERO = Decimal(0)
_MOST_DIGITS = 15


class ExchangeState:
    """Orders, account and market; what is asked and what moves stands on floors above.

    Attributes:
        outbox: Events emitted and not yet delivered.
        now_ns: The simulated instant.
        phase: Where within the instant the exchange stands.
        emitted: Number of events so far.
        is_paced: Somebody plays it by the clock, and has each instant wait for its time.
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
        "is_paced",
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
        timeframe: str | None = None,
        quotes: Sequence[QuoteSeries] = (),
        trades: Sequence[TickSeries] = (),
    ) -> None:
        self.options = options or ExchangeOptions()
        self.outbox: deque[Event] = deque()
        self.phase = Phase.START
        self.emitted = 0
        self.is_paced = False
        self._data = list(data)
        self._instruments = listed(self._data, quotes, trades, subscriptions, timeframe)
        firsts = [series.starts[0] for series in self._data if len(series.starts)]
        firsts += [each.stamps[0] for each in (*quotes, *trades) if len(each)]
        self.now_ns = self._start_ns = min(firsts, default=0)
        self._costs = Costs(self.options)
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
        self._set_out()

    def _furnish(self) -> None:
        """Put in place what a room keeps beside this, at the end of construction."""

    def _set_out(self) -> None:
        """Look at what comes first, when all rooms are furnished."""

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
            liquidation=fill.rule == LIQUIDATION,
        )

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
