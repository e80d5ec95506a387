"""Market data from files, folders and data frames."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TypeAlias, get_args

from strategy_runtime.errors import ConfigError, DataError
from strategy_runtime.simulator.data.load import LoadedData, load_bars
from strategy_runtime.simulator.data.numbers import Decimals
from strategy_runtime.simulator.data.tables import Frame, Table, is_frame, table_of
from strategy_runtime.simulator.data.timestamps import instant_of, zone_of
from strategy_runtime.simulator.data.written_times import Dates

__all__ = ["Source", "read_data"]

Source: TypeAlias = str | Path | Frame | Mapping[str, Frame]
"""A path, a table such as a data frame, or tables by symbol."""

_LIST = re.compile(r"--columns (\w*(?:,\w*)+)")
_OPTION = re.compile(
    r"--(columns|timeframe|symbol|dates|decimals)\b(?: (dmy|mdy|comma|point|\d+[smhdw])\b)?"
)


def read_data(
    *sources: Source,
    symbol: str | None = None,
    timeframe: str | None = None,
    tz: str = "UTC",
    columns: Sequence[str] = (),
    dates: Dates | None = None,
    decimals: Decimals | None = None,
    start: date | datetime | str | None = None,
    end: date | datetime | str | None = None,
    strict: bool = False,
) -> LoadedData:
    """Read bars, quotes and trades from files, folders and data frames, for any number of
    backtests.

    Args:
        sources: CSV, Parquet or Feather files, recordings of `strategy-run --record`, or folders of
            these; data frames of pandas or polars and pyarrow tables, given by symbol if no column
            names it: `{"AAPL": frame}`.
        symbol: Read only this symbol. A file without a symbol column has the symbol it is named
            after; if no file is named after this one, all files and tables without that column are
            read as this symbol.
        timeframe: Length of the candles, such as `1h`, built from finer data; orders still fill in
            the finer bars. By default that of the data.
        tz: Time zone of times without one.
        columns: Names of the columns, from left to right, such as `["time", "open", "high", "low",
            "close", "volume"]`, for files without a header or with unknown names.
        dates: Order of day and month in dates such as 03/04/2024: `"mdy"` or `"dmy"`. By default
            such dates are refused.
        decimals: Decimal mark in CSV files, `"comma"` or `"point"`; the other mark may then
            separate thousands. By default a point, and no thousands separator.
        start, end: Skip bars before `start`, and from `end` on.
        strict: Refuse data with duplicate, out-of-order or impossible rows instead of repairing
            them; `faults` of the result lists what was repaired.

    Raises:
        DataError: The data cannot be read; names file, line and column.
        ConfigError: An argument cannot be understood.
    """
    given: list[str | Path | Table] = []
    for each in sources:
        given += _sources_of(each)
    if not given or "" in given:
        raise ConfigError("name a file or a folder to read")
    if isinstance(columns, str):
        raise ConfigError(f"columns is a list of names: {columns.split(',')!r}, and no text")
    if dates not in (None, *get_args(Dates)):
        raise ConfigError(f"dates is 'dmy' or 'mdy', not {dates!r}")
    if decimals not in (None, *get_args(Decimals)):
        raise ConfigError(f"decimals is 'point' or 'comma', not {decimals!r}")
    try:
        return load_bars(
            given,
            symbol=symbol,
            timeframe=timeframe,
            tz=tz,
            columns=columns,
            dates=dates,
            decimals=decimals,
            start=_instant("start", start, tz, dates),
            end=_instant("end", end, tz, dates),
            strict=strict,
        )
    except DataError as error:
        raise DataError(_in_python(str(error))) from error.__cause__


def _in_python(text: str) -> str:
    """A message whose options are written as arguments: `columns=[…]` for `--columns …`."""
    listed = _LIST.sub(lambda found: f"columns={found[1].split(',')}", text)
    return _OPTION.sub(lambda found: f"{found[1]}=" + (f"{found[2]!r}" if found[2] else ""), listed)


def _sources_of(source: object) -> Iterator[str | Path | Table]:
    if isinstance(source, str | Path):
        yield source
    elif is_frame(source):
        yield table_of(source, None)
    elif isinstance(source, Mapping) and all(map(is_frame, source.values())):
        yield from (table_of(frame, symbol) for symbol, frame in source.items())
    else:
        tables = source.values() if isinstance(source, Mapping) else [source]
        stranger = next(each for each in tables if not is_frame(each))
        raise TypeError(
            "read_data() takes paths and data frames, one after the other, as in "
            "read_data('a.csv', 'b.csv') or read_data({'AAPL': frame}), and no "
            + type(stranger).__name__
        )


def _instant(name: str, moment: date | str | None, tz: str, dates: Dates | None) -> datetime | None:
    if moment is None:
        return None
    if not isinstance(moment, str | date):
        raise ConfigError(f"{name}: write a date, a datetime or a text, not {moment!r}")
    text = moment if isinstance(moment, str) else moment.isoformat()
    return instant_of(text, zone_of(tz), name, dates)
