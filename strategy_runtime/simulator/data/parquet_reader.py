"""Parquet files, batch by batch; needs pyarrow, the extra `parquet`."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from strategy_runtime.clock import ns_of, rfc3339
from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.columns import find_columns
from strategy_runtime.simulator.data.rows import RowCollector
from strategy_runtime.simulator.data.timestamps import StampReader

__all__ = ["read_parquet"]


def read_parquet(
    path: Path,
    source: str,
    stamps: StampReader,
    collector_of: Callable[[str], RowCollector],
    *,
    default_symbol: str,
    only_symbol: str | None,
) -> None:
    """Read all rows of a Parquet file into collectors; arguments as for `read_csv`.

    Raises:
        DataError: Names file, row and column, or the package that is missing.
    """
    try:
        from pyarrow import ArrowException, parquet, types
    except ImportError:
        raise DataError(
            f"{path}: reading Parquet needs one more package: "
            "pip install 'strategy-runtime[parquet]'"
        ) from None
    try:
        file = parquet.ParquetFile(path)
    except (ArrowException, OSError) as error:
        raise DataError(f"{source} cannot be read as Parquet: {error}") from None
    schema = file.schema_arrow
    columns = find_columns(schema.names, source)
    wanted = {
        name: schema.names[position]
        for name in columns.__struct_fields__
        if (position := getattr(columns, name)) is not None
    }
    is_timestamp = types.is_timestamp(schema.field(wanted["timestamp"]).type)
    has_zone = is_timestamp and schema.field(wanted["timestamp"]).type.tz is not None
    line = 0
    for batch in file.iter_batches(columns=list(wanted.values())):
        values = {name: batch.column(column) for name, column in wanted.items()}
        starts = _starts(values["timestamp"], stamps, is_timestamp, has_zone, source, line)
        table = [
            values[name].to_pylist() if name in values else [0.0] * len(starts)
            for name in ("open", "high", "low", "close", "volume")
        ]
        symbols = values["symbol"].to_pylist() if "symbol" in values else None
        for index, (start, *prices) in enumerate(zip(starts, *table, strict=True)):
            line += 1
            symbol = default_symbol if symbols is None else str(symbols[index])
            if symbols is not None and only_symbol is not None and symbol != only_symbol:
                continue
            try:
                numbers = [float(price) for price in prices]
            except (TypeError, ValueError):
                raise DataError(f"{source} row {line}: {prices!r} are not five numbers") from None
            collector_of(symbol).add(line, start, *numbers)


def _starts(
    column: Any,
    stamps: StampReader,
    is_timestamp: bool,
    has_zone: bool,
    source: str,
    before: int,
) -> list[int]:
    if is_timestamp and has_zone:
        return _exactly(column, "UTC")
    if is_timestamp:
        texts = [rfc3339(value).removesuffix("Z") for value in _exactly(column, None)]
    else:
        texts = [_as_text(value) for value in column.to_pylist()]
    starts = []
    for row, text in enumerate(texts, start=before + 1):
        try:
            starts.append(stamps.read(text))
        except ValueError as error:
            raise DataError(f"{source} row {row}: {error}") from None
    return starts


def _exactly(column: Any, zone: str | None) -> list[int]:
    """A column of timestamps in nanoseconds since the epoch."""
    import pyarrow

    stamps: list[int] = column.cast(pyarrow.timestamp("ns", tz=zone)).cast("int64").to_pylist()
    return stamps


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return str(ns_of(value if value.tzinfo else value.replace(tzinfo=UTC)))
    return str(value)
