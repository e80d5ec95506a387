"""Which column is which: the spellings that files in the wild use."""

from collections.abc import Sequence

from msgspec import Struct

from strategy_runtime.errors import DataError

__all__ = ["Columns", "find_columns"]

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker", "instrument", "code", "sym"),
    "timestamp": (
        "timestamp",
        "datetime",
        "date_time",
        "open_time",
        "opentime",
        "start",
        "start_time",
        "date",
        "time",
        "ts",
        "dt",
    ),
    "open": ("open", "o", "open_price"),
    "high": ("high", "h", "high_price"),
    "low": ("low", "l", "low_price"),
    "close": ("close", "c", "close_price", "close/last", "last"),
    "volume": ("volume", "v", "vol", "base_volume", "qty"),
}
_NEEDED = ("timestamp", "open", "high", "low", "close")


class Columns(Struct, frozen=True):
    """Positions of the columns; None where a file has no such column.

    Attributes:
        time: Position of a second column with the time of day.
    """

    timestamp: int
    open: int
    high: int
    low: int
    close: int
    volume: int | None = None
    symbol: int | None = None
    time: int | None = None


def find_columns(header: Sequence[str], where: str) -> Columns:
    """Find the columns by their names, whatever their case.

    Raises:
        DataError: A needed column is missing; names those found and those understood.
    """
    names = [name.strip().strip('"').lstrip("\ufeff").lower().replace(" ", "_") for name in header]
    found: dict[str, int] = {}
    for column, spellings in _SPELLINGS.items():
        for spelling in spellings:
            if spelling in names:
                found[column] = names.index(spelling)
                break
    missing = [column for column in _NEEDED if column not in found]
    if missing:
        if len(missing) == len(_NEEDED) and _looks_like_data(header):
            raise DataError(
                f"{where}: the first line has numbers, not column names; put a header before it, "
                "such as timestamp,open,high,low,close,volume"
            )
        raise DataError(
            f"{where}: no column for {', '.join(missing)}; the header has {', '.join(header)}; "
            + "; ".join(f"{name} may be {' or '.join(_SPELLINGS[name])}" for name in missing)
        )
    if names[found["timestamp"]] == "date" and "time" in names:
        found["time"] = names.index("time")
    return Columns(**found)


def _looks_like_data(header: Sequence[str]) -> bool:
    numbers = 0
    for text in header:
        try:
            float(text)
        except ValueError:
            continue
        numbers += 1
    return numbers * 2 >= len(header)
