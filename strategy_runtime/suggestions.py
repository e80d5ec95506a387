"""Names in messages: suggestions for a misspelt one, and long lists cut short."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

__all__ = ["did_you_mean", "nearest", "some_of"]

_ALIKE = 0.6


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = _ALIKE) -> str:
    """Return a fragment such as `; did you mean 'on_candle'?`, empty without near matches."""
    matches = get_close_matches(name, sorted(known), n=3, cutoff=cutoff)
    if not matches:
        return ""
    return "; did you mean " + " or ".join(repr(match) for match in matches) + "?"


def nearest(name: str, known: Iterable[str], *, cutoff: float = _ALIKE) -> str:
    """Return the known name most similar to `name`, empty if none is similar enough."""
    return next(iter(get_close_matches(name, sorted(known), n=1, cutoff=cutoff)), "")


def some_of(names: Sequence[str], most: int = 20, between: str = ", ") -> str:
    """Join the first names and count the rest: `a, b and 3 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(names[:most]) + more
