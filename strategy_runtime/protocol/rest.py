"""Bodies of REST requests and responses, and the error envelope (protocol f)."""

import re
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from strategy_runtime.errors import ApiError, ProtocolError
from strategy_runtime.protocol.enums import OrderType
from strategy_runtime.protocol.models import OrderChanges, OrderRequest
from strategy_runtime.protocol.orders import invalid_request, invalid_value, out_of_range

__all__ = [
    "CloseRequest",
    "ErrorEnvelope",
    "decode_body",
    "parse_close_request",
    "parse_error",
    "parse_order_changes",
    "parse_order_request",
]

_T = TypeVar("_T")
_BODY_SHOWN = 200
_FIELD = re.compile(r"at `\$\.([A-Za-z_]+)`")
_MISSING = re.compile(r"missing required field `([A-Za-z_]+)`")


class ErrorEnvelope(Struct, frozen=True, omit_defaults=True):
    """How every refusal is answered. `code` is for programs, `message` for people."""

    code: str
    message: str
    details: Any = None


class CloseRequest(Struct, frozen=True, kw_only=True):
    """What `DELETE /positions/{id}` takes; the whole position at the market without it."""

    quantity: Decimal | None = None
    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None


_order_request = msgspec.json.Decoder(OrderRequest)
_order_changes = msgspec.json.Decoder(OrderChanges)
_close_request = msgspec.json.Decoder(CloseRequest)


def parse_order_request(body: bytes) -> OrderRequest:
    """Read the body of `POST /orders`.

    Raises:
        ApiError: 400, naming the field.
    """
    return _parse(_order_request, body, _order_request_fields)


def parse_order_changes(body: bytes) -> OrderChanges:
    """Read the body of `PATCH /orders/{id}`.

    Raises:
        ApiError: 400, naming the field.
    """
    return _parse(_order_changes, body, OrderChanges.__struct_fields__)


def parse_close_request(body: bytes) -> CloseRequest:
    """Read the body of `DELETE /positions/{id}`; an empty one asks for the whole position.

    Raises:
        ApiError: 400, naming the field.
    """
    request = _parse(_close_request, body or b"{}", CloseRequest.__struct_fields__)
    if request.quantity is not None and request.quantity <= 0:
        raise out_of_range("quantity", request.quantity, "must be positive")
    return request


def parse_error(status: int, body: bytes) -> ApiError:
    """The error an unsuccessful response stands for, whatever its body looks like."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        document = None
    if isinstance(document, dict):
        if isinstance(document.get("error"), dict):  # the raw engine's nested form
            document = document["error"]
        code = document.get("code")
        if isinstance(code, str) and code:
            message = document.get("message")
            text = message if isinstance(message, str) else ""
            return ApiError(status, code, text, document.get("details"))
    shown = body[:_BODY_SHOWN].decode(errors="replace").strip()
    return ApiError(status, f"HTTP_{status}", shown or "the response has no body")


def decode_body(body: bytes, kind: type[_T], request: str) -> _T:
    """Read the body of a successful response.

    Args:
        request: Method and path, for the error.

    Raises:
        ProtocolError: It is not what the protocol says.
    """
    try:
        value = msgspec.json.decode(body, type=kind, strict=False)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ProtocolError(f"the answer to {request} cannot be read: {error}") from None
    _demand_finite(value, request)
    return value


_order_request_fields = OrderRequest.__struct_fields__


def _parse(decoder: msgspec.json.Decoder[_T], body: bytes, fields: tuple[str, ...]) -> _T:
    if not body.strip():
        raise invalid_request("the request has no body; send a JSON object")
    try:
        parsed = decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _explain(body, str(error)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise invalid_request(f"the body is not JSON: {error}") from None
    for name in fields:
        value = getattr(parsed, name)
        if isinstance(value, Decimal) and not _is_sound(value):
            raise invalid_value(name, str(value), f"{name} is not a number with up to 38 digits")
    return parsed


def _explain(body: bytes, problem: str) -> ApiError:
    missing = _MISSING.search(problem)
    if missing is not None:
        return invalid_request(f"{missing[1]} is missing", missing[1])
    found = _FIELD.search(problem)
    document = msgspec.json.decode(body)
    if found is None or not isinstance(document, dict):
        return invalid_request(f"the body is not the JSON object expected: {problem}")
    field = found[1]
    provided = document.get(field)
    if "length" in problem:
        return out_of_range(field, provided, problem.split(" - at")[0])
    return invalid_value(field, provided, f"{field}: {problem.split(' - at')[0]}")


def _is_sound(number: Decimal) -> bool:
    return (
        number.is_finite() and abs(number.adjusted()) <= 38 and len(number.as_tuple().digits) <= 38
    )


def _demand_finite(value: Any, request: str) -> None:
    if isinstance(value, list):
        for item in value:
            _demand_finite(item, request)
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            inner = getattr(value, name)
            if isinstance(inner, float):
                inner = Decimal(inner)
            if isinstance(inner, Decimal) and not inner.is_finite():
                raise ProtocolError(
                    f"the answer to {request} cannot be read: {name} is not a finite number"
                )
            if isinstance(inner, Struct | list):
                _demand_finite(inner, request)
