"""Columns that may be larger than memory: beyond a limit they are kept in temporary files.

The files have no name and disappear with the process. They are mapped into memory, so that columns
are read the same way wherever they are: `column[row]`. Pages that were read stay in memory until
`Room.release`.
"""

import errno
import mmap
import os
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BufferedRandom
from struct import pack_into
from tempfile import TemporaryFile
from typing import Any, TypeAlias

from strategy_runtime.errors import DataError, reason_of

__all__ = ["MOST_IN_MEMORY", "STRETCH", "Columns", "Floats", "Integers", "Room", "Spool", "Table"]

Integers: TypeAlias = "array[int] | memoryview[int]"
Floats: TypeAlias = "array[float] | memoryview[float]"
Columns: TypeAlias = "Sequence[memoryview[Any]]"

STRETCH = 65_536
"""Rows that are processed together."""

MOST_IN_MEMORY = 16 * 2**20
_ITEM = 8


class Room:
    """Space for columns, in memory or mapped from a temporary file."""

    def __init__(self, size: int, *, on_disk: bool) -> None:
        self._file: BufferedRandom | None = None
        self._map: mmap.mmap | None = None
        self._taken = 0
        if on_disk and size:
            self._file, self._map = _mapped(size)
        self._bytes = memoryview(bytearray(size) if self._map is None else self._map)

    @property
    def is_on_disk(self) -> bool:
        """Whether it is in a file."""
        return self._map is not None

    def take(self, types: str, rows: int) -> "Filling":
        """Take space for columns of some length, of integers (`q`) or floats (`d`)."""
        begin = self._taken
        self._taken += len(types) * rows * _ITEM
        return Filling(self, begin, cut(self._bytes[begin : self._taken], types))

    def write(self, at: int, part: "memoryview[Any]") -> None:
        """Write bytes at a position; in a file, that takes no memory."""
        if self._file is None:
            self._bytes[at : at + part.nbytes] = part.cast("B")
        else:
            self._file.seek(at)
            self._file.write(part)

    def seal(self) -> None:
        """Close the file, after the last write."""
        if self._file is not None:
            self._file.close()

    def release(self) -> None:
        """Release the memory of what has been read; it is read again when needed."""
        if self._map is not None and sys.platform == "linux":
            self._map.madvise(mmap.MADV_DONTNEED)


class Filling:
    """Columns of a room that are filled from the start."""

    def __init__(self, room: Room, begin: int, columns: Columns) -> None:
        self._room = room
        self._begin = begin
        self._columns = columns
        self._filled = 0

    def add(self, parts: Columns) -> None:
        """Append numbers to each column."""
        at = self._begin + self._filled * _ITEM
        for column, part in zip(self._columns, parts, strict=True):
            self._room.write(at, part)
            at += column.nbytes
        self._filled += len(parts[0])

    @property
    def columns(self) -> Columns:
        """The filled part of the columns; read it once the room has been sealed."""
        return [column[: self._filled] for column in self._columns]


class Table:
    """Rows of one kind, in the order in which they were added."""

    def __init__(self, types: str, spool: "Spool") -> None:
        self.types = types
        self._spool = spool
        self._stored: list[tuple[int, int]] = []
        self._full: list[tuple[Columns, int]] = []
        self._filling = cut(memoryview(b""), types)
        self._filled = 0
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, row: Sequence[float]) -> None:
        """Add a row at the end."""
        self._make_way(1)
        for mine, number in zip(self._filling, row, strict=True):
            mine[self._filled] = number
        self.keep(1)

    def place(self, columns: "Sequence[Sequence[float]]") -> Columns:
        """Write rows after the end, without counting them yet, and return them as columns."""
        rows = len(columns[0])
        self._make_way(rows)
        here = slice(self._filled, self._filled + rows)
        placed = [mine[here] for mine in self._filling]
        for mine, more in zip(placed, columns, strict=True):
            if isinstance(more, memoryview):
                mine[:] = more
            else:
                pack_into(f"{rows}{mine.format}", mine, 0, *more)
        return placed

    def keep(self, rows: int) -> None:
        """Count the rows that were last placed."""
        self._filled += rows
        self._rows += rows
        self._spool.grew(rows * len(self.types))

    def stretches(self) -> Iterator[Columns]:
        """Yield all rows, a stretch at a time."""
        return (read() for read in self.readers())

    def readers(self) -> Iterator[Callable[[], Columns]]:
        """Yield functions that together read all rows, each of them a stretch."""
        for offset, rows in self._stored:
            yield partial(self._spool.block, self.types, offset, rows)
        for columns in self._in_memory():
            yield partial(list, columns)

    def stamps(self) -> Iterator[int]:
        """Yield the first column."""
        for offset, rows in self._stored:
            yield from self._spool.block("q", offset, rows)[0]
        for columns in self._in_memory():
            yield from columns[0]

    def store(self) -> None:
        """Move the rows in memory to the temporary file."""
        for columns in self._in_memory():
            self._stored.append((self._spool.write(columns), len(columns[0])))
        for columns, _ in (*self._full, (self._filling, 0)):
            self._spool.recycle(self.types, columns)
        self._full.clear()
        self._filling, self._filled = cut(memoryview(b""), self.types), 0

    def _in_memory(self) -> Iterator[Columns]:
        for columns, rows in (*self._full, (self._filling, self._filled)):
            if rows:
                yield [column[:rows] for column in columns]

    def _make_way(self, rows: int) -> None:
        before, filled = self._filling, self._filled
        if filled + rows <= len(before[0]):
            return
        if filled + rows > STRETCH:
            self._full.append((before, filled))
            self._filling, self._filled = self._spool.columns(self.types, max(STRETCH, rows)), 0
            return
        size = max(min(2 * len(before[0]), STRETCH), filled + rows)
        self._filling = self._spool.columns(self.types, size)
        for mine, old in zip(self._filling, before, strict=True):
            mine[:filled] = old[:filled]


