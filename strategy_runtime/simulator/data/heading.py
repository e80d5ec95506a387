"""The top of a CSV text: where its rows begin, and what their columns are."""

import csv
from collections.abc import Iterator, Sequence
from typing import IO

from msgspec import Struct
from msgspec.structs import replace

from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.columns import Layout, find_layout, is_number, over_all

__all__ = ["Heading", "find_heading"]

_LONGEST_LINE = 1_000_000
_MOST_LINES = 20


class Heading(Struct, frozen=True):
    """What stands above the rows.

    Attributes:
        names: Of the columns, as they stand.
        line: Number of the line with which the rows begin.
        ahead: What has been read of the rows.
    """

    names: Sequence[str]
    layout: Layout
    delimiter: str
    line: int
    ahead: str = ""


def find_heading(stream: IO[str], source: str, columns: Sequence[str] = ()) -> Heading:
    """Read until the columns are known.

    That is the first line in most files. Some have an address or a title above it. What pandas
    writes of several symbols side by side has a line of names, one of symbols, and one that names
    the time.

    Args:
        columns: Their names, if the file is not asked for them; see `over_all`. The lines above the
            first one with a number are passed over then.

    Raises:
        DataError: No line names the columns that are needed.
    """
    delimiter, line = ",", 0
    above: list[list[str]] = []
    refused: list[tuple[int, DataError]] = []
    for line, text in _lines(stream):
        delimiter = max(",;\t|", key=text.count)
        row = next(csv.reader([text], delimiter=delimiter, skipinitialspace=True))
        if columns:
            if any(map(is_number, row)):
                names = over_all(columns, len(row), f"{source} line {line}")
                return Heading(names, find_layout(names, source), delimiter, line, text)
            continue
        layout = _side_by_side(above, row)
        if layout is not None:
            names = [row[0], *map(" ".join, zip(above[-2][1:], above[-1][1:], strict=True))]
            return Heading(names, layout, delimiter, line + 1)
        try:
            return Heading(row, find_layout(row, source), delimiter, line + 1)
        except DataError as error:
            refused.append((len(row), error))
        above.append(row)
        if sum(map(is_number, row)) * 2 >= len(row) or len(above) == _MOST_LINES:
            break
    if refused:
        raise max(refused, key=lambda each: each[0])[1]
    if not line:
        raise DataError(f"{source} is empty")
    return Heading(columns, find_layout(columns, source), delimiter, line + 1)


def _lines(stream: IO[str]) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, and their numbers."""
    line = 0
    while text := stream.readline(_LONGEST_LINE):
        line += 1
        if text.strip():
            yield line, text


def _side_by_side(above: Sequence[Sequence[str]], last: Sequence[str]) -> Layout | None:
    """The columns of several symbols, or None where the last line does not only name the time."""
    if len(above) < 2 or len(last) < 2 or not last[0] or any(last[1:]):
        return None
    for names, symbols in ((above[-2], above[-1]), (above[-1], above[-2])):
        layouts: dict[str, Layout] = {}
        try:
            for symbol in dict.fromkeys(symbols[1:]):
                mine = [
                    name if of == symbol else ""
                    for name, of in zip(names[1:], symbols[1:], strict=True)
                ]
                layouts[symbol.strip()] = find_layout([last[0], *mine], "")
        except (DataError, ValueError):
            continue
        parts = [
            replace(part, symbol=symbol)
            for symbol, layout in layouts.items()
            for part in layout.parts
        ]
        return Layout(timestamp=0, time=None, symbol=None, parts=tuple(parts))
    return None
