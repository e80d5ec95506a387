"""Columns of a Parquet file taken over as they lie in memory."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from strategy_runtime.clock import rfc3339
from strategy_runtime.simulator.data.columns import Kind, in_units, stand_in_for
from strategy_runtime.simulator.data.rows import Rows
from strategy_runtime.simulator.data.timestamps import StampReader

__all__ = ["Together", "all_in_units", "in_usual_form", "stamps_of", "taken_together"]

Together = tuple[Rows, Sequence[int], Sequence[int], list[Sequence[float]]]
"""Where rows belong, their numbers, times, and what was measured."""


def taken_together(
    columns: Mapping[str, Any],
    kind: Kind,
    reader: StampReader,
    first: int,
    rows_of: Callable[[str | None], Rows | None],
) -> list[Together] | None:
    """The rows of one kind, by symbol; None where some row needs a closer look.

    Args:
        columns: Of one batch, by what they are: timestamp, time, symbol, and the numbers.
        first: Number of the batch's first row.
        rows_of: Where those of a symbol belong, None where it is not asked for; of None, those of
            a file without such a column.
    """
    import pyarrow

    try:
        batch = pyarrow.RecordBatch.from_pydict(dict(columns))
        return [
            (rows, lines, _times(part, reader), _numbers(part, kind))
            for symbol, lines, part in _by_symbol(*_of_kind(batch, kind, first))
            if lines and (rows := rows_of(symbol)) is not None
        ]
    except (ValueError, TypeError):
        return None


def in_usual_form(column: Any) -> Any:
    """A column; numbers of 32 bits as their digits say: 1.1, and not 1.100000023841858; and texts
    of polars, with which Arrow can do little, like all others.
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


def all_in_units(column: Any) -> Any:
    """A column of prices that may be whole numbers of billionths."""
    import pyarrow

    if not pyarrow.types.is_integer(column.type):
        return column
    prices = (None if price is None else in_units(price) for price in column.to_pylist())
    return pyarrow.array(prices, "float64")


def stamps_of(columns: Mapping[str, Any]) -> list[Any]:
    """Times as texts, or as nanoseconds since the epoch where their column says what they are."""
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
    """The rows that have any of the prices of a kind, with their numbers."""
    lines = range(first, first + len(batch))
    if kind is Kind.BARS:
        return lines, batch
    prices = [batch.column(name).is_valid() for name in kind.prices]
    present = _compute().or_(prices[0], prices[-1])
    if present.true_count == len(batch):
        return lines, batch
    rows = _compute().indices_nonzero(present).to_pylist()
    return [lines[row] for row in rows], batch.filter(present)


def _by_symbol(lines: Sequence[int], batch: Any) -> Iterator[tuple[str | None, Sequence[int], Any]]:
    if "symbol" not in batch.schema.names:
        yield None, lines, batch
        return
    column = batch.column("symbol")
    if hasattr(column, "dictionary"):  # which is in another order than the rows
        column = column.dictionary_decode()
    symbols = column.dictionary_encode()
    names = [str(name).strip() for name in symbols.dictionary.to_pylist()]
    if symbols.null_count or "" in names:
        raise ValueError("a symbol is empty")
    if len(names) == 1:
        yield names[0], lines, batch
        return
    order, counts = _compute().sort_indices(symbols.indices), Counter(symbols.indices.to_pylist())
    rows, sorted_batch, begin = order.to_pylist(), batch.take(order), 0
    for number, name in enumerate(names):
        end = begin + counts[number]
        mine = [lines[row] for row in rows[begin:end]]
        yield name, mine, sorted_batch.slice(begin, len(mine))
        begin = end


def _compute() -> Any:
    from pyarrow import compute  # which makes its functions as it is imported

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
        # Decimals and texts become floats by Python's rules, one by one.
        if not types.is_floating(column.type) and not types.is_integer(column.type):
            raise ValueError("these are no plain numbers")
        numbers = column.cast("float64").fill_null(stand_in_for(name))
        found.append(_values(numbers, "d"))
    return found


def _values(column: Any, code: str) -> "memoryview[Any]":
    values: memoryview[Any] = memoryview(column.buffers()[1]).cast("B").cast(code)  # type: ignore[call-overload]
    return values[column.offset : column.offset + len(column)]
