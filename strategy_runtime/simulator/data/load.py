"""From paths to series: finds the files, picks the reader, infers the timeframe, reports faults."""

import sys
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import IO, TypeVar

from msgspec import Struct

from strategy_runtime.clock import ns_of
from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.arrange import arranged_bars, arranged_quotes
from strategy_runtime.simulator.data.csv_reader import open_text, read_csv
from strategy_runtime.simulator.data.faults import DataFault, FaultKind
from strategy_runtime.simulator.data.gather import FileCollectors
from strategy_runtime.simulator.data.parquet_reader import read_parquet
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries, Series, TickSeries
from strategy_runtime.simulator.data.steps import timeframes_of
from strategy_runtime.simulator.data.timestamps import StampReader, zone_of
from strategy_runtime.suggestions import did_you_mean

__all__ = ["LoadedData", "load_bars"]

_PARQUET = (".parquet", ".pq")
_ENDINGS = (".csv", ".csv.gz", ".csv.zst", *_PARQUET)
_SHOWN = 20

_Quotes = TypeVar("_Quotes", QuoteSeries, TickSeries)


class LoadedData(Struct, frozen=True):
    """What was read.

    Attributes:
        series: Bars, one series a symbol and timeframe, in the order in which they first appear.
        quotes: Quotes, one series a symbol.
        ticks: The market's trades, likewise.
        faults: What was wrong, in the order of the files and their lines.
    """

    series: list[BarSeries]
    quotes: list[QuoteSeries]
    ticks: list[TickSeries]
    faults: list[DataFault]


def load_bars(
    paths: Sequence[str | Path],
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    tz: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    strict: bool = False,
    stdin: IO[str] | None = None,
) -> LoadedData:
    """Read bars, quotes and trades from files, folders, or `-` for the standard input.

    A row's time is the start of its bar. Times without a zone are in `tz`, or UTC without it.

    Args:
        symbol: For files without a symbol column (by default the file's name without ending);
            where there is such a column, only this symbol is read.
        timeframe: Of the candles wanted; finer bars are kept as they are, for the exchange to make
            candles of. By default the most common distance between the bars.
        start, end: Bars that start at or after `start` and before `end`.
        strict: Refuse data with any fault but gaps.

    Raises:
        DataError: Names file, line and column.
        TimeframeError, ConfigError: `timeframe` or `tz` cannot be read.
    """
    faults: list[DataFault] = []
    files = _files(paths)
    sources = [source for _, source in files]
    zone = UTC if tz is None else zone_of(tz)
    gathered = [
        _read(path, FileCollectors(number, sources, faults, *_symbols(path, symbol)), zone, stdin)
        for number, (path, _) in enumerate(files)
    ]
    parts = [each.finish() for file in gathered for each in file.bars.values() if len(each)]
    quotes = _by_symbol(each.finish() for file in gathered for each in file.quotes.values())
    ticks = _by_symbol(each.finish() for file in gathered for each in file.ticks.values())
    if not parts and not quotes and not ticks:
        seen = dict.fromkeys(name for file in gathered for name in file.bars)
        hint = f"; they have {', '.join(seen)}" if seen and symbol else ""
        what = f"no bars of {symbol}" if symbol else "no bars"
        raise DataError(f"{what} in {', '.join(map(str, paths))}{hint}")
    alike: dict[tuple[str, str, int], list[BarSeries]] = {}
    for part, (text, step) in zip(parts, timeframes_of(parts, timeframe), strict=True):
        alike.setdefault((part.symbol, text, step), []).append(part)
    loaded = LoadedData(
        [arranged_bars(group, text, step, faults) for (_, text, step), group in alike.items()],
        [arranged_quotes(group) for group in quotes],
        [arranged_quotes(group) for group in ticks],
        faults,
    )
    _sort(faults)
    errors = [fault for fault in faults if fault.kind is not FaultKind.GAP]
    if strict and errors:
        listed = "\n  ".join(map(str, errors[:_SHOWN]))
        more = f"\n  and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
        count = "1 fault" if len(errors) == 1 else f"{len(errors)} faults"
        raise DataError(f"{count} in the data (strict):\n  {listed}{more}")
    for each in (*loaded.series, *loaded.quotes, *loaded.ticks):
        _cut(each, start, end)
    if not any(map(len, (*loaded.series, *loaded.quotes, *loaded.ticks))):
        raise DataError(
            f"no bars between {start or 'the beginning'} and {end or 'the end'} of the data"
        )
    return LoadedData(
        list(filter(len, loaded.series)),
        list(filter(len, loaded.quotes)),
        list(filter(len, loaded.ticks)),
        faults,
    )


def _by_symbol(parts: Iterable[_Quotes]) -> list[list[_Quotes]]:
    groups: dict[str, list[_Quotes]] = {}
    for part in parts:
        if len(part):
            groups.setdefault(part.symbol, []).append(part)
    return list(groups.values())


def _sort(faults: list[DataFault]) -> None:
    files: dict[str, int] = {}
    for fault in faults:
        files.setdefault(fault.source, len(files))
    faults.sort(key=lambda fault: (files[fault.source], fault.line))


def _files(paths: Sequence[str | Path]) -> list[tuple[Path | None, str]]:
    found: list[tuple[Path | None, str]] = []
    for given in paths:
        if str(given) == "-":
            found.append((None, "standard input"))
            continue
        path = Path(given)
        if path.is_dir():
            inside = sorted(
                each
                for each in path.iterdir()
                if _ending_of(each) and not each.name.startswith(".") and each.is_file()
            )
            if not inside:
                raise DataError(f"{path} has no data files ({', '.join(_ENDINGS)})")
            found.extend((each, str(each)) for each in inside)
        elif path.exists():
            if _ending_of(path) is None:
                raise DataError(f"{path} is none of {', '.join(_ENDINGS)}")
            found.append((path, str(given)))
        else:
            raise DataError(f"{path} does not exist{_near(path)}")
    return found


def _ending_of(path: Path) -> str | None:
    name = path.name.lower()
    return next((ending for ending in _ENDINGS if name.endswith(ending)), None)


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent} either"
    return did_you_mean(path.name, [each.name for each in path.parent.iterdir()])


def _symbols(path: Path | None, symbol: str | None) -> tuple[str, str | None]:
    """The symbol of a file without such a column, and the only one to read of others."""
    if symbol is not None or path is None:
        return symbol or "STDIN", symbol
    ending = _ending_of(path) or ""
    return path.name[: -len(ending)] or path.name, None


def _read(
    path: Path | None, into: FileCollectors, zone: tzinfo, stdin: IO[str] | None
) -> FileCollectors:
    stamps = StampReader(zone)
    if path is None:
        read_csv(stdin or sys.stdin, stamps, into)
    elif _ending_of(path) in _PARQUET:
        read_parquet(path, stamps, into)
    else:
        with open_text(path) as stream:
            read_csv(stream, stamps, into)
    return into


def _cut(series: Series, start: datetime | None, end: datetime | None) -> None:
    times = series.columns[0]
    first = 0 if start is None else bisect_left(times, ns_of(start))
    last = len(series) if end is None else bisect_left(times, ns_of(end))
    if (first, last) != (0, len(series)):
        series.cut(first, last)
