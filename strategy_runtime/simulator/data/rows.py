"""From rows to columns: what every reader feeds, whatever the file.

Rows are checked as they come; order, duplicates and gaps are looked at when all have been seen.
"""

from array import array
from math import isfinite

from strategy_runtime.clock import rfc3339
from strategy_runtime.simulator.data.faults import DataFault, FaultKind
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries

__all__ = ["QuoteCollector", "RowCollector"]

_DAY = 86_400_000_000_000
_LONGEST_DAILY_GAP = 5 * _DAY
_LONGEST_CLOCK_CHANGE = 2 * 3_600_000_000_000


class RowCollector:
    """Gathers the rows of one symbol.

    Attributes:
        faults: What was wrong so far.
    """

    __slots__ = ("_in_order", "_last", "_lines", "columns", "faults", "source", "starts", "symbol")

    def __init__(self, symbol: str, source: str, faults: list[DataFault]) -> None:
        self.symbol = symbol
        self.source = source
        self.faults = faults
        self.starts = array("q")
        self.columns = tuple(array("d") for _ in range(5))
        self._lines = array("q")
        self._last = -(2**63)
        self._in_order = True

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
        if start < self._last:
            self._in_order = False
            self._note(
                FaultKind.OUT_OF_ORDER, line, f"{rfc3339(start)} after {rfc3339(self._last)}"
            )
        self._last = start
        self.starts.append(start)
        opens, highs, lows, closes, volumes = self.columns
        opens.append(open)
        highs.append(high)
        lows.append(low)
        closes.append(close)
        volumes.append(volume)
        self._lines.append(line)

    def finish(self, timeframe: str, step: int) -> BarSeries:
        """The series: in order, each start once, gaps noted.

        Where clocks go forward, a local day is shorter than a day, and the bar behind it seems to
        begin before the day's end. It is moved to that end: later than it was, never earlier.
        """
        series = BarSeries(self.symbol, timeframe, step, source=self.source, with_lines=True)
        rows = range(len(self.starts))
        order = rows if self._in_order else sorted(rows, key=self.starts.__getitem__)
        starts, lines = self.starts, self._lines
        movable = _LONGEST_CLOCK_CHANGE if step >= _DAY else 0
        kept: list[int] = []
        begins = array("q")
        previous = -1
        for row in order:
            start = starts[row]
            if previous >= 0:
                if start == starts[previous]:
                    self._note_duplicate(previous, row)
                    continue
                overlap = begins[-1] + step - start
                if overlap > movable:
                    self._note(
                        FaultKind.IMPOSSIBLE,
                        lines[row],
                        f"{rfc3339(start)} is before the bar of line {lines[previous]} ends",
                    )
                    continue
                if overlap > 0:
                    start += overlap
                else:
                    self._note_gap(previous, row, start - begins[-1], step)
            kept.append(row)
            begins.append(start)
            previous = row
        series.starts = begins
        picked = self.columns
        if len(kept) == len(starts) and self._in_order:
            series.lines = lines
        else:
            series.lines = array("q", [lines[row] for row in kept])
            picked = tuple(array("d", [column[row] for row in kept]) for column in self.columns)
        series.opens, series.highs, series.lows, series.closes, series.volumes = picked
        return series

    def _note_duplicate(self, first: int, row: int) -> None:
        same = all(column[first] == column[row] for column in self.columns)
        verdict = "the same values as" if same else "other values than"
        self._note(
            FaultKind.DUPLICATE,
            self._lines[row],
            f"{rfc3339(self.starts[row])} again, with {verdict} line {self._lines[first]}",
        )

    def _note_gap(self, before: int, after: int, distance: int, step: int) -> None:
        missing = (distance + (_LONGEST_CLOCK_CHANGE if step >= _DAY else 0)) // step - 1
        if missing and (step < _DAY or distance > _LONGEST_DAILY_GAP):
            self._note(
                FaultKind.GAP,
                self._lines[after],
                f"{missing} {'bar' if missing == 1 else 'bars'} missing after "
                f"{rfc3339(self.starts[before])}",
            )

    def _note(self, kind: FaultKind, line: int, detail: str) -> None:
        self.faults.append(DataFault(kind, self.source, line, self.symbol, detail))


class QuoteCollector:
    """Gathers the quotes of one symbol, of one file after the other.

    Attributes:
        source: The file being read.
    """

    __slots__ = ("_faults", "_in_order", "_last", "series", "source")

    def __init__(self, symbol: str, source: str, faults: list[DataFault]) -> None:
        self.series = QuoteSeries(symbol, source=source)
        self.source = source
        self._faults = faults
        self._in_order = True
        self._last = -(2**63)

    def add(self, line: int, stamp: int, bid: float, ask: float) -> None:
        """Take in a quote, unless no market can have shown it."""
        if not (0 < bid <= ask) or not isfinite(ask):
            self._note(FaultKind.IMPOSSIBLE, line, f"bid {_shown(bid)} ask {_shown(ask)}")
            return
        if stamp < self._last:
            self._in_order = False
            self._note(
                FaultKind.OUT_OF_ORDER, line, f"{rfc3339(stamp)} after {rfc3339(self._last)}"
            )
        self._last = stamp
        self.series.append(stamp, bid, ask)

    def finish(self) -> QuoteSeries:
        """The quotes in order; several of one instant stay in the order of the file."""
        series = self.series
        if not self._in_order:
            order = sorted(range(len(series)), key=series.stamps.__getitem__)
            for name in ("stamps", "bids", "asks"):
                column = getattr(series, name)
                setattr(series, name, array(column.typecode, [column[row] for row in order]))
        return series

    def _note(self, kind: FaultKind, line: int, detail: str) -> None:
        self._faults.append(DataFault(kind, self.source, line, self.series.symbol, detail))


def _shown(number: float) -> str:
    return repr(number).removesuffix(".0")
