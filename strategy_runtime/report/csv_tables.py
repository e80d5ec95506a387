"""The tables of a run as CSV: fills, orders, trips and daily equity."""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from io import StringIO
from operator import attrgetter

from strategy_runtime.clock import ns_of, rfc3339
from strategy_runtime.protocol.enums import PositionSide
from strategy_runtime.protocol.models import Order
from strategy_runtime.protocol.values import in_digits
from strategy_runtime.report.performance import DayEnd
from strategy_runtime.report.trips import RoundTrip
from strategy_runtime.simulator.outcome import Fill

__all__ = [
    "Named",
    "csv_of",
    "equity_csv",
    "fills_csv",
    "moment",
    "orders_csv",
    "trips_csv",
    "without_formula",
]

Named = Callable[[str], str]
"""Returns a symbol or a client order id as it is written."""

_FILL_COLUMNS = "time,bar,symbol,side,quantity,price,fee,order_id,client_order_id,rule".split(",")
_ORDER_COLUMNS = (
    "created,updated,symbol,side,type,status,quantity,filled_quantity,limit_price,stop_price,"
    "average_fill_price,time_in_force,order_id,client_order_id,parent_order_id,reject_reason"
).split(",")
_TRIP_COLUMNS = (
    "symbol,side,quantity,opened,entry_price,closed,exit_price,fees,profit,return,exit_rule"
).split(",")

# Names come from data and from clients. Some real ones start with @ or a sign.
_FORMULA = re.compile(r"\s*(=|[+@-].*[(|!])")


def without_formula(name: str) -> str:
    """A symbol or an id; one that a spreadsheet would run as a formula has a ' before it."""
    return f"'{name}" if _FORMULA.match(name) else name


def moment(when: datetime | None) -> str:
    """Format a time as RFC 3339 in UTC; empty if there is none."""
    return "" if when is None else rfc3339(ns_of(when))


def fills_csv(fills: Iterable[Fill], named: Named = without_formula) -> str:
    """Return one row per fill, in order of simulated time."""
    rows = (
        (
            (when := rfc3339(fill.time_ns)),
            when if fill.bar_ns == fill.time_ns else rfc3339(fill.bar_ns),
            named(fill.symbol),
            fill.side,
            in_digits(fill.quantity),
            in_digits(fill.price),
            in_digits(fill.fee),
            fill.order_id,
            named(fill.client_order_id or ""),
            fill.rule,
        )
        for fill in sorted(fills, key=attrgetter("time_ns"))
    )
    return csv_of(_FILL_COLUMNS, rows)


def orders_csv(orders: Iterable[Order], named: Named = without_formula) -> str:
    """Return one row per order in its last state, in order of acceptance, with bracket legs."""
    rows = (
        (
            moment(order.created_at),
            moment(order.updated_at),
            named(order.symbol),
            order.side,
            order.order_type,
            order.status,
            in_digits(order.quantity),
            in_digits(order.filled_quantity),
            _optional(order.limit_price),
            _optional(order.stop_price),
            _optional(order.average_fill_price),
            order.time_in_force,
            order.id,
            named(order.client_order_id or ""),
            order.parent_order_id or "",
            order.reject_reason or "",
        )
        for order in orders
    )
    return csv_of(_ORDER_COLUMNS, rows)


def trips_csv(trips: Iterable[RoundTrip], named: Named = without_formula) -> str:
    """Return one row per closed position, in the order in which they closed."""
    rows = (
        (
            named(trip.symbol),
            PositionSide.LONG if trip.is_long else PositionSide.SHORT,
            in_digits(trip.quantity),
            rfc3339(trip.opened_ns),
            in_digits(trip.entry_price),
            rfc3339(trip.closed_ns),
            in_digits(trip.exit_price),
            in_digits(trip.fees),
            in_digits(trip.profit),
            repr(trip.profit_share),
            trip.exit_rule,
        )
        for trip in trips
    )
    return csv_of(_TRIP_COLUMNS, rows)


def equity_csv(days: Iterable[DayEnd]) -> str:
    """Return one row per day in which a bar ended."""
    return csv_of(
        ("date", "equity", "return"),
        ((day.date.isoformat(), repr(day.equity), repr(day.gain)) for day in days),
    )


def _optional(number: Decimal | None) -> str:
    return "" if number is None else in_digits(number)


def csv_of(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table as CSV."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
