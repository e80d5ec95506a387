"""Finds the columns of a file by their names, in the spellings that real files use."""

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from math import nan

from msgspec import Struct

from strategy_runtime.errors import DataError

__all__ = [
    "Kind",
    "Layout",
    "Part",
    "find_layout",
    "from_billionths",
    "is_number",
    "missing_value_of",
    "padded_names",
]

_SPELLINGS: dict[str, Sequence[str]] = {
    "symbol": """
        symbol ticker instrument instrumentname code tscode sym tic instid secid productid pair
        stock name
    """.split(),
    "timestamp": """
        timeperiodstart opentime timeopen starttime windowstart timestamp datetime start begin
        date tradedate dtyyyymmdd time ts dt t unix unixtimestamp eventtime tradetime
        transacttime createdtime tsevent tsrecv siptimestamp recvns gmttime localtime snappedat
        indexlevel0
    """.split(),
    "open": "open o openprice priceopen pxopen".split(),
    "high": "high h highprice pricehigh pxhigh".split(),
    "low": "low l lowprice pricelow pxlow".split(),
    "close": "close c closeprice priceclose closelast last pxlast".split(),
    "volume": """
        volume v vol basevolume volumetraded totalvolume pxvolume qty tickvol tickvolume
    """.split(),
}
"""If a header has several, the first in this list counts; for times, one that means bar starts."""
_DATES = ("date", "tradedate", "dtyyyymmdd")
"""Columns whose time of day may be in another column."""
_CLOCKS = ("time", "timeofday", "timem", "tradetime")
_INDEX = ("", "unnamed0", "index")
"""What pandas calls an index without a name; as the first column it is taken for the time. In
Parquet it is named `__index_level_0__` and may be anywhere."""
_NUMBER_IN_FRONT = re.compile(r"\s*\d+\. ")
_VOLUME_IN = re.compile(r"volume[a-z0-9]{3,5}")
"""Such as `Volume BTC`: the first such column is in units of the symbol, the second in money."""
_QUOTES = {
    side: (side, f"{side}price", f"best{side}", f"best{side}price") for side in ("bid", "ask")
}
_TICKS = {
    "price": ("price", "tradeprice", "lastprice", "px", "p"),
    "size": ("size", "tradesize", "lastsize", "quantity", "qty", "q", "amount", "volume", "vol"),
}
_OF_A_BOOK = (("orderid", "action"), ("bidpx00",))
"""Columns of files with order book events, whose prices are mostly not those of trades."""
_OF_DATABENTO = {"rtype", "publisherid"}
"""Columns of Databento files, which write 187.25 as 187.250000000 or as 187250000000."""
_BILLION, _MILLION = 10**9, 10**6
_MAY_BE_UNKNOWN = ("volume", "size")

_SHOWN = 300
_SAY_WHICH = (
    "say what its columns are, from left to right: --columns timestamp,open,high,low,close,volume"
)
_NEEDED = ("timestamp", "open", "high", "low", "close")


class Kind(Enum):
    """Kind of the rows of a file; the value lists the names of their numbers."""

    BARS = ("open", "high", "low", "close", "volume")
    QUOTES = ("bid", "ask")
    TICKS = ("price", "size")

    @property
    def prices(self) -> tuple[str, ...]:
        """Names of its prices: all numbers except volume and size, which may be unknown."""
        return tuple(name for name in self.value if name not in _MAY_BE_UNKNOWN)


class Part(Struct, frozen=True):
    """The columns of one kind of rows.

    Attributes:
        positions: Positions of its numbers; None for a missing column.
        symbol: The symbol, if it has columns of its own.
    """

    kind: Kind
    positions: tuple[int | None, ...]
    symbol: str | None = None

    @property
    def optional(self) -> tuple[int, ...]:
        """Positions of prices; a row in which all of them are empty is not of this part. Empty if
        every row is a bar."""
        if self.kind is Kind.BARS and self.symbol is None:
            return ()
        return tuple(at for at in self.positions[: len(self.kind.prices)] if at is not None)


