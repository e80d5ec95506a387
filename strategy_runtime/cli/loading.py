"""Loading what the arguments name: the strategy, its parameters, market data, and options of the
exchange.
"""

import os
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from strategy_runtime.cli.errors import blamed_on, note, users_code
from strategy_runtime.cli.options import DEMO, DataOptions
from strategy_runtime.errors import ConfigError
from strategy_runtime.protocol.enums import PositionMode
from strategy_runtime.protocol.timeframes import parse_timeframe

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from strategy_runtime.backtesting.run import Conditions
    from strategy_runtime.protocol.subscriptions import Subscriptions
    from strategy_runtime.runtime.settings import Settings
    from strategy_runtime.simulator.data.load import LoadedData
    from strategy_runtime.simulator.options import ExchangeOptions
    from strategy_runtime.strategy import Strategy

__all__ = [
    "class_of",
    "conditions_over",
    "exchange_options",
    "load_data",
    "named_or_demo",
    "pairs_of",
    "parameters_from",
    "subscriptions_of",
]

_FAULTS_SHOWN = 20


def named_or_demo(target: str | None, *, demo: bool) -> str:
    """Return the given target, or the bundled one.

    Raises:
        ConfigError: No target was given, and `--demo` was not either.
    """
    if target is None and not demo:
        raise ConfigError("name a strategy, such as bot:SmaCross, or try --demo")
    return DEMO if target is None else target


def class_of(target: str) -> "type[Strategy]":
    """Return the class that a target names; exceptions of its module are reported as user code's.

    Raises:
        LoadError: There is no such class.
    """
    from strategy_runtime.runtime.loader import load_strategy

    with users_code(f"{target} was imported"):
        return load_strategy(target)


