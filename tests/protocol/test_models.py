"""Properties and reprs of the models."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from strategy_runtime.clock import ns_of
from strategy_runtime.protocol.enums import OrderStatus, PositionSide, Side
from strategy_runtime.protocol.models import Candle, Order, Position, Quote

AT = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


def candle(**given: Any) -> Candle:
    values = {"open": 2.0, "high": 3.0, "low": 1.0, "close": 2.5, "volume": 10.0}
    return Candle("S:A", "1m", AT, **{**values, **given})


def order(**given: Any) -> Order:
    return Order(
        **{
            "id": "o",
            "symbol": "S:A",
            "side": Side.BUY,
            "status": OrderStatus.OPEN,
            "quantity": Decimal(10),
            **given,
        }
    )


@pytest.mark.parametrize("stamp", [AT, ns_of(AT)])
def test_a_candle_has_a_datetime_either_way(stamp: Any) -> None:
    bar = Candle("S:A", "5m", stamp, 1.0, 1.0, 1.0, 1.0)
    assert bar.timestamp == AT
    assert bar.end == datetime(2024, 3, 4, 14, 35, tzinfo=UTC)


@pytest.mark.parametrize("stamp", [AT, ns_of(AT)])
def test_a_quote_has_a_datetime_either_way_or_none(stamp: Any) -> None:
    assert Quote("S:A", 1.0, 2.0, stamp).timestamp == AT
    assert Quote("S:A", 1.0, 2.0).timestamp is None
    assert Quote("S:A", 1.0, 2.0).mid == 1.5


@pytest.mark.parametrize(
    "given",
    [
        {"low": 4.0},
        {"high": 2.2},
        {"low": 2.2},
        {"open": 3.5},
        {"close": 0.5},
        {"volume": -1.0},
        {"close": float("nan")},
    ],
)
def test_a_candle_that_contradicts_itself_is_suspect(given: dict[str, float]) -> None:
    assert not candle().is_suspect
    assert candle(**given).is_suspect


def test_a_crossed_quote_is_suspect() -> None:
    assert not Quote("S:A", 1.0, 1.0).is_suspect
    assert Quote("S:A", 1.1, 1.0).is_suspect


@pytest.mark.parametrize(
    ("given", "filled", "remaining", "status"),
    [
        ({}, 0, 10, OrderStatus.OPEN),
        ({"status": OrderStatus.FILLED}, 10, 0, OrderStatus.FILLED),
        ({"filled_quantity": Decimal(4)}, 4, 6, OrderStatus.PARTIALLY_FILLED),
        (
            {"filled_quantity": Decimal(4), "status": OrderStatus.CANCELLED},
            4,
            6,
            OrderStatus.CANCELLED,
        ),
        ({"remaining_quantity": Decimal(3)}, 0, 3, OrderStatus.OPEN),
    ],
)
def test_an_order_completes_its_quantities(
    given: dict[str, Any], filled: int, remaining: int, status: OrderStatus
) -> None:
    known = order(**given)
    assert known.filled_quantity == filled
    assert known.remaining_quantity == remaining
    assert known.status is status
    assert known.is_open == (not status.is_terminal)
    assert not known.is_suspect


def test_an_overfilled_order_is_suspect() -> None:
    assert order(filled_quantity=Decimal(11)).is_suspect
    assert order(remaining_quantity=Decimal(-1)).is_suspect


def test_a_short_position_counts_negative() -> None:
    for side, signed in ((PositionSide.LONG, 5), (PositionSide.SHORT, -5)):
        position = Position(id="p", symbol="S:A", side=side, quantity=Decimal(5))
        assert position.signed_quantity == signed


def test_a_debugger_shows_what_there_is_to_see() -> None:
    bar = Candle("S:A", "5m", ns_of(AT), 2.0, 3.0, 1.0, 2.5)
    assert repr(bar) == (
        "Candle(symbol='S:A', timeframe='5m', timestamp=2024-03-04T14:30:00Z, open=2.0, high=3.0, "
        "low=1.0, close=2.5, volume=0.0)"
    )
    assert repr(order(created_at=AT, limit_price=Decimal("9.5"))) == (
        "Order(id='o', symbol='S:A', side=BUY, status=OPEN, order_type=MARKET, "
        "quantity=Decimal('10'), filled_quantity=Decimal('0'), remaining_quantity=Decimal('10'), "
        "time_in_force=GTC, created_at=2024-03-04T14:30:00Z, limit_price=Decimal('9.5'))"
    )
