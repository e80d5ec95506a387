"""`strategy-run`: run a strategy against a trading proxy, in a backtest or live."""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strategy_runtime.cli.errors import reported, users_code
from strategy_runtime.cli.loading import class_of, parameters_from
from strategy_runtime.cli.options import HELP_NAMES, NonEmptyPath, parameters_option, version_option
from strategy_runtime.cli.redaction import hide, hide_in_environment
from strategy_runtime.cli.settings import with_settings
from strategy_runtime.cli.signals import STOP_WITHIN_S, stop_on_signals
from strategy_runtime.cli.streams import Command
from strategy_runtime.errors import ConfigError
from strategy_runtime.ids import token
from strategy_runtime.runtime.repetition import limit_repeated_warnings
from strategy_runtime.runtime.settings import (
    DEFAULT,
    Environment,
    Settings,
    read_environment,
    resolve,
)

if TYPE_CHECKING:
    from strategy_runtime.proxy import ProxyVenue
    from strategy_runtime.proxy.recording import Recording
    from strategy_runtime.runtime.venue import Venue
    from strategy_runtime.strategy import Strategy
    from strategy_runtime.strategy.desk import Mode

__all__ = ["main"]

_CHECK_WITHIN_S = 5.0

_log = logging.getLogger("strategy_runtime")

_EPILOG = """\b
Examples:
  strategy-run bot:SmaCross
  strategy-run bot:SmaCross --check
  strategy-run bot.py --ws-url ws://proxy:8082 --rest-url http://proxy:8080 --set fast=5
  SUBSCRIPTIONS=S:AAPL:candle STRATEGY_MODE=live strategy-run bot:SmaCross

Options win over the environment, the environment over --env-file, and that over the default. An
empty variable counts as not set. PARAM_<NAME> sets a parameter of the strategy. The proxy's key can
be in PROXY_API_KEY, or in a file whose path is in PROXY_API_KEY_FILE. GATEWAY_URL gives both URLs
of a proxy on one port.

The first SIGTERM or SIGINT ends the run in good order within 8 seconds, the second at once.

\b
Exit codes: 0 fine, 2 usage, 69 nobody answers, 70 the strategy failed,
74 files or data, 75 the proxy went away in a backtest, 76 not the protocol,
77 access denied, 130 and 143 ended at once by a signal."""


