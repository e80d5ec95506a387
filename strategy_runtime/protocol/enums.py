"""The enums of the wire: closed and open sets of names, and WebSocket close codes.

Every enum accepts any letter case, `-` for `_`, and the aliases of the engine edition. A *closed*
enum refuses unknown names, since a wrong guess would cost money. An *open* one keeps the raw text
in a member of its own: `OrderStatus("SORT_OF_FILLED").is_known` is False, and nothing is lost.
"""

from enum import EnumType, IntEnum, StrEnum
from typing import Any, Self, TypeVar

__all__ = [
    "AccountEventKind",
    "CloseCode",
    "ConnectionEventKind",
    "MarginMode",
    "OrderEventKind",
    "OrderStatus",
    "OrderType",
    "PositionEventKind",
    "PositionMode",
    "PositionSide",
    "RateLimitEventKind",
    "RejectReason",
    "Side",
    "StalenessEventKind",
    "TimeInForce",
    "TrailingType",
    "with_plain_members",
]

_E = TypeVar("_E", bound=EnumType)
_N = TypeVar("_N", bound=StrEnum)


def _canonical(value: str) -> str:
    return value.upper().replace("-", "_")


def with_plain_members(kind: _E) -> _E:
    """Make the members of an Enum plain class attributes.

    Up to Python 3.11 every `Side.BUY` runs a property written in Python, dozens for each order.
    """
    members: dict[str, Any] = dict(kind.__members__)
    for name, member in members.items():
        type.__setattr__(kind, name, member)
    return kind


class _Names(StrEnum):
    """Names that equal their text, and refuse to be compared with another spelling of a name."""

    __hash__ = str.__hash__

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        with_plain_members(cls)

    def __eq__(self, other: object) -> bool:
        is_same = str.__eq__(self, other)
        if is_same is False and type(other) is str:
            self._refuse_spelling(other)
        return is_same

    def __ne__(self, other: object) -> bool:
        is_other = str.__ne__(self, other)
        if is_other is True and type(other) is str:
            self._refuse_spelling(other)
        return is_other

    def _refuse_spelling(self, text: str) -> None:
        """Raise an error if a text means a member, but is not its name.

        `order.side == "buy"` would always be False, and nobody would notice.
        """
        kind = type(self)
        meant = _meant(kind, text)
        if meant is not None and text not in kind.__members__:
            raise TypeError(
                f"{kind.__name__} is not compared with {text!r}, which it never is: write "
                f"{kind.__name__}.{meant.name}"
            )


class _ClosedEnum(_Names):
    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls.__members__.get(_canonical(value)) if isinstance(value, str) else None


class _OpenEnum(_Names):
    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str) or not value:
            return None
        member = _meant(cls, value)
        if member is not None:
            return member
        unknown: Any = str.__new__(cls, value)
        unknown._name_ = "UNKNOWN_TO_US"
        unknown._value_ = value
        return unknown  # type: ignore[no-any-return]

    @property
    def is_known(self) -> bool:
        """False if the name on the wire is unknown to this version."""
        return self._name_ in type(self).__members__


def _meant(kind: type[_N], text: str) -> _N | None:
    """Return the member that a text means, in whatever spelling."""
    name = _canonical(text)
    return kind.__members__.get(_ALIASES.get((kind.__name__, name), name))


_ALIASES = {
    ("OrderEventKind", "CREATED"): "ORDER_CREATED",
    ("OrderEventKind", "PARTIAL_FILL"): "ORDER_PARTIALLY_FILLED",
    ("OrderEventKind", "FILLED"): "ORDER_FILLED",
    ("OrderEventKind", "CANCELLED"): "ORDER_CANCELLED",
    ("OrderEventKind", "CANCELED"): "ORDER_CANCELLED",
    ("OrderEventKind", "ORDER_CANCELED"): "ORDER_CANCELLED",
    ("OrderEventKind", "REJECTED"): "ORDER_REJECTED",
    ("OrderStatus", "CANCELED"): "CANCELLED",
}


class Side(_ClosedEnum):
    """Whether an order or a trade buys or sells."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL."""
        return 1 if self is Side.BUY else -1


class PositionSide(_ClosedEnum):
    """Whether a position is long or short."""

    LONG = "LONG"
    SHORT = "SHORT"


