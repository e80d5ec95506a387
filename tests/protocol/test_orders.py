"""Validation of order requests, and how invalid ones are refused."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.enums import MarginMode, OrderType, Side, TimeInForce, TrailingType
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.protocol.orders import validate_order_request

ONE = Decimal(1)


def request(**given: Any) -> OrderRequest:
    return OrderRequest(
        **{
            "symbol": "S:AAPL",
            "side": Side.BUY,
            "quantity": Decimal(25),
            "order_type": OrderType.MARKET,
            **given,
        }
    )


def refusal(**given: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        validate_order_request(request(**given))
    assert refused.value.status == 400
    return refused.value


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"order_type": OrderType.LIMIT, "limit_price": ONE},
        {"order_type": OrderType.LIMIT, "limit_price": ONE, "post_only": True},
        {"order_type": OrderType.STOP, "stop_price": ONE},
        {"order_type": OrderType.STOP_LIMIT, "stop_price": ONE, "limit_price": ONE},
        {
            "order_type": OrderType.TRAILING_STOP,
            "trailing_distance": Decimal(100),
            "trailing_type": TrailingType.ABSOLUTE,
        },
        {
            "order_type": OrderType.TRAILING_STOP,
            "trailing_distance": Decimal("99.9"),
            "trailing_type": TrailingType.PERCENT,
        },
        {"stop_loss": ONE, "take_profit": Decimal(2)},
        {"reduce_only": True, "position_id": "pos-1"},
        {"symbol": "X" * 50, "client_order_id": "c" * 64, "oco_group_id": "o" * 64},
        *({"time_in_force": each} for each in TimeInForce),
    ],
)
def test_a_good_order_is_taken(given: dict[str, Any]) -> None:
    validate_order_request(request(**given))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"order_type": OrderType.LIMIT}, "limit_price"),
        ({"order_type": OrderType.STOP}, "stop_price"),
        ({"order_type": OrderType.STOP_LIMIT, "limit_price": ONE}, "stop_price"),
        ({"order_type": OrderType.STOP_LIMIT, "stop_price": ONE}, "limit_price"),
        ({"order_type": OrderType.TRAILING_STOP}, "trailing_distance"),
        (
            {"order_type": OrderType.TRAILING_STOP, "trailing_distance": ONE},
            "trailing_type",
        ),
    ],
)
def test_a_missing_price_is_an_invalid_request(given: dict[str, Any], field: str) -> None:
    error = refusal(**given)
    assert error.code == "INVALID_REQUEST"
    assert error.message == f"{given['order_type']} needs {field}"
    assert error.details == {"field": field}


@pytest.mark.parametrize(
    ("given", "field", "provided"),
    [
        ({"limit_price": ONE}, "limit_price", "1"),
        ({"stop_price": ONE}, "stop_price", "1"),
        ({"trailing_distance": ONE}, "trailing_distance", "1"),
        ({"trailing_type": TrailingType.PERCENT}, "trailing_type", "PERCENT"),
        (
            {"order_type": OrderType.LIMIT, "limit_price": ONE, "stop_price": ONE},
            "stop_price",
            "1",
        ),
        (
            {"order_type": OrderType.STOP, "stop_price": ONE, "limit_price": ONE},
            "limit_price",
            "1",
        ),
        (
            {
                "order_type": OrderType.TRAILING_STOP,
                "trailing_distance": ONE,
                "trailing_type": TrailingType.ABSOLUTE,
                "stop_price": ONE,
            },
            "stop_price",
            "1",
        ),
        ({"order_type": OrderType.LIMIT, "limit_price": Decimal(0)}, "limit_price", "0"),
        ({"order_type": OrderType.STOP, "stop_price": Decimal("-1.50")}, "stop_price", "-1.50"),
        (
            {
                "order_type": OrderType.TRAILING_STOP,
                "trailing_distance": Decimal(100),
                "trailing_type": TrailingType.PERCENT,
            },
            "trailing_distance",
            "100",
        ),
        ({"stop_loss": Decimal(0)}, "stop_loss", "0"),
        ({"take_profit": Decimal(-1)}, "take_profit", "-1"),
        ({"margin_mode": MarginMode.CROSS}, "margin_mode", "CROSS"),
        ({"leverage": ONE}, "leverage", "1"),
        ({"leverage": Decimal(0)}, "leverage", "0"),
        ({"display_quantity": Decimal(0)}, "display_quantity", "0"),
        ({"hidden": True}, "hidden", True),
        ({"post_only": True}, "post_only", True),
        ({"reduce_only": True, "take_profit": ONE}, "take_profit", "1"),
        ({"quantity": Decimal("NaN")}, "quantity", "NaN"),
        ({"quantity": Decimal("Infinity")}, "quantity", "Infinity"),
        ({"stop_loss": Decimal("sNaN")}, "stop_loss", "sNaN"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_given(
    given: dict[str, Any], field: str, provided: object
) -> None:
    error = refusal(**given)
    assert error.code == "INVALID_VALUE"
    assert error.details == {"field": field, "provided": provided}
    assert field in error.message or "percent" in error.message or "bracket" in error.message


@pytest.mark.parametrize(
    ("field", "value", "shown", "rule"),
    [
        ("quantity", Decimal(0), "0", "must be positive"),
        ("quantity", Decimal("-0.5"), "-0.5", "must be positive"),
        ("symbol", "", "", "must have 1 to 50 characters"),
        ("symbol", "X" * 51, "X" * 51, "must have 1 to 50 characters"),
        ("client_order_id", "c" * 65, "c" * 65, "must have 1 to 64 characters"),
        ("oco_group_id", "o" * 65, "o" * 65, "must have 1 to 64 characters"),
    ],
)
def test_what_is_out_of_range_is_a_validation_error(
    field: str, value: object, shown: str, rule: str
) -> None:
    error = refusal(**{field: value})
    assert error.code == "VALIDATION_ERROR"
    said = f"{rule}, not {len(shown)}" if isinstance(value, str) else "is out of range"
    assert error.message == f"{field} {said}"
    assert error.details == {field: [{"code": rule, "message": None, "params": {"value": shown}}]}


amounts = st.none() | st.decimals()


@given(
    st.sampled_from(OrderType),
    st.decimals(),
    amounts,
    amounts,
    amounts,
    st.none() | st.sampled_from(TrailingType),
)
def test_an_order_that_is_taken_has_what_its_type_needs(
    kind: OrderType,
    quantity: Decimal,
    limit_price: Decimal | None,
    stop_price: Decimal | None,
    distance: Decimal | None,
    trailing_type: TrailingType | None,
) -> None:
    order = request(
        order_type=kind,
        quantity=quantity,
        limit_price=limit_price,
        stop_price=stop_price,
        trailing_distance=distance,
        trailing_type=trailing_type,
    )
    try:
        validate_order_request(order)
    except ApiError:
        return
    assert quantity > 0
    assert (limit_price is not None) == (kind in (OrderType.LIMIT, OrderType.STOP_LIMIT))
    assert (stop_price is not None) == (kind in (OrderType.STOP, OrderType.STOP_LIMIT))
    assert (distance is not None) == (kind is OrderType.TRAILING_STOP)
    assert all(each is None or each > 0 for each in (limit_price, stop_price, distance))
