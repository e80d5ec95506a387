"""Options that several commands share; `loading` interprets them."""

from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from functools import wraps
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

import click

from strategy_runtime import __version__
from strategy_runtime.cli.headings import under

__all__ = [
    "DEMO",
    "HELP_NAMES",
    "DataOptions",
    "NonEmptyPath",
    "OutputPath",
    "ResultOptions",
    "account_options",
    "data_option",
    "data_options",
    "demo_option",
    "json_option",
    "parameters_option",
    "result_option",
    "result_options",
    "stacked",
    "together",
    "version_option",
]

DEMO = "strategy_runtime.demo.strategy:SmaCross"
"""The bundled strategy."""

HELP_NAMES = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

_F = TypeVar("_F", bound=Callable[..., Any])

_account_option = under("Account and costs")
data_option = under("Market data")
"""Add an option below the heading for market data."""

result_option = under("Results")
"""Add an option below the heading for results."""


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise click.BadParameter(f"{text!r} is not a number.")
    return number


class NonEmptyPath(click.Path):
    """A path that is not empty: an unset variable of the shell would mean the current folder.

    Attributes:
        refused: Values that are refused, and why.
    """

    refused: ClassVar[dict[object, str]] = {
        "": "an empty path; is the variable that it comes from set?"
    }

    def convert(
        self,
        value: str | PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | PathLike[str]:
        """Convert a path, unless it is refused."""
        if value in self.refused:
            kind = "folder" if self.dir_okay else "file"
            self.fail(self.refused[value].format(kind=kind), param, ctx)
        return super().convert(value, param, ctx)


class OutputPath(NonEmptyPath):
    """A path to write to; `-` is refused, because it would be taken for the name of a file."""

    refused: ClassVar[dict[object, str]] = NonEmptyPath.refused | {
        "-": "'-' is no {kind}; name one, or print the results to stdout with --json"
    }


demo_option = data_option(
    "--demo/--no-demo",
    default=False,
    help="Use the bundled prices and, without MODULE:CLASS, the bundled strategy.",
)

json_option = result_option(
    "--json/--no-json",
    "as_json",
    default=False,
    help="Print the result as one JSON document on stdout.",
)

parameters_option = click.option(
    "--set",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    help="Set a parameter of the strategy. Repeatable.  [env var: PARAM_<NAME>]",
)


def stacked(*options: Callable[[Any], Any]) -> Callable[[_F], _F]:
    """Combine several options into one decorator, in the order of the help text."""

    def decorate(command: _F) -> _F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def together(
    command: Callable[..., Any], name: str, options: Iterable[str], make: Callable[..., Any] = dict
) -> Callable[..., Any]:
    """Wrap a command so that it gets several options as one argument.

    Args:
        make: Make that argument from them.
    """

    @wraps(command)
    def collected(**values: Any) -> Any:
        given = {option: values.pop(option) for option in options}
        return command(**values, **{name: make(**given)})

    return collected


class DataOptions(NamedTuple):
    """Which market data to read, and which of them the strategy receives."""

    paths: tuple[str, ...]
    symbol: str | None
    timeframe: str | None
    subscriptions: str
    tz: str | None
    columns: str
    dates: Literal["dmy", "mdy"] | None
    decimals: Literal["point", "comma"] | None
    start: str | None
    end: str | None
    strict: bool


_data = stacked(
    data_option(
        "--data",
        "-d",
        "paths",
        type=NonEmptyPath(readable=False),
        metavar="PATH",
        multiple=True,
        help="CSV, Parquet or Feather file, recording of strategy-run --record, folder of these, "
        "or - for standard input. Repeatable. Default: the folder data/, if there is one.",
    ),
    data_option(
        "--symbol",
        metavar="SYMBOL",
        help="Read only this symbol. A file without a symbol column has the symbol it is named "
        "after; if no file is named SYMBOL, all files without that column are read as SYMBOL.",
    ),
    data_option(
        "--timeframe",
        metavar="TF",
        help="Length of a candle: 1m, 4h, 1d. Candles are built from finer data; orders still fill "
        "in the finer bars. Default: that of the data.",
    ),
    data_option(
        "--subscriptions",
        metavar="LIST",
        default="",
        envvar="SUBSCRIPTIONS",
        show_envvar=True,
        help="What the strategy receives, such as S:AAPL:candle_5m,C:BTCUSD:quote. Default: all "
        "quotes, and the finest candles of each symbol.",
    ),
    data_option("--tz", metavar="ZONE", help="Time zone of times without one. Default: UTC."),
    data_option(
        "--columns",
        metavar="LIST",
        default="",
        help="Names of the columns, from left to right, for files without a header or with unknown "
        "names: date,time,open,high,low,close,volume. Columns after the last one, and those with "
        "any other name, are not read.",
    ),
    data_option(
        "--dates",
        type=click.Choice(["dmy", "mdy"]),
        help="Order of day and month in dates such as 03/04/2024. Default: refuse them.",
    ),
    data_option(
        "--decimals",
        type=click.Choice(["point", "comma"]),
        help="Decimal mark in CSV files; the other mark may then separate thousands. Default: a "
        "point, and no thousands separator.",
    ),
    data_option(
        "--from", "start", metavar="TIME", help="Skip bars before this: 2012-01-31 or RFC 3339."
    ),
    data_option("--to", "end", metavar="TIME", help="Skip bars from this on."),
    data_option(
        "--strict/--no-strict",
        default=False,
        help="Refuse data with duplicate, out-of-order or impossible rows instead of repairing "
        "them, and positions held over a jump that looks like a split.",
    ),
)


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of market data to a command, which gets them together as `wanted`."""
    return _data(together(command, "wanted", DataOptions._fields, DataOptions))


_NUMBERS = {
    "cash": ("100000", "Starting cash."),
    "leverage": ("1", "Largest value of all positions, as a multiple of equity."),
    "maintenance_margin": (
        None,
        "Liquidate when equity falls below this fraction of the value of the positions. Default: "
        "half of the opening margin; 0 without leverage.",
    ),
    "fee_rate": ("0", "Fee as a fraction of the value of a fill: 0.001 is ten basis points."),
    "maker_fee_rate": (None, "Fee rate of limit orders that rested first. Default: --fee-rate."),
    "fee_per_share": ("0", "Fee for each unit of a fill."),
    "fee_min": ("0", "Minimum fee of a fill."),
    "slippage": ("0", "Slippage as a fraction of the price, never beyond a limit."),
    "slippage_fixed": ("0", "Slippage in price units."),
    "impact": (
        "0",
        "Slippage, as a fraction of the price, of an order as large as the bar's volume; a tenth "
        "of that for one a tenth as large.",
    ),
    "spread": (
        "0",
        "Bid-ask spread in price units; orders pay half of it, never beyond a limit.",
    ),
    "borrow_rate": ("0", "Annual fee on the value of short positions, charged every night."),
    "financing_rate": ("0", "Annual interest on cash below zero, charged every night."),
    "max_volume_share": (
        None,
        "Fraction of a bar's volume that orders may take; the rest waits for the next bars. "
        "Default: fill in full, as orders at quotes and trades always do.",
    ),
}

_account = stacked(
    *(
        _account_option(
            "--" + name.replace("_", "-"),
            type=_number,
            metavar="NUMBER",
            default=default,
            show_default=default is not None,
            help=text,
        )
        for name, (default, text) in _NUMBERS.items()
    ),
    _account_option(
        "--currency",
        metavar="CODE",
        default="USD",
        show_default=True,
        help="Currency of the account and of all prices; nothing is converted.",
    ),
    _account_option(
        "--latency",
        type=click.IntRange(min=0),
        metavar="BARS",
        default=0,
        show_default=True,
        help="Bars of delay before an order can fill.",
    ),
    _account_option(
        "--splits",
        type=NonEmptyPath(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="CSV of splits that the prices are not adjusted for, with the columns symbol, date "
        "and ratio (new units to old: 2:1). A split changes positions and resting orders before "
        "the open of its day; indicators keep the prices of before.",
    ),
    _account_option(
        "--children",
        type=click.Choice(["same_bar", "next_bar"]),
        default="same_bar",
        show_default=True,
        help="When an entry fills at an open, whether its bracket can fill in that same bar or "
        "only from the next one on.",
    ),
    _account_option(
        "--mode",
        type=click.Choice(["netting", "hedging"]),
        default="netting",
        show_default=True,
        help="One position for each symbol, or one for each entry.",
    ),
)


def account_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of account and costs to a command, which gets them together as `account`."""
    names = (*_NUMBERS, "currency", "latency", "splits", "children", "mode")
    return _account(together(command, "account", names))


class ResultOptions(NamedTuple):
    """Where results are written, if the user says so."""

    out: Path | None
    fills_file: Path | None
    as_json: bool


_results = stacked(
    result_option(
        "--out",
        type=OutputPath(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Write report.html, result.json and the tables (CSV) to this folder.",
    ),
    result_option(
        "--fills",
        "fills_file",
        type=OutputPath(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write the fills to this file, as CSV.",
    ),
    json_option,
)


def result_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of results to a command, which gets them together as `output`."""
    return _results(together(command, "output", ResultOptions._fields, ResultOptions))


def version_option(command: _F) -> _F:
    """Add `--version`: one line with everything a bug report needs."""

    def show(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
        if not wanted or ctx.resilient_parsing:
            return
        import platform
        from importlib.metadata import PackageNotFoundError, version

        parts = [f"Python {platform.python_version()}", f"{platform.system()} {platform.machine()}"]
        for name in ("aiohttp", "click", "msgspec", "structlog", "uvloop"):
            try:
                parts.append(f"{name} {version(name)}")
            except PackageNotFoundError:
                continue
        click.echo(f"strategy-runtime {__version__} ({', '.join(parts)})")
        ctx.exit()

    decorated: _F = click.option(
        "--version",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show the version and exit.",
    )(command)
    return decorated
