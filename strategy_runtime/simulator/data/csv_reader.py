"""CSV files, by the thousand rows: plain, `.gz` or `.zst`."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import accumulate, islice
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

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
from strategy_runtime.simulator.data.rows import BarCollector, TickCollector
from strategy_runtime.simulator.data.timestamps import StampReader

__all__ = ["open_text", "read_csv"]

_NUMBERS = ("open", "high", "low", "close", "volume")
_LONGEST_HEADER = 1_000_000
_CHUNK = 8192
_BREAK = re.compile(r"\r\n|\r|\n")


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


def read_csv(stream: IO[str], stamps: StampReader, into: FileCollectors) -> None:
    """Read all rows of a CSV text, of bars, quotes or trades.

    Raises:
        DataError: Names file, line and column.
    """
    source = into.source
    try:
        table = _Table(stream, source, stamps)
        quotes = find_quote_columns(table.header, source)
        ticks = find_tick_columns(table.header, source) if quotes is None else None
        if quotes is not None:
            for chunk in table.chunks():
                _read_quotes(table, chunk, quotes, into)
        elif ticks is not None:
            for chunk in table.chunks():
                _read_ticks(table, chunk, ticks, into)
        else:
            bars = find_columns(table.header, source)
            for chunk in table.chunks():
                if not _read_bars_at_once(table, chunk, bars, into):
                    _read_bars(table, chunk, bars, into)
    except UnicodeDecodeError as error:
        raise DataError(f"{source} is not a text in UTF-8 ({error.reason}); is it a CSV?") from None
    except (EOFError, OSError, csv.Error) as error:
        raise DataError(f"{source} cannot be read: {error}") from None


class _Chunk(NamedTuple):
    """Some rows; `lines` are those they end on."""

    rows: list[list[str]]
    lines: Sequence[int]


class _Table:
    """A file whose header has been read."""

    def __init__(self, stream: IO[str], source: str, stamps: StampReader) -> None:
        self.source = source
        self.stamps = stamps
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

    def chunks(self) -> Iterator[_Chunk]:
        """The rows, by the thousand. What breaks off the reading is raised behind them."""
        is_over = False
        while not is_over:
            before = self.rows.line_num
            rows: list[list[str]] = []
            trouble: Exception | None = None
            try:
                rows.extend(islice(self.rows, _CHUNK))
            except Exception as error:
                trouble = error
            is_over = len(rows) < _CHUNK
            if rows:
                yield _Chunk(rows, self._lines(rows, before))
            if trouble is not None:
                raise trouble

    def _lines(self, rows: list[list[str]], before: int) -> Sequence[int]:
        first = before + self.lines_before + 1
        if self.rows.line_num - before == len(rows):
            return range(first, first + len(rows))
        # Fields in quotation marks may go over several lines.
        ends = accumulate(
            (1 + sum(len(_BREAK.findall(field)) for field in row) for row in rows),
            initial=first - 1,
        )
        return list(ends)[1:]

    def numbered(self, chunk: _Chunk) -> Iterator[tuple[int, list[str]]]:
        """Line and row of a chunk, without the empty ones.

        Raises:
            DataError: A row does not have the header's fields. Some files end their rows with a
                delimiter; but `1,234.5` without quotation marks would shift all columns behind it.
        """
        width = len(self.header)
        for line, row in zip(chunk.lines, chunk.rows, strict=True):
            if len(row) != width:
                if not any(row):
                    continue
                if len(row) < width or any(row[width:]):
                    raise DataError(
                        f"{self.source} line {line}: {len(row)} fields where the header has {width}"
                    )
            yield line, row

    def symbol(self, row: list[str], symbol_at: int | None, line: int, into: FileCollectors) -> str:
        """The symbol of a row.

        Raises:
            DataError: It is empty.
        """
        symbol = into.default_symbol if symbol_at is None else row[symbol_at]
        if not symbol:
            raise DataError(f"{self.source} line {line}: the symbol is empty")
        return symbol

    def unreadable(
        self,
        line: int,
        row: list[str],
        numbers: Mapping[str, int],
        stamp_at: int,
        error: ValueError,
    ) -> DataError:
        """What is wrong with a row that has all fields and could not be read."""
        where = f"{self.source} line {line},"
        for name, position in numbers.items():
            text = row[position]
            try:
                float(text or (0 if name in ("volume", "size") else ""))
            except ValueError:
                return DataError(
                    f"{where} column {self.header[position].strip()}: {text!r} is not a number; "
                    "write it with a point for the decimals and nothing else"
                )
        return DataError(f"{where} column {self.header[stamp_at].strip()}: {error}")


def _read_bars_at_once(
    table: _Table, chunk: _Chunk, columns: Columns, into: FileCollectors
) -> bool:
    """Read a chunk column by column; False, and nothing read, where a row needs a look."""
    rows = chunk.rows
    if set(map(len, rows)) != {len(table.header)}:
        return False
    fields = list(zip(*rows, strict=True))
    texts: Sequence[str] = fields[columns.timestamp]
    if columns.time is not None:
        texts = list(map(" ".join, zip(texts, fields[columns.time], strict=True)))
    prices = (columns.open, columns.high, columns.low, columns.close)
    try:
        starts = table.stamps.read_all(texts)
        numbers = [list(map(float, fields[position])) for position in prices]
        numbers.append(
            [0.0] * len(rows)
            if columns.volume is None
            else [float(text or 0) for text in fields[columns.volume]]
        )
    except ValueError:
        return False
    if columns.symbol is None:
        _take(into.bars_of(into.default_symbol), chunk.lines, starts, numbers)
        return True
    places: dict[str, list[int]] = {}
    for place, symbol in enumerate(fields[columns.symbol]):
        places.setdefault(symbol, []).append(place)
    if "" in places:
        return False
    for symbol, chosen in places.items():
        collector = into.bars_of(symbol)
        if into.only_symbol not in (None, symbol):
            continue
        if len(places) == 1:
            _take(collector, chunk.lines, starts, numbers)
        else:
            _take(
                collector,
                [chunk.lines[place] for place in chosen],
                [starts[place] for place in chosen],
                [[column[place] for place in chosen] for column in numbers],
            )
    return True


def _take(
    collector: BarCollector,
    lines: Sequence[int],
    starts: Sequence[int],
    numbers: Sequence[Sequence[float]],
) -> None:
    if not collector.add_all(lines, starts, numbers):
        for row in zip(lines, starts, *numbers, strict=True):
            collector.add(*row)


def _read_bars(table: _Table, chunk: _Chunk, columns: Columns, into: FileCollectors) -> None:
    """Read a chunk row by row, and say which cannot be read."""
    at, time, volume_at = columns.timestamp, columns.time, columns.volume
    for line, row in table.numbered(chunk):
        symbol = table.symbol(row, columns.symbol, line, into)
        collector = into.bars_of(symbol)
        if columns.symbol is not None and into.only_symbol not in (None, symbol):
            continue
        try:
            collector.add(
                line,
                table.stamps.read(row[at] if time is None else f"{row[at]} {row[time]}"),
                float(row[columns.open]),
                float(row[columns.high]),
                float(row[columns.low]),
                float(row[columns.close]),
                float(row[volume_at] or 0) if volume_at is not None else 0.0,
            )
        except ValueError as error:
            numbers = {name: getattr(columns, name) for name in _NUMBERS}
            if volume_at is None:
                del numbers["volume"]
            raise table.unreadable(line, row, numbers, at, error) from None


def _read_quotes(table: _Table, chunk: _Chunk, columns: QuoteColumns, into: FileCollectors) -> None:
    at, time = columns.timestamp, columns.time
    trades = None
    if columns.price is not None:
        trades = TickColumns(at, columns.price, columns.size, columns.symbol, time)
    for line, row in table.numbered(chunk):
        symbol = table.symbol(row, columns.symbol, line, into)
        if columns.symbol is not None and into.only_symbol not in (None, symbol):
            continue
        bid, ask = row[columns.bid], row[columns.ask]
        if not (bid and ask):  # a trade among quotes, or one side alone, which prices nothing
            if trades is not None and row[trades.price]:
                _read_tick(table, line, row, trades, into.ticks_of(symbol))
            continue
        try:
            stamp = table.stamps.read(row[at] if time is None else f"{row[at]} {row[time]}")
            into.quotes_of(symbol).add(line, stamp, float(bid), float(ask))
        except ValueError as error:
            numbers = {"bid": columns.bid, "ask": columns.ask}
            raise table.unreadable(line, row, numbers, at, error) from None


def _read_ticks(table: _Table, chunk: _Chunk, columns: TickColumns, into: FileCollectors) -> None:
    for line, row in table.numbered(chunk):
        symbol = table.symbol(row, columns.symbol, line, into)
        if columns.symbol is None or into.only_symbol in (None, symbol):
            _read_tick(table, line, row, columns, into.ticks_of(symbol))


def _read_tick(
    table: _Table, line: int, row: list[str], columns: TickColumns, collector: TickCollector
) -> None:
    at, time, size_at = columns.timestamp, columns.time, columns.size
    try:
        stamp = table.stamps.read(row[at] if time is None else f"{row[at]} {row[time]}")
        size = float(row[size_at] or 0) if size_at is not None else 0.0
        collector.add(line, stamp, float(row[columns.price]), size)
    except ValueError as error:
        numbers = {"price": columns.price} | ({} if size_at is None else {"size": size_at})
        raise table.unreadable(line, row, numbers, at, error) from None
