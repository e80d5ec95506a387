"""State that a strategy keeps from one run to the next.

A strategy declares it by annotating `state` with a msgspec Struct; it is not a parameter. Orders
and positions do not belong in it: they are read from the venue.
"""

from collections.abc import Mapping
from copy import deepcopy
from inspect import get_annotations
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from strategy_runtime.errors import ParameterError

__all__ = ["NAME", "check_state", "initial_state", "state_type_of"]

NAME = "state"
"""The attribute that holds the state."""


def state_type_of(owner: type[Any]) -> type[Struct] | None:
    """Return the Struct that a strategy class declares as its state, or None.

    Raises:
        ParameterError: It is annotated with another type, or is a Struct without an annotation.
    """
    if not any(NAME in get_annotations(each) for each in owner.__mro__):
        default = getattr(owner, NAME, None)
        if isinstance(default, Struct):
            raise ParameterError(
                f"{owner.__name__}.state has no annotation, so it would not be kept; write "
                f"`state: {type(default).__name__} = …`"
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


def initial_state(owner: type[Any], given: Mapping[str, object]) -> Struct | None:
    """Return the state that an instance starts with, or None if its class declares none.

    Args:
        given: The keyword arguments of the constructor. If no state is among them, the default of
            the class is copied; if there is no default, a new one is made.

    Raises:
        ParameterError: The given state has another type, or none can be made.
    """
    kind = state_type_of(owner)
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
    """Check that a strategy's state, if it has one, can be saved and restored.

    Raises:
        TypeError: It cannot; a Struct does not check its fields when they are set.
    """
    kind = state_type_of(type(strategy))
    if kind is None:
        return
    try:
        msgspec.json.decode(msgspec.json.encode(getattr(strategy, NAME)), type=kind)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        raise TypeError(f"{type(strategy).__name__}.state could not be saved: {error}") from None
