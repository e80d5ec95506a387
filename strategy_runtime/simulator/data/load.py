"""Loads market data from paths: picks the reader, joins files, and reports faults."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from msgspec import Struct

from strategy_runtime.clock import ns_of, rfc3339
from strategy_runtime.errors import DataError
from strategy_runtime.protocol.models import LONGEST_SYMBOL
from strategy_runtime.protocol.values import is_unicode
from strategy_runtime.simulator.data.columns import Kind
from strategy_runtime.simulator.data.csv_reader import read_csv
from strategy_runtime.simulator.data.faults import DataFault, FaultKind, FaultLog, summarize
from strategy_runtime.simulator.data.files import FEATHER, PARQUET, RECORDING, ending_of, files_of
from strategy_runtime.simulator.data.joining import ALWAYS, align, join_bars, join_ticks
from strategy_runtime.simulator.data.numbers import Decimals
from strategy_runtime.simulator.data.opening import open_bytes, open_text, standard_input
from strategy_runtime.simulator.data.parquet_reader import read_parquet, read_table
from strategy_runtime.simulator.data.recording_reader import read_recording
from strategy_runtime.simulator.data.rows import Collect, Rows, rows_of
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries, Series, TickSeries
from strategy_runtime.simulator.data.spool import MOST_IN_MEMORY, Spool
from strategy_runtime.simulator.data.steps import timeframes_of
from strategy_runtime.simulator.data.tables import Table
from strategy_runtime.simulator.data.timestamps import StampReader, zone_of
from strategy_runtime.simulator.data.written_times import Dates
from strategy_runtime.suggestions import some_of

__all__ = ["LoadedData", "load_bars"]

_SHOWN = 20
_NAMES = {Kind.BARS: "bars", Kind.QUOTES: "quotes", Kind.TICKS: "trades"}


class LoadedData(Struct, frozen=True):
    """Market data that have been read.

    Attributes:
        series: Bars, one series per symbol and timeframe, in the order in which they first appear.
        quotes: Quotes, one series per symbol, in the same order.
        ticks: Market trades, one series per symbol, in the same order.
        faults: Faults in the order of the files and their lines.
        timeframe: Timeframe of the candles wanted; None for that of the data.
    """

    series: list[BarSeries]
    quotes: list[QuoteSeries]
    ticks: list[TickSeries]
    faults: list[DataFault]
    timeframe: str | None = None

    def __repr__(self) -> str:
        """List the series, a line each, and then the faults, as a notebook shows them."""
        kinds: list[tuple[Series, str]] = [(each, each.timeframe) for each in self.series]
        kinds += [(each, each.KIND) for each in (*self.quotes, *self.ticks)]
        lines = [f"{each.symbol}  {kind}  {_span(each)}" for each, kind in kinds]
        wanted = f"candles of {self.timeframe}" if self.timeframe else ""
        found = (some_of(lines, between="\n"), wanted, *map(str, summarize(self.faults)))
        return "\n".join(filter(None, found))


def load_bars(
    paths: Sequence[str | Path | Table],
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    tz: str | None = None,
    columns: Sequence[str] = (),
    dates: Dates | None = None,
    decimals: Decimals | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    strict: bool = False,
    stdin: IO[str] | None = None,
    most_in_memory: int = MOST_IN_MEMORY,
) -> LoadedData:
    """Read bars, quotes and trades from files, folders, tables, or `-` for standard input.

    A bar's time is its start. Times without a zone are in `tz`, UTC by default. Several files of
    one symbol are joined in order of time.

    Args:
        symbol: Read only this symbol. A file without a symbol column is named after its symbol; if
            no file is named after `symbol`, all such files are taken to have it.
        timeframe: Timeframe of the candles wanted, which the exchange makes of finer bars. By
            default the most common distance between the bars.
        columns: Names of the columns of CSV and Parquet files from left to right, if their own
            names are not understood.
        dates: What comes first in dates whose year comes last: day (`dmy`) or month (`mdy`).
        decimals: Decimal mark of the numbers in a CSV; the other mark then separates thousands,
            which is refused otherwise.
        start, end: Keep bars that start at or after `start` and before `end`.
        strict: Refuse data with any fault except gaps.
        most_in_memory: Bytes of columns beyond which they are kept in a temporary file.

    Raises:
        DataError: The data cannot be read; names file, line and column.
        TimeframeError, ConfigError: `timeframe` or `tz` cannot be read.
    """
    zone = UTC if tz is None else zone_of(tz)
    files = files_of(paths)
    sources = [source for _, source in files]
    is_named = symbol in [_name_of(path) for path, _ in files]
    log = FaultLog()
    with closing(Spool(most_in_memory)) as spool:
        rows: dict[tuple[Kind, str], list[Rows]] = {}
        days: dict[str, int] = {}
        for number, (path, source) in enumerate(files):
            default_symbol = _name_of(path) if symbol is None or is_named else symbol
            collect = _Collector(rows, number, default_symbol, source, log, spool, symbol)
            stamps = StampReader(zone, dates, days)
            _read(path, source, stamps, collect, columns, decimals, log, stdin)
            collect.finish()
        parts = [part for group in rows.values() for part in group if len(part)]
        if not parts:
            raise DataError(_nothing_found(rows, symbol, paths, log.in_order(sources)))
        first = ALWAYS[0] if start is None else ns_of(start)
        last = ALWAYS[1] if end is None else ns_of(end)
        data = _joined(parts, timeframe, log, spool, (first, last))
    faults = log.in_order(sources)
    if strict:
        _refuse(faults)
    whole = _extent(data)
    for each in data:
        _cut(each, start, end)
    if not any(map(len, data)):
        bounds = ("from", start), ("before", end)
        span = [f"{word} {rfc3339(ns_of(moment))}" for word, moment in bounds if moment is not None]
        raise DataError(f"no data {' and '.join(span)}; {whole}")
    return LoadedData(
        [each for each in data if isinstance(each, BarSeries) and len(each)],
        [each for each in data if type(each) is QuoteSeries and len(each)],
        [each for each in data if isinstance(each, TickSeries) and len(each)],
        faults,
        timeframe,
    )


class _Collector:
    """Returns the rows to fill for each kind, symbol and timeframe of one file.

    Args:
        rows: Rows of all files; empty for symbols that are not wanted.
        default_symbol: Symbol of rows without one; None if each row must have one.
        only: The symbol wanted; None for all.
    """

    def __init__(
        self,
        rows: dict[tuple[Kind, str], list[Rows]],
        file: int,
        default_symbol: str | None,
        source: str,
        faults: FaultLog,
        spool: Spool,
        only: str | None,
    ) -> None:
        self._all = rows
        self._mine: dict[tuple[Kind, str, str], Rows] = {}
        self._file = file
        self._source = source
        self._faults = faults
        self._spool = spool
        self._only = only
        self._unsaid = default_symbol

    def __call__(self, kind: Kind, symbol: str | None, timeframe: str = "") -> Rows | None:
        name = self._unsaid if symbol is None else symbol
        if name is None:
            raise DataError(
                f"{self._source} has no column of symbols; say whose it is, as in "
                "read_data({'AAPL': table})"
            )
        rows = self._mine.get((kind, name, timeframe))
        if rows is None:
            together = self._all.setdefault((kind, name), [])
            if self._only not in (None, name):
                return None
            _check_symbol(name, self._source, is_said=symbol is not None)
            rows = self._mine[kind, name, timeframe] = rows_of(kind)(
                name, self._file, self._source, self._faults, self._spool, timeframe
            )
            together.append(rows)
        return rows

    def finish(self) -> None:
        """Add the rows that wait for more of their symbol."""
        for rows in self._mine.values():
            rows.finish()


def _check_symbol(symbol: str, source: str, *, is_said: bool) -> None:
    """Refuse a symbol that no message may have, because nothing of it would arrive over the wire.

    Args:
        is_said: Whether the rows have it; else it is the name of the file or table.

    Raises:
        DataError: The symbol is too long, empty, or not valid text.
    """
    if len(symbol) > LONGEST_SYMBOL:
        what = (
            f"{symbol[:LONGEST_SYMBOL]}… has {len(symbol)} characters, of {LONGEST_SYMBOL} that it "
            "may have"
        )
    elif "\0" in symbol:
        what = f"{symbol!r} has a NUL character"
    elif not is_unicode(symbol):
        what = f"{symbol!r} has bytes that are no UTF-8"
    elif not symbol:
        what = "is empty"
    else:
        return
    how = "" if is_said else ", as with --symbol"
    raise DataError(f"{source}: the symbol {what}; give it another name{how}")


def _name_of(path: Path | Table | None) -> str | None:
    if isinstance(path, Table):
        return path.symbol
    return "STDIN" if path is None else path.name[: -len(ending_of(path) or "")] or path.name


def _nothing_found(
    rows: dict[tuple[Kind, str], list[Rows]],
    symbol: str | None,
    paths: Iterable[str | Path | Table],
    faults: Iterable[DataFault],
) -> str:
    """Return a message that says why there is nothing to replay."""
    where = ", ".join(map(str, paths))
    wanted = [kind for kind, name in rows if symbol in (None, name)]
    found = summarize(faults)
    if wanted and found:
        kinds = " and ".join(dict.fromkeys(_NAMES[kind] for kind in wanted))
        said = "".join(f"\n  {each}" for each in found)
        return f"no {kinds} in {where} that can be used:{said}"
    names = [*dict.fromkeys(name for _, name in rows)]
    seen = f"; they have {some_of(names)}" if names and symbol and not wanted else ""
    what = f"no bars of {symbol}" if symbol else "no bars"
    return f"{what} in {where}{seen}"


def _extent(data: Iterable[Series]) -> str:
    """Return the first and last time of the data, in words."""
    times = [stamps[place] for each in data if len(stamps := each.columns[0]) for place in (0, -1)]
    return f"the first are of {rfc3339(min(times))}, the last of {rfc3339(max(times))}"


def _span(series: Series) -> str:
    stamps = series.columns[0]
    ends = (rfc3339(stamps[place]).removesuffix("T00:00:00Z") for place in (0, -1))
    return f"{len(stamps):,} rows  {' to '.join(ends)}"


def _joined(
    parts: Iterable[Rows],
    timeframe: str | None,
    faults: FaultLog,
    spool: Spool,
    wanted: tuple[int, int],
) -> list[Series]:
    room = spool.room()
    groups: defaultdict[tuple[str, int], list[Rows]] = defaultdict(list)
    names: dict[tuple[str, int], str] = {}  # a recording may have 60m instead of 1h
    bars = [part for part in parts if part.kind is Kind.BARS]
    for part, (text, step) in zip(bars, timeframes_of(bars, timeframe), strict=True):
        groups[part.symbol, step].append(part)
        names.setdefault((part.symbol, step), text)
    joined: list[Series] = []
    moved: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for (symbol, step), group in groups.items():
        series = BarSeries(symbol, names[symbol, step], step)
        moved[step].update(join_bars(series, group, room, faults, wanted))
        joined.append(series)
    for each in joined:
        if isinstance(each, BarSeries) and moved[each.step]:
            align(each, moved[each.step])
    for kind, make in ((Kind.QUOTES, QuoteSeries), (Kind.TICKS, TickSeries)):
        ticks: defaultdict[str, list[Rows]] = defaultdict(list)
        for part in parts:
            if part.kind is kind:
                ticks[part.symbol].append(part)
        for symbol, group in ticks.items():
            each = make(symbol)
            join_ticks(each, group, room, faults)
            joined.append(each)
    return joined


def _refuse(faults: Iterable[DataFault]) -> None:
    errors = [fault for fault in faults if fault.kind is not FaultKind.GAP]
    if not errors:
        return
    listed = "\n  ".join(map(str, errors[:_SHOWN]))
    total = sum(fault.count for fault in errors)
    more = f"\n  and {total - _SHOWN} more" if total > _SHOWN else ""
    count = "1 fault" if total == 1 else f"{total} faults"
    raise DataError(f"{count} in the data (strict):\n  {listed}{more}")


def _cut(series: Series, start: datetime | None, end: datetime | None) -> None:
    stamps = series.columns[0]
    first = 0 if start is None else bisect_left(stamps, ns_of(start))
    last = len(stamps) if end is None else bisect_left(stamps, ns_of(end))
    if (first, last) != (0, len(stamps)):
        series.cut(first, last)


def _read(
    path: Path | Table | None,
    source: str,
    stamps: StampReader,
    collect: Collect,
    columns: Sequence[str],
    decimals: Decimals | None,
    faults: FaultLog,
    stdin: IO[str] | None,
) -> None:
    if isinstance(path, Table):
        read_table(path.arrow, source, stamps, collect, columns)
        return
    ending = "" if path is None else ending_of(path)
    if path is None:
        with standard_input() if stdin is None else nullcontext(stdin) as stream:
            read_csv(stream, source, stamps, collect, columns, decimals)
    elif ending in (*PARQUET, *FEATHER):
        read_parquet(path, source, stamps, collect, columns)
    elif ending in RECORDING:
        with open_bytes(path) as messages:
            read_recording(messages, source, collect, faults)
    else:
        with open_text(path) as stream:
            read_csv(stream, source, stamps, collect, columns, decimals)
