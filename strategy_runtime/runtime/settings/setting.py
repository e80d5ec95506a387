"""What there is to say of one setting: said once, where its field is."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["Reader", "Setting", "as_it_is", "settings_of"]

Reader = Callable[[str, str], Any]
"""Makes a value of a text; told where it came from, for the error it may raise."""


def as_it_is(text: str, origin: str) -> str:
    """The text itself."""
    return text


class Setting(Struct, frozen=True, kw_only=True):
    """One setting, as an annotation of its field.

    Attributes:
        variables: Environment variables, the first that is set wins.
        default: As it would be written.
        read: What makes its value of a text.
        is_secret: Never shown.
        metavar: What stands for its value in a help text; where there are choices, all of them.
        flag: Its option; by default its name.
        name: Its field.
        choices: All there are, where they are few: those of its type.
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
    """The settings that the fields of a class are annotated with, in their order."""
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
