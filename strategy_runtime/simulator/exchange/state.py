"""State of the exchange: market, orders and account at a simulated instant."""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from strategy_runtime.clock import utc
from strategy_runtime.errors import ApiError, ConfigError
from strategy_runtime.ids import counted
from strategy_runtime.protocol.enums import PositionSide
from strategy_runtime.protocol.events import Event
from strategy_runtime.protocol.models import Account, Candle, Position, Trade
from strategy_runtime.protocol.subscriptions import Subscriptions
from strategy_runtime.protocol.values import decimal_of
from strategy_runtime.simulator.costs import Costs
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries, TickSeries
from strategy_runtime.simulator.exchange.register import Register
from strategy_runtime.simulator.exchange.walk import Walk
from strategy_runtime.simulator.ledger import Holding, Ledger
from strategy_runtime.simulator.listing import listed
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.outcome import LIQUIDATION, Adjustment, Fill
from strategy_runtime.simulator.splits import schedule_of
from strategy_runtime.simulator.valuation import Valuation
from strategy_runtime.suggestions import some_of

__all__ = ["State"]

_ZERO = Decimal(0)
_BAR, _OPEN = Phase.BAR, Phase.OPEN


class State:
    """Market, orders and account; other parts change them.

    Attributes:
        options: How the exchange was set up.
        data: The bars of all symbols.
        instruments: The market, by symbol.
        ledger: The account.
        register: The orders.
        costs: What executions cost.
        splits: Announced splits that are not yet due, by symbol.
        now_ns: The simulated instant.
        start_ns: The first instant.
        phase: Phase of the current instant.
        walk: The bars that all symbols are stepping through together, if they are.
        outbox: Events emitted and not yet delivered.
        emitted: Number of events so far.
        fills, adjustments, warnings: What has happened so far, in order.
        doubted: Symbol and start of the bars behind a jump that was warned of.
        is_at_risk: The account can run short of margin: it owes money or shares, or has nothing.
        charged_ns: How far interest has been charged since the account is at risk.
        is_bankrupt: No equity is left, and the run is over.
    """

    __slots__ = (
        "_valuation",
        "_valued_at",
        "_volume_share",
        "adjustments",
        "charged_ns",
        "costs",
        "data",
        "doubted",
        "emitted",
        "fills",
        "instruments",
        "is_at_risk",
        "is_bankrupt",
        "ledger",
        "now_ns",
        "options",
        "outbox",
        "phase",
        "register",
        "splits",
        "start_ns",
        "walk",
        "warnings",
    )

    def __init__(
        self,
        data: Sequence[BarSeries],
        options: ExchangeOptions,
        subscriptions: Subscriptions,
        timeframe: str | None,
        quotes: Sequence[QuoteSeries],
        trades: Sequence[TickSeries],
    ) -> None:
        self.options = options
        self.data = list(data)
        self.instruments = listed(self.data, quotes, trades, subscriptions, timeframe)
        self.ledger = Ledger(options.cash, options.mode, counted("pos-"))
        self.register = Register()
        self.costs = Costs(options)
        self._volume_share = options.max_volume_share
        self.splits = schedule_of(options.splits)
        if self.splits and self.instruments and not self.splits.keys() & self.instruments:
            raise ConfigError(
                f"the splits are of {some_of([*self.splits])}, of which none is loaded; loaded are "
                f"{some_of([*self.instruments])}"
            )
        firsts = [series.starts[0] for series in self.data if len(series.starts)]
        firsts += [each.stamps[0] for each in (*quotes, *trades) if len(each)]
        self.now_ns = self.start_ns = min(firsts, default=0)
        self.phase = Phase.START
        self.walk: Walk | None = None
        self.outbox: deque[Event] = deque()
        self.emitted = 0
        self.fills: list[Fill] = []
        self.adjustments: list[Adjustment] = []
        self.warnings: list[str] = []
        self.doubted: set[tuple[str, int]] = set()
        self.is_at_risk = False
        self.charged_ns = 0
        self.is_bankrupt = False
        self._valuation: Valuation | None = None
        self._valued_at = self.now_ns, self.phase

    # Time

    @property
    def now(self) -> datetime:
        """The simulated instant."""
        return utc(self.now_ns)

    @property
    def is_complete(self) -> bool:
        """True once the end of the data has been announced."""
        return self.phase is Phase.END

    @property
    def is_candle_next(self) -> bool:
        """Whether the next event to deliver is a candle; those of an instant come in a row."""
        return bool(self.outbox) and type(self.outbox[0]) is Candle

    def keep_time(self) -> None:
        """While symbols are in step, advance time to the close of the current candle."""
        walk = self.walk
        if walk is None or walk.run is None:
            return
        candle = walk.run.last
        if candle is walk.caught_up or candle is None:
            return
        walk.caught_up = candle
        stamp: int = candle.stamp  # type: ignore[assignment]  # made here from a column of integers
        before = walk.done
        if walk.is_even:
            done = walk.done = (stamp - walk.first) // walk.step + 1
        else:
            done = walk.done = bisect_right(walk.starts, stamp, before)
        if done != before:
            self.phase = _BAR
            self.now_ns = stamp + walk.step
            self.emitted += (done - before) * len(walk.lanes)

    def catch_up(self) -> None:
        """Close the bars of all symbols up to the current candle."""
        self.keep_time()
        walk = self.walk
        if walk is not None and walk.closed != walk.done:
            for lane in walk.lanes:
                self.close_up(lane)
            walk.closed = walk.done

    def close_up(self, instrument: Instrument) -> None:
        """Close the bars of one symbol up to the current candle, if only that one is needed."""
        walk = self.walk
        if walk is not None and instrument.first_row >= 0:
            row = instrument.first_row + walk.done
            if instrument.row != row:
                instrument.row = row
                instrument.price = instrument.series.closes[row - 1]

    # Market

    def instrument(self, symbol: str) -> Instrument:
        """Return the market of one symbol.

        Raises:
            ApiError: 404 `SYMBOL_NOT_FOUND`.
        """
        instrument = self.instruments.get(symbol)
        if instrument is None:
            raise ApiError(
                404, "SYMBOL_NOT_FOUND", f"no data for symbol {symbol}", {"symbol": symbol}
            )
        return instrument

    def visible_price(self, instrument: Instrument) -> float | None:
        """Return the last price that is public by now; None before the first."""
        self.close_up(instrument)
        series, row = instrument.series, instrument.row
        if (
            instrument.quotes is None
            and self.phase is _OPEN
            and row < len(series.starts)
            and series.starts[row] == self.now_ns
        ):
            return series.opens[row]
        return instrument.price

    def mark(self, symbol: str) -> Decimal:
        """Return the price at which a symbol is valued now; 0 before its first price."""
        price = self.visible_price(self.instruments[symbol])
        return _ZERO if price is None else decimal_of(price)

    def is_within_bar(self, instrument: Instrument) -> bool:
        """Return whether a bar started before now and has not closed."""
        starts, row = instrument.series.starts, instrument.row
        return row < len(starts) and starts[row] < self.now_ns

    def begin_bar(self, instrument: Instrument) -> None:
        """Work out how much volume the bar in progress has for orders, if that is limited."""
        share = self._volume_share
        if share is not None and instrument.volume_row != instrument.row:
            instrument.begin_bar(share)

    def is_split_due(self, instrument: Instrument, start: int) -> bool:
        """Return whether an announced split comes before a bar or quote at `start`."""
        if not self.splits:
            return False
        ahead = self.splits.get(instrument.series.symbol)
        return bool(ahead and ahead[0][0] <= start)

    # Account

    def valued(self) -> Valuation:
        """Return the value of the positions at the visible prices.

        It is cached within a phase, where only fills and `revalue_all` change it: a fill among
        thousands of positions revalues one symbol.
        """
        moment = self.now_ns, self.phase
        if self._valuation is None or self._valued_at != moment:
            self._valuation = Valuation(self.ledger.holdings, self.mark)
            self._valued_at = moment
        return self._valuation

    def revalue(self, symbol: str, closed: Holding | None) -> None:
        """Revalue a symbol after a fill, which may have closed one of its positions."""
        if self._valuation is None:
            return
        if self._valued_at == (self.now_ns, self.phase):
            self._valuation.renew(self.ledger.of(symbol), closed)
        else:
            self._valuation = None

    def revalue_all(self) -> None:
        """Drop the cached value, because prices have changed within a phase."""
        self._valuation = None

    def holding(self, position_id: str) -> Holding:
        """Return one open position.

        Raises:
            ApiError: 404 `POSITION_NOT_FOUND`.
        """
        holding = self.ledger.holdings.get(position_id)
        if holding is not None:
            return holding
        raise ApiError(
            404,
            "POSITION_NOT_FOUND",
            f"no open position {position_id}",
            {"resource": "position", "id": position_id},
        )

    def account(self) -> Account:
        """Return balance, equity and margin at the visible prices."""
        self.catch_up()
        return self.account_of(self.valued())

    def account_of(self, valuation: Valuation) -> Account:
        """Return balance, equity and margin for a given value of the positions."""
        ledger = self.ledger
        unrealized, used = valuation.profit(), valuation.size()
        if self.options.leverage != 1:
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

    def position_of(self, holding: Holding) -> Position:
        """Return a position as a model; a closed one keeps its side and average price."""
        mark = self.mark(holding.symbol)
        held, cost = holding.before_close or (holding.quantity, holding.cost)
        return Position(
            id=holding.id,
            symbol=holding.symbol,
            side=PositionSide.SHORT if held < 0 else PositionSide.LONG,
            quantity=abs(holding.quantity),
            average_entry_price=cost / held,
            current_price=mark,
            unrealized_pnl=holding.unrealized(mark),
            realized_pnl=holding.realized_pnl,
            opened_at=utc(holding.opened_ns),
            updated_at=utc(holding.updated_ns),
        )

    def trade_of(self, fill: Fill) -> Trade:
        """Return an execution as a model."""
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
