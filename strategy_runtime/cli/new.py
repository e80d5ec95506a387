"""`strategy-new`: creates a project from a template."""

from pathlib import Path
from shlex import quote

import click

from strategy_runtime.cli.errors import reported
from strategy_runtime.cli.options import HELP_NAMES, version_option
from strategy_runtime.cli.streams import Command
from strategy_runtime.errors import ConfigError
from strategy_runtime.scaffold.templates import (
    DEFAULT,
    find_template,
    list_templates,
    templates_folder,
)

__all__ = ["main"]

_EPILOG = """\b
Examples:
  strategy-new my-bot
  strategy-new my-bot --template mean-reversion
  strategy-new --list

\b
Exit codes: 0 fine, 2 usage, 74 the files cannot be written."""


@click.command(cls=Command, context_settings=HELP_NAMES, epilog=_EPILOG)
@click.argument("name", required=False)
@click.option(
    "--template",
    "-t",
    default=DEFAULT,
    show_default=True,
    metavar="TEMPLATE",
    help="Strategy to start from.",
)
@click.option(
    "--list/--no-list",
    "only_list",
    default=False,
    help="Show the templates and exit.",
)
@version_option
def main(name: str | None, template: str, only_list: bool) -> None:
    """Create a project NAME in the current folder: a strategy, its tests, prices, container files.

    It runs at once and offline. NAME is in lower case with hyphens (my-bot); the strategy is then
    my_bot:MyBot. Nothing that exists is overwritten.
    """
    with reported():
        folder = templates_folder()
        if only_list:
            for each in list_templates(folder):
                click.echo(f"{each.name:16}{each.about}")
            return
        if name is None:
            raise ConfigError("name the project, such as strategy-new my-bot")
        from strategy_runtime.scaffold.names import check_name
        from strategy_runtime.scaffold.project import create_project

        project = check_name(name)
        written = create_project(project, find_template(folder, template), folder, Path())
        _say_what_next(project.name, project.target, written)


def _say_what_next(name: str, target: str, written: list[Path]) -> None:
    from strategy_runtime.cli.output import command_beside

    def inside(command: str) -> str:
        """Return how to type a command in the project's folder."""
        typed = command_beside(command)
        return typed if Path(typed).name == typed else quote(str(Path(typed).absolute()))

    click.echo("Written:")
    for path in written:
        click.echo(f"  {path}")
    click.echo(
        f"\nNext, a backtest on the prices in data/:\n"
        f"  cd {name} && {inside('strategy-backtest')} {target}\n"
        f"and the tests (pip install 'strategy-runtime[testing]' brings pytest):\n"
        f"  {inside('pytest')}"
    )


if __name__ == "__main__":
    main()
