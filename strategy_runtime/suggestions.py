"""Names in messages: near matches of one that may be misspelt, and some of many."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

__all__ = ["did_you_mean", "nearest", "some_of"]

_ALIKE = 0.6


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = _ALIKE) -> str:
    """A fragment such as `; did you mean 'on_candle'?`, or nothing without near matches."""
    matches = get_close_matches(name, sorted(known), n=3, cutoff=cutoff)
    if not matches:
        return ""
    return "; did you mean " + " or ".join(repr(match) for match in matches) + "?"


def nearest(name: str, known: Iterable[str], *, cutoff: float = _ALIKE) -> str:
    """The name that is most like one, or nothing where none is."""
    return next(iter(get_close_matches(name, sorted(known), n=1, cutoff=cutoff)), "")


def some_of(names: Sequence[str], most: int = 20, between: str = ", ") -> str:
    """The first of some names, and how many more there are: `a, b and 3 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(names[:most]) + more
