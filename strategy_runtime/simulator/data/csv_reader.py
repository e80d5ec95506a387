"""Reads CSV texts, many rows at a time if they are well-formed."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, TypeVar

from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.chunks import Chunk, chunks
from strategy_runtime.simulator.data.columns import Part, from_billionths, missing_value_of
from strategy_runtime.simulator.data.heading import Heading, find_heading
from strategy_runtime.simulator.data.numbers import Decimals, Numerals
from strategy_runtime.simulator.data.rows import Collect, Rows
from strategy_runtime.simulator.data.timestamps import StampReader

__all__ = ["read_csv"]

_SHOWN = 60
_PLAINLY = "write it with a decimal point and no other marks, or leave it empty if there is none"
_WHICH_MARK = (
    "say what its marks are: --decimals comma, with points for the thousands, or --decimals point, "
    "with commas for the thousands"
)

_T = TypeVar("_T")
_Fields = Mapping[int, Sequence[str]]
"""Columns by position."""
_Read = tuple[Rows, Sequence[int], list[Any]]
"""The target of rows, their lines, and their times and numbers by column."""


def read_csv(
    stream: IO[str],
    source: str,
    stamps: StampReader,
    collect: Collect,
    columns: Sequence[str] = (),
    decimals: Decimals | None = None,
) -> None:
    """Read all rows of a CSV text: bars, or quotes and trades.

    Args:
        columns: Names of the columns, if the text has none that are understood.
        decimals: Decimal mark of its numbers, if these are not plain.

    Raises:
        DataError: Names file, line and column.
    """
    line = 0
    try:
        top = find_heading(stream, source, columns)
        table = _Table(top, source, stamps, Numerals(decimals), collect)
        for chunk in chunks(stream, top.line, top.delimiter, len(top.names), top.ahead):
            if not table.take_chunk(chunk):
                line = chunk.line - 1
                for line, row in chunk.rows():
                    table.take(line, row)
    except csv.Error as error:
        raise DataError(
            f"{source} after line {line}: {error}; is a quotation mark never closed?"
        ) from None
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error}") from None


class _Table:
    """A file whose columns are known."""

    def __init__(
        self,
        heading: Heading,
        source: str,
        stamps: StampReader,
        numerals: Numerals,
        collect: Collect,
    ) -> None:
        self._numerals = numerals
        self._header = heading.names
        self._layout = layout = heading.layout
        common = (layout.timestamp, layout.time, layout.symbol)
        self._parts = [
            (part, [at for at in (*common, *part.positions) if at is not None])
            for part in layout.parts
        ]
        self._source = source
        self._stamps = stamps
        self._collect = collect

    def take_chunk(self, chunk: Chunk) -> bool:
        """Read a chunk of rows by columns; return False if a row must be read on its own."""
        try:
            found = self._plain(chunk)
            if found is None:
                found = self._by_columns(chunk)
        except (ValueError, OverflowError, csv.Error):
            return False
        for rows, here, columns in found or ():
            rows.extend(here, *columns)
        return found is not None

    def _plain(self, chunk: Chunk) -> list[_Read] | None:
        """Read a chunk of only times and numbers; return None for any other."""
        layout = self._layout
        if layout.timestamp or layout.time is not None or layout.symbol is not None:
            return None
        if layout.in_billionths or not self._numerals.are_plain:
            return None
        values = chunk.times_and_numbers()
        if values is None:
            return None
        times, numbers = values
        stamps = self._stamps.read_all(times)
        unknown = [0.0] * len(times)
        lines = range(chunk.line, chunk.line + len(times))
        return [
            (rows, lines, [stamps, *(numbers[at - 1] if at else unknown for at in part.positions)])
            for part in layout.parts
            if (rows := self._collect(part.kind, part.symbol)) is not None
        ]

    def _by_columns(self, chunk: Chunk) -> list[_Read] | None:
        """Read a chunk by kind and symbol; return None if its rows differ in width.

        Raises:
            ValueError, OverflowError: A field cannot be read.
        """
        fields = chunk.columns()
        if fields is None:
            return None
        lines = range(chunk.line, chunk.line + len(fields[0]))
        found: list[_Read] = []
        for part, places in self._parts:
            mine = {at: fields[at] for at in places}
            found += self._by_symbol(part, *_of_part(part, lines, mine))
        return found

    def take(self, line: int, row: list[str]) -> None:
        """Read one row."""
        layout, header = self._layout, self._header
        # Empty extra fields are fine: some files end their rows with a delimiter. Others may come
        # from an unquoted `1,234.5`, which shifts all columns after it.
        if len(row) < len(header) or any(row[len(header) :]):
            raise DataError(
                f"{self._source} line {line}: {len(row)} fields where the header has {len(header)}"
                + ("; remove the line if it is only a remark" if len(row) == 1 else "")
            )
        said = None if layout.symbol is None else row[layout.symbol].strip()
        if said == "":
            raise DataError(f"{self._source} line {line}: the symbol is empty")
        for part, places in self._parts:
            if part.optional and not any(row[position] for position in part.optional):
                continue
            rows = self._collect(part.kind, said or part.symbol)
            if rows is None:
                continue
            try:
                stamp, *numbers = self._converted(part, {at: (row[at],) for at in places})
            except (ValueError, OverflowError) as error:
                raise self._unreadable(part, line, row, error) from None
            rows.add(line, stamp[0], *(number[0] for number in numbers))

    def _by_symbol(self, part: Part, lines: Sequence[int], fields: _Fields) -> Iterator[_Read]:
        """Yield the rows of each symbol.

        All symbols are converted together, because with thousands of them each has hardly a row in
        a chunk.

        Raises:
            ValueError, OverflowError: A field cannot be read.
        """
        at = self._layout.symbol
        symbols: Sequence[str | None] = [part.symbol] * len(lines) if at is None else fields[at]
        names = {each: each and each.strip() for each in dict.fromkeys(symbols)}
        if "" in names.values():
            raise ValueError("a symbol is empty")
        asked = {
            each: rows
            for each, name in names.items()
            if (rows := self._collect(part.kind, name)) is not None
        }
        if len(asked) < len(names):
            picked = [row for row, symbol in enumerate(symbols) if symbol in asked]
            symbols, lines = _picked(symbols, picked), _picked(lines, picked)
            fields = _all_picked(fields, picked)
        if not lines:
            return
        columns = self._converted(part, fields)
        if len(asked) == 1:
            yield asked[symbols[0]], lines, columns
            return
        mine: defaultdict[str | None, list[tuple[Any, ...]]] = defaultdict(list)
        for symbol, row in zip(symbols, zip(lines, *columns, strict=True), strict=True):
            mine[symbol].append(row)
        for symbol, rows in asked.items():
            here, *read = zip(*mine[symbol], strict=True)
            yield rows, here, read

    def _converted(self, part: Part, fields: _Fields) -> list[Any]:
        """Return times and numbers by column.

        Raises:
            ValueError, OverflowError: A field cannot be read.
        """
        texts, time = fields[self._layout.timestamp], self._layout.time
        if time is not None:
            texts = [f"{day} {clock}" for day, clock in zip(texts, fields[time], strict=True)]
        columns: list[Any] = [self._stamps.read_all(texts)]
        for name, position in zip(part.kind.value, part.positions, strict=True):
            if position is None:
                columns.append([0.0] * len(texts))
                continue
            column = self._numerals.read(fields[position], missing_value_of(name))
            if self._layout.in_billionths and name in part.kind.prices:
                column = list(map(from_billionths, column))
            columns.append(column)
        return columns

    def _unreadable(self, part: Part, line: int, row: list[str], error: Exception) -> DataError:
        """Return the error for a row of the right width that could not be read."""
        where = f"{self._source} line {line},"
        for position in part.positions:
            if position is None:
                continue
            text = row[position]
            try:
                self._numerals.read([text], 0)
            except ValueError:
                shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
                return DataError(
                    f"{where} column {self._header[position].strip()}: {shown!r} is not a number; "
                    + (_WHICH_MARK if "," in text else _PLAINLY)
                )
        return DataError(f"{where} column {self._header[self._layout.timestamp].strip()}: {error}")


def _of_part(part: Part, lines: Sequence[int], fields: _Fields) -> tuple[Sequence[int], _Fields]:
    """Return the rows that have any of the prices of a part."""
    prices = [fields[position] for position in part.optional]
    if not any("" in column for column in prices):
        return lines, fields
    picked = [row for row, texts in enumerate(zip(*prices, strict=True)) if any(texts)]
    return _picked(lines, picked), _all_picked(fields, picked)


def _all_picked(fields: _Fields, rows: Sequence[int]) -> _Fields:
    return {at: _picked(each, rows) for at, each in fields.items()}


def _picked(items: Sequence[_T], rows: Sequence[int]) -> Sequence[_T]:
    return [items[row] for row in rows]
