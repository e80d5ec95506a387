"""Reads batches of Parquet columns directly from Arrow's memory."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from strategy_runtime.clock import rfc3339
from strategy_runtime.simulator.data.columns import Kind, from_billionths, missing_value_of
from strategy_runtime.simulator.data.rows import Rows
from strategy_runtime.simulator.data.timestamps import StampReader

__all__ = ["BatchRows", "column_from_billionths", "normalised", "read_batch", "stamps_of"]

BatchRows = tuple[Rows, Sequence[int], Sequence[int], list[Sequence[float]]]
"""The target of rows, their row numbers, their times, and their values by column."""


def read_batch(
    columns: Mapping[str, Any],
    kind: Kind,
    reader: StampReader,
    first: int,
    rows_of: Callable[[str | None], Rows | None],
) -> list[BatchRows] | None:
    """Return the rows of one kind by symbol; None if they must be read one by one.

    Args:
        columns: Columns of the batch by name: timestamp, time, symbol, and the numbers.
        first: Number of the batch's first row.
        rows_of: Returns the target of a symbol's rows, or None if it is not wanted; the symbol is
            None for a file without such a column.
    """
    import pyarrow

    try:
        batch = pyarrow.RecordBatch.from_pydict(dict(columns))
        lines, batch, parts = _by_symbol(*_of_kind(batch, kind, first), rows_of)
        if not parts:
            return []
        # All symbols are converted together: with thousands of them, each has few rows in a batch.
        times, numbers = _times(batch, reader), _numbers(batch, kind)
        return [
            (rows, lines[here], times[here], [column[here] for column in numbers])
            for rows, here in parts
        ]
    except (ValueError, TypeError):
        return None


def normalised(column: Any) -> Any:
    """Return a column in its usual type.

    32-bit floats become the 64-bit floats of the same digits: 1.1, not 1.100000023841858. Texts of
    polars become ordinary strings, because Arrow supports little for string views.
    """
    import pyarrow
    from pyarrow import types

    kind = column.type
    if types.is_float32(kind):
        return column.cast("string").cast("float64")
    if types.is_string_view(kind):
        return column.cast("string")
    if types.is_dictionary(kind) and types.is_string_view(kind.value_type):
        texts = column.dictionary.cast("string")
        return pyarrow.DictionaryArray.from_arrays(column.indices, texts)
    return column


def column_from_billionths(column: Any) -> Any:
    """Return a column of prices that may be integers in billionths."""
    import pyarrow

    if not pyarrow.types.is_integer(column.type):
        return column
    prices = (None if price is None else from_billionths(price) for price in column.to_pylist())
    return pyarrow.array(prices, "float64")


def stamps_of(columns: Mapping[str, Any]) -> list[Any]:
    """Return times as texts, or as nanoseconds since the epoch if their type has a zone."""
    stamps = _stamps(columns["timestamp"])
    if "time" not in columns:
        return stamps
    return [
        f"{str(day).removesuffix('T00:00:00')} {time}"
        for day, time in zip(stamps, _stamps(columns["time"]), strict=True)
    ]


def _stamps(column: Any) -> list[Any]:
    import pyarrow

    kind = column.type
    if not pyarrow.types.is_timestamp(kind):
        return ["" if value is None else str(value) for value in column.to_pylist()]
    exact = column.cast(pyarrow.timestamp("ns", tz=kind.tz)).cast("int64").to_pylist()
    if kind.tz is not None:
        return ["" if value is None else value for value in exact]
    return ["" if value is None else rfc3339(value).removesuffix("Z") for value in exact]


def _of_kind(batch: Any, kind: Kind, first: int) -> tuple[Sequence[int], Any]:
    """Return the rows that have any of the prices of a kind, with their row numbers."""
    lines = range(first, first + len(batch))
    if kind is Kind.BARS:
        return lines, batch
    prices = [batch.column(name).is_valid() for name in kind.prices]
    present = _compute().or_(prices[0], prices[-1])
    if present.true_count == len(batch):
        return lines, batch
    rows = _compute().indices_nonzero(present).to_pylist()
    return [lines[row] for row in rows], batch.filter(present)


def _by_symbol(
    lines: Sequence[int], batch: Any, rows_of: Callable[[str | None], Rows | None]
) -> tuple[Sequence[int], Any, list[tuple[Rows, slice]]]:
    """Return the wanted rows, sorted by symbol, their numbers, and the place and target of each
    symbol's rows.
    """
    import pyarrow

    if "symbol" not in batch.schema.names:
        return lines, batch, _parts([rows_of(None)], [len(lines)])
    column = batch.column("symbol")
    if hasattr(column, "dictionary"):  # its order differs from that of the rows
        column = column.dictionary_decode()
    symbols = column.dictionary_encode()
    names = [str(name).strip() for name in symbols.dictionary.to_pylist()]
    if symbols.null_count or "" in names:
        raise ValueError("a symbol is empty")
    found = [rows_of(name) for name in names]
    if len(names) == 1:
        return lines, batch, _parts(found, [len(lines)])
    order, counts = _compute().sort_indices(symbols.indices), Counter(symbols.indices.to_pylist())
    sizes = [counts[number] for number in range(len(names))]
    if None in found:
        begins = accumulate(sizes, initial=0)
        wanted = [
            order.slice(begin, size)
            for rows, begin, size in zip(found, begins, sizes, strict=False)
            if rows is not None
        ]
        order = pyarrow.concat_arrays([order[:0], *wanted])
    return [lines[row] for row in order.to_pylist()], batch.take(order), _parts(found, sizes)


def _parts(found: Iterable[Rows | None], sizes: Iterable[int]) -> list[tuple[Rows, slice]]:
    """Return the targets that are wanted, and the places of their rows one after the other."""
    parts: list[tuple[Rows, slice]] = []
    end = 0
    for rows, size in zip(found, sizes, strict=True):
        if rows is not None and size:
            begin, end = end, end + size
            parts.append((rows, slice(begin, end)))
    return parts


def _compute() -> Any:
    from pyarrow import compute  # slow to import, because it generates its functions

    return compute


def _times(batch: Any, reader: StampReader) -> Sequence[int]:
    import pyarrow

    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    column = columns["timestamp"]
    if "time" in columns or not pyarrow.types.is_timestamp(column.type):
        return reader.read_all(stamps_of(columns))
    if column.null_count:
        raise ValueError("a time is missing")
    if column.type.tz is None and not reader.is_utc:
        return reader.read_all(stamps_of(columns))
    return _values(column.cast(pyarrow.timestamp("ns", tz=column.type.tz)), "q")


def _numbers(batch: Any, kind: Kind) -> list[Sequence[float]]:
    from pyarrow import types

    found: list[Sequence[float]] = []
    for name in kind.value:
        if name not in batch.schema.names:
            found.append([0.0] * len(batch))
            continue
        column = batch.column(name)
        # Decimals and texts are converted by Python's rules, one by one.
        if not types.is_floating(column.type) and not types.is_integer(column.type):
            raise ValueError("these are no plain numbers")
        numbers = column.cast("float64").fill_null(missing_value_of(name))
        found.append(_values(numbers, "d"))
    return found


def _values(column: Any, code: str) -> "memoryview[Any]":
    values: memoryview[Any] = memoryview(column.buffers()[1]).cast("B").cast(code)  # type: ignore[call-overload]
    return values[column.offset : column.offset + len(column)]
