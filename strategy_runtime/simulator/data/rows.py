"""Collects rows into columns, for every reader.

Rows are checked as they arrive, many at a time if they are clean. Order, duplicates and gaps are
checked once all rows are there; see `joining`.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import isfinite, isnan
from typing import Any, ClassVar, Protocol

from strategy_runtime.clock import rfc3339
from strategy_runtime.simulator.data.columns import Kind, missing_value_of
from strategy_runtime.simulator.data.digits import (
    GREATEST,
    LEAST,
    Digits,
    are_at_most,
    are_signed,
    digits_of,
    repeated,
)
from strategy_runtime.simulator.data.faults import FaultKind, FaultLog
from strategy_runtime.simulator.data.series import marked
from strategy_runtime.simulator.data.spool import Columns, Spool

__all__ = ["BarRows", "Collect", "QuoteRows", "Rows", "TickRows", "rows_of"]

_FEW = 5
"""Below so many rows, checking each is faster than checking all together."""
_ENOUGH = 32
"""From so many rows on, checking them together is worth what each check costs."""
_ROUNDING = 1e-9
"""Share of a price by which a high or low may miss an open or close: floats differ by less than
that if prices were multiplied by the factor of an adjusted close, and that close was not."""


class Rows:
    """The rows of one kind and symbol in one file.

    Attributes:
        table: Times, numbers, and places (see `marked`).
        in_order: Whether times never decrease.
        timeframe: Timeframe of bars if the file has it, else empty.
        first, last: The earliest and the latest time.
    """

    kind: ClassVar[Kind]

    def __init__(
        self,
        symbol: str,
        file: int,
        source: str,
        faults: FaultLog,
        spool: Spool,
        timeframe: str = "",
    ) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self.file = file
        self.source = source
        self.table = spool.table("q" + "d" * len(self.kind.value) + "q")
        self.in_order = True
        self.first, self.last = 2**63, -(2**63)
        self._previous = self.last
        self._faults = faults
        self._waiting: list[list[Any]] = []

    def __len__(self) -> int:
        return len(self.table)

    def extend(
        self, lines: Sequence[int], stamps: Sequence[int], *numbers: Sequence[float]
    ) -> None:
        """Add rows, except those that no market can have.

        A few rows wait for more, see `finish`: if thousands of symbols lie side by side, each has
        hardly a row at a time.
        """
        if not self._waiting:
            if len(stamps) >= _ENOUGH:
                self._extend(lines, stamps, *numbers)
                return
            self._waiting = [[], [], *([] for _ in numbers)]
        for waiting, more in zip(self._waiting, (lines, stamps, *numbers), strict=True):
            waiting.extend(more)
        if len(self._waiting[0]) >= _ENOUGH:
            self.finish()

    def finish(self) -> None:
        """Add the rows that wait for more."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._extend(*waiting)

    def _extend(
        self, lines: Sequence[int], stamps: Sequence[int], *numbers: Sequence[float]
    ) -> None:
        if len(stamps) < _FEW or not self._take(lines, stamps, *numbers):
            for row in zip(lines, stamps, *numbers, strict=True):
                self._add(*row)

    def _take(self, lines: Sequence[int], stamps: Sequence[int], *numbers: Sequence[float]) -> bool:
        """Add many rows if all are clean and in order; return whether they were added."""
        first = marked(self.file, 0)
        places = [first + line for line in lines] if first else lines
        placed = self.table.place([stamps, *numbers, places])
        if not self._are_clean(placed[1:-1]) or not self._follow(stamps):
            return False
        self.table.keep(len(stamps))
        self.first = min(self.first, stamps[0])
        self.last = self._previous = stamps[-1]
        return True

    def add(self, line: int, stamp: int, *numbers: float) -> None:
        """Add a row, unless no market can have it."""
        self.finish()
        self._add(line, stamp, *numbers)

    def _add(self, line: int, stamp: int, *numbers: float) -> None:
        if not self._is_possible(*numbers):
            numbers = self._repaired(
                *(
                    missing_value_of(name) if isnan(number) or _is_unknown(name, number) else number
                    for name, number in zip(self.kind.value, numbers, strict=True)
                )
            )
        if not self._is_possible(*numbers):
            row: dict[str, float] = dict(zip(self.kind.value, numbers, strict=True))
            detail = " ".join(f"{name} {_shown(number)}" for name, number in row.items())
            if any(row[name] <= 0 for name in self.kind.prices):
                detail += " (prices have to be above zero)"
            self._note(FaultKind.IMPOSSIBLE, line, detail)
            return
        if stamp < self._previous:
            self.in_order = False
            detail = f"{rfc3339(stamp)} after {rfc3339(self._previous)}"
            self._note(FaultKind.OUT_OF_ORDER, line, detail)
        self._previous = stamp
        self.first, self.last = min(self.first, stamp), max(self.last, stamp)
        self.table.append((stamp, *numbers, marked(self.file, line)))

    def _follow(self, stamps: Sequence[int]) -> bool:
        numbers = stamps.tolist() if isinstance(stamps, memoryview) else list(stamps)
        return bool(numbers[0] >= self._previous and numbers == sorted(numbers))

    def _are_clean(self, numbers: Columns) -> bool:
        """Return whether all rows are certainly possible."""
        rows, columns = len(numbers[0]), list(map(digits_of, numbers))
        least, greatest = repeated(LEAST, rows), repeated(GREATEST, rows)
        pairs = self._rising(least, *columns, greatest)
        return not are_signed(columns, rows) and are_at_most(pairs, rows)

    def _rising(self, *numbers: Digits) -> Iterable[tuple[Digits, Digits]]:
        """Return pairs of numbers of which, in a possible row, the first is at most the second.

        The first number given is the smallest possible price, the last one the greatest float.
        """
        raise NotImplementedError

    def _is_possible(self, *numbers: float) -> bool:
        raise NotImplementedError

    def _repaired(self, *numbers: float) -> tuple[float, ...]:
        """Return a row without errors of rounding."""
        return numbers

    def _note(self, kind: FaultKind, line: int, detail: str) -> None:
        self._faults.note(kind, self.source, line, self.symbol, detail)


