"""Synthetic prices: one seeded random walk per symbol, in a folder that every engine reads.

Prices are multiples of a quarter, so sums are exact and every engine computes the same averages. A
bar opens at the previous close, so engines that fill at the close and engines that fill at the next
open pay the same.
"""

import random
from array import array
from pathlib import Path
from typing import NamedTuple

__all__ = ["MINUTE_NS", "START_NS", "Columns", "make", "read", "write", "write_csv", "write_days"]

START_NS = 1_577_836_800 * 10**9
MINUTE_NS = 60 * 10**9
_TICK = 0.25
_LOWEST = 100.0


class Columns(NamedTuple):
    """The bars of one symbol, a minute apart."""

    symbol: str
    opens: "array[float]"
    highs: "array[float]"
    lows: "array[float]"
    closes: "array[float]"

    def start_ns(self, row: int) -> int:
        """Return the start of a bar, in nanoseconds since the epoch."""
        return START_NS + row * MINUTE_NS


def make(symbol: str, bars: int, seed: int) -> Columns:
    """Make a walk of so many bars."""
    rng = random.Random(seed)  # noqa: S311
    columns = Columns(symbol, *(array("d") for _ in range(4)))
    price = 5000.0
    for draw in rng.choices(range(9 * 25), k=bars):
        step, rest = divmod(draw, 25)
        above, below = divmod(rest, 5)
        opened, price = price, max(price + (step - 4) * _TICK, _LOWEST)
        columns.opens.append(opened)
        columns.highs.append(max(opened, price) + above * _TICK)
        columns.lows.append(min(opened, price) - below * _TICK)
        columns.closes.append(price)
    return columns


def write(folder: Path, symbols: int, bars: int) -> Path:
    """Make the walks of several symbols, and write them to a folder of their own."""
    target = folder / f"{symbols}x{bars}"
    target.mkdir(parents=True, exist_ok=True)
    for number in range(symbols):
        columns = make(f"S{number}", bars, seed=number)
        with (target / columns.symbol).open("wb") as file:
            for column in columns[1:]:
                column.tofile(file)
    return target


def read(folder: Path) -> list[Columns]:
    """Read the walks in a folder, in the order of their numbers."""
    found = []
    for path in sorted(folder.iterdir(), key=lambda path: int(path.name[1:])):
        bars = path.stat().st_size // 32
        columns = Columns(path.name, *(array("d") for _ in range(4)))
        with path.open("rb") as file:
            for column in columns[1:]:
                column.fromfile(file, bars)
        found.append(columns)
    return found


def write_csv(columns: Columns, path: Path) -> None:
    """Write one symbol as a CSV file."""
    from datetime import UTC, datetime

    with path.open("w", encoding="utf-8") as file:
        file.write("timestamp,open,high,low,close,volume\n")
        for row, prices in enumerate(zip(*columns[1:], strict=True)):
            moment = datetime.fromtimestamp(columns.start_ns(row) // 10**9, UTC)
            opened, high, low, close = prices
            file.write(f"{moment:%Y-%m-%dT%H:%M:%SZ},{opened},{high},{low},{close},1000\n")


def write_days(columns: Columns, path: Path, bars: int) -> None:
    """Write a CSV file of any length, which repeats the first day of a walk."""
    from datetime import UTC, datetime, timedelta

    day, count = datetime.fromtimestamp(START_NS // 10**9, UTC), 24 * 60
    rows = [
        f"T{minute // 60:02}:{minute % 60:02}:00Z,{opened},{high},{low},{close},1000\n"
        for minute, (opened, high, low, close) in zip(
            range(count), zip(*columns[1:], strict=True), strict=False
        )
    ]
    with path.open("w", encoding="utf-8") as file:
        file.write("timestamp,open,high,low,close,volume\n")
        for first in range(0, bars, count):
            date = f"{day + timedelta(minutes=first):%Y-%m-%d}"
            file.writelines(date + row for row in rows[: bars - first])
