"""Options that several commands share, and what is made of them."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from strategy_runtime.errors import ConfigError

if TYPE_CHECKING:
    from datetime import datetime

    from strategy_runtime.simulator.data.load import LoadedData
    from strategy_runtime.simulator.options import ExchangeOptions

__all__ = [
    "HELP_NAMES",
    "account_options",
    "data_options",
    "exchange_options",
    "load_data",
    "result_options",
    "version_option",
]

HELP_NAMES = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

_F = TypeVar("_F", bound=Callable[..., Any])


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise click.BadParameter(f"{text!r} is not a number.")
    return number


def _stacked(*options: Callable[[Any], Any]) -> Callable[[_F], _F]:
    def decorate(command: _F) -> _F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


data_options = _stacked(
    click.option(
        "--data",
        "-d",
        "paths",
        metavar="PATH",
        multiple=True,
        help="CSV or Parquet file, a folder of them, or - for the standard input. Repeatable. "
        "Without it the folder data/ is read, if there is one.",
    ),
    click.option(
        "--symbol",
        help="Symbol of a file that has no such column (default: its name); of one that has, read "
        "this symbol only.",
    ),
    click.option(
        "--timeframe", metavar="TF", help="Length of a bar: 1m, 4h, 1d. Default: as the data say."
    ),
    click.option("--tz", metavar="ZONE", help="Time zone of times without one. Default: UTC."),
    click.option(
        "--from", "start", metavar="TIME", help="First bar to use: 2012-01-31 or RFC 3339."
    ),
    click.option("--to", "end", metavar="TIME", help="Bars from here on are not used."),
    click.option(
        "--strict/--no-strict",
        default=False,
        help="Refuse data with duplicate, out-of-order or impossible rows instead of mending them.",
    ),
)

account_options = _stacked(
    click.option(
        "--cash",
        type=_number,
        metavar="NUMBER",
        default="100000",
        show_default=True,
        help="Starting cash.",
    ),
    click.option(
        "--fee-rate",
        type=_number,
        metavar="NUMBER",
        default="0",
        show_default=True,
        help="Fee of a fill as a share of its value: 0.001 is ten basis points.",
    ),
    click.option(
        "--fee-per-share",
        type=_number,
        metavar="NUMBER",
        default="0",
        show_default=True,
        help="Fee a unit.",
    ),
    click.option(
        "--fee-min",
        type=_number,
        metavar="NUMBER",
        default="0",
        show_default=True,
        help="Least fee of a fill.",
    ),
    click.option(
        "--slippage",
        type=_number,
        metavar="NUMBER",
        default="0",
        show_default=True,
        help="Share of the price by which market and stop orders fill worse.",
    ),
    click.option(
        "--spread",
        type=_number,
        metavar="NUMBER",
        default="0",
        show_default=True,
        help="Distance of ask and bid in price units; market and stop orders pay half of it.",
    ),
    click.option(
        "--children",
        type=click.Choice(["same_bar", "next_bar"]),
        default="same_bar",
        show_default=True,
        help="Whether the bracket legs of an entry filled at the open can fill in that bar.",
    ),
    click.option(
        "--mode",
        type=click.Choice(["netting", "hedging"]),
        default="netting",
        show_default=True,
        help="One position a symbol. (hedging, one an entry, is not supported yet.)",
    ),
)

result_options = _stacked(
    click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Write result.json, fills.csv and orders.csv there.",
    ),
    click.option(
        "--fills",
        "fills_file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write the fills there, as CSV.",
    ),
    click.option(
        "--json/--no-json",
        "as_json",
        default=False,
        help="Print one JSON document on stdout at the end, and nothing else there.",
    ),
)


def version_option(command: _F) -> _F:
    """Add `--version`: one line with everything a bug report needs."""

    def show(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
        if not wanted or ctx.resilient_parsing:
            return
        import platform
        from importlib.metadata import PackageNotFoundError, version

        from strategy_runtime import __version__

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


def load_data(
    *,
    demo: bool,
    paths: tuple[str, ...],
    symbol: str | None,
    timeframe: str | None,
    tz: str | None,
    start: str | None,
    end: str | None,
    strict: bool,
    command: str,
) -> "LoadedData":
    """Read the market data that the options name.

    Raises:
        ConfigError: They contradict each other, or name none.
        DataError: The data cannot be read.
    """
    from strategy_runtime.simulator.data.load import load_bars

    chosen: list[str | Path] = list(paths)
    if demo:
        if paths:
            raise ConfigError("--demo brings its own prices; leave out --data or --demo")
        from strategy_runtime.demo import PRICES

        chosen = [PRICES]
    elif not chosen:
        if not Path("data").is_dir():
            raise ConfigError(
                "no market data: give --data FILE, or put files into a folder named data here; "
                f"{command} --demo brings its own"
            )
        chosen = [Path("data")]
    return load_bars(
        chosen,
        symbol=symbol,
        timeframe=timeframe,
        tz=tz,
        start=_moment("--from", start, tz),
        end=_moment("--to", end, tz),
        strict=strict,
    )


def exchange_options(
    *,
    cash: Decimal,
    fee_rate: Decimal,
    fee_per_share: Decimal,
    fee_min: Decimal,
    slippage: Decimal,
    spread: Decimal,
    children: str,
    mode: str,
) -> "ExchangeOptions":
    """The exchange's options from the command's.

    Raises:
        ConfigError: A value that cannot be one.
    """
    from strategy_runtime.protocol.enums import PositionMode
    from strategy_runtime.simulator.options import ExchangeOptions

    return ExchangeOptions(
        cash=cash,
        fee_rate=fee_rate,
        fee_per_share=fee_per_share,
        fee_min=fee_min,
        slippage=slippage,
        spread=spread,
        children="next_bar" if children == "next_bar" else "same_bar",
        mode=PositionMode(mode.upper()),
    )


def _moment(option: str, text: str | None, tz: str | None) -> "datetime | None":
    if text is None:
        return None
    from datetime import UTC

    from strategy_runtime.clock import utc
    from strategy_runtime.simulator.data.timestamps import StampReader, zone_of

    try:
        return utc(StampReader(UTC if tz is None else zone_of(tz)).read(text.strip()))
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from None
