"""Columns that outgrow memory: beyond a size their numbers go to a temporary file.

The file has no name, so nothing is left behind, however a run ends. It is mapped into memory, where
a column in it can be indexed and sliced like an array; `Mapped.release` gives back the pages that
reading has brought in.
"""

import mmap
from array import array
from tempfile import TemporaryFile
from typing import IO, Any, TypeAlias

__all__ = ["Column", "Floats", "Ints", "Mapped"]

Floats: TypeAlias = "array[float] | memoryview[float]"
Ints: TypeAlias = "array[int] | memoryview[int]"

SPILL_AT = 1 << 18
"""Numbers in memory, a column, before they are written out."""


class Mapped:
    """The pages of one column in a file."""

    __slots__ = ("_pages",)

    def __init__(self, file: IO[bytes]) -> None:
        self._pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def cast(self, typecode: str) -> "memoryview[Any]":
        """The numbers."""
        return memoryview(self._pages).cast("B").cast(typecode)  # type: ignore[call-overload,no-any-return]

    def release(self) -> None:
        """Give the memory back; what is read again comes from the file again."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._pages.madvise(mmap.MADV_DONTNEED)


class Column:
    """A column that is being filled.

    Args:
        typecode: `q` for whole numbers, `d` for others, as in `array`.
    """

    __slots__ = ("_file", "_length", "_recent", "_typecode")

    def __init__(self, typecode: str) -> None:
        self._typecode = typecode
        self._recent: array[Any] = array(typecode)
        self._file: IO[bytes] | None = None
        self._length = 0

    def __len__(self) -> int:
        return self._length + len(self._recent)

    def append(self, number: float) -> None:
        """Add a number."""
        self._recent.append(number)
        if len(self._recent) >= SPILL_AT:
            self._write()

    def extend(self, numbers: "array[Any] | memoryview[Any]") -> None:
        """Add many."""
        self._recent.extend(numbers)
        if len(self._recent) >= SPILL_AT:
            self._write()

    def _write(self) -> None:
        if self._file is None:
            self._file = TemporaryFile(prefix="strategy-runtime-")  # noqa: SIM115 (outlives this call)
        self._recent.tofile(self._file)
        self._length += len(self._recent)
        self._recent = array(self._typecode)

    def finish(self) -> "tuple[array[Any] | memoryview[Any], Mapped | None]":
        """All numbers, and their pages where they are in a file; nothing can be added any more."""
        if self._file is None:
            return self._recent, None
        self._write()
        self._file.flush()
        with self._file:
            pages = Mapped(self._file)
        return pages.cast(self._typecode), pages
