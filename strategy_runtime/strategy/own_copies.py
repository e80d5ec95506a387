"""Copies of a class's lists, mappings and sets, so that every instance has its own.

Python shares `prices = []` in a class body between all instances, so the next run of a sweep would
find what the last one left there. An attribute annotated with `ClassVar` stays shared.
"""

from collections import ChainMap, defaultdict, deque
from collections.abc import Iterator
from copy import copy
from inspect import get_annotations
from typing import Any

__all__ = ["own_copies"]

_KINDS = (list, dict, set, deque, defaultdict)


def own_copies(owner: type[Any], base: type[Any]) -> Iterator[tuple[str, Any]]:
    """Copy the containers of a class and its ancestors below the base class, by attribute name."""
    classes = [each for each in owner.__mro__ if each not in base.__mro__]
    annotations = ChainMap(*map(get_annotations, classes))
    for name, value in ChainMap(*map(dict, map(vars, classes))).items():
        is_shared = name.startswith("__") or "ClassVar" in str(annotations.get(name))
        if type(value) in _KINDS and not is_shared:
            yield name, _copied(value)


def _copied(value: Any) -> Any:
    """Copy a container and the containers in it; everything else is shared."""
    if type(value) not in _KINDS:
        return value
    own = copy(value)
    if isinstance(own, dict):
        own.update((name, _copied(each)) for name, each in value.items())
    elif not isinstance(own, set):
        for place, each in enumerate(value):
            own[place] = _copied(each)
    return own
