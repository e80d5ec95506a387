"""A live run logs what happens to its own orders."""

import logging
from decimal import Decimal
from typing import Any

import pytest

from strategy_runtime.protocol.enums import (
    OrderEventKind,
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
)
from strategy_runtime.protocol.events import OrderEvent
from strategy_runtime.protocol.models import Order
from strategy_runtime.runtime.delivery.order_log import log_order

KINDS = OrderEventKind


def logged(caplog: pytest.LogCaptureFixture, kind: OrderEventKind, **given: Any) -> list[str]:
    synthetic = given.pop("synthetic", False)
    fields: dict[str, Any] = {
        "id": "ord-7",
        "client_order_id": "Bot-a1-3",
        "symbol": "S:AAPL",
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "status": OrderStatus.OPEN,
        "quantity": Decimal(10),
    }
    event = OrderEvent(event_id="e", event=kind, order=Order(**fields | given), synthetic=synthetic)
    with caplog.at_level(logging.INFO, "strategy_runtime"):
        log_order(event)
    return caplog.messages


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (KINDS.ORDER_CREATED, {}, "order accepted: buy 10 S:AAPL (Bot-a1-3, ord-7)"),
        (
            KINDS.ORDER_PARTIALLY_FILLED,
            {
                "limit_price": Decimal("187.20"),
                "filled_quantity": Decimal(4),
                "average_fill_price": Decimal("187.15"),
            },
            "order partially filled: buy 10 S:AAPL limit 187.2, 4 filled at 187.15 "
            "(Bot-a1-3, ord-7)",
        ),
        (
            KINDS.ORDER_REJECTED,
            {
                "side": Side.SELL,
                "stop_price": Decimal(180),
                "reject_reason": RejectReason.INSUFFICIENT_MARGIN,
            },
            "order rejected: sell 10 S:AAPL stop 180, INSUFFICIENT_MARGIN (Bot-a1-3, ord-7)",
        ),
        (
            KINDS.ORDER_CANCELLED,
            {"client_order_id": None, "synthetic": True},
            "order cancelled: buy 10 S:AAPL (ord-7), learned from a snapshot",
        ),
    ],
)
def test_on_one_line(
    caplog: pytest.LogCaptureFixture, kind: OrderEventKind, given: dict[str, Any], said: str
) -> None:
    assert logged(caplog, kind, **given) == [said]


def test_orders_of_others_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, KINDS.ORDER_FILLED, external=True) == []