class OrderType(_ClosedEnum):
    """Market, limit, stop, stop-limit or trailing stop."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"
    TRAILING_STOP = "TRAILING_STOP"


class TimeInForce(_ClosedEnum):
    """How long an order is valid: until cancelled, a day, or one bar (`FOK`: all or nothing)."""

    GTC = "GTC"
    DAY = "DAY"
    IOC = "IOC"
    FOK = "FOK"


class TrailingType(_ClosedEnum):
    """Unit of a trailing distance: price units or percent of the peak."""

    ABSOLUTE = "ABSOLUTE"
    PERCENT = "PERCENT"


class MarginMode(_ClosedEnum):
    """Whether positions share their margin."""

    CROSS = "CROSS"
    ISOLATED = "ISOLATED"


class PositionMode(_ClosedEnum):
    """One position per symbol, or one per entry."""

    NETTING = "NETTING"
    HEDGING = "HEDGING"


class OrderStatus(_OpenEnum):
    """The status of an order."""

    PENDING = "PENDING"
    PENDING_CANCEL = "PENDING_CANCEL"
    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"

    @property
    def is_terminal(self) -> bool:
        """True once the order can no longer change."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED}
)


class RejectReason(_OpenEnum):
    """Why an order was rejected after it had been accepted."""

    INSUFFICIENT_MARGIN = "INSUFFICIENT_MARGIN"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    INVALID_QUANTITY = "INVALID_QUANTITY"
    INVALID_PRICE = "INVALID_PRICE"
    SYMBOL_NOT_TRADEABLE = "SYMBOL_NOT_TRADEABLE"
    MARKET_CLOSED = "MARKET_CLOSED"
    REDUCE_ONLY_VIOLATED = "REDUCE_ONLY_VIOLATED"
    POST_ONLY_VIOLATED = "POST_ONLY_VIOLATED"
    RATE_LIMITED = "RATE_LIMITED"
    UNKNOWN = "UNKNOWN"


class OrderEventKind(_OpenEnum):
    """What happened to an order."""

    ORDER_CREATED = "ORDER_CREATED"
    ORDER_MODIFIED = "ORDER_MODIFIED"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    ORDER_REJECTED = "ORDER_REJECTED"
    ORDER_FILLED = "ORDER_FILLED"
    ORDER_PARTIALLY_FILLED = "ORDER_PARTIALLY_FILLED"
    ORDER_EXPIRED = "ORDER_EXPIRED"
    BRACKET_ORDER_CREATED = "BRACKET_ORDER_CREATED"
    BRACKET_ORDER_MODIFIED = "BRACKET_ORDER_MODIFIED"


EVENT_OF_STATUS = {
    OrderStatus.PARTIALLY_FILLED: OrderEventKind.ORDER_PARTIALLY_FILLED,
    OrderStatus.FILLED: OrderEventKind.ORDER_FILLED,
    OrderStatus.CANCELLED: OrderEventKind.ORDER_CANCELLED,
    OrderStatus.EXPIRED: OrderEventKind.ORDER_EXPIRED,
    OrderStatus.REJECTED: OrderEventKind.ORDER_REJECTED,
}
"""The event that leads to a status, for each status with only one such event."""


class PositionEventKind(_OpenEnum):
    """What happened to a position."""

    POSITION_OPENED = "POSITION_OPENED"
    POSITION_MODIFIED = "POSITION_MODIFIED"
    POSITION_CLOSED = "POSITION_CLOSED"


class AccountEventKind(_OpenEnum):
    """Why an account event was sent."""

    BALANCE_UPDATED = "BALANCE_UPDATED"
    MARGIN_WARNING = "MARGIN_WARNING"
    MARGIN_CALL = "MARGIN_CALL"


class ConnectionEventKind(_OpenEnum):
    """What happened to the connection to the proxy, or the proxy's to its provider."""

    CONNECTED = "CONNECTED"
    DISCONNECTING = "DISCONNECTING"
    RECONNECTING = "RECONNECTING"
    BROKER_DISCONNECTED = "BROKER_DISCONNECTED"
    BROKER_RECONNECTED = "BROKER_RECONNECTED"
    BROKER_CONNECTION_FAILED = "BROKER_CONNECTION_FAILED"


class CloseCode(IntEnum):
    """Close codes of a proxy, beyond the standard ones of WebSocket."""

    SLOW_CONSUMER = 4001
    NO_SIGN_OF_LIFE = 4002
    ACK_TIMEOUT = 4003
    SUPERSEDED = 4004


class RateLimitEventKind(_OpenEnum):
    """Whether the provider's request limit is near or reached."""

    RATE_LIMIT_WARNING = "RATE_LIMIT_WARNING"
    RATE_LIMIT_HIT = "RATE_LIMIT_HIT"


class StalenessEventKind(_OpenEnum):
    """Whether market data has stopped or resumed."""

    STALE = "STALE"
    FRESH = "FRESH"
