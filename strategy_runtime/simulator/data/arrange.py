"""From the rows of several files to one series: in order, each instant once, gaps noted.

Most files are in order, and then their columns are taken as they are. Only what is out of order has
to be sorted, which takes some forty bytes of memory a row.
"""

from collections.abc import Iterator, Sequence
from operator import sub
from typing import TypeVar

from strategy_runtime.clock import rfc3339
from strategy_runtime.simulator.data.faults import DataFault, FaultKind
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries, Series
from strategy_runtime.simulator.data.spill import Column, Ints

__all__ = ["arranged_bars", "arranged_quotes"]

_DAY = 86_400_000_000_000
_LONGEST_DAILY_GAP = 5 * _DAY
_LONGEST_CLOCK_CHANGE = 2 * 3_600_000_000_000
_WINDOW = 1 << 14

_WHOLE = ("starts", "stamps", "marks")

_Series = TypeVar("_Series", bound=Series)
_Quotes = TypeVar("_Quotes", bound=QuoteSeries)


def arranged_bars(
    parts: Sequence[BarSeries], timeframe: str, step: int, faults: list[DataFault]
) -> BarSeries:
    """One series of the bars of one symbol and timeframe.

    Where clocks go forward, a local day is shorter than a day, and the bar behind it seems to begin
    before the day's end. It is moved to that end: later than it was, never earlier.
    """
    series = _joined(sorted(parts, key=lambda part: part.starts[0]))
    series.timeframe, series.step = timeframe, step
    gaps = _gaps(series)
    if gaps is None:
        _mend(series, faults)
    else:
        faults.extend(gaps)
    return series


def arranged_quotes(parts: Sequence[_Quotes]) -> _Quotes:
    """One series of the quotes, or trades, of one symbol; several of one instant stay in the order
    of the file."""
    series = _joined(sorted(parts, key=lambda part: part.stamps[0]))
    if any(min(map(sub, window[1:], window), default=0) < 0 for window in _windows(series.stamps)):
        order = sorted(range(len(series)), key=series.stamps.__getitem__)
        _pick(series, order)
    return series


def _joined(parts: Sequence[_Series]) -> _Series:
    """The rows of several files behind one another, in the first of them."""
    series = parts[0]
    if len(parts) > 1:
        columns = _empty_columns(series)
        for part in parts:
            for values, column in zip(part.columns, columns, strict=True):
                for first in range(0, len(values), _WINDOW):
                    column.extend(values[first : first + _WINDOW])
        series.take_filled(columns)
    return series


def _pick(series: Series, rows: Sequence[int]) -> None:
    """Keep some rows, in the order given."""
    columns = _empty_columns(series)
    for values, column in zip(series.columns, columns, strict=True):
        for row in rows:
            column.append(values[row])
    series.take_filled(columns)


def _empty_columns(series: Series) -> list[Column]:
    return [Column("q" if name in _WHOLE else "d") for name in series.COLUMNS]


def _gaps(series: BarSeries) -> list[DataFault] | None:
    """The gaps in bars none of which begins before the one before it has ended; else None."""
    step = series.step
    gaps: list[DataFault] = []
    row = 0
    for window in _windows(series.starts):
        distances = list(map(sub, window[1:], window))
        if distances and min(distances) < step:
            return None
        if distances and max(distances) > step:
            gaps += [
                gap
                for offset, distance in enumerate(distances)
                if distance > step
                for gap in _gap(series, row + offset, row + offset + 1, distance)
            ]
        row += len(distances)
    return gaps


def _mend(series: BarSeries, faults: list[DataFault]) -> None:
    """Sort bars, and drop those that come again or begin before another has ended."""
    starts, step = series.starts, series.step
    movable = _LONGEST_CLOCK_CHANGE if step >= _DAY else 0
    kept: list[int] = []
    begins = Column("q")
    begin = 0
    for row in sorted(range(len(starts)), key=starts.__getitem__):
        start = starts[row]
        if kept:
            previous = kept[-1]
            if start == starts[previous]:
                faults.append(_duplicate(series, previous, row))
                continue
            overlap = begin + step - start
            if overlap > movable:
                ended = f"the bar of {_line(series, previous, row)} ends"
                detail = f"{rfc3339(start)} is before {ended}"
                faults.append(_fault(series, FaultKind.IMPOSSIBLE, row, detail))
                continue
            if overlap > 0:
                start += overlap
            else:
                faults += _gap(series, previous, row, start - begin)
        begin = start
        kept.append(row)
        begins.append(start)
    _pick(series, kept)
    series.starts, pages = begins.finish()
    series.pages += [pages] if pages is not None else []


def _gap(series: BarSeries, before: int, after: int, distance: int) -> Iterator[DataFault]:
    step = series.step
    missing = (distance + (_LONGEST_CLOCK_CHANGE if step >= _DAY else 0)) // step - 1
    if missing and (step < _DAY or distance > _LONGEST_DAILY_GAP):
        what = f"{missing} {'bar' if missing == 1 else 'bars'} missing after"
        detail = f"{what} {rfc3339(series.starts[before])}"
        yield _fault(series, FaultKind.GAP, after, detail)


def _duplicate(series: BarSeries, first: int, row: int) -> DataFault:
    same = all(column[first] == column[row] for column in series.columns[1:-1])
    verdict = "the same values as" if same else "other values than"
    line = _line(series, first, row)
    detail = f"{rfc3339(series.starts[row])} again, with {verdict} {line}"
    return _fault(series, FaultKind.DUPLICATE, row, detail)


def _line(series: BarSeries, row: int, seen_from: int) -> str:
    """The line of a row, with its file where that is another one."""
    source, line = series.place(row)
    return f"line {line}" if source == series.place(seen_from)[0] else f"{source} line {line}"


def _fault(series: BarSeries, kind: FaultKind, row: int, detail: str) -> DataFault:
    source, line = series.place(row)
    return DataFault(kind, source, line, series.symbol, detail)


def _windows(numbers: Ints) -> Iterator[list[int]]:
    """Pieces of a column, each beginning with the number the last one ended with."""
    for first in range(0, max(len(numbers) - 1, 1), _WINDOW):
        yield numbers[first : first + _WINDOW + 1].tolist()
