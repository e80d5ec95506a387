"""Lists, mappings and sets that a class has, for each strategy of it to have its own.

`prices = []` in a class is one list to Python, in which the next run of a sweep would find what the
last one has put there. What is annotated with `ClassVar` is meant to be shared, and is.
"""

from collections import ChainMap, defaultdict, deque
from collections.abc import Iterator
from copy import copy
from inspect import get_annotations
from typing import Any

__all__ = ["own_copies"]

_KINDS = (list, dict, set, deque, defaultdict)


def own_copies(owner: type[Any], base: type[Any]) -> Iterator[tuple[str, Any]]:
    """Copies of what a class, and what it derives from up to the base class, has of that kind."""
    theirs = [each for each in owner.__mro__ if each not in base.__mro__]
    annotations = ChainMap(*map(get_annotations, theirs))
    for name, value in ChainMap(*map(dict, map(vars, theirs))).items():
        is_shared = name.startswith("__") or "ClassVar" in str(annotations.get(name))
        if type(value) in _KINDS and not is_shared:
            yield name, _copied(value)


def _copied(value: Any) -> Any:
    """A copy of such a value and of those in it; all else that is in it stays what it is."""
    if type(value) not in _KINDS:
        return value
    own = copy(value)
    if isinstance(own, dict):
        own.update((name, _copied(each)) for name, each in value.items())
    elif not isinstance(own, set):
        for place, each in enumerate(value):
            own[place] = _copied(each)
    return own
