"""The objects of the protocol: bars, quotes, orders, trades, positions, accounts.

Market data is `float`, money is `Decimal`. Objects are frozen: an event keeps the state it was sent
with. Optional fields are None if the other side left them out.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta, Struct, field
from msgspec.structs import asdict, force_setattr

from strategy_runtime.clock import utc
from strategy_runtime.protocol.enums import (
    MarginMode,
    OrderStatus,
    OrderType,
    PositionMode,
    PositionSide,
    RejectReason,
    Side,
    TimeInForce,
    TrailingType,
)
from strategy_runtime.protocol.short_repr import ShortRepr
from strategy_runtime.protocol.timeframes import parse_timeframe

__all__ = [
    "LONGEST_ID",
    "LONGEST_SYMBOL",
    "Account",
    "Candle",
    "Capabilities",
    "Identifier",
    "Order",
    "OrderChanges",
    "OrderHandle",
    "OrderRequest",
    "Position",
    "Price",
    "Quote",
    "RateLimits",
    "Symbol",
    "Trade",
    "Volume",
]

LONGEST_SYMBOL = 50
"""Maximum length of a symbol, in every message."""

LONGEST_ID = 64
"""Maximum length of a client's id of an order or an OCO group."""

Symbol = Annotated[str, Meta(min_length=1, max_length=LONGEST_SYMBOL)]
"""A symbol as subscribed, prefix included: `S:AAPL`."""

Identifier = Annotated[str, Meta(min_length=1)]

Price = Annotated[float, Meta(gt=-1e38, lt=1e38)]
"""A number of market data; one beyond these bounds is certainly an error."""

Volume = Annotated[float, Meta(ge=0.0, lt=1e38)]
"""A quantity of market data."""

_ZERO = Decimal(0)

# Gateways demand some fields whatever their value. `omit_defaults` leaves a field with a plain
# default off the wire, but not one whose default comes from a factory.


class Candle(ShortRepr, frozen=True, gc=False, rename={"stamp": "timestamp"}):
    """A closed bar.

    Attributes:
        symbol: As subscribed.
        timeframe: Length, such as `1m`.
        stamp: Start of the bar as it arrived: an aware datetime from the wire, nanoseconds since
            the epoch from the simulator. Use `timestamp`, which is a datetime either way.
        open, high, low, close: Prices.
        volume: In units of the instrument; 0 if unknown.
        provider: Where the bar came from.
    """

    symbol: Symbol
    timeframe: str
    stamp: datetime | int
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Volume = 0.0
    provider: str = ""

    @property
    def timestamp(self) -> datetime:
        """Start of the bar, aware, in UTC."""
        stamp = self.stamp
        return utc(stamp) if isinstance(stamp, int) else stamp

    @property
    def end(self) -> datetime:
        """End of the bar: the instant from which it is known."""
        return parse_timeframe(self.timeframe).end_of(self.timestamp)

    @property
    def is_suspect(self) -> bool:
        """True if the prices contradict each other, or the volume is negative."""
        return not (
            self.low <= self.open <= self.high
            and self.low <= self.close <= self.high
            and self.volume >= 0
        )


class Quote(ShortRepr, frozen=True, gc=False, rename={"stamp": "timestamp"}):
    """Top of the book.

    Attributes:
        symbol: As subscribed.
        bid, ask: Best prices.
        last: Price of the last trade; the middle of bid and ask if the provider sends none.
        stamp: When it was quoted, like `Candle.stamp`; use `timestamp`.
        bid_size, ask_size: Quantities at the best prices, or None.
        volume: Volume of the session so far, or None.
        provider: Where the quote came from.
    """

    symbol: Symbol
    bid: Price
    ask: Price
    stamp: datetime | int | None = None
    last: Price | None = None
    bid_size: Price | None = None
    ask_size: Price | None = None
    volume: Price | None = None
    provider: str = ""

    @property
    def timestamp(self) -> datetime | None:
        """When it was quoted, aware, in UTC; None if unknown."""
        stamp = self.stamp
        return utc(stamp) if isinstance(stamp, int) else stamp

    @property
    def mid(self) -> float:
        """Halfway between bid and ask."""
        return (self.bid + self.ask) / 2

    @property
    def price(self) -> float:
        """Price of the last trade; halfway between bid and ask if the provider sends none."""
        return self.mid if self.last is None else self.last

    @property
    def is_suspect(self) -> bool:
        """True if the bid is above the ask."""
        return self.bid > self.ask


