"""Bodies of REST requests and responses, and the error envelope."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from itertools import islice
from math import isfinite
from types import NoneType
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Struct

from strategy_runtime.errors import ApiError, ProtocolError, TimeframeError
from strategy_runtime.protocol.enums import OrderType
from strategy_runtime.protocol.fields import (
    MAX_DEPTH,
    SIDED,
    TOO_EARLY,
    TOO_LATE,
    UNSIGNED,
    Fault,
    depth_exceeds,
    parse_json,
    read_body,
)
from strategy_runtime.protocol.models import Candle, OrderChanges, OrderRequest, Quote
from strategy_runtime.protocol.orders import (
    invalid_request,
    invalid_value,
    no_number,
    out_of_range,
)
from strategy_runtime.protocol.values import NUMBER, has_only_plain_numbers, is_sound
from strategy_runtime.suggestions import did_you_mean

__all__ = [
    "CloseRequest",
    "ErrorEnvelope",
    "ProtectRequest",
    "Unreadable",
    "decode_body",
    "decode_list",
    "parse_close_request",
    "parse_error",
    "parse_order_changes",
    "parse_order_request",
    "parse_protect_request",
]

_T = TypeVar("_T")
_Body = TypeVar("_Body", bound=Struct)
_BODY_SHOWN = 200
_CODE_SHOWN = 100
_MESSAGE_SHOWN = 1000
_MOST_UNREADABLE = 1000
_FIELD = re.compile(r"at `\$\.([A-Za-z_]+)`")
_MISSING = re.compile(r"missing required field `([A-Za-z_]+)`")
_UNKNOWN = re.compile(r"unknown field `(.*)`", re.DOTALL)
_ALIKE = 0.7
_MOST_COMPARED = 32


class ErrorEnvelope(Struct, frozen=True, omit_defaults=True):
    """Body of every error response. `code` is for programs, `message` for people."""

    code: str
    message: str
    details: Any = None


class Unreadable(NamedTuple):
    """An element of a list that cannot be read.

    Attributes:
        names: Its ids and symbol, as far as present.
        problem: What is wrong with it.
    """

    names: frozenset[str]
    problem: str


class CloseRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `DELETE /positions/{id}`; without one, the whole position is closed at market.

    Attributes:
        cancel_associated_orders: Sent by older clients; has no effect, since bracket legs end with
            the position.
    """

    quantity: Decimal | None = None
    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    cancel_associated_orders: bool = True


class ProtectRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `PATCH /positions/{id}`: one price or both."""

    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None


_order_request = msgspec.json.Decoder(OrderRequest)
_order_changes = msgspec.json.Decoder(OrderChanges)
_CLOSING = (OrderType.MARKET, OrderType.LIMIT)
_close_request = msgspec.json.Decoder(CloseRequest)
_protect_request = msgspec.json.Decoder(ProtectRequest)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse_order_request(body: bytes) -> OrderRequest:
    """Parse the body of `POST /orders`. Fields that only other proxies know are ignored.

    Raises:
        ApiError: 400, naming the field; also if an unknown field looks like a misspelt one.
    """
    return _parse(_order_request, body)


def parse_order_changes(body: bytes) -> OrderChanges:
    """Parse the body of `PATCH /orders/{id}`.

    Raises:
        ApiError: 400, naming the field.
    """
    return _parse(_order_changes, body)


def parse_close_request(body: bytes) -> CloseRequest:
    """Parse the body of `DELETE /positions/{id}`; an empty one closes the whole position.

    Raises:
        ApiError: 400, naming the field.
    """
    request = _parse(_close_request, body if body.strip() else b"{}")
    if request.quantity is not None and request.quantity <= 0:
        raise out_of_range("quantity", request.quantity, "must be positive")
    if request.order_type not in _CLOSING:
        kinds = " or ".join(_CLOSING)
        message = f"{request.order_type} cannot close a position; give {kinds}"
        raise invalid_value("order_type", request.order_type, message)
    return request


def parse_protect_request(body: bytes) -> ProtectRequest:
    """Parse the body of `PATCH /positions/{id}`.

    Raises:
        ApiError: 400, naming the field.
    """
    return _parse(_protect_request, body)


def parse_error(status: int, body: bytes, request: str | None = None) -> ApiError:
    """Convert an unsuccessful response to an error, whatever its body looks like.

    Args:
        request: Method and path, for the text of the error.
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        document = None
    if isinstance(document, dict):
        if isinstance(document.get("error"), dict):  # the raw engine's nested form
            document = document["error"]
        code = document.get("code")
        if isinstance(code, str) and code:
            message = document.get("message")
            text = message[:_MESSAGE_SHOWN] if isinstance(message, str) else ""
            details = document.get("details")
            return ApiError(status, code[:_CODE_SHOWN], text, details, request=request)
    shown = body[:_BODY_SHOWN].decode(errors="replace").strip()
    said = shown or "the response has no body"
    return ApiError(status, f"HTTP_{status}", said, request=request)


