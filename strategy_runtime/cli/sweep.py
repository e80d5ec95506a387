"""`strategy-sweep`: runs a strategy with many sets of parameters."""

import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stdout
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from strategy_runtime.cli.errors import note, reported
from strategy_runtime.cli.loading import (
    class_of,
    conditions_over,
    exchange_options,
    load_data,
    named_or_demo,
    pairs_of,
)
from strategy_runtime.cli.options import (
    HELP_NAMES,
    DataOptions,
    OutputPath,
    account_options,
    data_options,
    demo_option,
    json_option,
    result_option,
    version_option,
)
from strategy_runtime.cli.progress import counted
from strategy_runtime.cli.redaction import safe
from strategy_runtime.cli.settings import order_options, order_settings
from strategy_runtime.cli.streams import Command
from strategy_runtime.errors import ConfigError, DataError, HookFailed
from strategy_runtime.report.figures import FIGURES

if TYPE_CHECKING:
    from strategy_runtime.strategy import Strategy

__all__ = ["main"]

_LITERAL = ("[", "{", '"')
"""How values in JSON begin, which may contain commas."""

_EPILOG = """\b
Examples:
  strategy-sweep --demo --set fast=5,10,20 --set slow=30,50
  strategy-sweep bot:SmaCross --data prices.csv --set fast=$(seq -s, 5 5 50) --by calmar

\b
Exit codes: 0 fine, 2 usage, 70 the strategy failed in some of the runs,
74 files or data, 130 and 143 interrupted."""


@click.command(cls=Command, context_settings=HELP_NAMES, epilog=_EPILOG)
@click.argument("target", metavar="MODULE:CLASS", required=False)
@demo_option
@click.option(
    "--set",
    "parameters",
    metavar="NAME=VALUE,…",
    multiple=True,
    help="Values of a parameter. Repeatable: every combination is run.",
)
@click.option(
    "--by",
    type=click.Choice(FIGURES),
    default="sharpe",
    show_default=True,
    help="Figure to rank the runs by.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of runs at a time. Default: the number of cores.",
)
@data_options
@account_options
@order_options
@result_option(
    "--out",
    type=OutputPath(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write sweep.csv to this folder. Default: results/<CLASS>.",
)
@json_option
@version_option
def main(
    target: str | None,
    demo: bool,
    parameters: tuple[str, ...],
    by: str,
    processes: int | None,
    wanted: DataOptions,
    account: dict[str, Any],
    orders: dict[str, str | None],
    out: Path | None,
    as_json: bool,
) -> None:
    """Backtest the strategy MODULE:CLASS with every combination of parameters, and compare.

    Prints a table of the best runs and writes all of them to results/<CLASS>/sweep.csv, unless
    --out or --json say otherwise. Each run is the same as in strategy-backtest, but logs nothing,
    and what the strategy prints is discarded.
    """
    with reported():
        from strategy_runtime.backtesting.sweeping import trials
        from strategy_runtime.cli.output import RESULTS
        from strategy_runtime.report.comparison import Comparison
        from strategy_runtime.report.files import ensure_writable, write_atomically

        named = named_or_demo(target, demo=demo)
        values = _values(parameters)
        sets = [dict(zip(values, each, strict=True)) for each in product(*values.values())]
        options, order_rules = exchange_options(account, wanted), order_settings(orders)
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            kind = _kind(named, sets)
            place = (RESULTS / kind.__name__ if out is None else out) / "sweep.csv"
            if out is not None:
                ensure_writable(place)
            data = load_data(wanted, demo=demo, command="strategy-sweep")

        conditions = conditions_over(data, wanted, options, order_rules)

        def make(values: Mapping[str, str]) -> "Strategy":
            return kind.from_text(values, os.environ)

        runs = trials(kind.__name__, make, conditions, sets, processes)
        comparison = Comparison([*counted(runs, len(sets))], by)
        if as_json:
            click.echo(comparison.to_json().encode(), nl=False)
        else:
            click.echo(safe(str(comparison)), nl=False)
        if out is not None or not as_json:
            try:
                write_atomically(place, comparison.to_csv())
            except DataError as error:
                if out is not None:
                    raise
                note(f"The results could not be kept: {error}")
            else:
                click.echo(f"\nWritten: {place}", err=as_json)
        if comparison.failed:
            raise SystemExit(HookFailed.exit_code)


def _values(options: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the values that `--set` gives for each parameter, in order."""
    values: dict[str, dict[str, None]] = {}
    for name, text in pairs_of(options):
        several = [text] if text.startswith(_LITERAL) else map(str.strip, text.split(","))
        values.setdefault(name, {}).update(dict.fromkeys(several))
    if not any(len(several) > 1 for several in values.values()):
        raise ConfigError(
            "there is nothing to compare: give a parameter several values, such as --set "
            "fast=5,10,20"
        )
    return {name: list(several) for name, several in values.items()}


def _kind(target: str, sets: list[dict[str, str]]) -> "type[Strategy]":
    """Return the class, after checking all sets of parameters.

    Raises:
        ConfigError: There is no such class, or a value breaks the rule of its parameter.
    """
    kind = class_of(target)
    environment = kind.parameters().from_environment(os.environ, but=sets[0])
    for each in sets:
        kind.parameters().resolve({**environment, **each})
    return kind


if __name__ == "__main__":
    main()
