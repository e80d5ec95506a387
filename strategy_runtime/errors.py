"""Every exception this package raises on purpose, as one tree.

::

    StrategyRuntimeError
    ├── ConfigError              a setting, parameter or command line is wrong         exit 2
    │   ├── LoadError            module:Class does not name a strategy
    │   ├── ParameterError       a strategy parameter is unknown or out of range
    │   ├── SubscriptionError    an entry of SUBSCRIPTIONS cannot be read
    │   └── TimeframeError       a text is not a timeframe
    ├── DataError                market data cannot be read                            exit 74
    ├── ProtocolError            the other side does not speak the protocol            exit 76
    │   └── FrameError           one frame cannot be decoded (dropped, never fatal)
    ├── ApiError                 a request was answered with an error envelope         exit 76
    ├── OrderRejected            an order, change or cancel was refused
    ├── FateUnknown              an order was sent, and nobody can say whether it arrived
    ├── Unreachable              nobody answers at the proxy's address                 exit 69
    ├── ConnectionLost           the proxy went away before the backtest ended         exit 75
    ├── AccessDenied             the proxy or its certificate was refused              exit 77
    ├── WouldDeadlock            a hook waits for what only its own return can bring
    └── HookFailed               the strategy's own code raised                        exit 70

Exceptions carry their facts as fields; the text is made from the fields. `exit_code` is what a
command ends with when the exception reaches it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

__all__ = [
    "AccessDenied",
    "ApiError",
    "ConfigError",
    "ConnectionLost",
    "DataError",
    "FateUnknown",
    "FrameError",
    "HookFailed",
    "LoadError",
    "OrderRejected",
    "ParameterError",
    "ProtocolError",
    "StrategyRuntimeError",
    "SubscriptionError",
    "TimeframeError",
    "Unreachable",
    "WouldDeadlock",
    "reason_of",
]

_NOT_OFFERED = (404, 405, 501)


class StrategyRuntimeError(Exception):
    """Root of the tree; catches everything this package raises on purpose."""

    exit_code: ClassVar[int] = 70

    def __reduce__(self) -> tuple[Any, ...]:
        """How another process is told of it; one of a pool that cannot be breaks the pool."""
        return _told_again, (type(self), self.args, self.__dict__)


class ConfigError(StrategyRuntimeError):
    """A setting, a parameter or a command line is wrong."""

    exit_code = 2


class LoadError(ConfigError):
    """`module:Class` does not lead to a strategy class."""


class ParameterError(ConfigError):
    """A strategy parameter is unknown, of the wrong type or out of range."""


class SubscriptionError(ConfigError):
    """An entry of `SUBSCRIPTIONS` cannot be read; names the entry and its position."""


class TimeframeError(ConfigError):
    """A text is not a timeframe such as `1m`, `4h` or `1d`."""


class DataError(StrategyRuntimeError):
    """A file cannot be read: market data, a state, a journal, results; names file and line."""

    exit_code = 74


class ProtocolError(StrategyRuntimeError):
    """The other side does not speak the protocol."""

    exit_code = 76


class FrameError(ProtocolError):
    """One frame is malformed.

    Attributes:
        reason: What is wrong with it.
        event_id: The id to acknowledge all the same, or None.
    """

    def __init__(self, reason: str, event_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.event_id = event_id


class ApiError(StrategyRuntimeError):
    """A request the venue answered with an error envelope.

    Orders that are refused reach a strategy as `OrderRejected` instead.

    Attributes:
        status: HTTP status; 0 where the runtime refused by itself, as for a risk limit.
        code: Machine-readable code of the envelope, an open set.
        message: For people.
        details: Whatever else the venue said, or None.
        retry_after: Seconds to wait before asking again, where the venue said so (429).

    Args:
        request: Method and path, to be told in the text; None for those of orders.
    """

    exit_code = 76

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Any = None,
        retry_after: float | None = None,
        request: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}" + (f" ({request})" if request else ""))
        self.retry_after = retry_after
        self.status = status
        self.code = code
        self.message = message
        self.details = details

    @property
    def is_not_offered(self) -> bool:
        """Whether the venue does not have what it was asked for, or no such question."""
        return self.status in _NOT_OFFERED


class OrderRejected(StrategyRuntimeError):
    """An order (or the change or cancel of one) was refused.

    Attributes:
        code: Machine-readable code, such as `ORDER_REJECTED` or `INVALID_VALUE`.
        message: For people.
        details: What the venue added, or an empty mapping.
        client_order_id: The order's own id.
        symbol: The order's symbol.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        client_order_id: str,
        symbol: str,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{symbol} {client_order_id}: {code}: {message}")
        self.code = code
        self.message = message
        self.details: Mapping[str, Any] = details or {}
        self.client_order_id = client_order_id
        self.symbol = symbol


class FateUnknown(StrategyRuntimeError):
    """An order was sent, and nobody can say whether it arrived.

    Attributes:
        client_order_id: The order's own id.
        symbol: The order's symbol.
        cause: What happened to the answer.
    """

    def __init__(self, client_order_id: str, symbol: str, cause: str) -> None:
        super().__init__(
            f"{symbol} {client_order_id}: sent, and nobody can say whether it arrived: {cause}"
        )
        self.client_order_id = client_order_id
        self.symbol = symbol
        self.cause = cause


class Unreachable(StrategyRuntimeError):
    """Nobody answers at the proxy's address."""

    exit_code = 69


class ConnectionLost(StrategyRuntimeError):
    """The proxy went away and did not come back, or came back as another one."""

    exit_code = 75


class AccessDenied(StrategyRuntimeError):
    """The proxy refused our key, or we its certificate, or it has none where it should have."""

    exit_code = 77


class WouldDeadlock(StrategyRuntimeError):
    """A hook waits for an event that cannot be delivered before the hook returns."""


class HookFailed(StrategyRuntimeError):
    """A hook of the strategy raised; `__cause__` is what it raised.

    Attributes:
        hook: Name of the hook.
        where: The event it was called for, such as `candle S:AAPL 2024-03-04T14:30:00Z`.
    """

    exit_code = 70

    def __init__(self, hook: str, where: str) -> None:
        super().__init__(f"{hook} failed" + (f" at {where}" if where else ""))
        self.hook = hook
        self.where = where


def _told_again(
    kind: type[StrategyRuntimeError], args: tuple[Any, ...], facts: Mapping[str, Any]
) -> StrategyRuntimeError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error


def reason_of(error: Exception) -> str:
    """An error in the system's words, without its number; in its own where the system has none."""
    return getattr(error, "strerror", None) or str(error)
