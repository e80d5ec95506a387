"""`strategy-run --check`: shows all settings with their origins, and tests the connection."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click

from strategy_runtime.cli.mode import mode_of
from strategy_runtime.cli.redaction import indented, safe
from strategy_runtime.cli.storage import folder_of
from strategy_runtime.errors import ApiError, ConfigError, StrategyRuntimeError
from strategy_runtime.protocol.values import in_digits
from strategy_runtime.report.cells import ljust, width_of
from strategy_runtime.runtime.store import state_keeper
from strategy_runtime.strategy.parameters import ENVIRONMENT_PREFIX

if TYPE_CHECKING:
    from strategy_runtime.proxy import ProxyVenue
    from strategy_runtime.runtime.settings import Environment, Settings
    from strategy_runtime.strategy import Strategy

__all__ = ["check_proxy", "show_parameters", "show_settings"]

_NO_SYMBOL = "SYMBOL_NOT_FOUND"


def _say(text: str = "") -> None:
    click.echo(safe(indented(text)))


def show_settings(settings: "Settings") -> None:
    """Print name, value and origin of every setting."""
    _table("Settings", settings.rows())


def show_parameters(
    strategy: "Strategy", given: Mapping[str, str], environment: "Environment"
) -> None:
    """Print name, value and origin of every parameter."""
    rows = []
    for name, value in strategy.parameter_values.items():
        variable = ENVIRONMENT_PREFIX + name.upper()
        origin = "default"
        if name in given:
            origin = "--set"
        elif variable in environment.values:
            origin = environment.origin(variable)
        rows.append((name, str(value), origin))
    if rows:
        _table(f"Parameters of {type(strategy).__name__}", rows)


async def check_proxy(
    make_venue: "Callable[[], ProxyVenue]", settings: "Settings", strategy: "Strategy"
) -> int:
    """Make the requests that every run starts with, open the event stream, and read the saved state
    of a live run; return 0, or 1 if something failed.

    No event is acknowledged, so simulated time does not move, and nothing is written.
    """
    _say("Checks")
    try:
        venue = make_venue()
        try:
            await venue.open()
            account = await venue.account()
            orders, positions = await venue.orders(), await venue.positions()
            _passed(
                "requests",
                settings.rest_url,
                f"equity {in_digits(account.equity)} {account.currency}, "
                f"{len(orders)} open orders, "
                f"{len(positions)} positions",
            )
            mode = await mode_of(venue, settings.mode)
            _passed("mode", mode, settings.origins["mode"])
            if mode == "live":
                _check_state(strategy, settings)
            await _check_symbols(venue, settings)
            async for _ in venue.bursts():
                _passed("events", settings.ws_url, "connected")
                break
        finally:
            await venue.close()
    except StrategyRuntimeError as error:
        _say(f"  FAILED: {error}")
        return 1
    return 0


def _check_state(strategy: "Strategy", settings: "Settings") -> None:
    """See whether the state that earlier runs have saved fits the strategy.

    Raises:
        DataError: It does not.
    """
    folder = folder_of(strategy, settings)
    if folder is None:
        _passed("state", "none", "nothing is kept")
        return
    keeper = state_keeper(strategy, folder)
    found = "not used before" if not folder.is_dir() else "used before"
    _passed("state", str(folder), found if keeper is None else f"{found}, and the state fits")


async def _check_symbols(venue: "ProxyVenue", settings: "Settings") -> None:
    """See whether the proxy knows the symbols that are subscribed to.

    Raises:
        ConfigError: It says that it does not know one.
    """
    for entry in settings.subscriptions:
        if entry.symbol == "*":
            continue
        try:
            await venue.bars(entry.symbol, settings.timeframe, limit=1)
        except ApiError as refusal:  # others may not list bars, or not of this timeframe
            if refusal.code == _NO_SYMBOL:
                raise ConfigError(
                    f"{settings.origins['subscriptions']}: {entry}: {refusal}"
                ) from None


def _passed(what: str, where: str, said: str) -> None:
    _say(f"  ok  {what}  {where}  ({said})")


def _table(title: str, rows: list[tuple[str, str, str]]) -> None:
    names, values = (max(width_of(row[column]) for row in rows) for column in range(2))
    _say(title)
    for name, value, origin in rows:
        _say(f"  {ljust(name, names)}  {ljust(value, values)}  {origin}")
    _say()
