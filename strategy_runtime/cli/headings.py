"""Headings for options in the help of a command."""

from collections.abc import Callable
from functools import partial
from typing import Any

import click

__all__ = ["under", "write_options"]

_OTHERS = "Options"


class _Option(click.Option):
    def __init__(self, *args: Any, heading: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heading = heading


def under(heading: str) -> Callable[..., Callable[[Any], Any]]:
    """Return a `click.option` whose help appears below a heading."""
    return partial(click.option, cls=_Option, heading=heading)


def write_options(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    """Write the options of a command, first those without a heading."""
    sections: dict[str, list[tuple[str, str]]] = {_OTHERS: []}
    for option in command.get_params(ctx):
        record = option.get_help_record(ctx) if isinstance(option, click.Option) else None
        if record is not None:
            heading = option.heading if isinstance(option, _Option) else _OTHERS
            sections.setdefault(heading, []).append(record)
    for heading, records in sections.items():
        with formatter.section(heading):
            formatter.write_dl(records)