class Order(ShortRepr, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The state of an order, after an event or when it was requested.

    Quantities are in units of the instrument and never negative; the side gives the direction. If
    the proxy omits `filled_quantity`, it is 0, or the whole quantity of a FILLED order; if it omits
    `remaining_quantity`, it is the rest.

    Attributes:
        id: The venue's id; `client_order_id` is the strategy's.
        average_fill_price: Weighted by quantity; None before the first fill.
        reject_reason: Why it was rejected after it had been accepted.
        position_id: The position it is to change, or has opened or changed.
        parent_order_id: The entry order, if this is a leg of its bracket.
        oco_group_id: One cancels the other: the first order of a group to fill cancels the rest.
        external: True if the strategy did not place it; not on the wire.
    """

    id: Identifier
    symbol: Symbol
    side: Side
    status: OrderStatus
    order_type: OrderType = field(default_factory=lambda: OrderType.MARKET)
    quantity: Decimal = field(default_factory=lambda: _ZERO)
    filled_quantity: Decimal = None  # type: ignore[assignment]  # filled in below
    remaining_quantity: Decimal = None  # type: ignore[assignment]  # filled in below
    time_in_force: TimeInForce = field(default_factory=lambda: TimeInForce.GTC)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    client_order_id: str | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_distance: Decimal | None = None
    trailing_type: TrailingType | None = None
    average_fill_price: Decimal | None = None
    reject_reason: RejectReason | None = None
    position_id: str | None = None
    parent_order_id: str | None = None
    reduce_only: bool = False
    post_only: bool = False
    hidden: bool = False
    display_quantity: Decimal | None = None
    oco_group_id: str | None = None
    correlation_id: str | None = None
    external: bool = False

    def __post_init__(self) -> None:
        if self.filled_quantity is None:
            whole = self.status is OrderStatus.FILLED
            force_setattr(self, "filled_quantity", self.quantity if whole else _ZERO)
        if self.remaining_quantity is None:
            force_setattr(self, "remaining_quantity", self.quantity - self.filled_quantity)
        if self.status is OrderStatus.OPEN and 0 < self.filled_quantity < self.quantity:
            force_setattr(self, "status", OrderStatus.PARTIALLY_FILLED)

    @property
    def is_open(self) -> bool:
        """True while it can still change."""
        return not self.status.is_terminal

    @property
    def is_suspect(self) -> bool:
        """True if more was filled than ordered."""
        return self.filled_quantity > self.quantity or self.remaining_quantity < 0


class OrderRequest(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Body of `POST /orders`."""

    symbol: Symbol
    side: Side
    quantity: Decimal
    order_type: OrderType
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trailing_distance: Decimal | None = None
    trailing_type: TrailingType | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    position_id: str | None = None
    reduce_only: bool = False
    post_only: bool = False
    hidden: bool = False
    display_quantity: Decimal | None = None
    margin_mode: MarginMode | None = None
    leverage: Decimal | None = None
    client_order_id: str | None = None
    oco_group_id: str | None = None
    time_in_force: TimeInForce = TimeInForce.GTC


class OrderChanges(
    Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, forbid_unknown_fields=True
):
    """Body of `PATCH /orders/{id}`; None leaves a field unchanged."""

    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_distance: Decimal | None = None

    @property
    def given(self) -> dict[str, Decimal]:
        """The changes that are set, by field."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class OrderHandle(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Response to `POST /orders`."""

    id: Identifier
    status: OrderStatus
    client_order_id: str | None = None
    correlation_id: str | None = None


class Position(ShortRepr, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A position as the venue reports it.

    Attributes:
        quantity: In units of the instrument, never negative; the side gives the direction.
        average_entry_price: Weighted by quantity.
        realized_pnl: Profit realised since it was opened, before fees.
        unrealized_pnl: Open profit at `current_price`.
    """

    id: Identifier
    symbol: Symbol
    side: PositionSide
    quantity: Decimal
    average_entry_price: Decimal = field(default_factory=lambda: _ZERO)
    current_price: Decimal = field(default_factory=lambda: _ZERO)
    unrealized_pnl: Decimal = field(default_factory=lambda: _ZERO)
    realized_pnl: Decimal = field(default_factory=lambda: _ZERO)
    opened_at: datetime | None = None
    updated_at: datetime | None = None
    margin_mode: MarginMode | None = None
    leverage: Decimal | None = None
    liquidation_price: Decimal | None = None

    @property
    def signed_quantity(self) -> Decimal:
        """Quantity, negative for a short position."""
        return self.quantity if self.side is PositionSide.LONG else -self.quantity


class Account(ShortRepr, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Balance and margin.

    Attributes:
        balance: Starting cash plus realised profit minus fees, without open profit.
        equity: `balance + unrealized_pnl`.
        margin_used: Equity tied up in open positions.
        margin_available: `equity - margin_used`.
        unrealized_pnl: Open profit at the current prices.
        currency: Currency of all amounts.
    """

    balance: Decimal
    equity: Decimal
    margin_used: Decimal = field(default_factory=lambda: _ZERO)
    margin_available: Decimal = field(default_factory=lambda: _ZERO)
    unrealized_pnl: Decimal = field(default_factory=lambda: _ZERO)
    currency: str = field(default_factory=lambda: "USD")
    realized_pnl: Decimal | None = None
    total_commission: Decimal | None = None


class Trade(ShortRepr, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One execution.

    Attributes:
        quantity: In units of the instrument, never negative; the side gives the direction.
        commission: The fee, in `commission_currency`.
        is_maker: Whether a resting order was filled.
        position_id: The position it opened, changed or closed.
        base_price: Market price before spread and slippage.
        slippage_bps: Distance from `base_price` to `price`, in basis points.
        realized_pnl: Profit it realised, before fees.
        liquidation: Whether the venue liquidated the position for lack of margin.
        external: True if it filled an order that is known not to be the strategy's; not on the
            wire.
    """

    id: Identifier
    order_id: Identifier
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal = field(default_factory=lambda: _ZERO)
    commission_currency: str = field(default_factory=lambda: "USD")
    timestamp: datetime | None = None
    is_maker: bool | None = None
    position_id: str | None = None
    base_price: Decimal | None = None
    slippage_bps: Decimal | None = None
    realized_pnl: Decimal | None = None
    liquidation: bool = False
    external: bool = False


class RateLimits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Request limits of a venue."""

    requests_per_minute: int | None = None
    orders_per_second: int | None = None
    orders_per_day: int | None = None


class Capabilities(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a venue can do."""

    supported_asset_classes: list[str] = field(default_factory=list)
    supported_order_types: list[str] = field(default_factory=list)
    position_mode: PositionMode = field(default_factory=lambda: PositionMode.NETTING)
    features: list[str] = field(default_factory=list)
    max_leverage: Any = None
    rate_limits: RateLimits | None = None
