"""The tolerant reading of a frame: other eras' shapes, odd numbers and times, broken extras.

Slow and careful, for what the typed decoder refuses. A frame is dropped only when it is not JSON,
not an object, of no type, or wrong in a field on which money depends; then the error still carries
the id it must be acknowledged by (protocol c.2.9). What is merely informative is left out instead,
with a warning.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from strategy_runtime.errors import FrameError, TimeframeError
from strategy_runtime.protocol.enums import is_open_set
from strategy_runtime.protocol.events import (
    AccountEvent,
    BacktestComplete,
    CandleFrame,
    ConnectionEvent,
    FinancingEvent,
    OrderEvent,
    Ping,
    Pong,
    PositionEvent,
    ProxyErrorEvent,
    QuoteFrame,
    RateLimitEvent,
    ServerFrame,
    StalenessEvent,
    TradeEvent,
    UnknownEvent,
)
from strategy_runtime.protocol.models import Candle
from strategy_runtime.protocol.timeframes import parse_timeframe

__all__ = ["MAX_DEPTH", "depth_exceeds", "read_tolerantly"]

MAX_DEPTH = 64
_MAX_DIGITS = 40
_SIGNIFICANT = 38
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_ID_IN_TEXT = re.compile(r'"event_id"\s*:\s*"([^"\\]{1,128})"')
_ENVELOPE = ("type", "event_id", "id")

_KINDS: dict[str, type[Any]] = {
    "candle": CandleFrame,
    "quote": QuoteFrame,
    "order": OrderEvent,
    "trade": TradeEvent,
    "position": PositionEvent,
    "account": AccountEvent,
    "connection": ConnectionEvent,
    "rate_limit": RateLimitEvent,
    "error": ProxyErrorEvent,
    "data_staleness": StalenessEvent,
    "financing": FinancingEvent,
    "backtest_complete": BacktestComplete,
    "ping": Ping,
    "pong": Pong,
}

Read = tuple[ServerFrame | UnknownEvent, str | None, list[str]]


class _Fault(Exception):
    """A value that cannot be read; the text says what was expected."""


def read_tolerantly(raw: bytes, *, default_timeframe: str) -> Read:
    """Read a frame: the frame, the id to acknowledge it by, and what was odd.

    Raises:
        FrameError: The frame has to be dropped.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise FrameError("not UTF-8", _salvage(raw.decode(errors="replace"))) from None
    document = _parse(text)
    event_id, warnings = _event_id(document)
    kind = document.get("type")
    if not isinstance(kind, str) or not kind:
        raise FrameError("no type" if kind is None else f"type is {kind!r}", event_id)
    target = _KINDS.get(kind)
    if target is None:
        return UnknownEvent(type=kind, raw=document, event_id=event_id), event_id, warnings
    if kind == "candle":
        document = _nested_candle(document, default_timeframe)
    elif kind == "order":
        document = {**document, "order": _engine_order(document.get("order"))}
    elif kind == "position":
        document = {**document, "position": _engine_position(document.get("position"))}
    try:
        fields = _read_struct(target, document, "", warnings)
        fields["event_id"] = event_id
        frame = target(**fields)
    except _Fault as fault:
        raise FrameError(f"{kind}: {fault}", event_id) from None
    if isinstance(frame, QuoteFrame) and frame.quote.last is None:
        quote = msgspec.structs.replace(frame.quote, last=frame.quote.mid)
        frame = msgspec.structs.replace(frame, quote=quote)
    if isinstance(frame, CandleFrame) and frame.bar.is_suspect:
        warnings.append("prices contradict each other")
    elif isinstance(frame, QuoteFrame) and frame.quote.is_suspect:
        warnings.append("the bid is above the ask")
    elif isinstance(frame, OrderEvent) and frame.order.is_suspect:
        warnings.append("more was filled than ordered")
    return frame, event_id, warnings


