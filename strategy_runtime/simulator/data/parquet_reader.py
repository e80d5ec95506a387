"""Reads Parquet and Feather files, and tables, in batches; needs pyarrow (extra `parquet`)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.columns import (
    Kind,
    find_layout,
    missing_value_of,
    padded_names,
)
from strategy_runtime.simulator.data.files import FEATHER
from strategy_runtime.simulator.data.parquet_columns import (
    column_from_billionths,
    normalised,
    read_batch,
    stamps_of,
)
from strategy_runtime.simulator.data.rows import Collect, Rows
from strategy_runtime.simulator.data.timestamps import StampReader

__all__ = ["read_parquet", "read_table"]

_BATCH = 65_536

_Opened = tuple[Any, Callable[[list[str]], Iterable[Any]]]
"""The names of all columns, and a function that yields batches of some columns."""


def read_parquet(
    path: Path,
    source: str,
    stamps: StampReader,
    collect: Collect,
    columns: Sequence[str] = (),
) -> None:
    """Read all rows of a Parquet or Feather file.

    Args:
        columns: Names of the columns, if the file has none that are understood.

    Raises:
        DataError: Names file, row and column, or the missing package.
    """
    is_feather = path.suffix.lower() in FEATHER
    opened = _opened_feather(path) if is_feather else _opened_parquet(path)
    kind = "Feather" if is_feather else "Parquet"
    _read(opened, kind, source, stamps, collect, columns)


def read_table(
    table: Any, source: str, stamps: StampReader, collect: Collect, columns: Sequence[str] = ()
) -> None:
    """Read all rows of a pyarrow table; see `read_parquet`."""
    opened = nullcontext[_Opened](
        (table.schema.names, lambda columns: table.select(columns).to_batches(_BATCH))
    )
    _read(opened, "a table", source, stamps, collect, columns)


def _read(
    opened: AbstractContextManager[_Opened],
    kind_of_file: str,
    source: str,
    stamps: StampReader,
    collect: Collect,
    columns: Sequence[str],
) -> None:
    with _readable(source, kind_of_file), opened as (names, batches):
        layout = find_layout(
            padded_names(columns, len(names), source) if columns else names, source
        )
        common = {name: getattr(layout, name) for name in ("timestamp", "time", "symbol")}
        parts = [
            (part.kind, {**common, **dict(zip(part.kind.value, part.positions, strict=True))})
            for part in layout.parts
        ]
        needed = {place for _, places in parts for place in places.values() if place is not None}
        first = 1
        for batch in batches([names[place] for place in sorted(needed)]):
            for kind, places in parts:
                wanted = {name: names[at] for name, at in places.items() if at is not None}
                table = {name: normalised(batch.column(column)) for name, column in wanted.items()}
                if layout.in_billionths:
                    table |= {name: column_from_billionths(table[name]) for name in kind.prices}
                rows_of = partial(collect, kind)
                together = read_batch(table, kind, stamps, first, rows_of)
                if together is None:
                    for rows, row, start, numbers in _rows(
                        table, wanted, kind, stamps, source, first, rows_of
                    ):
                        rows.add(row, start, *numbers)
                    continue
                for rows, lines, starts, values in together:
                    rows.extend(lines, starts, *values)
            first += len(batch)


@contextmanager
def _opened_parquet(path: Path) -> Iterator[_Opened]:
    from pyarrow import parquet

    # By default newer versions read the whole file ahead, and keep it in memory until the end.
    with parquet.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        yield (
            file.schema_arrow.names,
            lambda columns: file.iter_batches(_BATCH, columns=columns),
        )


@contextmanager
def _opened_feather(path: Path) -> Iterator[_Opened]:
    from pyarrow import ipc, memory_map

    with memory_map(str(path)) as memory, ipc.open_file(memory) as file:
        yield (
            file.schema.names,
            lambda columns: (
                batch.slice(row, _BATCH)
                for number in range(file.num_record_batches)
                for batch in [file.get_batch(number).select(columns)]
                for row in range(0, len(batch), _BATCH)
            ),
        )


@contextmanager
def _readable(source: str, kind: str) -> Iterator[None]:
    try:
        from pyarrow import ArrowException
    except ImportError:
        raise DataError(
            f"{source}: reading {kind} needs one more package: "
            "pip install 'strategy-runtime[parquet]'"
        ) from None
    try:
        yield
    except (ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{source} cannot be read as {kind}: {error}") from None


def _rows(
    table: Mapping[str, Any],
    wanted: Mapping[str, str],
    kind: Kind,
    stamps: StampReader,
    source: str,
    first: int,
    rows_of: Callable[[str | None], Rows | None],
) -> Iterator[tuple[Rows, int, int, list[float]]]:
    """Yield target, row number, time and values of each wanted row."""
    names, prices = kind.value, len(kind.prices)
    size = len(table["timestamp"])
    texts = stamps_of(table)
    symbols = table["symbol"].to_pylist() if "symbol" in table else None
    columns = [table[name].to_pylist() if name in table else [0] * size for name in names]
    for index, values in enumerate(zip(*columns, strict=True)):
        row = first + index
        symbol = None
        if symbols is not None:
            symbol = "" if symbols[index] is None else str(symbols[index]).strip()
            if not symbol:
                raise DataError(f"{source} row {row}: the symbol is empty")
        rows = rows_of(symbol)
        if rows is None:
            continue
        if kind is not Kind.BARS and all(value in (None, "") for value in values[:prices]):
            continue  # a row without these prices is of another kind
        text = texts[index]
        try:
            start = text if isinstance(text, int) else stamps.read(text)
        except ValueError as error:
            raise DataError(f"{source} row {row}, column {wanted['timestamp']}: {error}") from None
        try:
            numbers = [float(value) for value in values]
        except (TypeError, ValueError):
            numbers = _numbers(names, values, wanted, f"{source} row {row}")
        yield rows, row, start, numbers


def _numbers(
    names: tuple[str, ...], values: tuple[Any, ...], wanted: Mapping[str, str], where: str
) -> list[float]:
    """Return the numbers of a row in which some may be missing.

    Raises:
        DataError: A value is not a number.
    """
    numbers = []
    for name, value in zip(names, values, strict=True):
        try:
            numbers.append(missing_value_of(name) if value in (None, "") else float(value))
        except (TypeError, ValueError):
            raise DataError(f"{where}, column {wanted[name]}: {value!r} is not a number") from None
    return numbers
