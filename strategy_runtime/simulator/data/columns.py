"""Which column is which: the spellings that files in the wild use."""

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from math import nan

from msgspec import Struct

from strategy_runtime.errors import DataError

__all__ = ["Kind", "Layout", "Part", "find_layout", "stand_in_for"]

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
        "event_time",
        "trade_time",
        "transact_time",
        "window_start",
        "ts_event",
        "ts_recv",
        "sip_timestamp",
        "recv_ns",
        "gmt_time",
        "__index_level_0__",
    ),
    "open": ("open", "o", "open_price"),
    "high": ("high", "h", "high_price"),
    "low": ("low", "l", "low_price"),
    "close": ("close", "c", "close_price", "close/last", "last"),
    "volume": ("volume", "v", "vol", "base_volume", "qty", "tickvol", "tick_volume"),
}
_INDEX = ("", "unnamed:_0")
"""What pandas calls an index that has no name; one in front of all else is taken for the time.
In Parquet it has the name `__index_level_0__`, and may stand anywhere."""
_VOLUME_IN = re.compile(r"volume_\(?[a-z0-9]{3,5}\)?")
"""`Volume BTC`: the first of such columns counts what the symbol counts, the second the money."""
_QUOTES = {
    side: (side, f"{side}_price", f"{side}price", f"best_{side}", f"best_{side}_price")
    for side in ("bid", "ask")
}
_TICKS = {
    "price": ("price", "trade_price", "last_price", "px", "p"),
    "size": ("size", "trade_size", "last_size", "quantity", "qty", "q", "amount", "volume", "vol"),
}
_OF_A_BOOK = ("order_id", "bid_px_00")
"""Beside an `action`: what a file of an order book's events has, most of which are no trades."""
_MAY_BE_UNKNOWN = ("volume", "size")

_SHOWN = 300
_NEEDED = ("timestamp", "open", "high", "low", "close")


class Kind(Enum):
    """What the rows of a file are; the value names their numbers."""

    BARS = ("open", "high", "low", "close", "volume")
    QUOTES = ("bid", "ask")
    TICKS = ("price", "size")

    @property
    def prices(self) -> tuple[str, ...]:
        """Its numbers but the last of bars and trades, which may be unknown."""
        return tuple(name for name in self.value if name not in _MAY_BE_UNKNOWN)


class Part(Struct, frozen=True):
    """One kind of rows.

    Attributes:
        positions: Of the columns of its numbers; None where there is no such column.
    """

    kind: Kind
    positions: tuple[int | None, ...]

    @property
    def optional(self) -> tuple[int, ...]:
        """Positions of the prices without all of which a row is not of this kind; none for bars."""
        if self.kind is Kind.BARS:
            return ()
        return tuple(at for at in self.positions[: len(self.kind.prices)] if at is not None)


class Layout(Struct, frozen=True):
    """Positions of the columns; None where a file has no such column.

    Attributes:
        time: Position of a second column with the time of day.
        parts: Quotes and trades may share a file: a row is of the kind any of whose prices it has.
    """

    timestamp: int
    time: int | None
    symbol: int | None
    parts: tuple[Part, ...]


def find_layout(header: Sequence[str], where: str) -> Layout:
    """Find the columns by their names, whatever their case.

    A file with open, high, low and close has bars; else one with bid and ask has quotes, and one
    with a price has trades.

    Raises:
        DataError: A needed column is missing, or there twice; names those found and those
            understood.
    """
    common = {name: _SPELLINGS[name] for name in ("symbol", "timestamp")}
    found = _locate(header, common | {"open": _SPELLINGS["open"]}, where)
    kinds: list[Kind] = []
    if "open" not in found:
        found = _locate(header, common | _QUOTES | _TICKS, where)
        if {"bid", "ask"} <= found.keys():
            kinds.append(Kind.QUOTES)
        if "price" in found:
            _refuse_books(header, where)
            kinds.append(Kind.TICKS)
    if not kinds:
        found = _locate(header, _SPELLINGS, where)
        kinds.append(Kind.BARS)
    _demand(_NEEDED if Kind.BARS in kinds else ("timestamp",), found, header, where)
    parts = tuple(Part(kind, tuple(found.get(name) for name in kind.value)) for kind in kinds)
    return Layout(found["timestamp"], found.get("time"), found.get("symbol"), parts)


def stand_in_for(name: str) -> float:
    """What a number is taken for that is missing in a row: 0 for a volume, which is unknown then,
    and for a price what no market can have had."""
    return 0.0 if name in _MAY_BE_UNKNOWN else nan


def _refuse_books(header: Sequence[str], where: str) -> None:
    """Orders that came and went have prices, too, and nobody traded at most of them."""
    names = {_plain(name) for name in header}
    telling = [name for name in _OF_A_BOOK if name in names]
    if telling and "action" in names:
        raise DataError(
            f"{where}: the columns action and {telling[0]} are those of an order book's events, "
            "most of which are no trades; give trades, quotes or bars of the same market instead"
        )


def _demand(
    needed: Sequence[str], found: Mapping[str, int], header: Sequence[str], where: str
) -> None:
    missing = [column for column in needed if column not in found]
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
            + ("; quotes have bid and ask instead, trades a price" if "open" in missing else "")
        )


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