class Layout(Struct, frozen=True):
    """Positions of the columns of a file; None for a missing column.

    Attributes:
        time: Position of a second column with the time of day.
        parts: Quotes and trades, or several symbols, may share a file: a row belongs to each part
            of which it has any price.
        in_billionths: Whether prices may be in billionths; see `from_billionths`.
    """

    timestamp: int
    time: int | None
    symbol: int | None
    parts: tuple[Part, ...]
    in_billionths: bool = False


def find_layout(header: Sequence[str], where: str) -> Layout:
    """Find the columns by the letters and digits of their names, ignoring case.

    A file with open, high, low and close has bars; otherwise one with bid and ask has quotes, and
    one with a price has trades.

    Raises:
        DataError: A required column is missing or there twice; names those found.
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
    return Layout(
        found["timestamp"],
        found.get("time"),
        found.get("symbol"),
        parts,
        in_billionths={*map(_plain, header)} >= _OF_DATABENTO,
    )


def padded_names(columns: Sequence[str], width: int, where: str) -> Sequence[str]:
    """Return names for all columns of a file: those the user gave, and empty ones for the rest.

    Raises:
        DataError: The file has fewer columns than names.
    """
    if len(columns) > width:
        raise DataError(f"{where} has {width} columns, and --columns names {len(columns)}")
    return [*columns, *[""] * (width - len(columns))]


def is_number(text: str) -> bool:
    """Return whether a field is a number, and so no name of a column."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def from_billionths(price: float) -> float:
    """Return a price that may be in billionths: a million or more is taken for billionths.

    So no price can be a million or more, and none in billionths can be below a thousandth.
    """
    return price / _BILLION if price >= _MILLION else price


def missing_value_of(name: str) -> float:
    """Return the value for a missing number: 0, which means unknown, for a volume or size; NaN,
    which is impossible, for a price.
    """
    return 0.0 if name in _MAY_BE_UNKNOWN else nan


def _refuse_books(header: Sequence[str], where: str) -> None:
    names = [_plain(name) for name in header]
    for telling in _OF_A_BOOK:
        if {*telling} <= {*names}:
            raise DataError(
                f"{where}: the column {header[names.index(telling[0])]} is one of an order book's "
                "events, most of which are no trades; give trades, quotes or bars of the same "
                "market instead"
            )


def _demand(
    needed: Sequence[str], found: Mapping[str, int], header: Sequence[str], where: str
) -> None:
    missing = [column for column in needed if column not in found]
    if missing:
        shown = ", ".join(map(str.strip, header)).rstrip(", ")
        shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
        if len(missing) == len(_NEEDED) and sum(map(is_number, header)) * 2 >= len(header):
            what = f"{where} has no header: it begins with {shown}"
        else:
            what = f"{where}: no column for {', '.join(missing)}; the header has {shown}"
        if missing == ["open", "high", "low"] and sum(map(len, header)) <= _SHOWN:
            names = [_plain(name) for name in header]
            names[found["close"]] = "price"
            raise DataError(
                f"{what}; closes alone can be read like trades, of which candles are made: "
                f"--columns {','.join(names)} and --timeframe 1d"
            )
        raise DataError(
            f"{what}; {_SAY_WHICH}"
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
        place = names.index(spelling)
        if names.count(spelling) > 1:
            raise DataError(
                f"{where}: two columns are named {header[place].strip()}; rename or remove one"
            )
        found[column] = place
    if "timestamp" not in found and names[0] in _INDEX:
        found["timestamp"] = 0
    if "volume" in wanted and "volume" not in found:
        volume = next((name for name in names if _VOLUME_IN.fullmatch(name)), None)
        if volume is not None:
            found["volume"] = names.index(volume)
    if "timestamp" in found and names[found["timestamp"]] in _DATES:
        clock = next((name for name in _CLOCKS if name in names), None)
        if clock is not None:
            found["time"] = names.index(clock)
    return found


def _plain(name: str) -> str:
    """Return the letters and digits of a name: `<Open Time>`, `openTime`, `1. open_time` match."""
    return "".join(filter(str.isalnum, _NUMBER_IN_FRONT.sub("", name).lower()))
