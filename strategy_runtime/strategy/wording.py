"""Descriptions of the values that a parameter accepts, for error messages."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import inspect

__all__ = ["in_words"]

_SIMPLE: dict[type[inspect.Type], str] = {
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.DecimalType: "a number",
    inspect.BoolType: "true or false",
    inspect.StrType: "a text",
    inspect.NoneType: "null",
    inspect.DateTimeType: "a time such as 2024-03-04T14:30:00Z",
    inspect.DateType: "a date such as 2024-03-04",
    inspect.TimeType: "a time of day such as 14:30:00",
    inspect.TimeDeltaType: "a length of time such as P1D for a day, PT4H or PT90S",
}
_LISTS = (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType)
_EXAMPLES: dict[type[inspect.Type], tuple[str, str]] = {
    inspect.IntType: ("5", "20"),
    inspect.FloatType: ("0.5", "1.5"),
    inspect.DecimalType: ("0.5", "1.5"),
    inspect.BoolType: ("true", "false"),
    inspect.StrType: ('"a"', '"b"'),
}
_BOUNDS = {
    "gt": "above {}",
    "ge": "at least {}",
    "lt": "below {}",
    "le": "at most {}",
    "multiple_of": "divisible by {}",
    "min_length": "at least {} long",
    "max_length": "at most {} long",
    "pattern": "matching {}",
}


def in_words(kind: Any, bounds: Iterable[tuple[str, Any]] = ()) -> str:
    """Describe the values of a type, such as `a whole number above 1`; empty if unknown.

    Args:
        bounds: Bounds that are not part of the type, with the names that `msgspec.Meta` has.
    """
    return _bounded(_words(inspect.type_info(kind)), bounds)


def _words(info: Any) -> str:
    if isinstance(info, inspect.Metadata):
        return _words(info.type)
    if isinstance(info, inspect.UnionType):
        return " or ".join(filter(None, map(_words, info.types)))
    if isinstance(info, inspect.EnumType):
        return _one_of([each.value for each in info.cls])
    if isinstance(info, inspect.LiteralType):
        return _one_of(info.values)
    bounds = [(name, bound) for name in _BOUNDS if (bound := getattr(info, name, None)) is not None]
    return _bounded(_SIMPLE.get(type(info)) or _compound(info), bounds)


def _compound(info: Any) -> str:
    if isinstance(info, _LISTS):
        return f"a list such as [{', '.join(_examples(info.item_type))}]"
    if isinstance(info, inspect.TupleType):
        parts = ", ".join(_examples(each)[0] for each in info.item_types)
        return f"a list such as [{parts}]"
    if isinstance(info, inspect.DictType):
        return f'an object such as {{"a": {_examples(info.value_type)[0]}}}'
    return ""


def _examples(info: Any) -> tuple[str, str]:
    return _EXAMPLES.get(type(info), ("…", "…"))


def _one_of(values: Sequence[Any]) -> str:
    return "one of " + ", ".join(
        each if isinstance(each, str) else msgspec.json.encode(each).decode() for each in values
    )


def _bounded(words: str, bounds: Iterable[tuple[str, Any]]) -> str:
    limits = " and ".join(_BOUNDS[name].format(bound) for name, bound in bounds)
    return f"{words} {limits}" if words and limits else words
