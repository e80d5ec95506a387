"""`strategy-backtest`: runs a strategy over market data, in process."""

import asyncio
import os
import sys
from collections.abc import Iterable
from contextlib import nullcontext, redirect_stdout
from shlex import quote
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from strategy_runtime.cli.errors import complain, note, reported, users_code
from strategy_runtime.cli.loading import (
    class_of,
    conditions_over,
    exchange_options,
    load_data,
    named_or_demo,
    parameters_from,
)
from strategy_runtime.cli.options import (
    DEMO,
    HELP_NAMES,
    DataOptions,
    ResultOptions,
    account_options,
    data_options,
    demo_option,
    parameters_option,
    result_option,
    result_options,
    version_option,
)
from strategy_runtime.cli.progress import replayed
from strategy_runtime.cli.redaction import safe
from strategy_runtime.cli.settings import order_options, order_settings
from strategy_runtime.cli.signals import STOP_WITHIN_S, Signals, stop_on_signals
from strategy_runtime.cli.streams import Command
from strategy_runtime.clock import rfc3339
from strategy_runtime.errors import HookFailed
from strategy_runtime.protocol.values import in_digits
from strategy_runtime.runtime.repetition import limit_repeated_lines

if TYPE_CHECKING:
    from strategy_runtime.backtesting.run import Backtest
    from strategy_runtime.simulator.outcome import Fill
    from strategy_runtime.strategy import Strategy

__all__ = ["main"]

_COMMAND_LINE = ParameterSource.COMMANDLINE

_EPILOG = """\b
Examples:
  strategy-backtest --demo
  strategy-backtest bot:SmaCross --data prices.csv
  strategy-backtest bot:SmaCross --data prices/ --from 2012-01-01 --set fast=5 --fee-rate 0.001
  strategy-backtest bot.py --data prices.csv --json > result.json

\b
Exit codes: 0 fine, 2 usage, 70 the strategy failed or --verify found a
difference, 74 files or data, 130 and 143 interrupted."""


@click.command(cls=Command, context_settings=HELP_NAMES, epilog=_EPILOG)
@click.argument("target", metavar="MODULE:CLASS", required=False)
@demo_option
@data_options
@parameters_option
@account_options
@order_options
@click.option(
    "--on-error",
    type=click.Choice(["stop", "continue"]),
    default="stop",
    show_default=True,
    help="Whether a failing hook ends the run.",
)
@click.option(
    "--verify/--no-verify",
    default=False,
    help="Run twice, and fail unless both runs make the same fills.",
)
@click.option(
    "--explain",
    "explained",
    metavar="ORDER_ID",
    multiple=True,
    help="Tell the story of this order in plain sentences. Repeatable.",
)
@result_options
@result_option(
    "--open/--no-open",
    "open_page",
    default=False,
    help="Show the report in a browser.",
)
@version_option
def main(
    target: str | None,
    demo: bool,
    wanted: DataOptions,
    parameters: tuple[str, ...],
    account: dict[str, Any],
    orders: dict[str, str | None],
    on_error: Literal["stop", "continue"],
    verify: bool,
    explained: tuple[str, ...],
    output: ResultOptions,
    open_page: bool,
) -> None:
    """Backtest the strategy MODULE:CLASS in process.

    MODULE is looked up in the current folder first; a file works too (bot.py:SmaCross), and :CLASS
    may be omitted if the module defines only one strategy. Prints a summary and writes the results
    to results/<CLASS>, unless --out, --fills or --json say otherwise.
    """
    with reported():
        from strategy_runtime.backtesting.run import Backtest
        from strategy_runtime.backtesting.silence import silenced
        from strategy_runtime.cli.output import Destinations

        named = named_or_demo(target, demo=demo)
        options = exchange_options(account, wanted)
        order_rules = order_settings(orders)
        # A strategy that prints must not spoil the document on stdout.
        with redirect_stdout(sys.stderr) if output.as_json else nullcontext():
            strategies = _strategies(named, parameters, 2 if verify else 1)
            strategy = strategies[0]
            places = Destinations(output, type(strategy).__name__, open_page=open_page)
            places.check()
            data = load_data(wanted, demo=demo, command="strategy-backtest")
            conditions = conditions_over(data, wanted, options, order_rules)
            runs: list[Backtest] = []
            signals, exit_code = Signals(), 0
            for each in strategies:
                run = Backtest(each, conditions, on_error=on_error)
                # The second run would only repeat the log of the first.
                with silenced() if runs else nullcontext():
                    signals = _replay(run)
                runs.append(run)
                exit_code = 0 if run.exchange.is_complete else signals.exit_code
                if exit_code:
                    break
        results = runs[-1 if exit_code else 0].results()
        places.deliver(results)
        for name in explained:
            from strategy_runtime.report.explain import explain

            story = explain(results.outcome, name, runs[0].runner.was_refused)
            click.echo(safe(story), err=output.as_json)
        signals.end_within(STOP_WITHIN_S)
        if exit_code:
            raise SystemExit(exit_code)
        if verify:
            _compare(*(each.exchange.fills for each in runs))
        if demo and not output.as_json:
            _say_what_next(target, (*DataOptions._fields, *account), orders)


