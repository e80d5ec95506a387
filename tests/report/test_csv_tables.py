"""The tables of a run as CSV."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from strategy_runtime.protocol.enums import OrderStatus, OrderType, RejectReason, Side
from strategy_runtime.protocol.models import Order
from strategy_runtime.report.csv_tables import (
    equity_csv,
    fills_csv,
    moment,
    orders_csv,
    trips_csv,
)
from strategy_runtime.report.performance import day_ends
from strategy_runtime.report.trips import round_trips
from tests.report.support import fill


def test_the_fills_file() -> None:
    text = fills_csv([fill("-2", "9.50", bar=1, intrabar=True, fee="0.10"), fill("2", "10")])
    assert text == (
        "time,bar,symbol,side,quantity,price,fee,order_id,client_order_id,rule\n"
        "2023-11-14T22:14:00Z,2023-11-14T22:14:00Z,S:A,BUY,2,10,0,ord-1,Bot-bt-1,market_open\n"
        "2023-11-14T22:16:00Z,2023-11-14T22:15:00Z,S:A,SELL,2,9.5,0.1,ord-1,Bot-bt-1,market_open\n"
    )


def test_the_orders_file() -> None:
    order = Order(
        id="ord-1",
        symbol="S:A",
        side=Side.BUY,
        status=OrderStatus.CANCELLED,
        order_type=OrderType.LIMIT,
        quantity=Decimal("3.0"),
        limit_price=Decimal("9.5"),
        created_at=datetime(2024, 3, 4, 14, 30, tzinfo=UTC),
        client_order_id="own, with a comma",
    )
    leg = Order(
        id="ord-2",
        symbol="S:A",
        side=Side.SELL,
        status=OrderStatus.FILLED,
        order_type=OrderType.STOP,
        quantity=Decimal(3),
        filled_quantity=Decimal(2),
        stop_price=Decimal(8),
        average_fill_price=Decimal("7.90"),
        created_at=datetime(2024, 3, 4, 14, 30, tzinfo=UTC),
        updated_at=datetime(2024, 3, 4, 14, 31, tzinfo=UTC),
        parent_order_id="ord-1",
        reject_reason=RejectReason.INSUFFICIENT_MARGIN,
    )
    assert orders_csv([order, leg]).splitlines() == [
        "created,updated,symbol,side,type,status,quantity,filled_quantity,limit_price,stop_price,"
        "average_fill_price,time_in_force,order_id,client_order_id,parent_order_id,reject_reason",
        '2024-03-04T14:30:00Z,,S:A,BUY,LIMIT,CANCELLED,3,0,9.5,,,GTC,ord-1,"own, with a comma",,',
        "2024-03-04T14:30:00Z,2024-03-04T14:31:00Z,S:A,SELL,STOP,FILLED,3,2,,8,7.9,GTC,ord-2,,"
        "ord-1,INSUFFICIENT_MARGIN",
    ]


def test_the_trips_file() -> None:
    bookings = [fill("-2", "9.50", fee="0.10"), fill("2", "9", bar=1, intrabar=True, fee="0.10")]
    assert trips_csv(round_trips(bookings)) == (
        "symbol,side,quantity,opened,entry_price,closed,exit_price,fees,profit,return,exit_rule\n"
        "S:A,SHORT,2,2023-11-14T22:14:00Z,9.5,2023-11-14T22:16:00Z,9,0.2,0.8,"
        "0.042105263157894736,market_open\n"
    )


def test_the_equity_file() -> None:
    days = day_ends({19_675: 1100.0, 19_679: 1050.0}, 1000.0, [19_674, 19_675, 19_676, 19_679])
    assert equity_csv(days) == (
        "date,equity,return\n"
        "2023-11-13,1000.0,0.0\n"
        "2023-11-14,1100.0,0.10000000000000009\n"
        "2023-11-15,1100.0,0.0\n"
        "2023-11-18,1050.0,-0.045454545454545414\n"
    )


@pytest.mark.parametrize(
    ("symbol", "cell"),
    [
        ("=1+1", "'=1+1"),
        (" =A1", "' =A1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("@ES.D", "@ES.D"),
        ("-NEG", "-NEG"),
        ("S:A", "S:A"),
    ],
)
def test_no_name_is_a_formula_that_a_spreadsheet_would_run(symbol: str, cell: str) -> None:
    fills = [fill("1", "10", symbol=symbol), fill("-1", "12", symbol=symbol, bar=1)]
    order = Order(
        id="ord-1", symbol=symbol, side=Side.BUY, status=OrderStatus.OPEN, client_order_id=symbol
    )
    _, row, _ = fills_csv(fills).splitlines()
    assert row.split(",")[2] == cell
    _, row = orders_csv([order]).splitlines()
    assert (row.split(",")[2], row.split(",")[13]) == (cell, cell)
    _, row = trips_csv(round_trips(fills)).splitlines()
    assert row.split(",")[0] == cell


def test_no_time_is_an_empty_text() -> None:
    assert moment(None) == ""
