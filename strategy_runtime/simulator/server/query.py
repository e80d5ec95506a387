"""Reads query parameters of requests; errors name the parameter."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from aiohttp import web

from strategy_runtime.errors import TimeframeError
from strategy_runtime.protocol.enums import OrderStatus, Side
from strategy_runtime.protocol.orders import invalid_request
from strategy_runtime.protocol.timeframes import parse_timeframe

__all__ = [
    "DEFAULT_LIMIT",
    "MAX_LIMIT",
    "limit",
    "moment",
    "only_symbol",
    "side",
    "statuses",
    "timeframe",
]

_T = TypeVar("_T")
MAX_LIMIT = 10_000
DEFAULT_LIMIT = 100
_STATUSES = ", ".join(OrderStatus)


def moment(request: web.Request, name: str) -> datetime | None:
    """Return a time, in UTC unless it names a zone."""
    return _optional(request, name, _moment, "a time such as 2024-01-31T14:30:00Z")


def only_symbol(request: web.Request) -> str | None:
    """Return the only symbol that a command applies to; None for all.

    Other parameters are refused: they may be meant to narrow the command down.
    """
    for name in request.query:
        if name != "symbol":
            raise invalid_request(
                f"{name} in the query is not known here, so nothing was done; give symbol, or no "
                "query for all symbols",
                name,
            )
    if len(request.query) > 1:
        raise invalid_request(
            "symbol is given more than once, so nothing was done; give one, or no query for all "
            "symbols",
            "symbol",
        )
    return request.query.get("symbol")


def side(request: web.Request) -> Side | None:
    """Return the side of the market."""
    return _optional(request, "side", Side, "BUY or SELL")


def statuses(request: web.Request) -> set[OrderStatus] | None:
    """Return order statuses, separated by commas or given repeatedly; None for the open ones."""
    texts = ",".join(request.query.getall("status", [])).split(",")
    wanted = f"one of {_STATUSES}, or several with commas between them"
    return {_read(text, "status", _known_status, wanted) for text in texts if text} or None


def limit(request: web.Request) -> int:
    """Return how many items to send at most."""
    count = _optional(request, "limit", int, "a whole number")
    if count is None:
        return DEFAULT_LIMIT
    if count < 1:
        raise invalid_request("limit must be at least 1", "limit")
    return min(count, MAX_LIMIT)


def timeframe(request: web.Request) -> str:
    """Return the timeframe of bars, which has no default."""
    text = request.query.get("timeframe")
    if not text:
        raise invalid_request("timeframe is missing; add ?timeframe=1m", "timeframe")
    try:
        parse_timeframe(text)
    except TimeframeError:
        raise invalid_request(
            f"timeframe {text} is not known; give one such as 1m, 4h or 1d", "timeframe"
        ) from None
    return text


def _optional(request: web.Request, name: str, read: Callable[[str], _T], wanted: str) -> _T | None:
    text = request.query.get(name)
    return None if text is None else _read(text, name, read, wanted)


def _read(text: str, name: str, read: Callable[[str], _T], wanted: str) -> _T:
    try:
        return read(text)
    except (ValueError, msgspec.ValidationError):
        raise invalid_request(
            f"{name}={text} in the query cannot be read; give {wanted}", name
        ) from None


def _known_status(text: str) -> OrderStatus:
    status = OrderStatus(text)
    if not status.is_known:
        raise ValueError(text)
    return status


def _moment(text: str) -> datetime:
    # The plus sign of an offset, if not percent-encoded, arrives as a space.
    moment = msgspec.convert(text.replace(" ", "+"), datetime)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
