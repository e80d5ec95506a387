"""The summary of a run: the JSON document that `--json` prints and `result.json` contains.

Money is a decimal string, a share (`return`, `max_drawdown`) a number, a time RFC 3339 in UTC.
Fields are only added; if one changes its meaning, `schema` is raised.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from strategy_runtime.clock import rfc3339
from strategy_runtime.protocol.models import Order, Position
from strategy_runtime.protocol.values import in_digits
from strategy_runtime.report.csv_tables import moment
from strategy_runtime.report.equity_path import EquityPath, FallDates
from strategy_runtime.report.fill_hash import fill_hash
from strategy_runtime.report.jumps import suspected_jumps
from strategy_runtime.report.performance import Benchmark, Performance
from strategy_runtime.runtime.risk.limits import NO_LIMITS, Limits
from strategy_runtime.runtime.rounding import AS_GIVEN, Rounding
from strategy_runtime.simulator.data.faults import DataFault, FaultSummary, summarize
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.outcome import Outcome

__all__ = ["SCHEMA", "RunFacts", "Summary", "as_written", "summary_of"]

SCHEMA = 1

_FEW = 10
_COARSE, _FINE = 2, 8


class RunFacts(Struct, frozen=True, kw_only=True):
    """Facts of a run that the exchange does not know.

    Attributes:
        strategy: Name of the class; None if the strategy ran elsewhere, over the network.
        parameters: Parameters at the start, see `as_written`.
        faults: Faults of the data.
        wall_s: Seconds that the replay took.
        refused_orders: Number of orders refused when they were placed.
        hook_failures: Number of failed calls of hooks; None if the strategy ran elsewhere.
        limits: Risk limits of the run.
        rounding: How it rounded orders.
        quit_reason: Why the strategy ended the run; None if it did not.
    """

    options: ExchangeOptions
    faults: Iterable[DataFault]
    wall_s: float
    refused_orders: int
    strategy: str | None = None
    parameters: Mapping[str, Any] = {}
    hook_failures: int | None = None
    limits: Limits = NO_LIMITS
    rounding: Rounding = AS_GIVEN
    quit_reason: str | None = None


class DataSummary(Struct, frozen=True):
    """The bars of one symbol: `start` of the first bar, `end` of the last."""

    symbol: str
    timeframe: str
    source: str
    bars: int
    start: str
    end: str


class PositionSummary(Struct, frozen=True):
    """A position that was open at the end; a short one has a negative quantity."""

    symbol: str
    quantity: str
    average_entry_price: str
    current_price: str
    unrealized_pnl: str


class OrderSummary(Struct, frozen=True):
    """An order that was still open at the end."""

    symbol: str
    side: str
    type: str
    quantity: str
    filled_quantity: str
    limit_price: str | None
    stop_price: str | None
    created: str
    order_id: str
    client_order_id: str | None
    parent_order_id: str | None


class Summary(Struct, frozen=True, kw_only=True, rename={"total_return": "return"}):
    """One run in numbers.

    Attributes:
        strategy: Name of the class; None if the strategy ran elsewhere, over the network.
        bars: Number of closed bars, of all symbols.
        events: Number of events delivered to the strategy.
        fills, orders: Number of each; orders include bracket legs.
        start, end: Simulated time of the first bar's start and of the end of the run.
        cash: Equity minus the market value of the positions.
        total_return: Equity divided by starting equity, minus one.
        max_drawdown: Largest fall of equity from an earlier peak, as a share of the peak, at the
            closes of bars and of positions, or at quotes and trades if there are any.
        max_drawdown_dates: When that was; None if equity never fell.
        buy_and_hold: The return of equal amounts in all symbols, see `report.buy_and_hold`; None if
            it cannot be computed.
        benchmark: Further figures of buying and holding.
        financing: Interest charged, on borrowed shares and borrowed cash.
        performance: Figures by which runs are compared.
        fill_hash: See `report.fill_hash`.
        wall_s: Seconds that the replay took, without reading the data.
        complete: False if the run was stopped before the end of data or equity.
        quit_reason: Why the strategy ended the run; None if it did not.
        bankrupt: Whether the account ran out of equity, which ended the run.
        warnings: What must not be overlooked: liquidations, suspected splits.
        rejected_orders: Number of orders that were accepted and later rejected.
        refused_orders: Number of orders refused when they were placed, which are not among the
            orders; over the network, only those that reached the exchange.
        hook_failures: Number of failed calls of hooks; None if the strategy ran elsewhere.
        sent: The data that were sent, as subscriptions name them: `S:AAPL:candle_5m`.
        options: Account, costs and conventions, None if one is not set, and the limits, lot and
            tick sizes that were set.
    """

    schema: int = SCHEMA
    strategy: str | None
    parameters: dict[str, Any]
    bars: int
    events: int
    fills: int
    orders: int
    start: str
    end: str
    cash: str
    equity: str
    start_equity: str
    total_return: float
    max_drawdown: float
    max_drawdown_dates: FallDates | None
    buy_and_hold: float | None
    benchmark: Benchmark | None
    performance: Performance
    fees: str
    financing: str
    realized_pnl: str
    unrealized_pnl: str
    positions: list[PositionSummary]
    open_orders: list[OrderSummary]
    fill_hash: str
    wall_s: float
    bars_per_s: float
    data: list[DataSummary]
    sent: list[str]
    data_faults: list[FaultSummary]
    complete: bool
    quit_reason: str | None
    bankrupt: bool
    warnings: list[str]
    rejected_orders: int
    refused_orders: int
    hook_failures: int | None
    options: dict[str, Any]

    @property
    def decimals(self) -> int:
        """Decimals of amounts: two, or eight if the account started with less than ten units of its
        currency, as an account in bitcoin may."""
        return _FINE if Decimal(self.start_equity) < _FEW else _COARSE

    def to_json(self) -> str:
        """Return the document, indented, with a final line feed."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode() + "\n"

    if not TYPE_CHECKING:  # or type checkers would accept every name

        def __getattr__(self, name: str) -> Any:
            """Say where the figures are by which runs are compared."""
            is_figure = name in Performance.__struct_fields__
            hint = f"; it is summary.performance.{name}" if is_figure else ""
            raise AttributeError(f"a summary has no {name!r}{hint}")


