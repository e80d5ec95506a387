"""Frames in the shapes of other eras."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from strategy_runtime.errors import FrameError
from strategy_runtime.protocol.codec import id_of
from strategy_runtime.protocol.enums import OrderEventKind, OrderStatus, OrderType, TimeInForce
from strategy_runtime.protocol.events import (
    AccountEvent,
    CandleFrame,
    OrderEvent,
    PositionEvent,
    TradeEvent,
)
from strategy_runtime.protocol.tolerant import read_tolerantly

AT = datetime(2024, 3, 4, 14, 31, tzinfo=UTC)
MS = 1709562660000


def read(document: dict[str, Any]) -> Any:
    frame, warnings = read_tolerantly(json.dumps(document).encode(), default_timeframe="1m")
    assert warnings == []
    return frame


def engine_order(**given: Any) -> OrderEvent:
    order = {
        "id": "ord-eng-1",
        "symbol": "C:BTCUSD",
        "side": "sell",
        "order_type": "market",
        "quantity": "0.5",
        "status": "open",
        "price": "0",
        **given,
    }
    frame = read({"type": "order", "event_id": "evt-1", "event": "created", "order": order})
    assert isinstance(frame, OrderEvent)
    return frame


@pytest.mark.parametrize(
    ("given", "limit_price", "stop_price"),
    [
        ({"order_type": "market"}, None, None),
        ({"order_type": "limit", "price": "63000"}, Decimal(63000), None),
        ({"order_type": "stop", "price": "63000"}, None, Decimal(63000)),
        (
            {"order_type": "stop_limit", "price": "63000", "limit_price": "62950"},
            Decimal(62950),
            Decimal(63000),
        ),
        (
            {"order_type": "stop-limit", "price": "63000", "limit_price": "62950"},
            Decimal(62950),
            Decimal(63000),
        ),
        (
            {"order_type": "limit", "price": "63000", "limit_price": None},
            Decimal(63000),
            None,
        ),
        ({"order_type": "limit", "price": "1", "limit_price": "2"}, Decimal(2), None),
    ],
)
def test_the_engines_one_price(
    given: dict[str, Any], limit_price: Decimal | None, stop_price: Decimal | None
) -> None:
    order = engine_order(**given).order
    assert (order.limit_price, order.stop_price) == (limit_price, stop_price)


@pytest.mark.parametrize("name", ["executed_at", "cancelled_at", "rejected_at"])
def test_the_engines_times_of_the_last_change(name: str) -> None:
    order = engine_order(created_at=MS - 60_000, **{name: MS}).order
    assert order.updated_at == AT
    assert order.created_at == datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


def test_an_engine_order_as_a_whole() -> None:
    frame = engine_order(status="open", filled_quantity="0.2")
    assert frame.event is OrderEventKind.ORDER_CREATED
    assert frame.order.order_type is OrderType.MARKET
    assert frame.order.time_in_force is TimeInForce.GTC
    assert frame.order.status is OrderStatus.PARTIALLY_FILLED
    assert frame.order.remaining_quantity == Decimal("0.3")


@pytest.mark.parametrize(
    ("given", "filled", "remaining"),
    [
        ({"status": "open"}, "0", "0.5"),
        ({"status": "filled"}, "0.5", "0.0"),
        ({"status": "cancelled", "filled_quantity": "0.2"}, "0.2", "0.3"),
        ({"status": "filled", "filled_quantity": None}, "0.5", "0.0"),
    ],
)
def test_quantities_left_out_follow_from_the_status(
    given: dict[str, Any], filled: str, remaining: str
) -> None:
    order = engine_order(**given).order
    assert (order.filled_quantity, order.remaining_quantity) == (
        Decimal(filled),
        Decimal(remaining),
    )


def test_a_flat_candle() -> None:
    flat = {
        "type": "candle",
        "id": "evt-7",
        "symbol": "C:BTCUSD",
        "timeframe": "5m",
        "timestamp": MS,
        "open": "63010.5",
        "high": "63120",
        "low": "62999.25",
        "close": "63080.75",
        "volume": 12.375,
    }
    frame, _ = read_tolerantly(json.dumps(flat).encode(), default_timeframe="1m")
    event_id = id_of(frame)
    assert event_id == "evt-7"
    assert isinstance(frame, CandleFrame)
    assert frame.timestamp is None
    assert (frame.bar.timestamp, frame.bar.timeframe) == (AT, "5m")
    assert (frame.bar.open, frame.bar.volume) == (63010.5, 12.375)
    del flat["timeframe"]
    frame = read_tolerantly(json.dumps(flat).encode(), default_timeframe="4h")[0]
    assert isinstance(frame, CandleFrame)
    assert frame.bar.timeframe == "4h"


def test_a_candle_with_nothing_in_it_is_not_flat() -> None:
    with pytest.raises(FrameError, match="candle: bar is missing"):
        read({"type": "candle", "bar": None, "open": "1"})


def test_the_engines_position_account_and_trade() -> None:
    position = read(
        {
            "type": "position",
            "position": {
                "id": "p",
                "symbol": "C:BTCUSD",
                "side": "short",
                "quantity": "0.2",
                "avg_entry_price": "62990",
            },
        }
    )
    assert isinstance(position, PositionEvent)
    assert position.position.average_entry_price == Decimal(62990)
    assert position.position.signed_quantity == Decimal("-0.2")
    account = read({"type": "account", "account": {"balance": "1000", "equity": "240.5"}})
    assert isinstance(account, AccountEvent)
    assert account.account.currency == "USD"
    trade = read(
        {
            "type": "trade",
            "trade": {
                "id": "t",
                "order_id": "o",
                "symbol": "C:BTCUSD",
                "side": "sell",
                "quantity": "0.2",
                "price": "62990",
                "timestamp": MS,
                "liquidation": True,
            },
        }
    )
    assert isinstance(trade, TradeEvent)
    assert trade.event == "TRADE_FILLED"
    assert (trade.trade.timestamp, trade.trade.liquidation) == (AT, True)


def test_only_id_symbol_side_and_status_of_an_order_are_needed() -> None:
    least = {"id": "o", "symbol": "A", "side": "BUY", "status": "OPEN"}
    frame = read({"type": "order", "event": "ORDER_CREATED", "order": least})
    assert frame.order.quantity == 0
    for name in least:
        order = {key: value for key, value in least.items() if key != name}
        with pytest.raises(FrameError, match=rf"^order: order\.{name} is missing$"):
            read({"type": "order", "event": "ORDER_CREATED", "order": order})


@pytest.mark.parametrize("document", [{"order": []}, {"order": "x"}, {"order": 7}])
def test_an_order_that_is_no_object_is_a_fault(document: dict[str, Any]) -> None:
    with pytest.raises(FrameError, match=r"^order: order is not an object$"):
        read({"type": "order", "event": "ORDER_CREATED", **document})


@pytest.mark.parametrize(
    ("document", "warnings"),
    [
        ({"timestamp": "soon", "broker": 7}, 2),
        ({"timestamp": [], "broker": {}}, 2),
        ({"broker": "\0"}, 0),
    ],
)
def test_the_terminal_frame_gets_through_whatever_is_in_it(
    document: dict[str, Any], warnings: int
) -> None:
    raw = json.dumps({"type": "backtest_complete", "event_id": "evt-9", **document}).encode()
    frame, odd = read_tolerantly(raw, default_timeframe="1m")
    event_id = id_of(frame)
    assert type(frame).__name__ == "BacktestComplete"
    assert event_id == "evt-9"
    assert len(odd) == warnings