def _strategies(target: str, parameters: tuple[str, ...], count: int) -> "list[Strategy]":
    values = parameters_from(parameters)
    found = class_of(target)
    with users_code(f"{found.__name__} was made"):
        return [found.from_text(values, os.environ) for _ in range(count)]


def _replay(run: "Backtest") -> Signals:
    """Run once; return the signals that came meanwhile."""
    from strategy_runtime.cli.logs import set_log_context

    runner, exchange = run.runner, run.exchange

    async def replay() -> Signals:
        stopping = stop_on_signals(runner.stop, interrupt=runner.interrupt, deadline=STOP_WITHIN_S)
        with stopping as signals:
            async with replayed(exchange):
                await run.run()
        return signals

    set_log_context(lambda: {"time": time} if (time := runner.in_hand.get("time")) else {})
    try:
        with limit_repeated_lines(note, "LOG_LEVEL=debug has all of them."):
            signals = asyncio.run(replay())
    except HookFailed:
        note(f"Stopped after {exchange.outcome().bars:,} of {run.bars:,} bars; no results.")
        note("")
        raise
    finally:
        set_log_context(None)
    signals.end_within(None)  # results may take longer
    return signals


def _compare(first: "list[Fill]", second: "list[Fill]") -> None:
    from strategy_runtime.report.fill_hash import fill_hash

    one, other = fill_hash(first), fill_hash(second)
    if one == other:
        note(f"Verified: a second run traded alike ({len(first)} fills).")
        return
    pairs = zip([*first, None], [*second, None], strict=False)
    number, (here, there) = next(
        (n, pair) for n, pair in enumerate(pairs, start=1) if _traded(pair[0]) != _traded(pair[1])
    )
    complain(
        f"a second run traded differently, from fill {number} on: {_traded(here)} first, then "
        f"{_traded(there)}; look for randomness without a seed, the wall clock, the order of a "
        "set, or something kept on the class or module"
    )
    raise SystemExit(70)


def _traded(fill: "Fill | None") -> str:
    if fill is None:
        return "no fill"
    size, price = in_digits(fill.quantity), in_digits(fill.price)
    return f"{fill.side} {size} {fill.symbol} at {price} in {rfc3339(fill.bar_ns)}"


def _say_what_next(target: str | None, exchange: Iterable[str], orders: Iterable[str]) -> None:
    """Print the commands for the same run over the network.

    Args:
        exchange: Names of the options of the exchange.
        orders: Names of the options of risk limits and rounding.
    """
    from strategy_runtime.cli.output import command_beside

    names = ("strategy-backtest", "strategy-proxy", "strategy-run")
    backtest, proxy, run = (quote(command_beside(name)) for name in names)
    averages = f"other averages:\n  {backtest} --demo --set fast=5 --set slow=20\nThen "
    chosen = _as_given(["parameters"])
    click.echo(
        f"\nNext, {'' if target or chosen else averages}"
        f"the same over the network. The exchange, in one terminal:\n"
        f"  {proxy} --demo{_as_given(exchange)}\n"
        f"The strategy, in another:\n"
        f"  {run} {quote(target or DEMO)}{chosen}{_as_given(['on_error', *orders])}"
    )


def _as_given(names: Iterable[str]) -> str:
    """Return some options as they were given on this command line."""
    context = click.get_current_context()
    words: list[str] = []
    for option in context.command.params:
        name = option.name or ""
        if name not in names or context.get_parameter_source(name) is not _COMMAND_LINE:
            continue
        value = context.params[name]
        if isinstance(value, bool):
            words += [option.opts[0] if value else option.secondary_opts[0]]
        else:
            for each in value if isinstance(value, tuple) else (value,):
                words += [option.opts[0], str(each)]
    return "".join(f" {quote(word)}" for word in words)


if __name__ == "__main__":
    main()
