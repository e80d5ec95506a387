"""Market data as columns: what the readers produce and the exchange replays."""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Self

from strategy_runtime.protocol.models import Candle
from strategy_runtime.simulator.data.spool import STRETCH, Floats, Integers, Room

__all__ = [
    "PROVIDER",
    "BarSeries",
    "QuoteSeries",
    "Series",
    "TickSeries",
    "marked",
    "middle",
    "unmarked",
]

PROVIDER = "backtest"
"""The provider named in candles and quotes of the simulator."""

_LINE_BITS = 40


class Series:
    """Columns of one length, in order of time; large ones are in temporary files but read the same.

    Attributes:
        symbol: The symbol, as in the file.
        sources: The files it came from, as given, by number.
    """

    __slots__ = ("_room", "sources", "symbol")

    COLUMNS: ClassVar[tuple[str, ...]]
    """Names of the columns; the first holds the times."""

    def __init__(self, symbol: str, sources: Mapping[int, str] | None = None) -> None:
        self.symbol = symbol
        self.sources = sources or {}
        self._room: Room | None = None

    def __len__(self) -> int:
        return len(getattr(self, self.COLUMNS[0]))  # called at every quote

    @property
    def source(self) -> str:
        """The file, or the first one and how many more."""
        names = list(self.sources.values())
        if len(names) < 2:
            return "".join(names)
        return f"{names[0]} and {len(names) - 1} more"

    @property
    def columns(self) -> tuple[Any, ...]:
        """The columns, in the order of `COLUMNS`."""
        return tuple(getattr(self, name) for name in self.COLUMNS)

    def take(self, columns: Iterable[Any], room: Room | None = None) -> None:
        """Replace the columns; they may be in a room."""
        for name, column in zip(self.COLUMNS, columns, strict=True):
            setattr(self, name, column)
        self._room = room

    def cut(self, first: int, last: int) -> None:
        """Keep only some rows; columns in files stay there."""
        self.take([column[first:last] for column in self.columns], self._room)

    def retime(self, times: "array[int]") -> None:
        """Replace the times of the rows."""
        self.take([times, *self.columns[1:]], self._room)

    def extend(self, other: Self) -> None:
        """Add the rows of another series."""
        # Columns in a room cannot grow.
        columns = [each if isinstance(each, array) else _array_of(each) for each in self.columns]
        for column, more in zip(columns, other.columns, strict=True):
            column.extend(more)
        self.take(columns)

    def stretches(self, first: int, last: int) -> Iterator[range]:
        """Yield ranges of rows from `first` to before `last`, releasing memory in between."""
        while first < last:
            end = min(first - first % STRETCH + STRETCH, last)
            yield range(first, end)
            if not end % STRETCH:
                self.release()
            first = end

    def release(self) -> None:
        """Release the memory that reading from files has taken."""
        if self._room is not None:
            self._room.release()

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """Return the state for copies and pickles: the numbers themselves, wherever they are."""
        slots = [name for each in type(self).__mro__ for name in getattr(each, "__slots__", ())]
        kept = {name: getattr(self, name) for name in slots}
        views = {id(each): each for each in kept.values() if isinstance(each, memoryview)}
        arrays = {name: _array_of(each) for name, each in views.items()}
        return None, {name: arrays.get(id(each), each) for name, each in kept.items()} | {
            "_room": None
        }

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.symbol} {len(self)} rows>"


