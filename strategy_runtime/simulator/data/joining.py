"""Joins the rows of one symbol, from one or several files, into a series in order of time."""

from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush, heapreplace
from itertools import chain, count, groupby, islice, pairwise
from operator import itemgetter, sub
from typing import NamedTuple

from strategy_runtime.clock import DAY_NS, rfc3339
from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.digits import are_apart
from strategy_runtime.simulator.data.faults import FaultKind, FaultLog
from strategy_runtime.simulator.data.rows import Rows
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries, Series, unmarked
from strategy_runtime.simulator.data.spool import STRETCH, Columns, Room
from strategy_runtime.simulator.data.timestamps import LONGEST_CLOCK_CHANGE

__all__ = ["ALWAYS", "align", "join_bars", "join_ticks"]

ALWAYS = (-(2**63), 2**63)
"""All times there are, in nanoseconds since the epoch."""

_LONGEST_DAILY_GAP = 5 * DAY_NS

_Values = tuple[float, ...]
_Row = tuple[int, float, float, float, float, float, int]


def join_ticks(series: QuoteSeries, parts: Sequence[Rows], room: Room, faults: FaultLog) -> None:
    """Fill a series with quotes or trades in order of time.

    Rows that another file has too are dropped and noted. Rows of one instant keep the order of
    their file.
    """
    series.sources = {part.file: part.source for part in parts}
    filling = room.take(parts[0].table.types, sum(map(len, parts)))
    notes = _Notes(series, faults)
    for stretch in _in_order(parts, lambda rows: _once(rows, notes)):
        filling.add(stretch)
    series.take(filling.columns[: len(series.COLUMNS)], room)


def join_bars(
    series: BarSeries,
    parts: Sequence[Rows],
    room: Room,
    faults: FaultLog,
    wanted: tuple[int, int] = ALWAYS,
) -> dict[int, int]:
    """Fill a series with bars in order of time, each start once; overlaps are noted, and gaps
    between bars that start in the wanted period.

    When clocks go forward, a local day is shorter than 24 hours, and the next daily bar seems to
    start before the day ends. It is moved to that end, which is later, never earlier, and so are
    the following bars until there is a gap.

    Returns:
        The new start of each bar that was moved, by its old one.

    Raises:
        DataError: So many bars share a start that they must be of several symbols, or that the time
            of day is in another column.
    """
    series.sources = {part.file: part.source for part in parts}
    filling = room.take(parts[0].table.types, sum(map(len, parts)))
    check = _BarCheck(series, faults, wanted)
    for stretch in _in_order(parts):
        filling.add(check.kept(stretch))
    series.take(filling.columns, room)
    check.refuse_mixed(series)
    return check.moved


def align(series: BarSeries, moved: Mapping[int, int]) -> None:
    """Move bars that start when moved bars of another symbol did, so that bars of one day keep a
    common start.
    """
    starts, end = array("q", series.starts), -(2**63)
    for row, start in enumerate(starts):
        starts[row] = begin = max(moved.get(start, start), end)
        end = begin + series.step
    series.retime(starts)


def _in_order(
    parts: Sequence[Rows],
    keep: Callable[[Iterator[_Values]], Iterator[_Values]] = iter,
) -> Iterator[Columns]:
    """Yield all rows in order of time; at one instant, first those of the file that starts first.

    Args:
        keep: Filters the rows of files that overlap.
    """
    by_time = sorted(parts, key=lambda part: part.first)
    are_apart = all(before.last < after.first for before, after in pairwise(by_time))
    if are_apart and all(part.in_order for part in parts):
        for part in by_time:
            yield from part.table.stretches()
        return
    types = parts[0].table.types
    rows = keep(_merged(sorted(chain.from_iterable(map(_runs, count(), by_time)))))
    while some := list(islice(rows, STRETCH)):
        yield [
            memoryview(array(code, column))
            for code, column in zip(types, zip(*some, strict=True), strict=True)
        ]


class _Run(NamedTuple):
    """Rows in order of time.

    Attributes:
        first: The earliest time.
        place: Number of the file, and of the run in it.
        rows: The rows, read when the first one is requested.
    """

    first: int
    place: tuple[int, int]
    rows: Iterator[_Values]


def _runs(number: int, part: Rows) -> Iterator[_Run]:
    """Yield the rows of one file as few runs, each in order."""
    if part.in_order:
        rows = chain.from_iterable(map(_rows, part.table.stretches()))
        yield _Run(part.first, (number, 0), rows)
        return
    for place, read in enumerate(part.table.readers()):
        yield _Run(min(read()[0]), (number, place), _sorted_rows(read))


def _sorted_rows(read: Callable[[], Columns]) -> Iterator[_Values]:
    yield from sorted(_rows(read()), key=itemgetter(0))


def _merged(runs: Iterable[_Run]) -> Iterator[_Values]:
    """Yield all rows in order of time; at one instant, those of the lowest place first.

    A run is in memory only from its first time to its last: if the newest rows come first in a
    file, hardly more than one run is in memory at once.

    Args:
        runs: The runs in the order of their first times.
    """
    ahead = deque(runs)
    under_way: list[tuple[float, tuple[int, int], _Values, Iterator[_Values]]] = []
    while ahead or under_way:
        while ahead and (not under_way or ahead[0].first <= under_way[0][0]):
            _, place, rows = ahead.popleft()
            row = next(rows)
            heappush(under_way, (row[0], place, row, rows))
        _, place, row, rows = under_way[0]
        yield row
        following = next(rows, None)
        if following is None:
            heappop(under_way)
        else:
            heapreplace(under_way, (following[0], place, following, rows))