class Spool:
    """Tables that share a memory limit and a temporary file.

    Args:
        most_in_memory: Bytes that all tables together may hold in memory.
    """

    def __init__(self, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self._most = most_in_memory
        self._held = 0
        self._tables: list[Table] = []
        self._spare: dict[str, list[Columns]] = {}
        self._room: Room | None = None
        self._file: BufferedRandom | None = None
        self._end = 0

    def table(self, types: str) -> Table:
        """Create a table."""
        table = Table(types, self)
        self._tables.append(table)
        return table

    def room(self) -> Room:
        """Create a room for all rows of all tables."""
        size = sum(len(table) * len(table.types) * _ITEM for table in self._tables)
        self._room = Room(size, on_disk=self._file is not None)
        self._spare.clear()
        return self._room

    def columns(self, types: str, rows: int) -> Columns:
        """Return columns to fill, reusing recycled ones if they have the usual length."""
        spare = self._spare.get(types)
        if spare and rows == STRETCH:
            return spare.pop()
        return cut(memoryview(bytearray(len(types) * rows * _ITEM)), types)

    def recycle(self, types: str, columns: Columns) -> None:
        """Keep columns that are no longer used, for reuse."""
        if len(columns[0]) == STRETCH:
            self._spare.setdefault(types, []).append(columns)

    def grew(self, items: int) -> None:
        """Count items added to a table, and move all tables to the file beyond the limit."""
        self._held += items * _ITEM
        if self._held > self._most:
            self._held = 0
            for table in self._tables:
                table.store()

    def write(self, columns: Columns) -> int:
        """Append columns to the file and return their offset."""
        begin = self._end
        try:
            if self._file is None:
                self._file = TemporaryFile()  # noqa: SIM115 - open for as long as the spool is
            self._file.seek(begin)
            for column in columns:
                self._end += self._file.write(column)
        except OSError as error:
            raise _no_space(error) from None
        return begin

    def block(self, types: str, offset: int, rows: int) -> Columns:
        """Read columns back."""
        if self._file is None:
            return cut(memoryview(b""), types)
        self._file.seek(offset)
        return cut(memoryview(self._file.read(len(types) * rows * _ITEM)), types)

    def close(self) -> None:
        """Close the file; the tables can no longer be used."""
        if self._room is not None:
            self._room.seal()
        if self._file is not None:
            self._file.close()


def cut(numbers: "memoryview[Any]", types: str) -> Columns:
    """Cut bytes into one column per type, one after the other."""
    size = numbers.nbytes // len(types)
    parts = [numbers[size * place : size * (place + 1)] for place in range(len(types))]
    return [
        part.cast("q") if code == "q" else part.cast("d")
        for code, part in zip(types, parts, strict=True)
    ]


def _mapped(size: int) -> tuple[BufferedRandom, mmap.mmap]:
    """Return a temporary file of some size, and its mapped bytes."""
    try:
        file = TemporaryFile()  # noqa: SIM115 - open until its room is sealed
        try:
            # If a mapped file found no space only on writing, the process would be killed.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return file, mmap.mmap(file.fileno(), size)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise _no_space(error) from None


def _no_space(error: OSError) -> Exception:
    if error.errno == errno.ENOMEM:
        return MemoryError()
    return DataError(
        f"the data do not fit in memory, and no temporary file can hold them "
        f"({reason_of(error)}); name a folder with more space in TMPDIR"
    )
