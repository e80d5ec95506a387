"""Conversion of text to values, with errors that name the origin."""

import re
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from urllib.parse import urlsplit

from strategy_runtime.errors import ConfigError, TimeframeError
from strategy_runtime.protocol.timeframes import parse_timeframe

__all__ = [
    "amount",
    "check_url",
    "count",
    "or_none",
    "port",
    "recording",
    "request_url",
    "seconds",
    "stream_url",
    "timeframe",
]

_HOST = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)


def stream_url(text: str, origin: str) -> str:
    """Return the URL of the event stream."""
    return check_url(text, origin, ("ws", "wss"), "ws://localhost:8082")


def request_url(text: str, origin: str) -> str:
    """Return the URL for requests."""
    return check_url(text, origin, ("http", "https"), "http://localhost:8080")


def check_url(text: str, origin: str, schemes: tuple[str, ...], example: str) -> str:
    """Return the text if it is a URL with one of the schemes.

    Raises:
        ConfigError: It is not.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{origin}: {text!r} is not a URL: {error}") from None
    if parts.scheme not in schemes or not host:
        raise ConfigError(
            f"{origin}: {text!r} is not a URL that begins with {' or '.join(schemes)}, such as "
            f"{example}"
        )
    if not _can_be_host(host):
        # Only the host is shown: the URL may contain a password.
        raise ConfigError(
            f"{origin}: {host!r} cannot be the name of a host; write a URL such as {example}"
        )
    return text


def _can_be_host(host: str) -> bool:
    """Whether this is a valid host name or address."""
    try:
        ip_address(host)
    except ValueError:
        try:
            return _HOST.fullmatch(host.encode("idna").decode()) is not None
        except UnicodeError:
            return False
    return True


def or_none(text: str, origin: str) -> str | None:
    """Return the text, or None if it is empty."""
    return text or None


def timeframe(text: str, origin: str) -> str:
    """Return a timeframe in its canonical form."""
    try:
        return parse_timeframe(text).text
    except TimeframeError as error:
        raise TimeframeError(f"{origin}: {error}") from None


def recording(text: str, origin: str) -> str | None:
    """Return the path of a recording; None if it is empty."""
    if text and not text.endswith(".jsonl"):
        raise ConfigError(
            f"{origin}: {text!r} does not end in .jsonl, by which strategy-backtest --data knows a "
            "recording"
        )
    return text or None


def seconds(text: str, origin: str) -> float:
    """Return a number of seconds, not negative."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ConfigError(f"{origin}: {text!r} is not a number of seconds")
    return number


def amount(text: str, origin: str) -> Decimal | None:
    """Return an amount above zero; None if it is empty."""
    if not text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(-1)
    if not (number.is_finite() and number > 0):
        raise ConfigError(f"{origin}: {text!r} is not an amount above zero")
    return number


def count(text: str, origin: str) -> int | None:
    """Return a whole number above zero; None if it is empty."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise ConfigError(f"{origin}: {text!r} is not a whole number above zero")
    return int(text)


def port(text: str, origin: str) -> int | None:
    """Return a port; None if it is empty."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and int(text) < 2**16):
        raise ConfigError(f"{origin}: {text!r} is not a port, a number below {2**16}")
    return int(text)
