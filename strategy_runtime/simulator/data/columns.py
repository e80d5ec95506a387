"""Which column is which: the spellings that files in the wild use."""

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from strategy_runtime.errors import DataError

__all__ = [
    "Columns",
    "QuoteColumns",
    "TickColumns",
    "find_columns",
    "find_quote_columns",
    "find_tick_columns",
]

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
        "t",
        "unix",
        "unix_timestamp",
        "recv_ns",
        "trade_time",
    ),
    "open": ("open", "o", "open_price"),
    "high": ("high", "h", "high_price"),
    "low": ("low", "l", "low_price"),
    "close": ("close", "c", "close_price", "close/last", "last"),
    "volume": ("volume", "v", "vol", "base_volume", "qty", "tickvol", "tick_volume"),
}
_INDEX = ("", "unnamed:_0", "__index_level_0__")
"""What pandas calls an index that has no name; one in front of all else is taken for the time."""
_VOLUME_IN = re.compile(r"volume_\(?[a-z0-9]{3,5}\)?")
"""`Volume BTC`: the first of such columns counts what the symbol counts, the second the money."""
_QUOTES = {"bid": ("bid", "bid_price", "best_bid"), "ask": ("ask", "ask_price", "best_ask")}
_TICKS = {
    "price": ("price", "trade_price", "px"),
    "size": ("size", "qty", "quantity", "amount", "volume", "trade_size"),
}
_OF_PRICES = {name: _SPELLINGS[name] for name in ("symbol", "timestamp", "open")}
_SHOWN = 300
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
    """Positions of the columns of a file of quotes, which may have trades among them."""

    timestamp: int
    bid: int
    ask: int
    price: int | None = None
    size: int | None = None
    symbol: int | None = None
    time: int | None = None


class TickColumns(Struct, frozen=True):
    """Positions of the columns of a file of trades."""

    timestamp: int
    price: int
    size: int | None = None
    symbol: int | None = None
    time: int | None = None


def find_quote_columns(header: Sequence[str], where: str) -> QuoteColumns | None:
    """Find the columns of quotes, or None where the file has bars.

    Raises:
        DataError: Two columns have one name.
    """
    found = _locate(header, _OF_PRICES | _QUOTES | _TICKS, where)
    if not {"timestamp", "bid", "ask"} <= found.keys() or "open" in found:
        return None
    return QuoteColumns(**found)


def find_tick_columns(header: Sequence[str], where: str) -> TickColumns | None:
    """Find the columns of trades, or None where the file has bars.

    Raises:
        DataError: Two columns have one name.
    """
    found = _locate(header, _OF_PRICES | _TICKS, where)
    if not {"timestamp", "price"} <= found.keys() or "open" in found:
        return None
    return TickColumns(**found)


def find_columns(header: Sequence[str], where: str) -> Columns:
    """Find the columns by their names, whatever their case.

    Raises:
        DataError: A needed column is missing, or there twice; names those found and those
            understood.
    """
    found = _locate(header, _SPELLINGS, where)
    missing = [column for column in _NEEDED if column not in found]
    if missing:
        if len(missing) == len(_NEEDED) and _looks_like_data(header):
            raise DataError(
                f"{where}: the first line has numbers, not column names; put a header before it, "
                "such as timestamp,open,high,low,close,volume"
            )
        shown = ", ".join(header)
        raise DataError(
            f"{where}: no column for {', '.join(missing)}; the header has "
            f"{shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'}; "
            + "; ".join(f"{name} may be {' or '.join(_SPELLINGS[name])}" for name in missing)
        )
    return Columns(**found)


def _locate(
    header: Sequence[str], wanted: Mapping[str, Sequence[str]], where: str
) -> dict[str, int]:
    names = [_plain(name) for name in header]
    found: dict[str, int] = {}
    for column, spellings in wanted.items():
        spelling = next((each for each in spellings if each in names), None)
        if spelling is None:
            continue
        if names.count(spelling) > 1:
            raise DataError(f"{where}: two columns are named {spelling}; rename or remove one")
        found[column] = names.index(spelling)
    if "timestamp" not in found and names[0] in _INDEX:
        found["timestamp"] = 0
    if "volume" in wanted and "volume" not in found:
        volume = next((name for name in names if _VOLUME_IN.fullmatch(name)), None)
        if volume is not None:
            found["volume"] = names.index(volume)
    if "timestamp" in found and names[found["timestamp"]] == "date" and "time" in names:
        found["time"] = names.index("time")
    return found


def _plain(name: str) -> str:
    return name.strip('\ufeff "<>\t\r\n').lower().replace(" ", "_")


def _looks_like_data(header: Sequence[str]) -> bool:
    numbers = 0
    for text in header:
        try:
            float(text)
        except ValueError:
            continue
        numbers += 1
    return numbers * 2 >= len(header)
