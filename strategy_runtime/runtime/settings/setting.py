"""The definition of a setting, as an annotation of its field."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["Reader", "Setting", "as_it_is", "settings_of"]

Reader = Callable[[str, str], Any]
"""Converts text to a value; its second argument is the origin, for error messages."""


def as_it_is(text: str, origin: str) -> str:
    """Return the text unchanged."""
    return text


class Setting(Struct, frozen=True, kw_only=True):
    """One setting.

    Attributes:
        variables: Environment variables; the first that is set wins.
        default: The default, as text.
        read: Converts its text to a value.
        is_secret: Whether its value is never shown.
        metavar: Placeholder for its value in help texts; by default its choices.
        flag: Its option; by default its name.
        name: Name of its field.
        choices: All values, if its type is a Literal.
    """

    variables: tuple[str, ...]
    help: str
    default: str = ""
    read: Reader = as_it_is
    is_secret: bool = False
    metavar: str = ""
    flag: str = ""
    name: str = ""
    choices: tuple[str, ...] = ()


def settings_of(owner: type[Struct]) -> tuple[Setting, ...]:
    """Return the settings in the field annotations of a class, in their order."""
    found = []
    for name, hint in get_type_hints(owner, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            continue
        kind, setting = get_args(hint)
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        found.append(
            replace(
                setting,
                name=name,
                flag=setting.flag or "--" + name.replace("_", "-"),
                metavar=setting.metavar or "|".join(choices),
                choices=choices,
            )
        )
    return tuple(found)
