"""CSV files, row by row: plain, `.gz` or `.zst`."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

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

_NAMES = ("open", "high", "low", "close", "volume")


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a file for reading, whatever it is compressed with.

    Raises:
        DataError: The compression needs a package that is not installed, or the file is broken.
    """
    with path.open("rb") as raw:
        yield _text(_decompressed(path, raw))


def _text(stream: IO[bytes]) -> IO[str]:
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


def _decompressed(path: Path, raw: IO[bytes]) -> IO[bytes]:
    if path.suffix == ".gz":
        import gzip

        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if path.suffix == ".zst":
        try:
            from backports import zstd
        except ImportError:
            raise DataError(
                f"{path}: reading .zst needs one more package: pip install 'strategy-runtime[zstd]'"
            ) from None
        return cast("IO[bytes]", zstd.ZstdFile(raw))
    return raw


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
        header_line = stream.readline()
        if not header_line.strip():
            raise DataError(f"{source} is empty")
        dialect = _delimiter(header_line)
        header = next(csv.reader([header_line], delimiter=dialect))
        reader = csv.reader(stream, delimiter=dialect)
        quote_columns = find_quote_columns(header)
        if quote_columns is not None:
            _read_quotes(
                reader, quote_columns, source, stamps, quotes_of, default_symbol, only_symbol
            )
            return
        columns = find_columns(header, source)
        _read_rows(
            reader, columns, header, source, stamps, collector_of, default_symbol, only_symbol
        )
    except UnicodeDecodeError as error:
        raise DataError(f"{source} is not a text in UTF-8 ({error.reason}); is it a CSV?") from None
    except (EOFError, OSError, csv.Error) as error:
        raise DataError(f"{source} cannot be read: {error}") from None


def _read_rows(
    reader: "csv._reader",  # type: ignore[name-defined]
    columns: Columns,
    header: list[str],
    source: str,
    stamps: StampReader,
    collector_of: Callable[[str], RowCollector],
    default_symbol: str,
    only_symbol: str | None,
) -> None:
    read_stamp = stamps.read
    at, time, volume_at, symbol_at = columns.timestamp, columns.time, columns.volume, columns.symbol
    o, h, low, c = columns.open, columns.high, columns.low, columns.close
    symbol = default_symbol
    collector = None if symbol_at is not None else collector_of(default_symbol)
    for row in reader:
        if not row:
            continue
        line = reader.line_num + 1
        try:
            if symbol_at is not None and (collector is None or row[symbol_at] != symbol):
                symbol = row[symbol_at]
                if not symbol:
                    raise DataError(f"{source} line {line}: the symbol is empty")
                collector = collector_of(symbol)
            if collector is None or (
                only_symbol is not None and symbol_at is not None and symbol != only_symbol
            ):
                continue
            stamp = row[at] if time is None else f"{row[at]} {row[time]}"
            collector.add(
                line,
                read_stamp(stamp),
                float(row[o]),
                float(row[h]),
                float(row[low]),
                float(row[c]),
                float(row[volume_at] or 0) if volume_at is not None else 0.0,
            )
        except IndexError:
            raise DataError(
                f"{source} line {line}: {len(row)} fields where the header has {len(header)}"
            ) from None
        except ValueError as error:
            raise _explain(row, columns, header, source, line, error) from None


def _read_quotes(
    reader: "csv._reader",  # type: ignore[name-defined]
    columns: QuoteColumns,
    source: str,
    stamps: StampReader,
    quotes_of: Callable[[str], QuoteCollector],
    default_symbol: str,
    only_symbol: str | None,
) -> None:
    for row in reader:
        if not row:
            continue
        line = reader.line_num + 1
        try:
            symbol = default_symbol if columns.symbol is None else row[columns.symbol]
            bid, ask = row[columns.bid], row[columns.ask]
            if not (bid and ask) or (only_symbol is not None and symbol != only_symbol):
                continue  # a row without prices is a trade among quotes
            quotes_of(symbol).add(line, stamps.read(row[columns.timestamp]), float(bid), float(ask))
        except (IndexError, ValueError) as error:
            raise DataError(f"{source} line {line}: no quote: {error}") from None


def _delimiter(header: str) -> str:
    return max(",;\t|", key=header.count)


def _explain(
    row: list[str],
    columns: Columns,
    header: list[str],
    source: str,
    line: int,
    error: ValueError,
) -> DataError:
    for name in _NAMES:
        position = getattr(columns, name)
        if position is None:
            continue
        text = row[position]
        try:
            float(text or (0 if name == "volume" else ""))
        except ValueError:
            return DataError(
                f"{source} line {line}, column {header[position]}: {text!r} is not a number; write "
                "it with a point for the decimals and nothing else"
            )
    return DataError(f"{source} line {line}, column {header[columns.timestamp]}: {error}")