def depth_exceeds(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether plain data is nested deeper than a limit; works without recursion."""
    level = [value]
    for _ in range(limit + 1):
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                deeper.extend(item.values())
            elif isinstance(item, list):
                deeper.extend(item)
        if not deeper:
            return False
        level = deeper
    return True


def _parse(text: str) -> dict[str, Any]:
    try:
        document = json.loads(
            text, parse_float=Decimal, parse_int=_whole, parse_constant=_no_constant
        )
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise FrameError(f"not JSON: {error}", _salvage(text)) from None
    if not isinstance(document, dict):
        raise FrameError("not a JSON object")
    if depth_exceeds(document):
        raise FrameError(f"nested deeper than {MAX_DEPTH} levels", _salvage(text))
    return document


def _whole(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _salvage(text: str) -> str | None:
    found = _ID_IN_TEXT.search(text)
    return None if found is None else found[1]


def _event_id(document: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    for key in ("event_id", "id"):
        value = document.get(key)
        if isinstance(value, str) and value:
            return value, []
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return str(value), []
        if value is not None and value != "":
            return None, [f"{key} is neither text nor a number"]
    return None, []


# Shapes of other eras


def _nested_candle(document: Mapping[str, Any], default_timeframe: str) -> dict[str, Any]:
    bar = document.get("bar")
    if "bar" not in document and "open" in document:
        bar = {name: value for name, value in document.items() if name not in _ENVELOPE}
        document = {"bar": bar}
    if isinstance(bar, dict) and bar.get("timeframe") is None:
        document = {**document, "bar": {**bar, "timeframe": default_timeframe}}
    return dict(document)


def _engine_order(order: Any) -> Any:
    """The engine's one `price`, and its time of the last change (protocol g.9)."""
    if not isinstance(order, dict):
        return order
    order = dict(order)
    price = order.pop("price", None)
    kind = str(order.get("order_type", "")).upper()
    if price is not None:
        if kind == "LIMIT":
            order.setdefault("limit_price", price)
        elif kind in ("STOP", "STOP_LIMIT"):
            order.setdefault("stop_price", price)
    for name in ("executed_at", "cancelled_at", "rejected_at"):
        moment = order.pop(name, None)
        if moment is not None:
            order.setdefault("updated_at", moment)
    return order


def _engine_position(position: Any) -> Any:
    if not isinstance(position, dict):
        return position
    position = dict(position)
    average = position.pop("avg_entry_price", None)
    if average is not None:
        position.setdefault("average_entry_price", average)
    return position


# Values, by the type of the field they are for


@cache
def _types(target: type[Struct]) -> dict[str, tuple[Any, ...]]:
    """The alternatives of each field's type, `None` among them where it may be missing."""
    found = {}
    for name, annotation in get_type_hints(target, include_extras=True).items():
        hint = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
        alternatives = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        found[name] = alternatives
    return found


def _read_struct(
    target: type[Struct], value: Any, path: str, warnings: list[str]
) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Fault(f"{path or 'the frame'} is no object")
    types = _types(target)
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(target):
        where = f"{path}.{field.encode_name}" if path else field.encode_name
        given = value.get(field.encode_name)
        if given is None:
            if field.required:
                raise _Fault(f"{where} is missing")
            continue
        if not path and field.encode_name in _ENVELOPE:
            continue
        try:
            fields[field.name] = _read(types[field.name], given, where, warnings)
        except _Fault as fault:
            if field.required or _matters(types[field.name]):
                raise
            warnings.append(str(fault))
    if target is Candle:
        try:
            parse_timeframe(fields["timeframe"])
        except TimeframeError as error:
            raise _Fault(str(error)) from None
    return fields


def _matters(types: tuple[Any, ...]) -> bool:
    """Whether money depends on a field, so that it cannot just be left out."""
    return any(
        kind in (float, Decimal)
        or (isinstance(kind, type) and issubclass(kind, StrEnum) and not is_open_set(kind))
        for kind in types
    )


def _read(types: tuple[Any, ...], value: Any, where: str, warnings: list[str]) -> Any:
    kind = types[0]
    if kind is Any:
        return value
    if kind is datetime:
        return _time(value, where)
    if kind is Decimal:
        return _number(value, where)
    if kind is float:
        return float(_number(value, where))
    if get_origin(kind) is list:
        if not isinstance(value, list):
            raise _Fault(f"{where} is no list")
        return [_text(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if kind is str:
        return _text(value, where)
    if issubclass(kind, StrEnum):
        try:
            return kind(_text(value, where))
        except ValueError:
            raise _Fault(f"{where} is {value!r}, expected one of {', '.join(kind)}") from None
    if issubclass(kind, Struct):
        return kind(**_read_struct(kind, value, where, warnings))
    if type(value) is not kind:
        raise _Fault(f"{where} is {value!r}, expected {kind.__name__}")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _Fault(f"{where} is {value!r}, expected text")
    if where.endswith(("symbol", ".id", "order_id")) and not value:
        raise _Fault(f"{where} is empty")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise _Fault(f"{where} has a character that no text may have")
    return value


def _number(value: Any, where: str) -> Decimal:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise _Fault(f"{where} is {value[:40]!r}, expected a decimal number")
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _Fault(f"{where} is {value!r}, expected a number")
    number = Decimal(value)
    if (
        not number.is_finite()
        or abs(number.adjusted()) > _SIGNIFICANT
        or len(number.as_tuple().digits) > _SIGNIFICANT
    ):
        raise _Fault(f"{where} is beyond all bounds")
    return number


def _time(value: Any, where: str) -> datetime:
    if isinstance(value, str):
        try:
            moment = msgspec.convert(value, datetime)
        except msgspec.ValidationError:
            raise _Fault(f"{where} is {value[:40]!r}, expected RFC 3339") from None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _Fault(f"{where} is {value!r}, expected a time")
    for least, unit in ((10**14, 10**6), (10**11, 10**3), (10**8, 1)):
        if least <= value < least * 1000:
            micros = int(Decimal(value) * 1_000_000 / unit)
            return datetime.fromtimestamp(micros // 10**6, UTC).replace(microsecond=micros % 10**6)
    raise _Fault(f"{where} is {value}, no time since the epoch in seconds, ms or µs")
