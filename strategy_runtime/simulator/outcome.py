"""The outcome of a run, as plain data for reports."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from strategy_runtime.protocol.enums import Side
from strategy_runtime.protocol.models import Order, OrderRequest, Position
from strategy_runtime.protocol.short_repr import ShortRepr
from strategy_runtime.simulator.data.series import BarSeries

__all__ = ["LIQUIDATION", "ORDER", "Adjustment", "Fill", "Outcome", "in_order"]

_ZERO = Decimal(0)
ORDER = "ord-"
"""Prefix of an order's id; its number follows."""

LIQUIDATION = "liquidation"
"""Rule of the fills that close positions the account can no longer hold."""

_TRADE = "trd-"


class Fill(ShortRepr, frozen=True, gc=False):
    """One execution.

    Attributes:
        time_ns: Simulated instant.
        bar_ns: Start of the bar during which it happened.
        quantity: Always positive; the side is the direction.
        fee: Fee in account currency.
        order: Number of the order.
        number: Number of the fill.
        position_id: The position it opened, changed or closed; the new one of a flip.
        rule: Name of the fill rule that made it, such as `limit_gap_open`.
        base_price: The market's price, before spread and slippage.
        realized_pnl: Profit it realised, before fees.
        is_maker: True if the order was resting when the market came to it.
    """

    time_ns: int
    bar_ns: int
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    order: int
    client_order_id: str | None
    number: int
    position_id: str
    rule: str
    base_price: Decimal = _ZERO
    realized_pnl: Decimal = _ZERO
    is_maker: bool = False

    @property
    def order_id(self) -> str:
        """Id of the order."""
        return f"{ORDER}{self.order}"

    @property
    def trade_id(self) -> str:
        """Id of the trade."""
        return f"{_TRADE}{self.number}"

    @property
    def units(self) -> Decimal:
        """Quantity, negative for a sale."""
        return self.quantity if self.side is Side.BUY else -self.quantity


class Adjustment(Struct, frozen=True, kw_only=True):
    """A change of the account without a fill: interest, or the split of a position or orders.

    Attributes:
        symbol: Symbol of the position, or the currency of borrowed cash.
        position_id: Empty if no position changed: interest on cash, and the split of orders.
        what: Such as `borrow fee`, `financing` or `2:1 split`.
        units: Change of the signed quantity; 0 for interest.
        cash: Change of cash; negative for a charge.
        price: The last price in new units, after a split.
        restated: Ids of the orders that a split restated in new units.
        fills_before: How many fills had happened by then.
    """

    time_ns: int
    symbol: str
    position_id: str
    what: str
    units: Decimal
    cash: Decimal
    price: float | None
    fills_before: int
    restated: tuple[str, ...] = ()


def in_order(
    fills: Sequence[Fill], adjustments: Iterable[Adjustment]
) -> Iterator[Fill | Adjustment]:
    """Yield fills and adjustments in the order in which they happened."""
    done = 0
    for adjustment in adjustments:
        yield from fills[done : adjustment.fills_before]
        done = adjustment.fills_before
        yield adjustment
    yield from fills[done:]


class Outcome(Struct, frozen=True, kw_only=True):
    """The state of the exchange at the end of a run or at any moment before.

    Attributes:
        fills: In the order in which they happened.
        adjustments: In the order in which they happened; see `in_order`.
        orders: All orders in the order of acceptance, in their current state; each model is made
            during iteration, so later changes show.
        originals: Original requests of orders that were changed, by order id.
        rejected_orders: How many orders were accepted and then rejected.
        unaffordable_orders: How many of them for lack of margin.
        positions: The open positions.
        start_equity: Starting cash.
        cash: Equity less the market value of the open positions.
        equity: Starting cash + realised + unrealised profit - fees - financing.
        financing: Interest charged, on borrowed shares and borrowed cash.
        bars: Number of bars that have closed.
        events: Number of events emitted.
        start: Start of the first bar.
        end: Simulated now.
        end_ns: Simulated now in nanoseconds since the epoch, as precise as a quote's time may be.
        complete: True once the run is over: the data have ended, or the account is bankrupt.
        bankrupt: True if the account ran out of equity and the run ended early.
        warnings: What must not be overlooked: liquidations, suspected splits.
        doubted: Symbol and start of the bars behind a jump of the price that was warned of, because
            a position was held over it.
        series: The market, one series per symbol: its finest bars, or without bars its quotes or
            trades.
        marks: The prices at which positions in these symbols were valued, in the same order: its
            quotes or trades if it has any, else its bars.
        context: Coarser bars of the same symbols.
        sent: The market data sent, named as in subscriptions: `S:AAPL:candle_5m`.
    """

    fills: list[Fill]
    adjustments: list[Adjustment]
    orders: Collection[Order]
    originals: Mapping[str, OrderRequest]
    rejected_orders: int
    unaffordable_orders: int
    open_orders: list[Order]
    positions: list[Position]
    start_equity: Decimal
    cash: Decimal
    equity: Decimal
    fees: Decimal
    financing: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    bars: int
    events: int
    start: datetime | None
    end: datetime | None
    end_ns: int
    complete: bool
    bankrupt: bool
    warnings: list[str]
    doubted: frozenset[tuple[str, int]]
    series: list[BarSeries]
    marks: list[BarSeries]
    context: list[BarSeries]
    sent: list[str]
