"""The header of a CSV text: where its rows start, and which columns they have."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import IO

from msgspec import Struct
from msgspec.structs import replace

from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.columns import (
    Layout,
    Part,
    find_layout,
    is_number,
    padded_names,
)

__all__ = ["Heading", "find_heading"]

_LONGEST_LINE = 1_000_000
_MOST_LINES = 20


class Heading(Struct, frozen=True):
    """What a CSV has above its rows.

    Attributes:
        names: Names of the columns, as in the file.
        line: Number of the line at which the rows start.
        ahead: Text of the rows that has been read already.
    """

    names: Sequence[str]
    layout: Layout
    delimiter: str
    line: int
    ahead: str = ""


def find_heading(stream: IO[str], source: str, columns: Sequence[str] = ()) -> Heading:
    """Read until the columns are known.

    In most files the first line is enough. Some have a URL or a title above it. Several symbols
    side by side, as pandas writes them, have a line of names, a line of symbols, and a line that
    names the time.

    Args:
        columns: Names given by the user, see `padded_names`; lines before the first one with a
            number are then skipped.

    Raises:
        DataError: No line names the required columns.
    """
    delimiter, line = ",", 0
    above: list[list[str]] = []
    refused: list[tuple[int, DataError]] = []
    for line, text in _lines(stream):
        delimiter = max(",;\t|", key=text.count)
        row = next(csv.reader([text], delimiter=delimiter, skipinitialspace=True))
        if columns:
            if any(map(is_number, row)):
                names = padded_names(columns, len(row), f"{source} line {line}")
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
    """Yield the number and text of lines that are not blank."""
    line = 0
    while text := stream.readline(_LONGEST_LINE):
        line += 1
        if text.strip():
            yield line, text


def _side_by_side(above: Sequence[Sequence[str]], last: Sequence[str]) -> Layout | None:
    """Return the columns of several symbols; None unless the last line names only the time."""
    if len(above) < 2 or len(last) < 2 or not last[0] or any(last[1:]):
        return None
    for names, symbols in ((above[-2], above[-1]), (above[-1], above[-2])):
        if len(names) != len(symbols):
            continue
        places: defaultdict[str, list[int]] = defaultdict(lambda: [0])
        for place, symbol in enumerate(symbols[1:], start=1):
            places[symbol].append(place)
        try:
            parts = {symbol.strip(): _parts(last, names, mine) for symbol, mine in places.items()}
        except DataError:
            continue
        named = [replace(part, symbol=each) for each, mine in parts.items() for part in mine]
        return Layout(timestamp=0, time=None, symbol=None, parts=tuple(named))
    return None


def _parts(last: Sequence[str], names: Sequence[str], mine: Sequence[int]) -> list[Part]:
    """Return the columns of one of several symbols.

    Args:
        last: The line that names the time.
        mine: The positions of its columns, after that of the time.

    Raises:
        DataError: One is missing or there twice.
    """
    layout = find_layout([last[0], *(names[place] for place in mine[1:])], "")
    return [
        replace(part, positions=tuple(at if at is None else mine[at] for at in part.positions))
        for part in layout.parts
    ]