def parameters_from(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return the values of `--set NAME=VALUE`; the last one of a name counts."""
    return dict(pairs_of(pairs))


def pairs_of(pairs: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return name and value of each `--set NAME=VALUE`."""
    found = []
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name.strip():
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--set")
        found.append((name.strip(), text))
    return found


def load_data(wanted: DataOptions, *, demo: bool, command: str) -> "LoadedData":
    """Read the market data that the options name, and report its faults on stderr.

    Args:
        demo: Read the bundled prices.
        command: The command to name in errors.

    Raises:
        ConfigError: Options contradict each other, or name no data.
        DataError: The data cannot be read.
    """
    from strategy_runtime.simulator.data.load import load_bars

    chosen: list[str | Path] = list(wanted.paths)
    if demo:
        if chosen:
            raise ConfigError("--demo brings its own prices; leave out --data or --demo")
        from strategy_runtime.demo import PRICES

        chosen = [PRICES]
    elif not chosen:
        if not os.access("data", os.F_OK):
            raise ConfigError(
                "no market data: give --data FILE, or put files into a folder named data here; "
                f"{command} --demo brings its own"
            )
        chosen = [Path("data")]
    start, end = _moment("--from", wanted.start, wanted), _moment("--to", wanted.end, wanted)
    if start is not None and end is not None and start >= end:
        raise ConfigError(f"--to {wanted.end} is not after --from {wanted.start}")
    _zone(wanted.tz)
    if wanted.timeframe is not None:
        with blamed_on("--timeframe"):
            parse_timeframe(wanted.timeframe)
    loaded = load_bars(
        chosen,
        symbol=wanted.symbol,
        timeframe=wanted.timeframe,
        tz=wanted.tz,
        columns=wanted.columns.split(",") if wanted.columns else (),
        dates=wanted.dates,
        decimals=wanted.decimals,
        start=start,
        end=end,
        strict=wanted.strict,
    )
    _report_faults(loaded)
    _report_parts(loaded)
    return loaded


def _report_faults(data: "LoadedData") -> None:
    """Report faults of the data before the run; all of them are in the result, too."""
    from strategy_runtime.simulator.data.faults import summarize

    found = summarize(data.faults)
    for each in found[:_FAULTS_SHOWN]:
        note(f"Data: {each}")
    if len(found) > _FAULTS_SHOWN:
        note(f"Data: and {len(found) - _FAULTS_SHOWN} more kinds of faults in other files")


def _report_parts(data: "LoadedData") -> None:
    """Hint that files may belong to one symbol, if each got a symbol from its name.

    Files of several symbols mostly overlap in time; files of one symbol, such as one per month,
    never do.
    """
    series = [*data.series, *data.quotes, *data.ticks]
    named = [each for each in series if Path(each.source).name.startswith(each.symbol)]
    spans = sorted((times[0], times[-1]) for times in (each.columns[0] for each in series))
    are_apart = all(before[1] < after[0] for before, after in pairwise(spans))
    if len(series) > 1 and len(named) == len(series) and are_apart:
        begin = {re.split(r"[-_. ]", each.symbol)[0] for each in series}
        name = begin.pop() if len(begin) == 1 else "NAME"
        note(
            f"Data: {len(series)} files are read as {len(series)} symbols, which they are named "
            f"after; if they are parts of one symbol, name it: --symbol {name}"
        )


def subscriptions_of(text: str, data: "LoadedData") -> "Subscriptions":
    """Parse `--subscriptions`, or its variable, and note entries that match no data.

    Raises:
        SubscriptionError: It cannot be parsed.
        ConfigError: It matches nothing that was loaded.
    """
    from strategy_runtime.protocol.subscriptions import parse_subscriptions
    from strategy_runtime.simulator.data.selection import listed, unmet

    source = click.get_current_context().get_parameter_source("subscriptions")
    origin = "--subscriptions" if source is ParameterSource.COMMANDLINE else "SUBSCRIPTIONS"
    wanted = parse_subscriptions(text, origin)
    for line in listed(unmet(wanted, data, origin), "nothing will come of"):
        note(f"{origin}: {line}")
    return wanted


def conditions_over(
    data: "LoadedData", wanted: DataOptions, options: "ExchangeOptions", order_rules: "Settings"
) -> "Conditions":
    """Make the conditions of a run over data; see `subscriptions_of`.

    Args:
        order_rules: Risk limits and rounding of orders.
    """
    from strategy_runtime.backtesting.run import Conditions

    return Conditions(
        data=data,
        options=options,
        limits=order_rules.limits,
        rounding=order_rules.rounding,
        subscriptions=subscriptions_of(wanted.subscriptions, data),
    )


def exchange_options(account: Mapping[str, Any], wanted: DataOptions) -> "ExchangeOptions":
    """Make the options of the exchange from those of the command.

    Args:
        wanted: Has the format of dates of splits, and whether to refuse suspected splits.

    Raises:
        ConfigError: A value is invalid.
        DataError: The file of splits cannot be read.
    """
    from strategy_runtime.simulator.data.split_reader import read_splits
    from strategy_runtime.simulator.options import ExchangeOptions

    zone = _zone(wanted.tz)
    mode = PositionMode(account["mode"].upper())
    path = account["splits"]
    splits = () if path is None else read_splits(path, zone, wanted.dates)
    changed = {"mode": mode, "splits": splits}
    try:
        return ExchangeOptions(**{**account, **changed}, refuse_splits=wanted.strict)
    except ConfigError as error:
        name, _, said = str(error).partition(" ")
        raise ConfigError(f"--{name.replace('_', '-')} {said}") from None


def _zone(tz: str | None) -> "tzinfo":
    from strategy_runtime.simulator.data.timestamps import zone_of

    with blamed_on("--tz"):
        return zone_of("UTC" if tz is None else tz)


def _moment(option: str, text: str | None, wanted: DataOptions) -> "datetime | None":
    from strategy_runtime.simulator.data.timestamps import instant_of

    return None if text is None else instant_of(text, _zone(wanted.tz), option, wanted.dates)
