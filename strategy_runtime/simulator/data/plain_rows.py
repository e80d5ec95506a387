"""Rows that are a time and numbers, many at once, by a parser of JSON.

With quotation marks around its times such a text is a list of JSON. The parser makes floats of it
straight away, where splitting it makes a text of every number first.
"""

from typing import Any

import msgspec

__all__ = ["times_and_numbers"]

_values = msgspec.json.Decoder(list[str | float]).decode


def times_and_numbers(text: str, width: int) -> tuple[list[str], list[list[Any]]] | None:
    """The first fields of all rows as they stand, and the others by columns, as `float` reads them.

    None where that is not plain to see: other rows may be fine as well.

    Args:
        text: Rows ended by line feeds, with commas between the fields.
        width: How many fields a row should have.
    """
    if '"' in text or "\\" in text or not text.isascii():
        return None
    first = text[: text.find(",")]
    if not first[-1:].isalnum():
        return None
    # A mark goes before each row and behind what the first time ends with. Behind a letter or a
    # digit a mark can only end a string, so no string begins elsewhere than a row does.
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
    # To JSON, -0 is a whole number without a sign.
    if "," in together or raw.count(b"-") != together.count("-"):
        return None
    return times, [values[place::width] for place in range(1, width)]


def _read(rows: bytes, end: bytes, marked: bytes) -> tuple[list[Any], int] | None:
    """All values, and how many rows there are."""
    ended = rows.replace(end, marked)
    begun = ended.replace(b"\n", b',"')
    try:
        return _values(b'["' + begun + b"]"), 1 + len(begun) - len(ended)
    except msgspec.DecodeError:
        return None
