"""Near matches for names a person may have misspelt."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean"]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A fragment such as `; did you mean 'on_candle'?`, or nothing without near matches."""
    matches = get_close_matches(name, sorted(known), n=3, cutoff=0.6)
    if not matches:
        return ""
    return "; did you mean " + " or ".join(repr(match) for match in matches) + "?"