@click.command(cls=Command, context_settings=HELP_NAMES, epilog=_EPILOG)
@click.argument("target", metavar="MODULE:CLASS", required=False)
@with_settings
@parameters_option
@click.option(
    "--env-file",
    type=NonEmptyPath(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Read variables from a .env file, also for the strategy.",
)
@click.option(
    "--check/--no-check",
    default=False,
    help="Trade nothing: show each setting and its origin, load the strategy and its state, query "
    "the proxy, open the event stream for a moment (a proxy that serves only one strategy "
    "disconnects another), and exit with 0 or 1. The proxy has 5 s to come up, or "
    "--connect-timeout.",
)
@click.option(
    "--healthcheck/--no-healthcheck",
    default=False,
    help="Ask the run with --ops-port on this machine whether it is ready, and exit with 0 or 1; "
    "for container health checks.",
)
@version_option
def main(
    target: str | None,
    parameters: tuple[str, ...],
    env_file: Path | None,
    check: bool,
    healthcheck: bool,
    **flags: str | None,
) -> None:
    """Run the strategy MODULE:CLASS against a trading proxy.

    MODULE is looked up in the current folder first; a file works too (bot.py:SmaCross), and :CLASS
    may be omitted if the module defines only one strategy.
    """
    try:
        with reported():
            if healthcheck:
                raise SystemExit(0 if _is_ready(flags, env_file) else 1)
            if target is None:
                raise click.UsageError("Name a strategy, such as bot:SmaCross.")
            raise SystemExit(_main(target, parameters, env_file, check, flags))
    except SystemExit as end:
        raise SystemExit(1 if (check or healthcheck) and end.code else end.code) from None


def _main(
    target: str,
    parameters: tuple[str, ...],
    env_file: Path | None,
    check: bool,
    flags: dict[str, str | None],
) -> int:
    """Check or run; return the exit code."""
    values = parameters_from(parameters)
    environment = read_environment(os.environ, env_file)
    settings = _settings(flags, environment)
    os.environ.update({name: environment.values[name] for name in environment.origins})
    if check:
        from strategy_runtime.cli.check import check_proxy, show_parameters, show_settings

        show_settings(settings)
        strategy = _load(target, values, environment)
        show_parameters(strategy, values, environment)
        timeout = settings.connect_timeout
        if settings.origins["connect_timeout"] == DEFAULT:
            timeout = _CHECK_WITHIN_S
        with asyncio.Runner(loop_factory=_loop_factory(settings)) as loop:
            make_venue = partial(_venue, settings, "backtest", timeout)
            return loop.run(check_proxy(make_venue, settings, strategy))
    strategy = _load(target, values, environment)
    with (
        limit_repeated_warnings(),
        asyncio.Runner(loop_factory=_loop_factory(settings)) as loop,
    ):
        return loop.run(_session(strategy, settings))


def _settings(flags: dict[str, str | None], environment: Environment) -> Settings:
    """Return the settings, after configuring the log and hiding the secrets."""
    from strategy_runtime.cli.logs import set_up

    hide_in_environment(environment.values)
    settings = resolve(flags, environment)
    for secret in settings.secrets():
        hide(secret)
    set_up(settings.log_level, settings.log_format)
    for warning in settings.warnings:
        _log.warning("%s", warning)
    return settings


def _is_ready(flags: dict[str, str | None], env_file: Path | None) -> bool:
    from strategy_runtime.cli.probe import probe

    settings = resolve(flags, read_environment(os.environ, env_file))
    if not settings.ops_port:
        raise ConfigError("--healthcheck needs the port to ask: set OPS_PORT, as for the run")
    is_ready, said = probe(settings.ops_host, settings.ops_port)
    click.echo(said)
    return is_ready


def _load(target: str, values: dict[str, str], environment: Environment) -> "Strategy":
    found = class_of(target)
    with users_code(f"{found.__name__} was made"):
        return found.from_text(values, environment.values, environment.origin)


def _loop_factory(settings: Settings) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the event loop, or None for asyncio's own.

    Raises:
        ConfigError: uvloop is wanted but not installed.
    """
    if settings.loop == "asyncio":
        return None
    try:
        import uvloop
    except ImportError:
        if settings.loop == "auto":
            return None
        raise ConfigError(
            f"{settings.origins['loop']}: uvloop is not installed: "
            "pip install 'strategy-runtime[uvloop]'"
        ) from None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _venue(
    settings: Settings, mode: "Mode", timeout: float, recording: "Recording | None" = None
) -> "ProxyVenue":
    from strategy_runtime.proxy import Endpoints, ProxyVenue

    set_by = {
        f"{name.removesuffix('_url')}_setting": settings.origins[name]
        for name in ("ws_url", "rest_url", "api_key")
        if settings.origins[name] != DEFAULT
    }
    return ProxyVenue(
        Endpoints(
            ws_url=settings.ws_url, rest_url=settings.rest_url, api_key=settings.api_key, **set_by
        ),
        is_live=mode == "live",
        subscriptions=settings.subscriptions,
        timeframe=settings.timeframe,
        connect_deadline=timeout,
        recording=recording,
    )


async def _session(strategy: "Strategy", settings: Settings) -> int:
    """Run until the end or a signal; return the exit code."""
    from structlog.contextvars import bind_contextvars

    from strategy_runtime.cli.monitoring import Monitoring
    from strategy_runtime.cli.storage import Storage, open_recording, open_storage
    from strategy_runtime.cli.unmet_subscriptions import warn_of_overdue, warn_of_unmet
    from strategy_runtime.runtime.risk.limited import desk_for
    from strategy_runtime.runtime.runner import Runner
    from strategy_runtime.runtime.threads import ThreadedVenue

    runner: Runner | None = None
    files = ExitStack()
    recording = open_recording(settings, files)
    monitoring = Monitoring(settings, lambda: None if runner is None else runner.status())
    connecting = asyncio.ensure_future(_find_mode(settings))

    def stop() -> None:
        monitoring.stopping()
        if runner is None:
            connecting.cancel()
        else:
            runner.stop()

    def interrupt() -> None:
        if runner is not None:
            runner.interrupt()

    with files, stop_on_signals(stop, interrupt=interrupt, deadline=STOP_WITHIN_S):
        async with monitoring:
            try:
                mode = await connecting
            except asyncio.CancelledError:
                return 0
            name, run_id = type(strategy).__name__, "bt" if mode == "backtest" else token()
            bind_contextvars(strategy=name, run_id=run_id)
            proxy = _venue(settings, mode, settings.connect_timeout, recording)
            venue: Venue = proxy
            storage = Storage()
            save: Callable[[], None] | None = files.close
            if mode == "live":
                storage = open_storage(strategy, settings, files)
                # The journal is on disk already, and the venue's thread may still be recording.
                save = None if storage.state is None else storage.state.save
                venue = ThreadedVenue(proxy, loop_factory=_loop_factory(settings))
                watch = asyncio.ensure_future(warn_of_overdue(proxy, settings))
                files.callback(watch.cancel)
            runner = Runner(
                strategy,
                venue,
                mode=mode,
                run_id=run_id,
                on_error=None if settings.on_error == "auto" else settings.on_error,
                subscriptions=settings.subscriptions,
                timeframe=settings.timeframe,
                journal=storage.journal,
                on_exit=settings.on_exit,
                save=save,
                desk=desk_for(settings.limits, settings.rounding, storage.days),
                observer=monitoring.observer(
                    name, run_id, lambda: {} if runner is None else runner.in_hand, storage.state
                ),
            )
            _log.info("running %s in %s mode at %s", name, mode, settings.ws_url)
            await runner.run()
    warn_of_unmet(proxy, settings)
    _log.info("the backtest is over" if runner.is_complete else "stopped")
    return 0


async def _find_mode(settings: Settings) -> "Mode":
    """Wait until the proxy answers, and return the mode of the run."""
    from strategy_runtime.cli.mode import mode_of

    venue = _venue(settings, "backtest", settings.connect_timeout)
    _log.info("looking for the proxy at %s", settings.rest_url)
    try:
        await venue.open()
        return await mode_of(venue, settings.mode)
    finally:
        await venue.close()


if __name__ == "__main__":
    main()
