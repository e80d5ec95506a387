"""From rows to columns: what every reader feeds, whatever the file.

Rows are checked as they come, one by one or, where nothing is wrong with them, by the thousand.
Duplicates and gaps are looked at in `arrange`, when all rows have been seen.
"""

from array import array
from collections.abc import Iterable, Sequence
from math import isfinite
from operator import le

from strategy_runtime.clock import rfc3339
from strategy_runtime.simulator.data.faults import DataFault, FaultKind
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries, TickSeries, marked
from strategy_runtime.simulator.data.spill import Column

__all__ = ["BarCollector", "QuoteCollector", "TickCollector"]


class _Collector:
    """Gathers the rows of one symbol in one file.

    Args:
        file: Position of the file among the sources.
        faults: Takes what is wrong.
    """

    __slots__ = ("_columns", "_faults", "_file", "_last", "_marks", "_sources", "_stamps", "symbol")

    def __init__(
        self, symbol: str, file: int, sources: Sequence[str], faults: list[DataFault], width: int
    ) -> None:
        self.symbol = symbol
        self._file = file
        self._sources = sources
        self._faults = faults
        self._stamps = Column("q")
        self._columns = [Column("d") for _ in range(width)]
        self._marks = Column("q")
        self._last = -(2**63)

    def __len__(self) -> int:
        return len(self._stamps)

    def _add(self, line: int, stamp: int, *numbers: float) -> None:
        if stamp < self._last:
            self._note(
                FaultKind.OUT_OF_ORDER, line, f"{rfc3339(stamp)} after {rfc3339(self._last)}"
            )
        self._last = stamp
        self._stamps.append(stamp)
        for column, number in zip(self._columns, numbers, strict=True):
            column.append(number)
        self._marks.append(marked(self._file, line))

    def _add_all(
        self, lines: Iterable[int], stamps: Sequence[int], columns: Iterable[Sequence[float]]
    ) -> bool:
        if stamps[0] < self._last or not all(map(le, stamps, stamps[1:])):
            return False
        self._last = stamps[-1]
        self._stamps.extend(array("q", stamps))
        for column, numbers in zip(self._columns, columns, strict=True):
            column.extend(array("d", numbers))
        first = marked(self._file, 0)
        self._marks.extend(array("q", [first | line for line in lines]))
        return True

    def _note(self, kind: FaultKind, line: int, detail: str) -> None:
        source = self._sources[self._file]
        self._faults.append(DataFault(kind, source, line, self.symbol, detail))


class BarCollector(_Collector):
    """Gathers bars."""

    __slots__ = ()

    def __init__(
        self, symbol: str, file: int, sources: Sequence[str], faults: list[DataFault]
    ) -> None:
        super().__init__(symbol, file, sources, faults, 5)

    def add(
        self,
        line: int,
        start: int,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float,
    ) -> None:
        """Take in a row, unless no market can have looked like it."""
        if not (low <= open <= high and low <= close <= high and low > 0 and volume >= 0) or (
            not isfinite(high + volume)
        ):
            self._note(
                FaultKind.IMPOSSIBLE,
                line,
                f"open {_shown(open)} high {_shown(high)} low {_shown(low)} "
                f"close {_shown(close)} volume {_shown(volume)}",
            )
            return
        self._add(line, start, open, high, low, close, volume)

    def add_all(
        self,
        lines: Iterable[int],
        starts: Sequence[int],
        columns: Sequence[Sequence[float]],
    ) -> bool:
        """Take in many rows at once; False, and nothing taken, where one of them needs a look."""
        opens, highs, lows, closes, volumes = columns
        is_sound = (
            all(map(le, lows, opens))
            and all(map(le, opens, highs))
            and all(map(le, lows, closes))
            and all(map(le, closes, highs))
            and min(lows) > 0
            and isfinite(max(highs))
            and isfinite(sum(volumes))  # also False where one is not a number
            and min(volumes) >= 0
        )
        return is_sound and self._add_all(lines, starts, columns)

    def finish(self) -> BarSeries:
        """The rows as they came, of no timeframe yet."""
        series = BarSeries(self.symbol, "", 0, sources=self._sources)
        series.take_filled((self._stamps, *self._columns, self._marks))
        return series


class QuoteCollector(_Collector):
    """Gathers quotes."""

    __slots__ = ()

    def __init__(
        self, symbol: str, file: int, sources: Sequence[str], faults: list[DataFault]
    ) -> None:
        super().__init__(symbol, file, sources, faults, 2)

    def add(self, line: int, stamp: int, bid: float, ask: float) -> None:
        """Take in a quote, unless no market can have shown it."""
        if 0 < bid <= ask and isfinite(ask):
            self._add(line, stamp, bid, ask)
        else:
            self._note(FaultKind.IMPOSSIBLE, line, f"bid {_shown(bid)} ask {_shown(ask)}")

    def finish(self) -> QuoteSeries:
        """The quotes as they came."""
        series = QuoteSeries(self.symbol, sources=self._sources)
        series.take_filled((self._stamps, *self._columns))
        return series


class TickCollector(_Collector):
    """Gathers the trades of a market."""

    __slots__ = ()

    def __init__(
        self, symbol: str, file: int, sources: Sequence[str], faults: list[DataFault]
    ) -> None:
        super().__init__(symbol, file, sources, faults, 2)

    def add(self, line: int, stamp: int, price: float, size: float) -> None:
        """Take in a trade, unless no market can have made it."""
        if price > 0 and size >= 0 and isfinite(price + size):
            self._add(line, stamp, price, size)
        else:
            self._note(FaultKind.IMPOSSIBLE, line, f"price {_shown(price)} size {_shown(size)}")

    def finish(self) -> TickSeries:
        """The trades as they came."""
        series = TickSeries(self.symbol, sources=self._sources)
        series.take_filled((self._stamps, *self._columns))
        return series


def _shown(number: float) -> str:
    return repr(number).removesuffix(".0")
