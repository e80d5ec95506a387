"""Columns that may be larger than memory: beyond a limit they are kept in temporary files.

The files have no name and are gone with the process. What is kept in one is mapped into memory, so
columns are read the same way wherever they are: `column[row]`. Pages that were read stay in memory
until they are released: `Room.release`.
"""

import mmap
import os
import sys
from array import array
from collections.abc import Iterator, Sequence
from struct import pack
from tempfile import TemporaryFile
from typing import IO, Any, TypeAlias

from strategy_runtime.errors import DataError

__all__ = ["MOST_IN_MEMORY", "STRETCH", "Columns", "Floats", "Integers", "Room", "Spool", "Table"]

Integers: TypeAlias = "array[int] | memoryview[int]"
Floats: TypeAlias = "array[float] | memoryview[float]"
Columns: TypeAlias = "Sequence[array[Any]]"

STRETCH = 65_536
"""Rows that are looked at together."""

MOST_IN_MEMORY = 16 * 2**20
_ITEM = 8


class Room:
    """Bytes for columns, in memory or mapped from a temporary file."""

    def __init__(self, size: int, *, on_disk: bool) -> None:
        self._map: mmap.mmap | None = None
        self._taken = 0
        if on_disk and size:
            with TemporaryFile() as file:
                _allocate(file, size)
                self._map = mmap.mmap(file.fileno(), size)
        self._bytes = memoryview(bytearray(size) if self._map is None else self._map)

    @property
    def is_on_disk(self) -> bool:
        """Whether it is a file."""
        return self._map is not None

    def take(self, types: str, rows: int) -> "list[memoryview[Any]]":
        """Columns of a length, of integers (`q`) or floats (`d`)."""
        columns: list[memoryview[Any]] = []
        for code in types:
            end = self._taken + rows * _ITEM
            part = self._bytes[self._taken : end]
            columns.append(part.cast("q") if code == "q" else part.cast("d"))
            self._taken = end
        return columns

    def release(self) -> None:
        """Give back the memory of what has been read; it is read again where it is needed."""
        if self._map is not None and sys.platform == "linux":
            self._map.madvise(mmap.MADV_DONTNEED)


class Table:
    """Rows of one kind, in the order in which they came."""

    def __init__(self, types: str, spool: "Spool") -> None:
        self.types = types
        self._spool = spool
        self._blocks: list[tuple[int, int]] = []
        self._stored = 0
        self.pending = _empty(types)

    def __len__(self) -> int:
        return self._stored + len(self.pending[0])

    def append(self, row: Sequence[float]) -> None:
        """Add a row at the end."""
        for mine, number in zip(self.pending, row, strict=True):
            mine.append(number)
        self._spool.took(len(row))

    def extend(self, columns: "Sequence[Sequence[float]]") -> None:
        """Add rows at the end."""
        for mine, more in zip(self.pending, columns, strict=True):
            if isinstance(more, memoryview):
                mine.frombytes(more.cast("B"))
            else:
                mine.frombytes(pack(f"{len(more)}{mine.typecode}", *more))
        self._spool.took(len(columns[0]) * len(columns))

    def stretches(self) -> Iterator[Columns]:
        """All rows, some at a time."""
        for offset, rows in self._blocks:
            yield self._spool.block(self.types, offset, rows)
        rows = len(self.pending[0])
        for first in range(0, rows, STRETCH):
            yield [column[first : first + STRETCH] for column in self.pending]

    def first_stamps(self) -> Sequence[int]:
        """The first column of the first rows."""
        if self._blocks:
            offset, rows = self._blocks[0]
            return self._spool.block("q", offset, min(rows, STRETCH))[0]
        return self.pending[0][:STRETCH]

    def store(self) -> None:
        """Move what is in memory to the temporary file."""
        rows = len(self.pending[0])
        for first in range(0, rows, STRETCH):
            part = [column[first : first + STRETCH] for column in self.pending]
            self._blocks.append((self._spool.write(part), len(part[0])))
        self._stored += rows
        self.pending = _empty(self.types)


class Spool:
    """Tables that share a limit of memory and a temporary file.

    Args:
        most_in_memory: Bytes that all tables together may have in memory.
    """

    def __init__(self, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self._most = most_in_memory
        self._held = 0
        self._tables: list[Table] = []
        self._file: IO[bytes] | None = None
        self._end = 0

    def table(self, types: str) -> Table:
        """A new table."""
        table = Table(types, self)
        self._tables.append(table)
        return table

    def room(self) -> Room:
        """Room for all rows of all tables."""
        size = sum(len(table) * len(table.types) * _ITEM for table in self._tables)
        return Room(size, on_disk=self._file is not None)

    def took(self, items: int) -> None:
        """Note that a table has grown by some items; move all tables to the file when it is due."""
        self._held += items * _ITEM
        if self._held > self._most:
            self._held = 0
            for table in self._tables:
                table.store()

    def write(self, columns: Columns) -> int:
        """Put columns at the end of the file; gives back where they begin."""
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
        columns = _empty(types)
        if self._file is not None:
            self._file.seek(offset)
            for column in columns:
                column.frombytes(self._file.read(rows * _ITEM))
        return columns

    def close(self) -> None:
        """Give the file back; the tables are of no more use."""
        if self._file is not None:
            self._file.close()


def _empty(types: str) -> "list[array[Any]]":
    return [array(code) for code in types]


def _allocate(file: IO[bytes], size: int) -> None:
    # A mapped file that finds no space only when it is written to would end the process.
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
    except OSError as error:
        raise _no_space(error) from None


def _no_space(error: OSError) -> DataError:
    return DataError(
        f"the data do not fit in memory, and no temporary file can hold them "
        f"({error.strerror or error}); name a folder with more space in TMPDIR"
    )
