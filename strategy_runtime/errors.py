"""All exceptions that this package raises on purpose, as one tree.

::

    StrategyRuntimeError
    ├── ConfigError              a setting, parameter or command line is wrong         exit 2
    │   ├── LoadError            module:Class does not name a strategy
    │   ├── ParameterError       a strategy parameter is unknown or out of range
    │   ├── SubscriptionError    an entry of SUBSCRIPTIONS cannot be read
    │   └── TimeframeError       a text is not a timeframe
    ├── DataError                market data cannot be read                            exit 74
    ├── ProtocolError            the proxy violated the protocol                       exit 76
    │   └── FrameError           one frame cannot be decoded (dropped, never fatal)
    ├── ApiError                 a request was answered with an error envelope         exit 76
    ├── OrderRejected            an order, change or cancel was refused
    ├── FateUnknown              an order was sent, but may not have arrived
    ├── Unreachable              nothing answers at the proxy's address                exit 69
    ├── ConnectionLost           the connection was lost before the backtest ended     exit 75
    ├── AccessDenied             authentication or certificate verification failed     exit 77
    ├── WouldDeadlock            a hook waits for an event that must follow its return
    └── HookFailed               the strategy's own code raised                        exit 70

Exceptions carry their facts as fields, and build their text from them. `exit_code` is the code with
which a command exits when the exception reaches it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

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
    "Verb",
    "WouldDeadlock",
    "reason_of",
]

Verb = Literal["submit", "modify", "cancel"]
"""What is requested for an order."""

_NOT_OFFERED = (404, 405, 501)


class StrategyRuntimeError(Exception):
    """Root of the tree; catches everything this package raises on purpose."""

    exit_code: ClassVar[int] = 70

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling: an exception that cannot be pickled breaks a process pool."""
        return _rebuilt, (type(self), self.args, self.__dict__)


class ConfigError(StrategyRuntimeError):
    """A setting, a parameter or a command line is wrong."""

    exit_code = 2


class LoadError(ConfigError):
    """`module:Class` does not name a strategy class."""


class ParameterError(ConfigError):
    """A strategy parameter is unknown, of the wrong type or out of range."""


class SubscriptionError(ConfigError):
    """An entry of `SUBSCRIPTIONS` cannot be parsed; the text names the entry and its position."""


class TimeframeError(ConfigError):
    """A text is not a timeframe such as `1m`, `4h` or `1d`."""


class DataError(StrategyRuntimeError):
    """A file of market data, state, a journal or results cannot be read; names file and line."""

    exit_code = 74


class ProtocolError(StrategyRuntimeError):
    """The proxy violated the protocol, or whatever answers is no proxy."""

    exit_code = 76


class FrameError(ProtocolError):
    """One frame is malformed.

    Attributes:
        reason: What is wrong with it.
        event_id: The id to acknowledge it by nevertheless, or None.
    """

    def __init__(self, reason: str, event_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.event_id = event_id


class ApiError(StrategyRuntimeError):
    """The venue answered a request with an error envelope.

    A strategy sees refused orders as `OrderRejected` instead.

    Attributes:
        status: HTTP status; 0 if the runtime itself refused, for example by a risk limit.
        code: Machine-readable code of the envelope, an open set.
        message: Human-readable message.
        details: Whatever else the venue sent, or None.
        retry_after: Seconds to wait before the next attempt, if the venue named them (429).

    Args:
        request: Method and path to include in the text; None for order requests.
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
        """Whether the venue does not have the resource, or does not support the request."""
        return self.status in _NOT_OFFERED


class OrderRejected(StrategyRuntimeError):
    """An order, or a change or cancel of one, was refused.

    Attributes:
        code: Machine-readable code, such as `ORDER_REJECTED` or `INVALID_VALUE`.
        message: Human-readable message.
        details: What the venue added, or an empty mapping.
        client_order_id: The order's own id.
        symbol: The order's symbol.
        verb: What was refused: `submit`, the order itself, or `modify` or `cancel`.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        client_order_id: str,
        symbol: str,
        verb: Verb = "submit",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{symbol} {client_order_id}: {code}: {message}")
        self.code = code
        self.message = message
        self.details: Mapping[str, Any] = details or {}
        self.client_order_id = client_order_id
        self.symbol = symbol
        self.verb: Verb = verb


class FateUnknown(StrategyRuntimeError):
    """An order was sent, but it is unknown whether it arrived.

    Attributes:
        client_order_id: The order's own id.
        symbol: The order's symbol.
        cause: Why there is no clear answer.
    """

    def __init__(self, client_order_id: str, symbol: str, cause: str) -> None:
        super().__init__(
            f"{symbol} {client_order_id}: sent, and nobody can say whether it arrived: {cause}"
        )
        self.client_order_id = client_order_id
        self.symbol = symbol
        self.cause = cause


class Unreachable(StrategyRuntimeError):
    """Nothing answers at the proxy's address."""

    exit_code = 69


class ConnectionLost(StrategyRuntimeError):
    """The connection was lost and could not be resumed, or the proxy was restarted."""

    exit_code = 75


class AccessDenied(StrategyRuntimeError):
    """The proxy refused our key, its certificate is not trusted, or it does not speak TLS."""

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


def _rebuilt(
    kind: type[StrategyRuntimeError], args: tuple[Any, ...], facts: Mapping[str, Any]
) -> StrategyRuntimeError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error


def reason_of(error: Exception) -> str:
    """Return the system's text of an error without its number, or else the error's own text."""
    return getattr(error, "strerror", None) or str(error)
