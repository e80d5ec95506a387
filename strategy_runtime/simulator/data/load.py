"""From paths to series: finds the files, picks the reader, infers the timeframe, reports faults."""

import sys
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from msgspec import Struct

from strategy_runtime.clock import ns_of
from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.csv_reader import open_text, read_csv
from strategy_runtime.simulator.data.faults import DataFault, FaultKind
from strategy_runtime.simulator.data.parquet_reader import read_parquet
from strategy_runtime.simulator.data.rows import QuoteCollector, RowCollector
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries
from strategy_runtime.simulator.data.steps import timeframes_of
from strategy_runtime.simulator.data.timestamps import StampReader, zone_of
from strategy_runtime.suggestions import did_you_mean

__all__ = ["LoadedData", "load_bars"]

_PARQUET = (".parquet", ".pq")
_ENDINGS = (".csv", ".csv.gz", ".csv.zst", *_PARQUET)
_SHOWN = 20


class LoadedData(Struct, frozen=True):
    """What was read.

    Attributes:
        series: Bars, one series a symbol, in the order in which the symbols first appear.
        quotes: Quotes, likewise.
        faults: What was wrong, in the order of the files and their lines.
    """

    series: list[BarSeries]
    quotes: list[QuoteSeries]
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
    """Read bars from files, folders, or `-` for the standard input.

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
    collectors: dict[str, RowCollector] = {}
    quoted: dict[str, QuoteCollector] = {}
    zone = UTC if tz is None else zone_of(tz)
    for path, source in _files(paths):
        _read(path, source, StampReader(zone), collectors, quoted, faults, symbol, stdin)
    filled = {name: each for name, each in collectors.items() if each.starts}
    if symbol is not None:
        filled = {name: each for name, each in filled.items() if name == symbol}
    quotes = [each.finish() for each in quoted.values() if len(each.series)]
    if not filled and not quotes:
        seen = f"; they have {', '.join(collectors)}" if collectors and symbol else ""
        what = f"no bars of {symbol}" if symbol else "no bars"
        raise DataError(f"{what} in {', '.join(map(str, paths))}{seen}")
    steps = timeframes_of(filled, timeframe)
    series = [each.finish(*steps[name]) for name, each in filled.items()]
    _sort(faults)
    errors = [fault for fault in faults if fault.kind is not FaultKind.GAP]
    if strict and errors:
        listed = "\n  ".join(map(str, errors[:_SHOWN]))
        more = f"\n  and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
        count = "1 fault" if len(errors) == 1 else f"{len(errors)} faults"
        raise DataError(f"{count} in the data (strict):\n  {listed}{more}")
    cut = [_between(each, start, end) for each in series]
    quotes = [_quotes_between(each, start, end) for each in quotes]
    if not any(map(len, cut)) and not any(map(len, quotes)):
        raise DataError(
            f"no bars between {start or 'the beginning'} and {end or 'the end'} of the data"
        )
    return LoadedData(
        [each for each in cut if len(each)], [each for each in quotes if len(each)], faults
    )


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


def _read(
    path: Path | None,
    source: str,
    stamps: StampReader,
    collectors: dict[str, RowCollector],
    quoted: dict[str, QuoteCollector],
    faults: list[DataFault],
    symbol: str | None,
    stdin: IO[str] | None,
) -> None:
    mine: dict[str, RowCollector] = {}

    def collector_of(name: str) -> RowCollector:
        collector = mine.get(name)
        if collector is None:
            if name in collectors:
                raise DataError(
                    f"{source} has bars of {name}, and so has {collectors[name].source}; give one "
                    "file a symbol"
                )
            collector = mine[name] = collectors[name] = RowCollector(name, source, faults)
        return collector

    def quotes_of(name: str) -> QuoteCollector:
        collector = quoted.get(name)
        if collector is None:
            collector = quoted[name] = QuoteCollector(name, source, faults)
        collector.source = source
        return collector

    if path is None:
        read_csv(
            stdin or sys.stdin,
            source,
            stamps,
            collector_of,
            quotes_of,
            default_symbol=symbol or "STDIN",
            only_symbol=symbol,
        )
        return
    ending = _ending_of(path) or ""
    default = symbol or path.name[: -len(ending)] or path.name
    if ending in _PARQUET:
        read_parquet(
            path,
            source,
            stamps,
            collector_of,
            quotes_of,
            default_symbol=default,
            only_symbol=symbol,
        )
        return
    with open_text(path) as stream:
        read_csv(
            stream,
            source,
            stamps,
            collector_of,
            quotes_of,
            default_symbol=default,
            only_symbol=symbol,
        )


def _quotes_between(
    series: QuoteSeries, start: datetime | None, end: datetime | None
) -> QuoteSeries:
    first = 0 if start is None else bisect_left(series.stamps, ns_of(start))
    last = len(series) if end is None else bisect_left(series.stamps, ns_of(end))
    for name in ("stamps", "bids", "asks"):
        setattr(series, name, getattr(series, name)[first:last])
    return series


def _between(series: BarSeries, start: datetime | None, end: datetime | None) -> BarSeries:
    first = 0 if start is None else bisect_left(series.starts, ns_of(start))
    last = len(series) if end is None else bisect_left(series.starts, ns_of(end))
    if first == 0 and last == len(series):
        return series
    cut = BarSeries(series.symbol, series.timeframe, series.step, source=series.source)
    for name in ("starts", "opens", "highs", "lows", "closes", "volumes", "lines"):
        column = getattr(series, name)
        setattr(cut, name, None if column is None else column[first:last])
    return cut
