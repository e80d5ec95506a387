"""Which column is which: the spellings that files in the wild use."""

from collections.abc import Sequence

from msgspec import Struct

from strategy_runtime.errors import DataError

__all__ = ["Columns", "QuoteColumns", "find_columns", "find_quote_columns"]

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
_QUOTES = {"bid": ("bid", "bid_price", "best_bid"), "ask": ("ask", "ask_price", "best_ask")}
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


class QuoteColumns(Struct, frozen=True):
    """Positions of the columns of a file of quotes."""

    timestamp: int
    bid: int
    ask: int
    symbol: int | None = None


def find_quote_columns(header: Sequence[str]) -> QuoteColumns | None:
    """Find the columns of quotes, or None where the file has bars."""
    names = _plain(header)
    found = {
        column: names.index(spelling)
        for column, spellings in (_QUOTES | _SPELLINGS).items()
        for spelling in reversed(spellings)
        if spelling in names
    }
    if not {"timestamp", "bid", "ask"} <= found.keys() or "open" in found:
        return None
    return QuoteColumns(found["timestamp"], found["bid"], found["ask"], found.get("symbol"))


def find_columns(header: Sequence[str], where: str) -> Columns:
    """Find the columns by their names, whatever their case.

    Raises:
        DataError: A needed column is missing; names those found and those understood.
    """
    names = _plain(header)
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


def _plain(header: Sequence[str]) -> list[str]:
    return [name.strip().strip('"').lstrip("\ufeff").lower().replace(" ", "_") for name in header]


def _looks_like_data(header: Sequence[str]) -> bool:
    numbers = 0
    for text in header:
        try:
            float(text)
        except ValueError:
            continue
        numbers += 1
    return numbers * 2 >= len(header)
