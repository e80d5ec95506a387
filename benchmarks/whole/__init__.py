"""Whole programs, from the command to the result, and the comparison of their fills."""

import csv
from datetime import datetime
from pathlib import Path

from benchmarks.engines import Fill
from benchmarks.market import MINUTE_NS, START_NS

__all__ = ["fills_in"]


def fills_in(path: Path) -> list[Fill]:
    """Read a fills file; every fill must be of one unit."""
    fills = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            started = round(datetime.fromisoformat(row["bar"]).timestamp()) * 10**9
            sign = {"BUY": 1, "SELL": -1}[row["side"]] * int(row["quantity"])
            bar = (started - START_NS) // MINUTE_NS
            fills.append(Fill(row["symbol"], bar, sign, float(row["price"])))
    return fills