def decode_body(body: bytes, kind: type[_T], request: str) -> _T:
    """Decode the body of a successful response, as tolerantly as a frame.

    Args:
        kind: A struct, or a list of structs.
        request: Method and path, for the text of an error.

    Raises:
        ProtocolError: It violates the protocol.
    """
    try:
        value = msgspec.json.decode(body, type=kind, strict=False)
        if has_only_plain_numbers(body) and _is_clean(value):
            return value
    except (msgspec.MsgspecError, ArithmeticError, RecursionError, UnicodeDecodeError):
        pass
    try:
        document = parse_json(body.decode())
        if depth_exceeds(document):
            raise Fault(f"nested deeper than {MAX_DEPTH} levels")
        result: _T = read_body(kind, document)
    except (Fault, UnicodeDecodeError) as problem:
        raise ProtocolError(f"the answer to {request} cannot be read: {problem}") from None
    return result


def decode_list(body: bytes, kind: type[_T], request: str) -> tuple[list[_T], list[Unreadable]]:
    """Decode a list response; return its elements, and those that cannot be read.

    Args:
        kind: Type of the elements.

    Raises:
        ProtocolError: It is not a list, or more than a thousand of its elements cannot be read.
    """
    try:
        return decode_body(body, list[kind], request), []  # type: ignore[valid-type]
    except ProtocolError:
        try:
            elements = msgspec.json.decode(body, type=list[msgspec.Raw])
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            elements = None
        if elements is None:
            raise
    readable: list[_T] = []
    unreadable: list[Unreadable] = []
    for number, element in enumerate(elements):
        try:
            readable.append(decode_body(bytes(element), kind, f"{request}, element {number},"))
        except ProtocolError as problem:
            if len(unreadable) == _MOST_UNREADABLE:
                raise
            unreadable.append(Unreadable(_names(bytes(element)), str(problem)))
    return readable, unreadable


def _names(element: bytes) -> frozenset[str]:
    """Return the ids and symbol of an object, whatever else is wrong with it."""
    try:
        document = parse_json(element.decode())
    except (Fault, UnicodeDecodeError):
        return frozenset()
    if not isinstance(document, dict):
        return frozenset()
    found = (document.get(key) for key in ("id", "client_order_id", "symbol"))
    return frozenset(name for name in found if isinstance(name, str))


