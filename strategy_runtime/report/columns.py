"""The tables of a run as columns, for data frames."""

import csv
from datetime import datetime
from io import StringIO
from math import nan
from typing import Any

__all__ = ["columns_of"]

_TIMES = frozenset(("time", "bar", "created", "updated", "opened", "closed", "date"))
_TEXTS = frozenset(
    "symbol side type status time_in_force order_id client_order_id parent_order_id reject_reason "
    "rule exit_rule".split()
)


def columns_of(table: str) -> dict[str, list[Any]]:
    """Parse a CSV table into columns by name: times to a microsecond, numbers as floats, NaN for
    missing numbers.
    """
    header, *rows = csv.reader(StringIO(table))
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    return {
        name: [_value(name, text) for text in column]
        for name, column in zip(header, columns, strict=True)
    }


def _value(name: str, text: str) -> str | float | datetime:
    if name in _TEXTS:
        return text
    if name in _TIMES:
        return datetime.fromisoformat(text)
    return float(text) if text else nan
