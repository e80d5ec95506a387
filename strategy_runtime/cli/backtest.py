"""`strategy-backtest`: run a strategy over market data, in process."""

import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from strategy_runtime.cli.errors import complain, note, parameters_from, reported, users_code
from strategy_runtime.cli.loading import (
    exchange_options,
    load_data,
    never_called,
    subscriptions_of,
)
from strategy_runtime.cli.options import (
    HELP_NAMES,
    account_options,
    data_options,
    result_options,
    version_option,
)
from strategy_runtime.cli.settings import LIMITS, limit_options
from strategy_runtime.cli.streams import Command
from strategy_runtime.errors import ConfigError, HookFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategy_runtime.protocol.subscriptions import Subscriptions
    from strategy_runtime.runtime.desk import TradingDesk
    from strategy_runtime.runtime.settings import Settings
    from strategy_runtime.simulator.data.load import LoadedData
    from strategy_runtime.simulator.options import ExchangeOptions
    from strategy_runtime.simulator.outcome import Fill, Outcome
    from strategy_runtime.strategy import Strategy

__all__ = ["main"]

DEMO = "strategy_runtime.demo.strategy:SmaCross"

_EPILOG = """\b
Examples:
  strategy-backtest --demo
  strategy-backtest bot:SmaCross --data prices.csv
  strategy-backtest bot:SmaCross --data prices/ --from 2012-01-01 --set fast=5 --fee-rate 0.001
  strategy-backtest bot.py --data prices.csv --json > result.json

\b
Exit codes: 0 fine, 2 usage, 70 the strategy failed, 74 files or data,
130 and 143 interrupted."""


@click.command(cls=Command, context_settings=HELP_NAMES, epilog=_EPILOG)
@click.argument("target", metavar="MODULE:CLASS", required=False)
@click.option(
    "--demo/--no-demo",
    default=False,
    help="Use the bundled prices and, without MODULE:CLASS, the bundled strategy.",
)
@data_options
@click.option(
    "--set",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    help="Give a parameter of the strategy a value. Repeatable. [env var: PARAM_<NAME>]",
)
@account_options
@limit_options
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
    help="Tell the story of an order in plain sentences. Repeatable.",
)
@result_options
@click.option(
    "--open/--no-open",
    "open_page",
    default=False,
    help="Show the report in a browser.",
)
@version_option
def main(
    target: str | None,
    demo: bool,
    paths: tuple[str, ...],
    symbol: str | None,
    timeframe: str | None,
    subscriptions: str,
    tz: str | None,
    start: str | None,
    end: str | None,
    strict: bool,
    parameters: tuple[str, ...],
    account: dict[str, Any],
    limits: dict[str, str | None],
    on_error: Literal["stop", "continue"],
    verify: bool,
    explained: tuple[str, ...],
    out: Path | None,
    fills_file: Path | None,
    as_json: bool,
    open_page: bool,
) -> None:
    """Run the strategy MODULE:CLASS over market data, in process.

    MODULE is looked for in the current folder first; a file may be named too (bot.py:SmaCross), and
    :CLASS may be left out where the module defines one strategy. A table is printed, and the
    results are written to results/<CLASS>, unless --out, --fills or --json say otherwise.
    """
    with reported():
        from strategy_runtime.cli.logs import silenced
        from strategy_runtime.cli.output import Destinations
        from strategy_runtime.runtime.risk.limited import desk_for

        if target is None and not demo:
            raise ConfigError("name a strategy, such as bot:SmaCross, or try --demo")
        options = exchange_options(account, strict=strict, tz=tz)
        held_to = _set_up(limits).limits
        desk = desk_for(held_to)
        # A strategy that prints must not spoil the document on stdout.
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            named = DEMO if target is None else target
            strategies = _strategies(named, parameters, 2 if verify else 1)
            strategy = strategies[0]
            places = Destinations(
                out,
                fills_file,
                as_json=as_json,
                name=type(strategy).__name__,
                open_page=open_page,
            )
            places.check()
            data = load_data(
                demo=demo,
                paths=paths,
                symbol=symbol,
                timeframe=timeframe,
                tz=tz,
                start=start,
                end=end,
                strict=strict,
                command="strategy-backtest",
            )
            wanted = subscriptions_of(subscriptions, data)
            runs: list[_Run] = []
            for each in strategies:
                # What the second run has to say, the first has said.
                with silenced() if runs else nullcontext():
                    runs.append(_replay(each, data, options, wanted, timeframe, on_error, desk))
                if runs[-1].exit_code:
                    break
        run = runs[-1] if runs[-1].exit_code else runs[0]
        from strategy_runtime.report.results import results_of

        results = results_of(
            run.outcome,
            strategy=type(strategy).__name__,
            parameters=strategy.parameter_values,
            options=options,
            faults=data.faults,
            wall_s=run.wall_s,
            refused_orders=run.refused_orders,
            hook_failures=run.hook_failures,
            limits=held_to,
        )
        places.deliver(results)
        for name in explained:
            from strategy_runtime.report.explain import explain

            click.echo(explain(run.outcome, name), err=as_json)
        if run.exit_code:
            raise SystemExit(run.exit_code)
        if verify:
            _compare(*(each.outcome.fills for each in runs))
        if demo and not as_json:
            _say_what_next(target)