def _parse(decoder: msgspec.json.Decoder[_Body], body: bytes) -> _Body:
    if not body.strip():
        raise invalid_request("the request has no body; send a JSON object")
    try:
        body.decode()  # the typed decoder does not validate text that it skips
        parsed = decoder.decode(body)
        members = _members.decode(body)
    except msgspec.ValidationError as error:
        given = _without_nulls(body)
        if given is not None:
            return _parse(decoder, given)
        raise _explain(body, str(error), decoder.type) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _not_json(error) from None
    unknown = []
    for name, member in members.items():
        text = bytes(member).decode().strip('"')
        if name not in decoder.type.__struct_fields__:
            if text != "null":
                unknown.append(name)
            continue
        value = getattr(parsed, name)
        if isinstance(value, Decimal) and not (NUMBER.fullmatch(text) and is_sound(value)):
            raise no_number(name, text)
    for name in islice(unknown, _MOST_COMPARED):
        hint = did_you_mean(name.lower(), decoder.type.__struct_fields__, cutoff=_ALIKE)
        if hint:
            raise _not_known(name, hint)
    return parsed


def _without_nulls(body: bytes) -> bytes | None:
    """Return the body without null fields, which many clients send for fields not set.

    None if there are no such fields, or the body cannot be read.
    """
    try:
        members = _members.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    given = {name: member for name, member in members.items() if bytes(member) != b"null"}
    return None if len(given) == len(members) else msgspec.json.encode(given)


def _not_json(error: Exception) -> ApiError:
    return invalid_request(f"the body is not JSON: {error}")


def _not_known(name: str, hint: str) -> ApiError:
    return invalid_request(f"{name} is not known here, so nothing was done{hint}", name)


def _explain(body: bytes, problem: str, kind: type[Struct]) -> ApiError:
    missing = _MISSING.search(problem)
    if missing is not None:
        return invalid_request(f"{missing[1]} is missing", missing[1])
    found = _FIELD.search(problem)
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return _not_json(error)
    unknown = _UNKNOWN.search(problem)
    if unknown is not None:
        return _not_known(unknown[1], f"; known are {', '.join(kind.__struct_fields__)}")
    if found is None or not isinstance(document, dict):
        return invalid_request(f"the body is not the JSON object expected: {problem}")
    field = found[1]
    provided = document.get(field)
    if "length" in problem:
        return out_of_range(field, provided, problem.split(" - at")[0])
    choices = _choices(kind, field)
    return invalid_value(field, provided, f"{field}: {problem.split(' - at')[0]}{choices}")


def _choices(kind: type[Struct], field: str) -> str:
    """Return a fragment that lists the values of an enum field; empty for other fields."""
    hint = get_type_hints(kind)[field]
    for each in get_args(hint) or (hint,):
        if isinstance(each, type) and issubclass(each, StrEnum):
            return f"; give one of {', '.join(each)}"
    return ""


def _is_clean(value: Any) -> bool:
    """Whether the result of the typed decoder can be kept as it is."""
    kind = type(value)
    if kind is Decimal:
        return is_sound(value)
    if kind is float:
        return isfinite(value)
    if kind is datetime:
        return value.tzinfo is UTC and TOO_EARLY < value.year < TOO_LATE
    if kind is list:
        return all(map(_is_clean, value))
    if not issubclass(kind, Struct):
        return True
    if (kind is Candle or kind is Quote) and not isinstance(value.stamp, datetime):
        return False
    if kind is Quote and value.last is None:
        return False
    if kind is Candle and not _ends(value):
        return False
    if kind in SIDED and any(getattr(value, name, 0) < 0 for name in UNSIGNED):
        return False
    return all(_is_clean(getattr(value, name)) for name in _doubtful_fields(kind))


def _ends(candle: Candle) -> bool:
    """Whether a candle has a valid timeframe and an end within the calendar."""
    try:
        return candle.end > candle.timestamp
    except (TimeframeError, OverflowError):
        return False


@cache
def _doubtful_fields(kind: type[Struct]) -> tuple[str, ...]:
    """Return the fields that need a check: all but text, flags and whole numbers."""
    return tuple(
        name
        for name, hint in get_type_hints(kind).items()
        if not all(
            isinstance(part, type) and issubclass(part, str | int | NoneType)
            for part in get_args(hint) or (hint,)
        )
    )
