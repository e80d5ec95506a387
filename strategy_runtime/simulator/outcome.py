"""What a run leaves behind, as plain data for reports."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from strategy_runtime.protocol.enums import Side
from strategy_runtime.protocol.models import Order, OrderRequest, Position
from strategy_runtime.protocol.shown import Shown
from strategy_runtime.simulator.data.series import BarSeries

__all__ = ["LIQUIDATION", "ORDER", "Adjustment", "Fill", "Outcome", "in_order"]

_ZERO = Decimal(0)
ORDER = "ord-"
"""What the id of an order begins with; its number comes behind."""

LIQUIDATION = "liquidation"
"""The rule by which positions are closed that an account cannot hold any more."""

_TRADE = "trd-"


class Fill(Shown, frozen=True, gc=False):
    """One execution.

    Attributes:
        time_ns: Simulated instant.
        bar_ns: Start of the bar in whose course it happened.
        quantity: Always positive; the side tells the direction.
        fee: Charged in account currency.
        order: Number of the order.
        number: Its own.
        position_id: The position it opened, changed or closed; the new one of a flip.
        rule: Name of the fill rule that made it, such as `limit_gap_open`.
        base_price: Where the market stood, before spread and slippage.
        realized_pnl: Profit it realised, before fees.
        is_maker: True where the order had rested and the market came to it.
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
        """Its own id."""
        return f"{_TRADE}{self.number}"

    @property
    def units(self) -> Decimal:
        """By how much the signed quantity changed."""
        return self.quantity if self.side is Side.BUY else -self.quantity


class Adjustment(Struct, frozen=True, kw_only=True):
    """What changed the account beside the fills: interest, or the split of a position.

    Attributes:
        symbol: Of the position; of borrowed cash, its currency.
        position_id: Empty for what is about no position: interest on cash, and what a split did
            to orders.
        what: Such as `borrow fee`, `financing` or `2:1 split`.
        units: By how much the signed quantity changed; 0 for interest.
        cash: By how much cash changed; negative where it was charged.
        price: The last price in new units, after a split.
        restated: Ids of the orders that a split put into new units.
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
    """Both in the order in which they happened."""
    done = 0
    for adjustment in adjustments:
        yield from fills[done : adjustment.fills_before]
        done = adjustment.fills_before
        yield adjustment
    yield from fills[done:]


class Outcome(Struct, frozen=True, kw_only=True):
    """The state of the exchange, when a run has ended or at any moment before.

    Attributes:
        fills: In the order they happened.
        adjustments: The same; see `in_order`.
        orders: All, in the order they were accepted, in their last state; each is made when it is
            come to, so what happens in between shows.
        originals: What was asked for where orders were changed since, by their ids.
        rejected_orders: How many of them were accepted and then rejected.
        positions: The open ones.
        start_equity: Starting cash.
        cash: Equity less the market value of the open positions.
        equity: Starting cash + realised + unrealised profit - fees - financing.
        financing: Interest charged, on borrowed shares and borrowed cash.
        bars: Number of bars that have closed.
        events: Number of events emitted.
        start: Start of the first bar.
        end: Simulated now.
        end_ns: The same in nanoseconds, which the last quote may have, since the epoch.
        complete: True once the run is at its end, be it that of the data or of the equity.
        bankrupt: True where the account ran out of equity and the run ended early.
        warnings: What must not be overlooked: liquidations, suspected splits.
        series: The market, one series a symbol: its finest bars, or where it has none its quotes or
            trades.
        marks: What the positions in each of these symbols were valued at, in the same order: its
            quotes or trades where it has any, else its bars.
        context: Coarser bars of the same symbols.
        sent: What of the market is sent, as subscriptions name it: `S:AAPL:candle_5m`.
    """

    fills: list[Fill]
    adjustments: list[Adjustment]
    orders: Collection[Order]
    originals: Mapping[str, OrderRequest]
    rejected_orders: int
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
    series: list[BarSeries]
    marks: list[BarSeries]
    context: list[BarSeries]
    sent: list[str]
