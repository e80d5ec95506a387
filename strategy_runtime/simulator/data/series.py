"""Market data as columns: what the readers produce and the exchange replays."""

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

from strategy_runtime.simulator.data.spill import Column, Floats, Ints, Mapped

__all__ = ["BarSeries", "QuoteSeries", "Series", "TickSeries", "marked", "middle"]

_LINE_BITS = 40
_WINDOW = 1 << 16


class Series:
    """Columns of one length, in the order of time; large ones are in temporary files, and look the
    same.

    Attributes:
        symbol: As in the file.
        sources: The files it came from, as they were named.
        pages: What is in files rather than in memory.
    """

    __slots__ = ("pages", "sources", "symbol")

    COLUMNS: ClassVar[tuple[str, ...]]
    """Names of the columns; the first has the times."""

    def __init__(self, symbol: str, sources: Sequence[str]) -> None:
        self.symbol = symbol
        self.sources = sources
        self.pages: list[Mapped] = []

    def __len__(self) -> int:
        return len(self.columns[0])

    @property
    def source(self) -> str:
        """The file or files, in few words."""
        if len(self.sources) < 2:
            return "".join(self.sources)
        return f"{self.sources[0]} and {len(self.sources) - 1} more"

    @property
    def columns(self) -> tuple[Any, ...]:
        """The columns themselves."""
        return tuple(getattr(self, name) for name in self.COLUMNS)

    def take(self, columns: Iterable[Any], pages: Sequence[Mapped] = ()) -> None:
        """Have these as columns."""
        for name, column in zip(self.COLUMNS, columns, strict=True):
            setattr(self, name, column)
        self.pages = list(pages)

    def take_filled(self, columns: Iterable[Column]) -> None:
        """Have columns that have been filled."""
        both = [column.finish() for column in columns]
        self.take(
            [numbers for numbers, _ in both], [pages for _, pages in both if pages is not None]
        )

    def cut(self, first: int, last: int) -> None:
        """Keep some rows; what is in files stays there."""
        self.take([column[first:last] for column in self.columns], self.pages)

    def extend(self, other: Self) -> None:
        """Add the rows of another series; both are in memory."""
        for column, more in zip(self.columns, other.columns, strict=True):
            column.extend(more)

    def release(self) -> None:
        """Give back the memory that reading from files has taken."""
        for pages in self.pages:
            pages.release()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.symbol} {len(self)} rows>"


class BarSeries(Series):
    """The bars of one symbol in one timeframe. No object exists for a bar until it is sent.

    Attributes:
        timeframe: Canonical text, `1m`.
        step: Its length in nanoseconds.
        starts: Start of each bar, nanoseconds since the epoch, UTC, strictly increasing.
        opens, highs, lows, closes: Prices.
        volumes: 0 where unknown.
        marks: Where each bar stands in the files, see `marked`; empty for made-up bars.
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
        self, symbol: str, timeframe: str, step: int, *, sources: Sequence[str] = ()
    ) -> None:
        super().__init__(symbol, sources)
        self.timeframe = timeframe
        self.step = step
        self.starts: Ints = array("q")
        self.opens: Floats = array("d")
        self.highs: Floats = array("d")
        self.lows: Floats = array("d")
        self.closes: Floats = array("d")
        self.volumes: Floats = array("d")
        self.marks: Ints = array("q")

    def append(
        self, start: int, open: float, high: float, low: float, close: float, volume: float
    ) -> None:
        """Add a made-up bar at the end."""
        row = (start, open, high, low, close, volume)
        for column, number in zip(self.columns[:-1], row, strict=True):
            column.append(number)

    def where(self, row: int) -> str:
        """Where a bar stands: `prices.csv line 34`; empty for made-up bars."""
        return "{} line {}".format(*self.place(row)) if len(self.marks) else ""

    def place(self, row: int) -> tuple[str, int]:
        """File and line (CSV) or row (Parquet), from 1, of a bar that was read."""
        mark = self.marks[row]
        return self.sources[mark >> _LINE_BITS], mark & (1 << _LINE_BITS) - 1


class QuoteSeries(Series):
    """The changes of one symbol's best bid and ask.

    Attributes:
        stamps: Time of each quote, nanoseconds since the epoch, UTC, never falling.
        bids, asks: Best prices.
    """

    __slots__ = ("asks", "bids", "stamps")

    COLUMNS = ("stamps", "bids", "asks")
    KIND: ClassVar[str] = "quote"
    """What the prices are, for the names of fill rules."""

    def __init__(self, symbol: str, *, sources: Sequence[str] = ()) -> None:
        super().__init__(symbol, sources)
        self.stamps: Ints = array("q")
        self.bids: Floats = array("d")
        self.asks: Floats = array("d")

    def append(self, stamp: int, bid: float, ask: float) -> None:
        """Add a made-up quote at the end."""
        for column, number in zip(self.columns, (stamp, bid, ask), strict=True):
            column.append(number)

    def as_bars(self) -> BarSeries:
        """Each quote as a bar of no length at the middle of bid and ask, for reports."""
        bars = BarSeries(self.symbol, self.KIND, 0, sources=self.sources)
        prices, volumes = Column("d"), Column("d")
        for first in range(0, len(self), _WINDOW):
            part = slice(first, first + _WINDOW)
            prices.extend(array("d", map(middle, self.bids[part], self.asks[part])))
            volumes.extend(array("d", bytes(8 * len(self.stamps[part]))))
        closes, pages = prices.finish()
        nothing, more = volumes.finish()
        bars.take(
            (self.stamps, closes, closes, closes, closes, nothing, array("q")),
            [*self.pages, *(each for each in (pages, more) if each is not None)],
        )
        return bars


class TickSeries(QuoteSeries):
    """The trades of one symbol's market; bid and ask are both the price of the last one.

    Attributes:
        sizes: Quantity of each trade; 0 where unknown.
    """

    __slots__ = ("sizes",)

    COLUMNS = ("stamps", "bids", "sizes")
    KIND = "tick"

    def __init__(self, symbol: str, *, sources: Sequence[str] = ()) -> None:
        super().__init__(symbol, sources=sources)
        self.asks = self.bids
        self.sizes: Floats = array("d")

    def take(self, columns: Iterable[Any], pages: Sequence[Mapped] = ()) -> None:
        """Have these as columns."""
        super().take(columns, pages)
        self.asks = self.bids


def marked(file: int, line: int) -> int:
    """The place of a row as one number: its file's position among the sources, and its line."""
    return file << _LINE_BITS | line


def middle(bid: float, ask: float) -> float:
    """Half way between bid and ask, without the noise of binary fractions."""
    return round((bid + ask) / 2, 12)