class BarRows(Rows):
    """Bars."""

    kind = Kind.BARS

    def _rising(self, *numbers: Digits) -> Iterable[tuple[Digits, Digits]]:
        least, opens, highs, lows, closes, volumes, greatest = numbers
        yield least, lows
        for prices in (opens, closes):
            yield lows, prices
            yield prices, highs
        yield highs, greatest
        yield volumes, greatest

    def _is_possible(self, *numbers: float) -> bool:
        open, high, low, close, volume = numbers
        return (
            low <= open <= high
            and low <= close <= high
            and low > 0
            and volume >= 0
            and isfinite(high)
            and isfinite(volume)
        )

    def _repaired(self, *numbers: float) -> tuple[float, ...]:
        open, high, low, close, volume = numbers
        top, bottom = max(open, high, close), min(open, low, close)
        if top <= high * (1 + _ROUNDING) and bottom >= low * (1 - _ROUNDING):
            return open, top, bottom, close, volume
        return numbers


class QuoteRows(Rows):
    """Best bid and ask."""

    kind = Kind.QUOTES

    def _rising(self, *numbers: Digits) -> Iterable[tuple[Digits, Digits]]:
        return pairwise(numbers)

    def _is_possible(self, *numbers: float) -> bool:
        bid, ask = numbers
        return 0 < bid <= ask and isfinite(ask)


class TickRows(Rows):
    """Trades."""

    kind = Kind.TICKS

    def _rising(self, *numbers: Digits) -> Iterable[tuple[Digits, Digits]]:
        least, prices, sizes, greatest = numbers
        return (least, prices), (prices, greatest), (sizes, greatest)

    def _is_possible(self, *numbers: float) -> bool:
        price, size = numbers
        return price > 0 and isfinite(price) and size >= 0 and isfinite(size)


def rows_of(kind: Kind) -> type[Rows]:
    """Return the class for a kind of rows."""
    return {Kind.BARS: BarRows, Kind.QUOTES: QuoteRows, Kind.TICKS: TickRows}[kind]


class Collect(Protocol):
    """Returns the rows that a reader adds to."""

    def __call__(self, kind: Kind, symbol: str | None, timeframe: str = "") -> Rows | None:
        """Return the rows of a kind and symbol, and of a timeframe if the file has any.

        Args:
            symbol: None if the file has no symbols.

        Returns:
            None if the symbol is not wanted.
        """
        ...


def _is_unknown(name: str, number: float) -> bool:
    """Return whether a volume is -1, as Interactive Brokers writes it for currencies."""
    return name == "volume" and number == -1


def _shown(number: float) -> str:
    return repr(number).removesuffix(".0")
