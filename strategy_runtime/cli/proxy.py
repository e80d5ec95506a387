"""`strategy-proxy`: the simulated exchange behind WebSocket and REST."""

import asyncio
import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from strategy_runtime import __version__
from strategy_runtime.cli.errors import note, reported
from strategy_runtime.cli.loading import exchange_options, load_data, subscriptions_of
from strategy_runtime.cli.options import (
    HELP_NAMES,
    DataOptions,
    NonEmptyPath,
    ResultOptions,
    account_options,
    data_option,
    data_options,
    result_options,
    version_option,
)
from strategy_runtime.cli.progress import replayed
from strategy_runtime.cli.redaction import hide
from strategy_runtime.cli.signals import stop_on_signals
from strategy_runtime.cli.streams import Command
from strategy_runtime.clock import monotonic
from strategy_runtime.errors import ConnectionLost

if TYPE_CHECKING:
    from strategy_runtime.cli.output import Destinations
    from strategy_runtime.simulator.data.faults import DataFault
    from strategy_runtime.simulator.exchange import Exchange
    from strategy_runtime.simulator.server import ProxyServer

__all__ = ["main"]

_FIRST_ACK_S = 120.0


def _speed(context: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise click.BadParameter(f"{text!r} is no speed; write 1x for real time, or 60x.")
    return speed


_EPILOG = """\b
Examples:
  strategy-proxy --demo
  strategy-proxy --data prices.csv --fee-rate 0.001
  strategy-proxy --data minutes.csv --speed 60x
  strategy-proxy --data prices/ --ws-port 0 --rest-port 0 --fills fills.csv
  strategy-run bot:SmaCross                (in a second terminal, while the proxy waits)

\b
Exit codes: 0 fine, 2 usage, 74 files or data, 75 the strategy stopped
acknowledging, 130 and 143 interrupted before the end of the run."""


@click.command(cls=Command, context_settings=HELP_NAMES, epilog=_EPILOG)
@data_option("--demo/--no-demo", default=False, help="Use the bundled prices.")
@data_options
@account_options
@click.option(
    "--ws-port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=8082,
    show_default=True,
    help="Port of the event stream; 0 picks a free one.",
)
@click.option(
    "--rest-port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=8080,
    show_default=True,
    help="Port for orders and queries; 0 picks a free one.",
)
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. One that other machines can reach needs a key of 32 characters.",
)
@click.option(
    "--token-file",
    type=NonEmptyPath(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Require the API key in this file. Also: PROXY_API_KEY, PROXY_API_KEY_FILE.",
)
@click.option(
    "--ack-timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=30.0,
    show_default=True,
    help="End the run if a connected strategy does not acknowledge an event within this time; 0 "
    "waits forever. The first one may take two minutes.",
)
@click.option(
    "--speed",
    callback=_speed,
    metavar="FACTOR",
    help="Replay by the clock like a live proxy, this many times as fast as it happened (1x, 60x), "
    "to any number of clients. Default: wait for the acknowledgements of one client.",
)
@click.option(
    "--linger",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=5.0,
    show_default=True,
    help="Keep answering requests for this long after the end of the run.",
)
@result_options
@version_option
def main(
    demo: bool,
    wanted: DataOptions,
    account: dict[str, Any],
    ws_port: int,
    rest_port: int,
    host: str,
    token_file: Path | None,
    ack_timeout: float,
    speed: float | None,
    linger: float,
    output: ResultOptions,
) -> None:
    """Serve one backtest over WebSocket and REST.

    Prints one line of JSON with both URLs, waits for a strategy, replays the data as fast as it
    acknowledges, and writes the results to results/proxy, unless --out, --fills or --json say
    otherwise. Messages go to stderr.
    """
    with reported():
        from strategy_runtime.cli.logs import set_up_from
        from strategy_runtime.cli.output import Destinations
        from strategy_runtime.runtime.settings import find_secret, read_environment, refuse_typos
        from strategy_runtime.simulator.over_data import exchange_over
        from strategy_runtime.simulator.server import ProxyServer

        set_up_from(os.environ)
        places = Destinations(output, "proxy")
        places.check()
        options = exchange_options(account, wanted)
        environment = read_environment(os.environ)
        refuse_typos(environment)
        api_key, _ = find_secret(
            "--token-file",
            ("PROXY_API_KEY",),
            None if token_file is None else str(token_file),
            environment,
        )
        hide(api_key)
        data = load_data(wanted, demo=demo, command="strategy-proxy")
        exchange = exchange_over(data, options, subscriptions_of(wanted.subscriptions, data))
        server = ProxyServer(
            exchange,
            host=host,
            ws_port=ws_port,
            rest_port=rest_port,
            api_key=api_key or None,
            first_ack_timeout=max(ack_timeout, _FIRST_ACK_S) if ack_timeout else 0.0,
            ack_timeout=ack_timeout,
            speed=speed,
            version=__version__,
        )
        raise SystemExit(asyncio.run(_serve(server, exchange, data.faults, places, linger)))


async def _serve(
    server: "ProxyServer",
    exchange: "Exchange",
    faults: "list[DataFault]",
    places: "Destinations",
    linger: float,
) -> int:
    """Serve one run; return the exit code."""
    from strategy_runtime.report.results import results_of
    from strategy_runtime.report.summary import RunFacts
    from strategy_runtime.simulator.server import RunEnd

    asked_to_stop = asyncio.Event()
    with stop_on_signals(asked_to_stop.set) as signals:
        async with server, replayed(exchange):
            _announce(server)
            server.stream.when_alone = partial(_note_clients, server.stream.is_lock_step)
            began = asyncio.create_task(_first_client(server), name="first client")
            stop = asyncio.create_task(asked_to_stop.wait(), name="stop")
            run = asyncio.create_task(server.finished(), name="run")
            await asyncio.wait({run, stop}, return_when=asyncio.FIRST_COMPLETED)
            wall_s = monotonic() - began.result() if began.done() else 0.0
            for task in (began, stop):
                task.cancel()
            if run.done() and run.exception() is not None:
                await _linger_after_failure(linger, asked_to_stop)
            end = run.result() if run.done() else None
            run.cancel()
            facts = RunFacts(
                options=exchange.options,
                faults=faults,
                wall_s=wall_s,
                refused_orders=server.refused_orders,
            )
            places.deliver(results_of(exchange.outcome(), facts), table_on_stderr=True)
            if end is RunEnd.COMPLETE:
                note(f"The run is over; requests are answered for {linger:g} s more.")
                await _wait(asked_to_stop, linger)
                return 0
            if end is RunEnd.ACK_TIMEOUT:
                await _linger_after_failure(linger, asked_to_stop)
                raise ConnectionLost(
                    "the strategy stopped acknowledging events; the run is incomplete "
                    "(--ack-timeout 0 waits for ever, as for a hook in a debugger)"
                )
    note("Interrupted before the end of the run.")
    return signals.exit_code


def _announce(server: "ProxyServer") -> None:
    click.echo(json.dumps({"ws_url": server.ws_url, "rest_url": server.rest_url}))
    note("Waiting for a strategy.")


async def _first_client(server: "ProxyServer") -> float:
    """Wait for the first strategy; return when it connected, on the monotonic clock."""
    await server.stream.attached.wait()
    return monotonic()


def _note_clients(is_lock_step: bool, is_alone: bool) -> None:
    if not is_alone:
        note("A strategy has connected.")
    elif is_lock_step:
        note("The strategy has disconnected; the run waits for it to come back (Ctrl-C ends it).")
    else:
        note("The strategy has disconnected; time goes on.")


async def _linger_after_failure(linger: float, asked_to_stop: asyncio.Event) -> None:
    """Keep answering for a while, so that clients that reconnect learn why the run failed."""
    note(f"The run has broken off; clients that connect are told why for {linger:g} s more.")
    await _wait(asked_to_stop, linger)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


if __name__ == "__main__":
    main()
