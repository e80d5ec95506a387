"""Tolerant decoding of a frame: shapes of other eras, odd numbers and times, broken extras.

Slow and careful, for frames that the typed decoder refuses. A frame is dropped only if it is not
JSON, not an object, has no type, or is wrong in a field on which money depends; the error still
carries the id that it must be acknowledged by.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, get_args

from strategy_runtime.errors import FrameError
from strategy_runtime.protocol.events import (
    CandleFrame,
    OrderEvent,
    QuoteFrame,
    ServerFrame,
    UnknownEvent,
)
from strategy_runtime.protocol.fields import (
    MAX_DEPTH,
    Fault,
    depth_exceeds,
    parse_json,
    read_fields,
)
from strategy_runtime.protocol.subscriptions import EVERYTHING, Subscriptions
from strategy_runtime.protocol.values import is_sound, is_unicode, plain_data

__all__ = ["read_tolerantly"]

_ID_IN_TEXT = re.compile(r'"event_id"\s*:\s*"([^"\\]{1,128})"')
_ENVELOPE = ("type", "event_id", "id")
_NOT_ON_THE_WIRE = "synthetic"
_KINDS: dict[str, type[Any]] = {kind.__struct_config__.tag: kind for kind in get_args(ServerFrame)}


def read_tolerantly(
    raw: bytes, *, default_timeframe: str, subscriptions: Subscriptions = EVERYTHING
) -> tuple[ServerFrame | UnknownEvent, list[str]]:
    """Decode a frame; return it and warnings of what was odd about it.

    Args:
        default_timeframe: Timeframe of candles that have none.
        subscriptions: If they name exactly one timeframe of a symbol, its candles get that one.

    Raises:
        FrameError: The frame must be dropped.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise FrameError("not UTF-8", _salvage(raw.decode(errors="replace"))) from None
    try:
        document = parse_json(text)
    except Fault as fault:
        raise FrameError(str(fault), _salvage(text)) from None
    if not isinstance(document, dict):
        raise FrameError("not a JSON object", _salvage(text))
    warnings: list[str] = []
    own_id, legacy_id = (_identifier(document, key, warnings) for key in ("event_id", "id"))
    event_id = own_id or legacy_id or None
    if depth_exceeds(document):
        raise FrameError(f"nested deeper than {MAX_DEPTH} levels", event_id)
    kind = document.get("type")
    if not isinstance(kind, str) or not kind or not is_unicode(kind):
        raise FrameError("no type" if kind is None else f"the type is {kind!r:.40}", event_id)
    target = _KINDS.get(kind)
    if target is None:
        unknown = UnknownEvent(type=kind, raw=plain_data(document), event_id=event_id)
        return unknown, warnings
    try:
        fields = read_fields(
            target,
            _modern(
                kind, document, partial(subscriptions.timeframe_of, otherwise=default_timeframe)
            ),
            "",
            warnings,
            skip=(*_ENVELOPE, _NOT_ON_THE_WIRE),
        )
        frame = target(event_id=own_id, legacy_id=legacy_id, **fields)
    except Fault as fault:
        raise FrameError(f"{kind}: {fault}", event_id) from None
    doubt = _doubt(frame)
    if doubt is not None:
        warnings.append(doubt)
    return frame, warnings


def _salvage(text: str) -> str | None:
    found = _ID_IN_TEXT.search(text)
    return None if found is None else found[1]


def _identifier(document: Mapping[str, Any], key: str, warnings: list[str]) -> str | None:
    value = document.get(key)
    if value is None or (isinstance(value, str) and is_unicode(value)):
        return value
    if (
        isinstance(value, int | Decimal)
        and not isinstance(value, bool)
        and is_sound(Decimal(value))
    ):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    warnings.append(f"{key} is not a text or number that can be sent back")
    return None


def _doubt(frame: ServerFrame) -> str | None:
    """Return how the frame contradicts itself, or None."""
    if isinstance(frame, CandleFrame) and frame.bar.is_suspect:
        return "prices contradict each other, or the volume is negative"
    if isinstance(frame, QuoteFrame) and frame.quote.is_suspect:
        return "the bid is above the ask"
    if isinstance(frame, OrderEvent) and frame.order.is_suspect:
        return "more was filled than ordered"
    return None


# Shapes of other eras


def _modern(
    kind: str, document: dict[str, Any], timeframe_of: Callable[[object], str]
) -> dict[str, Any]:
    if kind == "candle":
        return _nested_candle(document, timeframe_of)
    if kind == "order":
        return {**document, "order": _engine_order(document.get("order"))}
    if kind == "position":
        return {**document, "position": _engine_position(document.get("position"))}
    return document


def _nested_candle(
    document: dict[str, Any], timeframe_of: Callable[[object], str]
) -> dict[str, Any]:
    bar = document.get("bar")
    if "bar" not in document and "open" in document:
        bar = {name: value for name, value in document.items() if name not in _ENVELOPE}
        document = {"bar": bar}
    if isinstance(bar, dict) and bar.get("timeframe") is None:
        document = {**document, "bar": {**bar, "timeframe": timeframe_of(bar.get("symbol"))}}
    return document


def _engine_order(order: Any) -> Any:
    """Map the engine's single `price`, and its names for the time of the last change."""
    if not isinstance(order, dict):
        return order
    order = dict(order)
    price_of = {"LIMIT": "limit_price", "STOP": "stop_price", "STOP_LIMIT": "stop_price"}
    kind = str(order.get("order_type")).upper().replace("-", "_")
    if kind in price_of:
        _fall_back(order, price_of[kind], "price")
    for moment in ("executed_at", "cancelled_at", "rejected_at"):
        _fall_back(order, "updated_at", moment)
    return order


def _engine_position(position: Any) -> Any:
    if not isinstance(position, dict):
        return position
    position = dict(position)
    _fall_back(position, "average_entry_price", "avg_entry_price")
    return position


def _fall_back(document: dict[str, Any], name: str, other: str) -> None:
    if document.get(name) is None and document.get(other) is not None:
        document[name] = document[other]
