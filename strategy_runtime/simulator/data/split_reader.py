"""Reads splits from CSV files with the columns symbol, date and ratio, or as results write them."""

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

__all__ = ["read_splits", "splits_of"]

_COLUMNS = ("symbol", "date", "ratio")
_GIVEN = "a file, or a list such as ['AAPL 2:1 2005-02-28']"
_RATIO = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(?:[:/](\d{1,9}))?", re.ASCII)


def read_splits(path: Path, zone: tzinfo = UTC, dates: Dates | None = None) -> tuple[Split, ...]:
    """Read splits; a ratio is new units to old, `2:1`, `2/1` or `2`; `1:10` is a reverse split.

    Args:
        zone: Zone of the dates; a split applies before the first bar from its day on.
        dates: What comes first in dates whose year comes last.

    Raises:
        DataError: The file cannot be read; names file and line.
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


def splits_of(given: object) -> tuple[Split, ...]:
    """Return splits given in Python: as the path of a file, or each as results write it.

    A text such as `AAPL 2:1 2005-02-28` means midnight UTC.

    Raises:
        DataError: The file cannot be read.
        ConfigError: The splits are in another form.
    """
    if isinstance(given, str | Path):
        return read_splits(Path(given))
    if not isinstance(given, list | tuple):
        raise ConfigError(f"splits are {_GIVEN}, not {given!r}")
    return tuple(each if isinstance(each, Split) else _split_of(each) for each in given)


def _split_of(text: object) -> Split:
    parts = text.rsplit(maxsplit=2) if isinstance(text, str) else []
    try:
        if len(parts) < len(_COLUMNS):
            raise ValueError("that is none")
        symbol, ratio, date = parts
        return _split(symbol, StampReader(UTC).read(date), ratio)
    except ValueError as error:
        raise ConfigError(f"splits: {text!r}: {error}; they are {_GIVEN}") from None


def _split(symbol: str, stamp: int, text: str) -> Split:
    match = _RATIO.fullmatch(text)
    if not symbol:
        raise ValueError("the symbol is empty")
    if match is None:
        raise ValueError(f"{text!r} is no ratio of new units to old ones, such as 2:1 or 1:10")
    return Split(symbol, utc(stamp), Decimal(match[1]), Decimal(match[2] or 1))
