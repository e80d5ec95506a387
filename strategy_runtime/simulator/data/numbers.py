"""Converts texts to numbers, a column at a time."""

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

__all__ = ["Decimals", "Numerals", "floats", "integers"]

Decimals: TypeAlias = Literal["point", "comma"]
"""The decimal mark; the other of the two separates thousands."""

_floats = msgspec.json.Decoder(list[float]).decode
_integers = msgspec.json.Decoder(list[int]).decode

_CURRENCIES = "$€£¥₹ "
"""Characters that may precede a number."""
_MISSING = {"", "-", "--", ".", "\\n", "null", "none", "nan", "na", "n/a", "#n/a", "<na>"}
_WITH_MARKS = {
    "point": re.compile(r"-?\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d*)?", re.ASCII),
    "comma": re.compile(r"-?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d*)?(?:e[+-]?\d+)?", re.ASCII | re.I),
}
_OTHER = {"point": ",", "comma": "."}


class Numerals:
    """Reads the numbers of one file.

    Args:
        decimals: The decimal mark. None is a point without thousands separators, because 1,234 may
            be more than a thousand or little more than one.

    Attributes:
        are_plain: Whether `float` reads numbers correctly if it can read them.
    """

    def __init__(self, decimals: Decimals | None = None) -> None:
        self._decimals = decimals
        self.are_plain = decimals != "comma"

    def read(self, texts: Sequence[str], missing: float) -> list[float]:
        """Return numbers written as in spreadsheets or by people; those left out are `missing`.

        Raises:
            ValueError: A text is not a number.
        """
        try:
            plain = texts if self.are_plain else _with_points(texts)
            return floats([text or str(missing) for text in plain] if "" in plain else plain)
        except ValueError:
            return floats([self._plain(text, missing) for text in texts])

    def _plain(self, text: str, missing: float) -> str:
        text = text.strip().lstrip(_CURRENCIES)
        if text.lower() in _MISSING:
            return str(missing)
        if self._decimals is None:
            return text
        if _WITH_MARKS[self._decimals].fullmatch(text):
            return text.replace(_OTHER[self._decimals], "").replace(",", ".")
        if self._decimals == "comma":
            raise ValueError(f"{text!r} is no number with a comma for the decimals")
        return text


def _with_points(texts: Sequence[str]) -> Sequence[str]:
    """Replace decimal commas with points.

    Raises:
        ValueError: A text also has other marks.
    """
    together = "\n".join(texts)
    if "." in together or together.count("\n") != len(texts) - 1:
        raise ValueError("each has to be looked at")
    return together.replace(",", ".").split("\n")


def floats(texts: Sequence[str]) -> list[float]:
    """Return `float` of each text.

    Numbers are usually written as in JSON, whose parser reads a whole column in a third of the
    time.

    Raises:
        ValueError: A text is not a number.
    """
    together = ",".join(texts)
    try:
        # In JSON, -0 is an integer without a sign.
        numbers = [] if "-" in together else _floats(f"[{together}]")
    except (msgspec.DecodeError, UnicodeError):
        numbers = []
    # A text with a comma in it may be two numbers in JSON, but is not a number.
    return numbers if len(numbers) == len(texts) else list(map(float, texts))


def integers(texts: Sequence[str]) -> list[int]:
    """Return `int` of each text, all of which have only digits."""
    try:
        return _integers(f"[{','.join(texts)}]")
    except msgspec.DecodeError:  # JSON has no leading zeros
        return list(map(int, texts))
