"""What a run leaves behind, as plain data for reports."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from strategy_runtime.protocol.enums import Side
from strategy_runtime.protocol.models import Order, Position
from strategy_runtime.simulator.data.series import BarSeries

__all__ = ["Fill", "Outcome"]


class Fill(Struct, frozen=True, kw_only=True):
    """One execution.

    Attributes:
        time_ns: Simulated instant.
        bar_ns: Start of the bar in whose course it happened.
        quantity: Always positive; the side tells the direction.
        fee: Charged in account currency.
        position_id: The position it opened, changed or closed; the new one of a flip.
        rule: Name of the fill rule that made it, such as `limit_gap_open`.
    """

    time_ns: int
    bar_ns: int
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    order_id: str
    client_order_id: str | None
    trade_id: str
    position_id: str
    rule: str


class Outcome(Struct, frozen=True, kw_only=True):
    """The state of the exchange, when a run has ended or at any moment before.

    Attributes:
        fills: In the order they happened.
        orders: All, in the order they were accepted, in their last state.
        positions: The open ones.
        start_equity: Starting cash.
        cash: Equity less the market value of the open positions.
        equity: Starting cash + realised + unrealised profit - fees.
        bars: Number of bars that have closed.
        events: Number of events emitted.
        start: Start of the first bar.
        end: Simulated now.
        complete: True once the data has been replayed to its end.
        bankrupt: True where the account ran out of equity and the run ended early.
        warnings: What must not be overlooked: liquidations, suspected splits.
        series: The market data.
    """

    fills: list[Fill]
    orders: list[Order]
    open_orders: list[Order]
    positions: list[Position]
    start_equity: Decimal
    cash: Decimal
    equity: Decimal
    fees: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    bars: int
    events: int
    start: datetime | None
    end: datetime | None
    complete: bool
    bankrupt: bool
    warnings: list[str]
    series: list[BarSeries]