class _Run(NamedTuple):
    """What a run came to.

    Attributes:
        wall_s: How long it took.
        exit_code: Of the signal that ended it, or 0.
    """

    outcome: "Outcome"
    wall_s: float
    exit_code: int
    refused_orders: int
    hook_failures: int


def _set_up(limits: dict[str, str | None]) -> "Settings":
    """Set up the log; gives back the settings, of which a backtest has those of log and limits."""
    import os

    from strategy_runtime.cli.logs import set_up_from
    from strategy_runtime.runtime.settings import read_environment, refuse_slips

    refuse_slips(read_environment(os.environ))
    return set_up_from(
        os.environ, limits, {variable for setting in LIMITS for variable in setting.variables}
    )


def _strategies(target: str, parameters: tuple[str, ...], count: int) -> "list[Strategy]":
    import os

    from strategy_runtime.runtime.loader import load_strategy

    values = parameters_from(parameters)
    with users_code(f"{target} was imported"):
        found = load_strategy(target)
    with users_code(f"{found.__name__} was made"):
        return [found.from_text(values, os.environ) for _ in range(count)]


def _replay(
    strategy: "Strategy",
    data: "LoadedData",
    options: "ExchangeOptions",
    subscriptions: "Subscriptions",
    timeframe: str | None,
    on_error: Literal["stop", "continue"],
    desk: "Callable[..., TradingDesk]",
) -> "_Run":
    """Run once."""
    import asyncio

    from strategy_runtime.cli.output import progress
    from strategy_runtime.cli.repetition import repeated_lines_left_out
    from strategy_runtime.cli.signals import STOP_WITHIN_S, stop_on_signals
    from strategy_runtime.clock import monotonic
    from strategy_runtime.runtime.runner import Runner
    from strategy_runtime.simulator.exchange import Exchange
    from strategy_runtime.simulator.venue import SimulatedVenue

    exchange = Exchange(
        data.series,
        options,
        subscriptions,
        timeframe=timeframe,
        quotes=data.quotes,
        trades=data.ticks,
    )
    runner = Runner(
        strategy, SimulatedVenue(exchange), mode="backtest", on_error=on_error, desk=desk
    )

    async def run() -> int:
        stopping = stop_on_signals(runner.stop, interrupt=runner.interrupt, deadline=STOP_WITHIN_S)
        with stopping as signals:
            async with progress(exchange):
                await runner.run()
        return 0 if exchange.is_complete else signals.exit_code

    began = monotonic()
    try:
        with repeated_lines_left_out():
            exit_code = asyncio.run(run())
    except HookFailed:
        total = sum(map(len, data.series))
        note(f"Stopped after {exchange.outcome().bars:,} of {total:,} bars; no results.\n")
        raise
    outcome, wall_s = exchange.outcome(), monotonic() - began
    if outcome.complete:
        outcome.warnings.extend(never_called(strategy, data, subscriptions))
    return _Run(
        outcome,
        wall_s,
        exit_code,
        runner.refused_orders,
        runner.hook_failures,
    )


def _compare(first: "list[Fill]", second: "list[Fill]") -> None:
    from strategy_runtime.report.fills import fill_hash

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
        f"{_traded(there)}; look for chance without a seed, the wall clock, the order of a set, or "
        "something kept on the class or module"
    )
    raise SystemExit(70)


def _traded(fill: "Fill | None") -> str:
    from strategy_runtime.clock import rfc3339
    from strategy_runtime.report.fills import plain

    if fill is None:
        return "no fill"
    size, price = plain(fill.quantity), plain(fill.price)
    return f"{fill.side} {size} {fill.symbol} at {price} in {rfc3339(fill.bar_ns)}"


def _say_what_next(target: str | None) -> None:
    from strategy_runtime.cli.output import beside_us

    backtest, proxy, run = map(beside_us, ("strategy-backtest", "strategy-proxy", "strategy-run"))
    averages = f"other averages:\n  {backtest} --demo --set fast=5 --set slow=20\nThen "
    click.echo(
        f"\nNext, {'' if target else averages}"
        f"the same over the network. The exchange, in one terminal:\n"
        f"  {proxy} --demo\n"
        f"The strategy, in another:\n"
        f"  {run} {target or DEMO}"
    )


if __name__ == "__main__":
    main()