def _rows(stretch: Columns) -> Iterator[_Values]:
    return zip(*stretch, strict=True)


def _once(rows: Iterator[_Values], notes: "_Notes") -> Iterator[_Values]:
    """Drop rows that another file has too; one file may have equal rows."""
    for stamp, instant in groupby(rows, key=itemgetter(0)):
        seen: dict[_Values, list[int]] = {}
        for _, of_file in groupby(instant, key=lambda row: unmarked(int(row[-1]))[0]):
            mine: defaultdict[_Values, list[int]] = defaultdict(list)
            for row in of_file:
                values, place = row[1:-1], int(row[-1])
                others, number = seen.get(values, ()), len(mine[values])
                mine[values].append(place)
                if number < len(others):
                    notes.duplicate(int(stamp), place, "the same values as", others[number])
                else:
                    yield row
            for values, places in mine.items():
                seen[values] = max(seen.get(values, []), places, key=len)


class _Notes:
    """Records faults in the rows of one series."""

    def __init__(self, series: Series, faults: FaultLog) -> None:
        self._symbol = series.symbol
        self._sources = series.sources
        self._faults = faults

    def duplicate(self, start: int, place: int, verdict: str, other: int) -> None:
        detail = f"{rfc3339(start)} again, with {verdict} {self.describe_place(place, other)}"
        self.note(FaultKind.DUPLICATE, place, detail)

    def describe_place(self, place: int, other: int) -> str:
        """Return the line of another row, with its file if that differs."""
        (here, _), (file, line) = unmarked(place), unmarked(other)
        return f"line {line}" if file == here else f"{self._sources[file]} line {line}"

    def note(self, kind: FaultKind, place: int, detail: str) -> None:
        file, line = unmarked(place)
        self._faults.note(kind, self._sources[file], line, self._symbol, detail)


class _BarCheck:
    """Checks successive bars for duplicates, overlaps and gaps.

    Attributes:
        moved: The new start of each bar that was moved, by its old one.
    """

    def __init__(self, series: BarSeries, faults: FaultLog, wanted: tuple[int, int]) -> None:
        self._first, self._last = wanted
        self._step = series.step
        self._notes = _Notes(series, faults)
        self._before: _Row | None = None
        self._others = 0
        self._end = -(2**63)
        self.moved: dict[int, int] = {}
        self._movable = LONGEST_CLOCK_CHANGE if self._step >= DAY_NS else 0

    def kept(self, stretch: Columns) -> Columns:
        """Return the bars that are kept."""
        starts, step = stretch[0], self._step
        begin = starts[0] - step if self._before is None else self._end - step
        if starts[0] != begin + step or not are_apart(starts, step):
            apart = list(map(sub, starts, chain((begin,), starts)))
            if min(apart) < step:
                return self._kept_one_by_one(stretch)
            for row, distance in enumerate(apart):
                if distance != step:
                    before = starts[row - 1] if row else self._before[0]  # type: ignore[index]
                    self._note_gap(before, stretch[-1][row], distance)
        self._before = tuple(column[-1] for column in stretch)
        self._end = starts[-1] + step
        return stretch

    def refuse_mixed(self, kept: BarSeries) -> None:
        """Refuse data in which more than one in three bars shares its start with another one."""
        others = self._others
        if others * 2 > len(kept):
            raise DataError(
                f"{kept.source}: {others} of {len(kept) + others} bars of {kept.symbol} start at "
                "the same time as another one, with other values; if a column tells them apart, by "
                "symbol or time of day, say which: --columns symbol,date,time,open,high,low,close"
            )

    def _kept_one_by_one(self, stretch: Columns) -> Columns:
        kept: list[_Row] = []
        for row in zip(*stretch, strict=True):
            begin = self._begin_of(row)
            if begin is not None:
                self._before, self._end = row, begin + self._step
                kept.append((begin, *row[1:]))
        if not kept:
            return [column[:0] for column in stretch]
        return [
            memoryview(array(before.format, column))
            for before, column in zip(stretch, zip(*kept, strict=True), strict=True)
        ]

    def _begin_of(self, row: _Row) -> int | None:
        """Return the start of a bar, or None if it is dropped."""
        before, start, place = self._before, row[0], row[-1]
        if before is None:
            return start
        if start == before[0]:
            is_same = row[1:-1] == before[1:-1]
            if not is_same and unmarked(place)[0] == unmarked(before[-1])[0]:
                self._others += 1
            verdict = "the same values as" if is_same else "other values than"
            self._notes.duplicate(start, place, verdict, before[-1])
            return None
        overlap = self._end - start
        if overlap > self._movable:
            other = self._notes.describe_place(place, before[-1])
            detail = f"{rfc3339(start)} is before the bar of {other} ends"
            self._notes.note(FaultKind.IMPOSSIBLE, place, detail)
            return None
        if overlap > 0:
            self.moved[start] = self._end
            return self._end
        self._note_gap(before[0], place, start - self._end + self._step)
        return start

    def _note_gap(self, before: int, place: int, distance: int) -> None:
        step = self._step
        missing = (distance + self._movable) // step - 1
        is_wanted = self._first <= before and before + distance < self._last
        if is_wanted and missing and (step < DAY_NS or distance > _LONGEST_DAILY_GAP):
            what = "1 bar missing" if missing == 1 else f"{missing} bars missing"
            if step == DAY_NS:  # on which of the days the market was closed is not known
                what = f"{missing} days without a bar"
            self._notes.note(FaultKind.GAP, place, f"{what} after {rfc3339(before)}")
