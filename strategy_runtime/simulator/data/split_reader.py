"""Files of splits: CSV with the columns symbol, date and ratio."""

import csv
import re
from datetime import UTC, tzinfo
from decimal import Decimal
from pathlib import Path

from strategy_runtime.clock import utc
from strategy_runtime.errors import ConfigError, DataError
from strategy_runtime.simulator.data.opening import open_text
from strategy_runtime.simulator.data.timestamps import StampReader
from strategy_runtime.simulator.data.written_times import Dates
from strategy_runtime.simulator.splits import Split

__all__ = ["read_splits"]

_COLUMNS = ("symbol", "date", "ratio")
_RATIO = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(?:[:/](\d{1,9}))?", re.ASCII)


def read_splits(path: Path, zone: tzinfo = UTC, dates: Dates | None = None) -> tuple[Split, ...]:
    """Read splits; a ratio is new units to old ones, `2:1`, `2/1` or `2`, and `1:10` a reverse one.

    Args:
        zone: Of the dates: a split comes before the first bar that starts on its day or later.
        dates: What comes first in those whose year comes last.

    Raises:
        DataError: It cannot be read; names file and line.
    """
    stamps = StampReader(zone, dates)
    with open_text(path) as text:
        rows = csv.DictReader(text)
        names = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
        missing = [name for name in _COLUMNS if name not in names]
        if missing:
            raise DataError(f"{path} has no column {missing[0]}; splits need {', '.join(_COLUMNS)}")
        found = []
        try:
            for row in rows:
                symbol, date, ratio = ((row[names[name]] or "").strip() for name in _COLUMNS)
                found.append(_split(symbol, stamps.read(date), ratio))
        except (ValueError, ConfigError, csv.Error) as error:
            raise DataError(f"{path} line {rows.line_num}: {error}") from None
    return tuple(found)


def _split(symbol: str, stamp: int, text: str) -> Split:
    match = _RATIO.fullmatch(text)
    if not symbol:
        raise ValueError("the symbol is empty")
    if match is None:
        raise ValueError(f"{text!r} is no ratio of new units to old ones, such as 2:1 or 1:10")
    return Split(symbol, utc(stamp), Decimal(match[1]), Decimal(match[2] or 1))
