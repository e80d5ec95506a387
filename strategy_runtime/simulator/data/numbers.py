"""Texts to numbers, a column at a time."""

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

__all__ = ["Decimals", "Numerals", "floats", "integers"]

Decimals: TypeAlias = Literal["point", "comma"]
"""What parts the decimals from the whole; the other of the two parts thousands."""

_floats = msgspec.json.Decoder(list[float]).decode
_integers = msgspec.json.Decoder(list[int]).decode

_CURRENCIES = "$€£¥₹ "
"""They may stand in front."""
_MISSING = {"", "-", "--", ".", "\\n", "null", "none", "nan", "na", "n/a", "#n/a", "<na>"}
_WITH_MARKS = {
    "point": re.compile(r"-?\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d*)?", re.ASCII),
    "comma": re.compile(r"-?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d*)?(?:e[+-]?\d+)?", re.ASCII | re.I),
}
_OTHER = {"point": ",", "comma": "."}


class Numerals:
    """Reads the numbers of one file.

    Args:
        decimals: What parts them; None for a point, and nothing that parts thousands: 1,234 may be
            more than a thousand, or little more than one.

    Attributes:
        are_plain: Whether a number that `float` reads is that number.
    """

    def __init__(self, decimals: Decimals | None = None) -> None:
        self._decimals = decimals
        self.are_plain = decimals != "comma"

    def read(self, texts: Sequence[str], missing: float) -> list[float]:
        """Numbers as spreadsheets and people write them; what stands for none is `missing`.

        Raises:
            ValueError: One is no number.
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
    """Numbers with commas for the decimals.

    Raises:
        ValueError: They have other marks as well.
    """
    together = "\n".join(texts)
    if "." in together or together.count("\n") != len(texts) - 1:
        raise ValueError("each has to be looked at")
    return together.replace(",", ".").split("\n")


def floats(texts: Sequence[str]) -> list[float]:
    """What `float` makes of each text.

    The usual spellings are those of JSON, whose parser reads a whole column in a third of the time.

    Raises:
        ValueError: One is no number.
    """
    together = ",".join(texts)
    try:
        # To JSON, -0 is a whole number without a sign.
        numbers = [] if "-" in together else _floats(f"[{together}]")
    except (msgspec.DecodeError, UnicodeError):
        numbers = []
    # A text with a comma in it may be two numbers of JSON, and is none of ours.
    return numbers if len(numbers) == len(texts) else list(map(float, texts))


def integers(texts: Sequence[str]) -> list[int]:
    """What `int` makes of texts that are digits and nothing else."""
    try:
        return _integers(f"[{','.join(texts)}]")
    except msgspec.DecodeError:  # JSON has no zeros in front
        return list(map(int, texts))
