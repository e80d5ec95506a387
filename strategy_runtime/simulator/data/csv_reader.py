"""CSV files, row by row: plain, `.gz` or `.zst`."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any, cast

from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.columns import (
    Columns,
    QuoteColumns,
    find_columns,
    find_quote_columns,
)
from strategy_runtime.simulator.data.rows import QuoteCollector, RowCollector
from strategy_runtime.simulator.data.timestamps import StampReader

__all__ = ["open_text", "read_csv"]

_NUMBERS = ("open", "high", "low", "close", "volume")
_LONGEST_HEADER = 1_000_000


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a file for reading, whatever it is compressed with.

    Raises:
        DataError: The compression needs a package that is not installed, or the file is broken;
            also for what breaks while the file is being read.
    """
    try:
        with path.open("rb") as raw, _decompressed(path, raw) as stream:
            yield io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


@contextmanager
def _decompressed(path: Path, raw: IO[bytes]) -> Iterator[IO[bytes]]:
    ending = path.suffix.lower()
    if ending == ".gz":
        import gzip
        import zlib

        try:
            yield cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
        except zlib.error as error:
            raise DataError(f"{path} cannot be read: {error}") from None
    elif ending == ".zst":
        zstd = _zstandard(path)
        try:
            yield zstd.ZstdFile(raw)
        except zstd.ZstdError as error:
            raise DataError(f"{path} cannot be read: {error}") from None
    else:
        yield raw


def _zstandard(path: Path) -> Any:
    # Part of Python since 3.14; the extra brings the same module to earlier ones.
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise DataError(
        f"{path}: reading .zst needs one more package: pip install 'strategy-runtime[zstd]'"
    )


def read_csv(
    stream: IO[str],
    source: str,
    stamps: StampReader,
    collector_of: Callable[[str], RowCollector],
    quotes_of: Callable[[str], QuoteCollector],
    *,
    default_symbol: str,
    only_symbol: str | None,
) -> None:
    """Read all rows of a CSV text into collectors, of quotes where it has bid and ask.

    Args:
        default_symbol: Of a file without a symbol column.
        only_symbol: Where given and the file has a symbol column, other symbols are passed over.

    Raises:
        DataError: Names file, line and column.
    """
    try:
        table = _Table(stream, source, stamps, default_symbol, only_symbol)
        quote_columns = find_quote_columns(table.header, source)
        if quote_columns is not None:
            _read_quotes(table, quote_columns, quotes_of)
        else:
            _read_rows(table, find_columns(table.header, source), collector_of)
    except UnicodeDecodeError as error:
        raise DataError(f"{source} is not a text in UTF-8 ({error.reason}); is it a CSV?") from None
    except (EOFError, OSError, csv.Error) as error:
        raise DataError(f"{source} cannot be read: {error}") from None


class _Table:
    """A file whose header has been read."""

    def __init__(
        self,
        stream: IO[str],
        source: str,
        stamps: StampReader,
        default_symbol: str,
        only_symbol: str | None,
    ) -> None:
        self.source = source
        self.stamps = stamps
        self.default_symbol = default_symbol
        self.only_symbol = only_symbol
        self.lines_before = 0
        first = "\n"
        while first and not first.strip():
            first = stream.readline(_LONGEST_HEADER)
            self.lines_before += 1
        if not first:
            raise DataError(f"{source} is empty")
        delimiter = max(",;\t|", key=first.count)
        self.header = next(csv.reader([first], delimiter=delimiter, skipinitialspace=True))
        self.rows = csv.reader(stream, delimiter=delimiter, skipinitialspace=True)

    @property
    def line(self) -> int:
        """The line of the row just read, from 1."""
        return self.rows.line_num + self.lines_before

    def fits(self, row: list[str]) -> bool:
        """Whether a row has the header's fields; some files end their rows with a delimiter.

        `1,234.5` without quotation marks would otherwise shift all columns behind it.
        """
        return len(row) >= len(self.header) and not any(row[len(self.header) :])

    def fault(self, row: list[str]) -> DataError:
        """What is wrong with a row that does not fit."""
        return DataError(
            f"{self.source} line {self.line}: {len(row)} fields where the header has "
            f"{len(self.header)}"
        )

    def unreadable(
        self,
        row: list[str],
        numbers: Mapping[str, int],
        stamp_at: int,
        error: ValueError,
        what: str = ",",
    ) -> DataError:
        """What is wrong with a row that fits and could not be read."""
        where = f"{self.source} line {self.line}{what}"
        for name, position in numbers.items():
            text = row[position]
            try:
                float(text or (0 if name == "volume" else ""))
            except ValueError:
                return DataError(
                    f"{where} column {self.header[position].strip()}: {text!r} is not a number; "
                    "write it with a point for the decimals and nothing else"
                )
        return DataError(f"{where} column {self.header[stamp_at].strip()}: {error}")


def _read_rows(
    table: _Table, columns: Columns, collector_of: Callable[[str], RowCollector]
) -> None:
    read_stamp, only_symbol = table.stamps.read, table.only_symbol
    at, time, volume_at, symbol_at = columns.timestamp, columns.time, columns.volume, columns.symbol
    o, h, low, c = columns.open, columns.high, columns.low, columns.close
    symbol = table.default_symbol
    collector = None if symbol_at is not None else collector_of(symbol)
    rows, before, width = table.rows, table.lines_before, len(table.header)
    for row in rows:
        if len(row) != width:
            if not any(row):
                continue
            if not table.fits(row):
                raise table.fault(row)
        try:
            if symbol_at is not None and (collector is None or row[symbol_at] != symbol):
                symbol = row[symbol_at]
                if not symbol:
                    raise DataError(f"{table.source} line {table.line}: the symbol is empty")
                collector = collector_of(symbol)
            if collector is None or (
                only_symbol is not None and symbol_at is not None and symbol != only_symbol
            ):
                continue
            collector.add(
                rows.line_num + before,
                read_stamp(row[at] if time is None else f"{row[at]} {row[time]}"),
                float(row[o]),
                float(row[h]),
                float(row[low]),
                float(row[c]),
                float(row[volume_at] or 0) if volume_at is not None else 0.0,
            )
        except ValueError as error:
            numbers = {name: getattr(columns, name) for name in _NUMBERS}
            if volume_at is None:
                del numbers["volume"]
            raise table.unreadable(row, numbers, at, error) from None


def _read_quotes(
    table: _Table, columns: QuoteColumns, quotes_of: Callable[[str], QuoteCollector]
) -> None:
    read_stamp, only_symbol = table.stamps.read, table.only_symbol
    at, time, symbol_at = columns.timestamp, columns.time, columns.symbol
    rows, before, width = table.rows, table.lines_before, len(table.header)
    for row in rows:
        if len(row) != width:
            if not any(row):
                continue
            if not table.fits(row):
                raise table.fault(row)
        try:
            symbol = table.default_symbol if symbol_at is None else row[symbol_at]
            if not symbol:
                raise DataError(f"{table.source} line {table.line}: the symbol is empty")
            bid, ask = row[columns.bid], row[columns.ask]
            if not (bid and ask) or (only_symbol is not None and symbol != only_symbol):
                continue  # a row without prices is a trade among quotes
            stamp = read_stamp(row[at] if time is None else f"{row[at]} {row[time]}")
            quotes_of(symbol).add(rows.line_num + before, stamp, float(bid), float(ask))
        except ValueError as error:
            numbers = {"bid": columns.bid, "ask": columns.ask}
            raise table.unreadable(row, numbers, at, error, ": not a quote:") from None
