"""Alignment of tables on a terminal, where some characters take two columns and some none."""

from unicodedata import combining, east_asian_width

__all__ = ["ljust", "rjust", "width_of"]


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(_columns_of(character) for character in text)


def ljust(text: str, width: int) -> str:
    """Pad a text on the right to a width."""
    return text + " " * (width - width_of(text))


def rjust(text: str, width: int) -> str:
    """Pad a text on the left to a width."""
    return " " * (width - width_of(text)) + text


def _columns_of(character: str) -> int:
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in ("W", "F") else 1
