"""Parses rows of a time and numbers, many at once, as JSON.

With quotation marks around the times, such a text is a JSON list. The parser creates the floats
directly, whereas splitting creates a string for every number first.
"""

from typing import Any

import msgspec

__all__ = ["times_and_numbers"]

_values = msgspec.json.Decoder(list[str | float]).decode


def times_and_numbers(text: str, width: int) -> tuple[list[str], list[list[Any]]] | None:
    """Return the first fields of all rows as texts, and the others by column as floats.

    Return None if the text is not as simple as that, which does not mean that it is wrong.

    Args:
        text: Rows that end with line feeds, with commas between the fields.
        width: Number of fields in a row.
    """
    if '"' in text or "\\" in text or not text.isascii():
        return None
    first = text[: text.find(",")]
    if not first[-1:].isalnum():
        return None
    # A quotation mark goes before each row and after the characters that end the first time. After
    # a letter or digit it can only end a string, so strings start only where rows do.
    end, comma = (first[-1], "") if first[-1].isalpha() else (first[-3:], ",")
    marks = (end + comma).encode(), f'{end}"{comma}'.encode()
    raw = text.encode().removesuffix(b"\n")
    if _read(raw.partition(b"\n")[0], *marks) is None:
        return None
    read = _read(raw, *marks)
    if read is None:
        return None
    values, rows = read
    if len(values) != rows * width:
        return None
    times = values[::width]
    try:
        together = "\n".join(times)
    except TypeError:
        return None
    # In JSON, -0 is an integer without a sign.
    if "," in together or raw.count(b"-") != together.count("-"):
        return None
    return times, [values[place::width] for place in range(1, width)]


def _read(rows: bytes, end: bytes, marked: bytes) -> tuple[list[Any], int] | None:
    """Return all values and the number of rows."""
    ended = rows.replace(end, marked)
    begun = ended.replace(b"\n", b',"')
    try:
        return _values(b'["' + begun + b"]"), 1 + len(begun) - len(ended)
    except msgspec.DecodeError:
        return None
