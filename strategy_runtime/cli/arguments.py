"""Errors about unexpected arguments."""

from collections.abc import Sequence
from pathlib import Path

import click

from strategy_runtime.suggestions import some_of

__all__ = ["refuse"]

_NAMED = 3


def refuse(context: click.Context, arguments: Sequence[str]) -> None:
    """Refuse unexpected arguments, and suggest what was probably meant.

    Raises:
        UsageError: Always.
    """
    named = some_of(arguments, _NAMED, " ")
    plural = "" if len(arguments) == 1 else "s"
    context.fail(f"unexpected argument{plural} {named}{_hint(context, arguments)}")


def _hint(context: click.Context, arguments: Sequence[str]) -> str:
    places = [each.name for each in context.command.params if isinstance(each, click.Argument)]
    if "paths" in context.params:
        given = [*arguments]
        if context.params["paths"]:  # the first of its files may have taken the strategy's place
            given += [value for name in places if name and (value := context.params[name])]
        if any(map(_is_data, given)):
            return (
                "; write --data before each file (--data a.csv --data b.csv), or give their folder"
            )
    if not places:
        return "; no strategy belongs here: start strategy-run beside this command"
    return ""


def _is_data(argument: str) -> bool:
    path = Path(argument)
    try:
        return path.suffix != ".py" and path.exists()
    except OSError:  # longer than any name of a file
        return False