class BarSeries(Series):
    """The bars of one symbol in one timeframe. No object exists for a bar until it is sent.

    Attributes:
        timeframe: Canonical text, such as `1m`.
        step: Length of a bar in nanoseconds.
        starts: Start of each bar, nanoseconds since the epoch, UTC, strictly increasing.
        opens, highs, lows, closes: Prices.
        volumes: 0 if unknown.
        marks: Place of each bar in the files, see `marked`; empty for made-up bars.
    """

    __slots__ = (
        "closes",
        "highs",
        "lows",
        "marks",
        "opens",
        "starts",
        "step",
        "timeframe",
        "volumes",
    )

    COLUMNS = ("starts", "opens", "highs", "lows", "closes", "volumes", "marks")

    def __init__(
        self,
        symbol: str,
        timeframe: str,
        step: int,
        *,
        sources: Mapping[int, str] | None = None,
    ) -> None:
        super().__init__(symbol, sources)
        self.timeframe = timeframe
        self.step = step
        self.starts: Integers = array("q")
        self.opens: Floats = array("d")
        self.highs: Floats = array("d")
        self.lows: Floats = array("d")
        self.closes: Floats = array("d")
        self.volumes: Floats = array("d")
        self.marks: Integers = array("q")

    def append(
        self, start: int, open: float, high: float, low: float, close: float, volume: float
    ) -> None:
        """Add a made-up bar at the end."""
        row = (start, open, high, low, close, volume)
        for column, number in zip(self.columns[:-1], row, strict=True):
            column.append(number)

    def candle(self, row: int) -> Candle:
        """Return a bar as it is sent."""
        return Candle(
            self.symbol,
            self.timeframe,
            self.starts[row],
            self.opens[row],
            self.highs[row],
            self.lows[row],
            self.closes[row],
            self.volumes[row],
            PROVIDER,
        )

    def where(self, row: int) -> str:
        """Return the place of a bar, such as `prices.csv line 34`; empty for made-up bars."""
        return "{} line {}".format(*self.place(row)) if len(self.marks) else ""

    def place(self, row: int) -> tuple[str, int]:
        """Return file and line (CSV) or row (Parquet), from 1, of a bar that was read."""
        file, line = unmarked(self.marks[row])
        return self.sources[file], line


class QuoteSeries(Series):
    """The changes of one symbol's best bid and ask.

    Attributes:
        stamps: Time of each quote, nanoseconds since the epoch, UTC, never decreasing.
        bids, asks: Best prices.
    """

    __slots__ = ("asks", "bids", "stamps")

    COLUMNS = ("stamps", "bids", "asks")
    KIND: ClassVar[str] = "quote"
    """Kind of the prices, for the names of fill rules."""

    def __init__(self, symbol: str) -> None:
        super().__init__(symbol)
        self.stamps: Integers = array("q")
        self.bids: Floats = array("d")
        self.asks: Floats = array("d")

    def append(self, stamp: int, bid: float, ask: float) -> None:
        """Add a made-up quote at the end."""
        for column, number in zip(self.columns, (stamp, bid, ask), strict=True):
            column.append(number)

    def as_bars(self) -> BarSeries:
        """Return each quote as a bar of no length at the mid price, for reports."""
        bars = BarSeries(self.symbol, self.KIND, 0, sources=self.sources)
        room = Room(16 * len(self), on_disk=self._room is not None and self._room.is_on_disk)
        filling = room.take("dd", len(self))
        for rows in self.stretches(0, len(self)):
            part = slice(rows.start, rows.stop)
            middles = array("d", map(middle, self.bids[part], self.asks[part]))
            filling.add([memoryview(middles), memoryview(array("d", bytes(8 * len(middles))))])
        room.seal()
        prices, volumes = filling.columns
        columns = (self.stamps, prices, prices, prices, prices, volumes, array("q"))
        bars.take(columns, room)
        return bars


class TickSeries(QuoteSeries):
    """The market trades of one symbol; bid and ask are both the price of the trade.

    Attributes:
        sizes: Quantity of each trade; 0 if unknown.
    """

    __slots__ = ("sizes",)

    COLUMNS = ("stamps", "bids", "sizes")
    KIND = "tick"

    def __init__(self, symbol: str) -> None:
        super().__init__(symbol)
        self.asks = self.bids
        self.sizes: Floats = array("d")

    def take(self, columns: Iterable[Any], room: Room | None = None) -> None:
        """Replace the columns; they may be in a room."""
        super().take(columns, room)
        self.asks = self.bids


def _array_of(column: "memoryview[Any]") -> "array[Any]":
    numbers = array(column.format)
    numbers.frombytes(column.cast("B"))
    return numbers


def marked(file: int, line: int) -> int:
    """Return the place of a row, file number and line, as one integer."""
    return file << _LINE_BITS | line


def unmarked(mark: int) -> tuple[int, int]:
    """Return file number and line of a place."""
    return mark >> _LINE_BITS, mark & (1 << _LINE_BITS) - 1


def middle(bid: float, ask: float) -> float:
    """Return the mid price to the 15 digits that a float holds exactly, without binary noise."""
    return float(f"{(bid + ask) / 2:.15g}")
