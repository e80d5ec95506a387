"""Validation of order requests, shared by all venues."""

from decimal import Decimal
from typing import Any

from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.enums import OrderType, TrailingType
from strategy_runtime.protocol.models import LONGEST_ID, LONGEST_SYMBOL, OrderRequest
from strategy_runtime.protocol.values import is_sound

__all__ = [
    "check_amount",
    "check_distance",
    "invalid_request",
    "invalid_value",
    "is_bare_order",
    "no_number",
    "out_of_range",
    "validate_order_request",
]

_NEEDS: dict[OrderType, tuple[str, ...]] = {
    OrderType.MARKET: (),
    OrderType.LIMIT: ("limit_price",),
    OrderType.STOP: ("stop_price",),
    OrderType.STOP_LIMIT: ("stop_price", "limit_price"),
    OrderType.TRAILING_STOP: ("trailing_distance", "trailing_type"),
}
_PRICES = ("limit_price", "stop_price", "trailing_distance")
_AMOUNTS = ("quantity", *_PRICES, "stop_loss", "take_profit")
_UNSUPPORTED = ("margin_mode", "leverage", "display_quantity", "hidden")
# Looking up an Enum member costs five times a module global.
_MARKET, _LIMIT, _STOP = OrderType.MARKET, OrderType.LIMIT, OrderType.STOP
_LONGEST = {
    "symbol": LONGEST_SYMBOL,
    "client_order_id": LONGEST_ID,
    "oco_group_id": LONGEST_ID,
}


def invalid_request(message: str, field: str | None = None) -> ApiError:
    """Return a 400 error: the request lacks something or cannot be read at all."""
    return ApiError(400, "INVALID_REQUEST", message, None if field is None else {"field": field})


def invalid_value(field: str, provided: object, message: str) -> ApiError:
    """Return a 400 error: the value of a field is not allowed."""
    return ApiError(400, "INVALID_VALUE", message, {"field": field, "provided": _shown(provided)})


def no_number(field: str, provided: object) -> ApiError:
    """Return a 400 error: an amount is not a usable number."""
    said = f"{field} is not a number of up to 38 digits, from 1e-38 to 1e38"
    return invalid_value(field, provided, said)


def out_of_range(
    field: str, provided: object, rule: str, *, said: str = "is out of range"
) -> ApiError:
    """Return a 400 error: a number or a text is too small, too large or too long."""
    problem = {"code": rule, "message": None, "params": {"value": _shown(provided)}}
    return ApiError(400, "VALIDATION_ERROR", f"{field} {said}", {field: [problem]})


def check_amount(name: str, value: Decimal) -> None:
    """Check that a price, distance or quantity is positive and within the supported range.

    Raises:
        ApiError: 400 `INVALID_VALUE` naming the field.
    """
    if not is_sound(value):
        raise no_number(name, value)
    if value <= 0:
        raise invalid_value(name, value, f"{name} must be positive")


def check_distance(kind: TrailingType | None, distance: Decimal | None) -> None:
    """Check that a trailing distance in percent is below 100.

    Raises:
        ApiError: 400 `INVALID_VALUE`.
    """
    if kind is TrailingType.PERCENT and distance is not None and distance >= 100:
        raise invalid_value("trailing_distance", distance, "a distance in percent is below 100")


def validate_order_request(request: OrderRequest) -> None:
    """Check an order by itself, without regard to account and market.

    Raises:
        ApiError: 400 with the code and details that the protocol prescribes.
    """
    if _is_plainly_valid(request):
        return
    for name, most in _LONGEST.items():
        text = getattr(request, name)
        if text is not None and not 1 <= len(text) <= most:
            rule = f"must have 1 to {most} characters"
            raise out_of_range(name, text, rule, said=f"{rule}, not {len(text)}")
    given = _given(request, _AMOUNTS)
    for name, value in given:
        if not is_sound(value):
            raise no_number(name, value)
    if request.quantity <= 0:
        raise out_of_range("quantity", request.quantity, "must be positive")
    kind = request.order_type
    for name in _NEEDS[kind]:
        if getattr(request, name) is None:
            raise invalid_request(f"{kind} needs {name}", name)
    for name, value in given:
        if name in _PRICES and name not in _NEEDS[kind]:
            raise invalid_value(name, value, f"{kind} takes no {name}")
    if request.trailing_type is not None and kind is not OrderType.TRAILING_STOP:
        raise invalid_value(
            "trailing_type", request.trailing_type, f"{kind} takes no trailing_type"
        )
    for name, value in given:
        if value <= 0:
            raise invalid_value(name, value, f"{name} must be positive")
    check_distance(request.trailing_type, request.trailing_distance)
    for name in _UNSUPPORTED:
        value = getattr(request, name)
        if value is not None and value is not False:
            raise invalid_value(name, value, f"{name} is not supported")
    if request.post_only and kind is not OrderType.LIMIT:
        raise invalid_value("post_only", True, f"{kind} cannot be post_only; only LIMIT can")
    if request.reduce_only and (request.stop_loss or request.take_profit):
        raise invalid_value(
            "stop_loss" if request.stop_loss else "take_profit",
            request.stop_loss or request.take_profit,
            "an order that reduces a position has no bracket legs",
        )


def is_bare_order(request: OrderRequest) -> bool:
    """Whether it is a market, limit or stop order with only quantity and price, as most are.

    It may be reduce-only.
    """
    kind, limit, stop = request.order_type, request.limit_price, request.stop_price
    return (
        (limit is stop is None if kind is _MARKET else _has_its_price(kind, limit, stop))
        and request.stop_loss is None
        and request.take_profit is None
        and not request.post_only
        and _has_no_frills(request)
    )


def _has_its_price(kind: OrderType, limit: Decimal | None, stop: Decimal | None) -> bool:
    """Whether it is a limit or stop order with its own price and no other."""
    if kind is _LIMIT:
        return limit is not None and stop is None
    return kind is _STOP and stop is not None and limit is None


def _has_no_frills(request: OrderRequest) -> bool:
    """Whether it uses none of the rare fields."""
    return (
        request.trailing_distance is None
        and request.trailing_type is None
        and request.oco_group_id is None
        and request.margin_mode is None
        and request.leverage is None
        and request.display_quantity is None
        and not request.hidden
    )


def _is_plainly_valid(request: OrderRequest) -> bool:
    """Whether it is a valid order of a common kind: the fast path of `validate_order_request`."""
    own_id, kind, quantity = request.client_order_id, request.order_type, request.quantity
    limit, stop = request.limit_price, request.stop_price
    if not (
        _has_no_frills(request)
        and 1 <= len(request.symbol) <= LONGEST_SYMBOL
        and (own_id is None or 1 <= len(own_id) <= LONGEST_ID)
    ):
        return False
    has_its_prices = limit is stop is None if kind is _MARKET else _has_its_price(kind, limit, stop)
    if not has_its_prices or (request.post_only and kind is not _LIMIT):
        return False
    stop_loss, take_profit = request.stop_loss, request.take_profit
    has_legs = stop_loss is not None or take_profit is not None
    return (
        not (has_legs and request.reduce_only)
        and is_sound(quantity, limit, stop, stop_loss, take_profit)
        and quantity > 0
        and (limit is None or limit > 0)
        and (stop is None or stop > 0)
        and (stop_loss is None or stop_loss > 0)
        and (take_profit is None or take_profit > 0)
    )


def _given(request: OrderRequest, names: tuple[str, ...]) -> list[tuple[str, Decimal]]:
    return [(name, value) for name in names if (value := getattr(request, name)) is not None]


def _shown(value: object) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value
