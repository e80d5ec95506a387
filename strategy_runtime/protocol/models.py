"""What the protocol speaks of: bars, quotes, orders, trades, positions, accounts.

Market data holds `float`, money holds `Decimal`. Objects are frozen: an event keeps the state it
was sent with. Optional fields are None when the other side left them out.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta, Struct, field
from msgspec.structs import force_setattr

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
from strategy_runtime.protocol.shown import Shown
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
"""Characters of a symbol, in every message."""

LONGEST_ID = 64
"""Characters of an id that a client chooses, of an order or of a group."""

Symbol = Annotated[str, Meta(min_length=1, max_length=LONGEST_SYMBOL)]
"""A symbol as subscribed, prefix included: `S:AAPL`."""

Identifier = Annotated[str, Meta(min_length=1)]

Price = Annotated[float, Meta(gt=-1e38, lt=1e38)]
"""A number of market data; one beyond these bounds is no number that anybody meant."""

Volume = Annotated[float, Meta(ge=0.0, lt=1e38)]
"""A quantity of market data."""

_ZERO = Decimal(0)

# Below, a default that a factory makes is written to the wire like any other value. A plain default
# is left out there (`omit_defaults`), and gateways demand some fields whatever their value.


class Candle(Shown, frozen=True, gc=False, rename={"stamp": "timestamp"}):
    """A closed bar.

    Attributes:
        symbol: As subscribed.
        timeframe: Length, such as `1m`.
        stamp: Start of the bar as it arrived: an aware datetime off the wire, nanoseconds since
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
        """End of the bar: the instant at which it was known."""
        return parse_timeframe(self.timeframe).end_of(self.timestamp)

    @property
    def is_suspect(self) -> bool:
        """True where the prices contradict each other, or the volume is negative."""
        return not (
            self.low <= self.open <= self.high
            and self.low <= self.close <= self.high
            and self.volume >= 0
        )


class Quote(Shown, frozen=True, gc=False, rename={"stamp": "timestamp"}):
    """Top of the book.

    Attributes:
        symbol: As subscribed.
        bid, ask: Best prices.
        last: Price of the last trade; the middle of bid and ask where the provider sends none.
        stamp: When it was quoted, like `Candle.stamp`; use `timestamp`.
        bid_size, ask_size: Quantities at the best prices, or None.
        volume: Of the session so far, or None.
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
        """When it was quoted, aware, in UTC; None where the provider does not say."""
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
        """True where the bid is above the ask."""
        return self.bid > self.ask


class Order(Shown, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An order after an event, or when it was asked for.

    Quantities are in units of the instrument and never negative; the side gives the direction. If
    the proxy omits `filled_quantity`, it is 0, or the whole quantity of a FILLED order; if it omits
    `remaining_quantity`, it is the rest.

    Attributes:
        id: The venue's id; `client_order_id` is the strategy's.
        average_fill_price: Weighted by quantity; None before the first fill.
        reject_reason: Why it was rejected after it had been accepted.
        position_id: The position it is meant to change, or has opened or changed.
        parent_order_id: For the leg of a bracket, the entry it belongs to.
        oco_group_id: One cancels the other: the first order of a group to fill cancels the rest.
        external: True if it is not the strategy's own; not on the wire.
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
        """True while something can still happen to it."""
        return not self.status.is_terminal

    @property
    def is_suspect(self) -> bool:
        """True where more was filled than ordered."""
        return self.filled_quantity > self.quantity or self.remaining_quantity < 0


class OrderRequest(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What `POST /orders` takes."""

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
    """What `PATCH /orders/{id}` takes; None leaves a field as it is."""

    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_distance: Decimal | None = None

    @property
    def given(self) -> dict[str, Decimal]:
        """Those that there are, by field."""
        names = self.__struct_fields__
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class OrderHandle(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The answer to `POST /orders`."""

    id: Identifier
    status: OrderStatus
    client_order_id: str | None = None
    correlation_id: str | None = None


class Position(Shown, frozen=True, kw_only=True, omit_defaults=True, gc=False):
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


class Account(Shown, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Balance and margin.

    Attributes:
        balance: Starting cash plus realised profit minus fees; open profit is not in it.
        equity: `balance + unrealized_pnl`.
        margin_used: Equity tied up in open positions.
        margin_available: `equity - margin_used`.
        unrealized_pnl: Open profit at the current prices.
        currency: Of all the amounts.
    """

    balance: Decimal
    equity: Decimal
    margin_used: Decimal = field(default_factory=lambda: _ZERO)
    margin_available: Decimal = field(default_factory=lambda: _ZERO)
    unrealized_pnl: Decimal = field(default_factory=lambda: _ZERO)
    currency: str = field(default_factory=lambda: "USD")
    realized_pnl: Decimal | None = None
    total_commission: Decimal | None = None


class Trade(Shown, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One execution.

    Attributes:
        quantity: In units of the instrument, never negative; the side gives the direction.
        commission: The fee, in `commission_currency`.
        is_maker: Whether the order had rested and the market came to it.
        position_id: The position it opened, changed or closed.
        base_price: Where the market stood, before spread and slippage.
        slippage_bps: From there to the price, in hundredths of a percent.
        realized_pnl: Profit it realised, before fees.
        liquidation: Whether the venue closed what the account could not hold.
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


class RateLimits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Request limits a venue states."""

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
