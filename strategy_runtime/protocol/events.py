"""Frames that a proxy sends, and the events among them that reach a strategy.

A *frame* is one decoded text message. An *event* is what a venue passes to the runtime: the candle
of a candle frame, the quote of a quote frame, any other frame itself.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from msgspec import Struct, field

from strategy_runtime.protocol.enums import (
    AccountEventKind,
    ConnectionEventKind,
    OrderEventKind,
    PositionEventKind,
    RateLimitEventKind,
    StalenessEventKind,
)
from strategy_runtime.protocol.models import Account, Candle, Order, Position, Quote, Symbol, Trade
from strategy_runtime.protocol.short_repr import ShortRepr

__all__ = [
    "INSTANT_CLOSED",
    "AccountEvent",
    "BacktestComplete",
    "CandleFrame",
    "CandleRun",
    "ConnectionEvent",
    "Event",
    "FinancingEvent",
    "InstantClosed",
    "Item",
    "OrderEvent",
    "Ping",
    "Pong",
    "PositionEvent",
    "ProxyErrorEvent",
    "QuoteFrame",
    "RateLimitEvent",
    "ServerFrame",
    "StalenessEvent",
    "TradeEvent",
    "UnknownEvent",
]


class _Frame(ShortRepr, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="type"):
    """Fields that all frames share.

    Attributes:
        event_id: Id to acknowledge the frame by; None if no acknowledgement is expected.
        legacy_id: The same under the older key `id`.
        timestamp: When the proxy emitted it. The simulated time of a candle is the candle's own
            end, never this.
    """

    event_id: str | None = None
    legacy_id: str | None = field(name="id", default=None)
    timestamp: datetime | None = None


class CandleFrame(_Frame, frozen=True, kw_only=True, tag="candle"):
    """A closed bar.

    Attributes:
        more: Whether another candle that ends at the same instant follows; only some proxies say.
    """

    bar: Candle
    more: bool = False


class QuoteFrame(_Frame, frozen=True, kw_only=True, tag="quote"):
    """The best bid or ask changed."""

    quote: Quote


class OrderEvent(_Frame, frozen=True, kw_only=True, tag="order"):
    """Something happened to an order; `order` is its state afterwards.

    Attributes:
        synthetic: True if the runtime made the event from a snapshot instead of receiving it.
    """

    event: OrderEventKind
    order: Order
    parent_order_id: str | None = None
    synthetic: bool = False


class TradeEvent(_Frame, frozen=True, kw_only=True, tag="trade"):
    """One execution."""

    trade: Trade
    event: str = field(default_factory=lambda: "TRADE_FILLED")
    synthetic: bool = False


class PositionEvent(_Frame, frozen=True, kw_only=True, tag="position"):
    """A position changed; `event` says how.

    Some venues call every change MODIFIED; a strategy sees OPENED and CLOSED nevertheless.
    """

    position: Position
    event: PositionEventKind = field(default_factory=lambda: PositionEventKind.POSITION_MODIFIED)
    synthetic: bool = False


class AccountEvent(_Frame, frozen=True, kw_only=True, tag="account"):
    """The account changed."""

    account: Account
    event: AccountEventKind = field(default_factory=lambda: AccountEventKind.BALANCE_UPDATED)
    synthetic: bool = False


class ConnectionEvent(_Frame, frozen=True, kw_only=True, tag="connection"):
    """The connection to the proxy, or the proxy's to its provider, changed.

    Attributes:
        error: Why it was lost, if known.
        broker: The provider, if it is the provider's connection.
        gap_duration_ms: In BROKER_RECONNECTED: how long the provider was disconnected.
        session: In CONNECTED: id of the proxy's run, which shares no state with other runs.
        acknowledged: In CONNECTED of a backtest: number of its events acknowledged so far.
    """

    event: ConnectionEventKind
    error: str | None = None
    broker: str | None = None
    gap_duration_ms: int | None = None
    session: str | None = None
    acknowledged: int | None = None


class RateLimitEvent(_Frame, frozen=True, kw_only=True, tag="rate_limit"):
    """The provider's request limit is near or reached.

    Attributes:
        requests_remaining: Number of requests left, if known.
        reset_at: When the limit is reset, if known.
    """

    event: RateLimitEventKind
    requests_remaining: int | None = None
    reset_at: datetime | None = None


class ProxyErrorEvent(_Frame, frozen=True, kw_only=True, tag="error"):
    """A notice from the proxy, never the answer to a request. `code` is an open set."""

    code: str
    message: str = field(default_factory=str)
    details: Any = None


class StalenessEvent(_Frame, frozen=True, kw_only=True, tag="data_staleness"):
    """Market data of some symbols stopped or resumed.

    Attributes:
        symbols: The symbols affected.
        stale_since: When the last data arrived, if known.
    """

    event: StalenessEventKind
    symbols: list[str]
    stale_since: datetime | None = None
    broker: str | None = None


class FinancingEvent(_Frame, frozen=True, kw_only=True, tag="financing"):
    """Interest or swap; a negative amount is charged."""

    symbol: Symbol
    amount: Decimal


class BacktestComplete(_Frame, frozen=True, kw_only=True, tag="backtest_complete"):
    """The last frame of a backtest."""

    broker: str | None = None


class Ping(_Frame, frozen=True, kw_only=True, tag="ping"):
    """Asks for a pong."""


class Pong(_Frame, frozen=True, kw_only=True, tag="pong"):
    """Answers our ping."""


class UnknownEvent(Struct, frozen=True, kw_only=True):
    """A message of a type this version does not know; it is acknowledged nevertheless.

    Attributes:
        type: The frame's `type`.
        raw: The whole frame as plain data.
    """

    legacy_id: ClassVar[None] = None  # event_id holds the id of either key

    type: str
    raw: dict[str, Any]
    event_id: str | None = None


_EventFrame = (
    OrderEvent
    | TradeEvent
    | PositionEvent
    | AccountEvent
    | ConnectionEvent
    | RateLimitEvent
    | ProxyErrorEvent
    | StalenessEvent
    | FinancingEvent
    | BacktestComplete
)
"""Frames that are events themselves."""

ServerFrame = CandleFrame | QuoteFrame | _EventFrame | Ping | Pong

Event = Candle | Quote | _EventFrame | UnknownEvent


class CandleRun:
    """Consecutive candles with no other event between them, delivered together; never on the wire.

    Attributes:
        candles: The candles still to come.
        last: The candle being handled; the consumer sets it before anything acts on it.
        may_continue: Called after orders were placed and answered; returns whether the next candle
            may be taken, or must wait for another event.
        ahead: Given an instant in nanoseconds since the epoch, returns how many candles that start
            before it come next with no fill between them; 0 also if unknown.
        bound: Given a symbol and True, returns a lower bound of its future closes; given False, an
            upper bound. None if the symbol has no candles.
    """

    __slots__ = ("ahead", "bound", "candles", "last", "may_continue")

    def __init__(
        self,
        candles: Iterator[Candle],
        may_continue: Callable[[], bool],
        ahead: Callable[[int], int],
        bound: Callable[[str, bool], float | None],
    ) -> None:
        self.candles = candles
        self.may_continue = may_continue
        self.ahead = ahead
        self.bound = bound
        self.last: Candle | None = None


class InstantClosed:
    """Follows the last candle that ends at an instant; never on the wire."""

    __slots__ = ()


INSTANT_CLOSED = InstantClosed()

Item = Event | CandleRun | InstantClosed
"""What a venue delivers: events, candles also in runs, and where the candles of an instant end."""
