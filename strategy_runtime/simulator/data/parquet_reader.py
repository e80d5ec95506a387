"""Parquet files, batch by batch; needs pyarrow, the extra `parquet`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from strategy_runtime.clock import rfc3339
from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.columns import (
    Columns,
    QuoteColumns,
    TickColumns,
    find_columns,
    find_quote_columns,
    find_tick_columns,
)
from strategy_runtime.simulator.data.gather import FileCollectors
from strategy_runtime.simulator.data.timestamps import StampReader

__all__ = ["read_parquet"]

_BAR = ("open", "high", "low", "close", "volume")
_QUOTE = ("bid", "ask")
_TICK = ("price", "size")


def read_parquet(path: Path, stamps: StampReader, into: FileCollectors) -> None:
    """Read all rows of a Parquet file, of bars, quotes or trades, one row group after another.

    Raises:
        DataError: Names file, row and column, or the package that is missing.
    """
    parquet = _pyarrow_parquet(path)
    source = into.source
    with _readable(source):
        file = parquet.ParquetFile(path)
        names = file.schema_arrow.names
        columns: Columns | QuoteColumns | TickColumns | None
        numbers: tuple[str, ...]
        collector_of: Callable[[str], Any]
        if (columns := find_quote_columns(names, source)) is not None:
            numbers, collector_of = _QUOTE, into.quotes_of
        elif (columns := find_tick_columns(names, source)) is not None:
            numbers, collector_of = _TICK, into.ticks_of
        else:
            columns = find_columns(names, source)
            numbers, collector_of = _BAR, into.bars_of
        wanted = {
            name: names[position]
            for name in columns.__struct_fields__
            if (position := getattr(columns, name)) is not None
        }
        before = 0
        for batch in file.iter_batches(columns=list(wanted.values())):
            table = {name: batch.column(column) for name, column in wanted.items()}
            if numbers is not _BAR or not _take_all(table, before, stamps, into):
                rows = _rows(table, wanted, numbers, stamps, source, before, into.only_symbol)
                for row, symbol, start, values in rows:
                    name = into.default_symbol if symbol is None else symbol
                    collector_of(name).add(row, start, *values)
            before += len(batch)


def _take_all(
    table: Mapping[str, Any], before: int, stamps: StampReader, into: FileCollectors
) -> bool:
    """Take in the bars of one symbol as whole columns; False where a row needs a look."""
    if "time" in table or "symbol" in table or any(column.null_count for column in table.values()):
        return False
    size = len(table["timestamp"])
    try:
        texts = _texts(table["timestamp"])
        starts = texts if size and isinstance(texts[0], int) else stamps.read_all(texts)
        columns = [
            list(map(float, table[name].to_pylist())) if name in table else [0.0] * size
            for name in _BAR
        ]
    except (TypeError, ValueError, IndexError):
        return False
    lines = range(before + 1, before + size + 1)
    return into.bars_of(into.default_symbol).add_all(lines, starts, columns)


def _pyarrow_parquet(path: Path) -> Any:
    try:
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            f"{path}: reading Parquet needs one more package: "
            "pip install 'strategy-runtime[parquet]'"
        ) from None
    return parquet


@contextmanager
def _readable(source: str) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, OSError) as error:
        raise DataError(f"{source} cannot be read as Parquet: {error}") from None


def _rows(
    table: Mapping[str, Any],
    wanted: Mapping[str, str],
    names: tuple[str, ...],
    stamps: StampReader,
    source: str,
    before: int,
    only_symbol: str | None,
) -> Iterator[tuple[int, str | None, int, list[float]]]:
    """Row number, symbol if there is such a column, start and numbers of each row."""
    size = len(table["timestamp"])
    texts = _texts(table["timestamp"])
    if "time" in table:
        times = _texts(table["time"])
        texts = [
            f"{str(day).removesuffix('T00:00:00')} {time}"
            for day, time in zip(texts, times, strict=True)
        ]
    symbols = table["symbol"].to_pylist() if "symbol" in table else None
    columns = [table[name].to_pylist() if name in table else [0] * size for name in names]
    for index, values in enumerate(zip(*columns, strict=True)):
        row = before + index + 1
        symbol = None
        if symbols is not None:
            if symbols[index] in (None, ""):
                raise DataError(f"{source} row {row}: the symbol is empty")
            symbol = str(symbols[index])
            if only_symbol is not None and symbol != only_symbol:
                continue
        text = texts[index]
        try:
            start = text if isinstance(text, int) else stamps.read(text)
        except ValueError as error:
            raise DataError(f"{source} row {row}, column {wanted['timestamp']}: {error}") from None
        try:
            numbers = [float(value) for value in values]
        except (TypeError, ValueError):
            if names is _QUOTE and None in values:
                continue  # one side alone prices nothing
            numbers = _numbers(names, values, wanted, f"{source} row {row}")
        yield row, symbol, start, numbers


def _numbers(
    names: tuple[str, ...], values: tuple[Any, ...], wanted: Mapping[str, str], where: str
) -> list[float]:
    """The numbers of a row one of which is none; an empty volume is unknown."""
    numbers = []
    for name, value in zip(names, values, strict=True):
        try:
            numbers.append(0.0 if name in ("volume", "size") and value is None else float(value))
        except (TypeError, ValueError):
            shown = "nothing" if value is None else repr(value)
            raise DataError(f"{where}, column {wanted[name]}: {shown} is not a number") from None
    return numbers


def _texts(column: Any) -> list[Any]:
    """Stamps as texts, or as nanoseconds since the epoch where the column says what they are."""
    import pyarrow

    kind = column.type
    if not pyarrow.types.is_timestamp(kind):
        return ["" if value is None else str(value) for value in column.to_pylist()]
    exact = column.cast(pyarrow.timestamp("ns", tz=kind.tz)).cast("int64").to_pylist()
    if kind.tz is not None:
        return ["" if value is None else value for value in exact]
    return ["" if value is None else rfc3339(value).removesuffix("Z") for value in exact]
