"""Delimited text, many rows at a time.

Splitting a whole chunk at once is several times as fast as parsing row by row. Plain text is split
that way; anything else goes through the parser of the standard library, with the same result.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import IO, Any

from strategy_runtime.simulator.data.plain_rows import times_and_numbers

__all__ = ["Chunk", "chunks"]

_CHARACTERS = 1 << 17


class Chunk:
    """Some whole rows of a text.

    Attributes:
        line: Line number of the first row, from 1.
    """

    def __init__(self, text: str, line: int, delimiter: str, width: int) -> None:
        self.line = line
        self._text = text
        self._delimiter = delimiter
        self._width = width
        self._known_breaks: int | None = None

    def times_and_numbers(self) -> tuple[list[str], list[list[Any]]] | None:
        """Return the first column as texts and the others as numbers; None if not plain text."""
        text = _with_plain_breaks(self._text)
        if self._delimiter != "," or "\r" in text:
            return None
        found = times_and_numbers(text, self._width)
        if found is not None:
            self._known_breaks = len(found[0]) - (text[-1] != "\n")
        return found

    def columns(self) -> Sequence[Sequence[str]] | None:
        """Return the fields by column; None if a row spans lines or has another width."""
        text, delimiter = _with_plain_breaks(self._text), self._delimiter
        if '"' not in text and "\r" not in text and not _has_blanks(text, delimiter):
            return self._split(text)
        rows = list(self._reader())
        if len(rows) != self._lines:
            return None
        return list(zip(*rows, strict=True)) if {*map(len, rows)} == {self._width} else None

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each non-empty row with the number of its first line."""
        reader, line = self._reader(), self.line
        for row in reader:
            if any(row):
                yield line, row
            line = self.line + reader.line_num

    @property
    def breaks(self) -> int:
        """Number of line breaks."""
        if self._known_breaks is None:
            self._known_breaks = _breaks(self._text)
        return self._known_breaks

    @property
    def _lines(self) -> int:
        return self.breaks + (self._text[-1] not in "\r\n")

    def _split(self, text: str) -> Sequence[Sequence[str]] | None:
        # A mark after each row shows whether all rows have the right number of fields.
        delimiter, step = self._delimiter, self._width + 1
        fields = text.removesuffix("\n").replace("\n", f"{delimiter}\n{delimiter}").split(delimiter)
        fields.append("\n")
        marks = fields[self._width :: step]
        if len(fields) % step or marks.count("\n") != len(marks) or len(marks) != self._lines:
            return None
        return [fields[position::step] for position in range(self._width)]

    def _reader(self) -> Any:
        text = io.StringIO(self._text, newline="")
        return csv.reader(text, delimiter=self._delimiter, skipinitialspace=True)


def chunks(
    stream: IO[str], line: int, delimiter: str, width: int, ahead: str = ""
) -> Iterator[Chunk]:
    """Yield the rest of a text in chunks of whole rows.

    Args:
        line: Number of the next line.
        ahead: Text that has been read already.
    """
    while text := ahead + stream.read(_CHARACTERS):
        text, ahead = text + stream.readline(), ""
        longest, is_quoted = len(text) + csv.field_size_limit(), _is_quoted(text)
        while is_quoted and len(text) <= longest and (more := stream.readline()):
            text += more  # the line break was inside quotation marks
            is_quoted ^= _is_quoted(more)
        chunk = Chunk(text, line, delimiter, width)
        yield chunk
        line += chunk.breaks


def _is_quoted(text: str) -> bool:
    return '"' in text and text.count('"') % 2 == 1


def _with_plain_breaks(text: str) -> str:
    return text.replace("\r\n", "\n") if "\r" in text else text


def _breaks(text: str) -> int:
    if "\r" not in text:
        return text.count("\n")
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _has_blanks(text: str, delimiter: str) -> bool:
    return " " in text and (text[0] == " " or delimiter + " " in text or "\n " in text)