def as_written(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Copy parameters, so that a run cannot change them, in a form that fits into a document: as
    JSON if possible, else by their `repr`.
    """
    return {name: _written(value) for name, value in parameters.items()}


def _written(value: object) -> Any:
    try:
        return msgspec.to_builtins(value, str_keys=True)
    except TypeError:
        return repr(value)


def summary_of(
    outcome: Outcome,
    performance: Performance,
    path: EquityPath,
    buy_and_hold: float | None,
    benchmark: Benchmark | None,
    run: RunFacts,
) -> Summary:
    """Make the summary from the state of an exchange at the end of a run."""
    return Summary(
        strategy=run.strategy,
        parameters=dict(run.parameters),
        bars=outcome.bars,
        events=outcome.events,
        fills=len(outcome.fills),
        orders=len(outcome.orders),
        start=moment(outcome.start),
        end=moment(outcome.end),
        cash=in_digits(outcome.cash),
        equity=in_digits(outcome.equity),
        start_equity=in_digits(outcome.start_equity),
        total_return=float(outcome.equity / outcome.start_equity - 1),
        max_drawdown=path.max_drawdown,
        max_drawdown_dates=path.max_drawdown_dates,
        buy_and_hold=buy_and_hold,
        benchmark=benchmark,
        performance=performance,
        fees=in_digits(outcome.fees),
        financing=in_digits(outcome.financing),
        realized_pnl=in_digits(outcome.realized_pnl),
        unrealized_pnl=in_digits(outcome.unrealized_pnl),
        positions=[_position(each) for each in outcome.positions],
        open_orders=[_order(each) for each in outcome.open_orders],
        fill_hash=fill_hash(outcome.fills),
        wall_s=round(run.wall_s, 6),
        bars_per_s=round(outcome.bars / run.wall_s, 1) if run.wall_s > 0 else 0.0,
        data=[_data(each) for each in (*outcome.series, *outcome.context)],
        sent=outcome.sent,
        data_faults=summarize(run.faults),
        complete=outcome.complete,
        quit_reason=run.quit_reason,
        bankrupt=outcome.bankrupt,
        warnings=[
            *outcome.warnings,
            *_unaffordable(outcome),
            *suspected_jumps(outcome, run.options.splits),
        ],
        rejected_orders=outcome.rejected_orders,
        refused_orders=run.refused_orders,
        hook_failures=run.hook_failures,
        options={name: _option(value) for name, value in asdict(run.options).items()}
        | run.limits.shown()
        | run.rounding.shown(),
    )


def _data(series: BarSeries) -> DataSummary:
    starts = series.starts
    return DataSummary(
        symbol=series.symbol,
        timeframe=series.timeframe,
        source=series.source,
        bars=len(starts),
        start=rfc3339(starts[0]),
        end=rfc3339(starts[-1] + series.step),
    )


def _unaffordable(outcome: Outcome) -> Iterator[str]:
    """A warning of entries that are missing: with all of the equity, those before a rise."""
    if missing := outcome.unaffordable_orders:
        yield (
            f"lack of margin kept {missing:,} of {len(outcome.orders):,} orders "
            "from filling, because the price had moved since they were sized, or others had filled "
            "first; those that filled are no fair sample, so leave room, as in fraction=0.95"
        )


def _position(position: Position) -> PositionSummary:
    return PositionSummary(
        symbol=position.symbol,
        quantity=in_digits(position.signed_quantity),
        average_entry_price=in_digits(position.average_entry_price),
        current_price=in_digits(position.current_price),
        unrealized_pnl=in_digits(position.unrealized_pnl),
    )


def _order(order: Order) -> OrderSummary:
    return OrderSummary(
        symbol=order.symbol,
        side=order.side.value,
        type=order.order_type.value,
        quantity=in_digits(order.quantity),
        filled_quantity=in_digits(order.filled_quantity),
        limit_price=None if order.limit_price is None else in_digits(order.limit_price),
        stop_price=None if order.stop_price is None else in_digits(order.stop_price),
        created=moment(order.created_at),
        order_id=order.id,
        client_order_id=order.client_order_id,
        parent_order_id=order.parent_order_id,
    )


def _option(value: Any) -> Any:
    """Return the value of an option for JSON; amounts become texts."""
    if isinstance(value, Decimal):
        return in_digits(value)
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return value
