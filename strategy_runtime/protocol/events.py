"""Everything a proxy sends, and what of it reaches a strategy.

A *frame* is what one text message decodes to. An *event* is what a venue hands to the runtime:
the candle out of a candle frame, the quote out of a quote frame, every other frame itself.
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
from strategy_runtime.protocol.shown import Shown

__all__ = [
    "AccountEvent",
    "BacktestComplete",
    "CandleFrame",
    "CandleRun",
    "ConnectionEvent",
    "Event",
    "FinancingEvent",
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


class _Frame(Shown, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="type"):
    """What all frames share.

    Attributes:
        event_id: Names the frame in an acknowledgement; None where none is expected.
        legacy_id: The same under the older key `id`.
        timestamp: When the proxy emitted it. Simulated time of a candle is the candle's own end,
            never this.
    """

    event_id: str | None = None
    legacy_id: str | None = field(name="id", default=None)
    timestamp: datetime | None = None


class CandleFrame(_Frame, frozen=True, kw_only=True, tag="candle"):
    """A closed bar."""

    bar: Candle


class QuoteFrame(_Frame, frozen=True, kw_only=True, tag="quote"):
    """A change of the best bid or ask."""

    quote: Quote


class OrderEvent(_Frame, frozen=True, kw_only=True, tag="order"):
    """Something happened to an order; `order` is its state afterwards.

    Attributes:
        synthetic: True where the runtime made the event from a snapshot instead of receiving it.
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
    """A position changed; `event` says how. Some venues call every change MODIFIED, but a strategy
    always sees whether it was opened or closed.
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
    """The link to the proxy, or the proxy's link to its provider, changed.

    Attributes:
        error: Why it was lost, where that is known.
        broker: The provider, where it is its link.
        gap_duration_ms: In BROKER_RECONNECTED: how long that was away.
        session: In CONNECTED: names the run of the proxy. Another one knows nothing of the first.
        acknowledged: In CONNECTED of a backtest: how many of its events have been acknowledged.
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
        requests_remaining: How many are left, if the proxy says so.
        reset_at: When the limit is reset, if the proxy says so.
    """

    event: RateLimitEventKind
    requests_remaining: int | None = None
    reset_at: datetime | None = None


class ProxyErrorEvent(_Frame, frozen=True, kw_only=True, tag="error"):
    """A notice from the proxy; it never answers a request. `code` is an open set."""

    code: str
    message: str = field(default_factory=str)
    details: Any = None


class StalenessEvent(_Frame, frozen=True, kw_only=True, tag="data_staleness"):
    """Market data of some symbols stopped or resumed.

    Attributes:
        symbols: Those it is about.
        stale_since: When the last data came, if the proxy says so.
    """

    event: StalenessEventKind
    symbols: list[str]
    stale_since: datetime | None = None
    broker: str | None = None


class FinancingEvent(_Frame, frozen=True, kw_only=True, tag="financing"):
    """Interest or swap; negative amounts are charged."""

    symbol: Symbol
    amount: Decimal


class BacktestComplete(_Frame, frozen=True, kw_only=True, tag="backtest_complete"):
    """The last frame of a backtest."""

    broker: str | None = None


class Ping(_Frame, frozen=True, kw_only=True, tag="ping"):
    """Asks for a pong."""


class Pong(_Frame, frozen=True, kw_only=True, tag="pong"):
    """Answers a ping of ours."""


class UnknownEvent(Struct, frozen=True, kw_only=True):
    """A message of a type this version does not know; it is acknowledged nevertheless.

    Attributes:
        type: The frame's `type`.
        raw: The whole frame as plain data.
    """

    legacy_id: ClassVar[None] = None  # whichever key the id came under

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
"""A frame that is an event itself."""

ServerFrame = CandleFrame | QuoteFrame | _EventFrame | Ping | Pong

Event = Candle | Quote | _EventFrame | UnknownEvent


class CandleRun:
    """Candles between which nothing else happens, handed over as one; never on the wire.

    Attributes:
        candles: Those that are to come.
        last: The one in hand, for the taker to note before anybody acts on it.
        goes_on: To be asked when orders have been given and answered: whether the next candle may
            be taken, or has to wait for something else.
        ahead: Given an instant in nanoseconds since the epoch, says how many candles that begin
            before it come next with no fill between them; 0 also where that is not known.
        bound: Given a symbol and True, says below which price none of its closes to come will be;
            given False, above which. None where the symbol has no candles.
    """

    __slots__ = ("ahead", "bound", "candles", "goes_on", "last")

    def __init__(
        self,
        candles: Iterator[Candle],
        goes_on: Callable[[], bool],
        ahead: Callable[[int], int],
        bound: Callable[[str, bool], float | None],
    ) -> None:
        self.candles = candles
        self.goes_on = goes_on
        self.ahead = ahead
        self.bound = bound
        self.last: Candle | None = None
