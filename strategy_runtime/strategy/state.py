"""State: what a strategy keeps beyond one run.

It is declared by annotating `state` with a msgspec Struct, and is no parameter. Orders and
positions do not belong into it: they are the venue's, and read from there.
"""

from collections.abc import Mapping
from copy import deepcopy
from inspect import get_annotations
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from strategy_runtime.errors import ParameterError

__all__ = ["NAME", "begin_state", "check_state", "kind_of_state"]

NAME = "state"
"""The attribute that holds it."""


def kind_of_state(owner: type[Any]) -> type[Struct] | None:
    """The Struct that a strategy class declares as its state, or None where it declares none.

    Raises:
        ParameterError: It is annotated with something else, or is a Struct and not annotated.
    """
    if not any(NAME in get_annotations(each) for each in owner.__mro__):
        begun = getattr(owner, NAME, None)
        if isinstance(begun, Struct):
            kept = type(begun).__name__
            raise ParameterError(
                f"{owner.__name__}.state has no annotation, and so would not be kept; write "
                f"`state: {kept} = …`"
            )
        return None
    kind = get_type_hints(owner, include_extras=True)[NAME]
    if kind is ClassVar or get_origin(kind) is ClassVar:
        return None
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if not (isinstance(kind, type) and issubclass(kind, Struct)):
        raise ParameterError(
            f"{owner.__name__}.state: what a strategy keeps beyond a run is a msgspec Struct, not "
            f"{kind!r}; give a parameter another name"
        )
    return kind


def begin_state(owner: type[Any], given: Mapping[str, object]) -> Struct | None:
    """The state that an instance begins with, or None where its class declares none.

    Args:
        given: By name, what the constructor was called with. Without a state in it the default of
            the class is copied, and without a default one is made.

    Raises:
        ParameterError: What was given is no such state, or none can be made.
    """
    kind = kind_of_state(owner)
    if kind is None:
        return None
    state = given.get(NAME)
    if state is None:
        state = deepcopy(getattr(owner, NAME, None))
    if state is None:
        try:
            return kind()
        except TypeError as error:
            raise ParameterError(
                f"{owner.__name__}.state: every field of {kind.__name__} needs a default ({error})"
            ) from None
    if not isinstance(state, kind):
        raise ParameterError(
            f"{owner.__name__}.state = {state!r}: expected a {kind.__name__}; it is the strategy's "
            "state, not a parameter"
        )
    return state


def check_state(strategy: object) -> None:
    """Find out whether a strategy's state could be saved and restored, where it has any.

    Raises:
        TypeError: It could not; the fields of a Struct are not checked when they are set.
    """
    kind = kind_of_state(type(strategy))
    if kind is None:
        return
    try:
        msgspec.json.decode(msgspec.json.encode(getattr(strategy, NAME)), type=kind)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise TypeError(f"{type(strategy).__name__}.state could not be saved: {error}") from None
