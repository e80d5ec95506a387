"""Settings as options of a command; `runtime.settings` reads and checks them."""

import os
from collections.abc import Callable
from typing import Any

import click

from strategy_runtime.cli.headings import under
from strategy_runtime.cli.options import stacked, together
from strategy_runtime.runtime.risk.limits import Limits
from strategy_runtime.runtime.rounding import Rounding
from strategy_runtime.runtime.settings import (
    SETTINGS,
    Setting,
    Settings,
    read_environment,
    refuse_typos,
)

__all__ = ["order_options", "order_settings", "with_settings"]

_OF_ORDERS = {*Limits.__struct_fields__, *Rounding.__struct_fields__}
_ORDERS = tuple(setting for setting in SETTINGS if setting.name in _OF_ORDERS)
_order_option = under("Risk limits and rounding")


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each setting."""
    return _with(SETTINGS, command)


def order_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of limits and rounding; the command gets them together as `orders`."""
    return _with(_ORDERS, together(command, "orders", [setting.name for setting in _ORDERS]))


def order_settings(options: dict[str, str | None]) -> Settings:
    """Return a backtest's risk limits and rounding, from options and environment; set up the log.

    Raises:
        ConfigError: A value is invalid, or a variable is misspelt.
    """
    from strategy_runtime.cli.logs import set_up_from

    refuse_typos(read_environment(os.environ))
    variables = {variable for setting in _ORDERS for variable in setting.variables}
    return set_up_from(os.environ, options, variables)


def _with(settings: tuple[Setting, ...], command: Callable[..., Any]) -> Callable[..., Any]:
    return stacked(*map(_option, settings))(command)


def _option(setting: Setting) -> Callable[..., Any]:
    option = _order_option if setting in _ORDERS else click.option
    return option(setting.flag, setting.name, metavar=setting.metavar, help=_help(setting))


def _help(setting: Setting) -> str:
    default = f"; default: {setting.default}" if setting.default else ""
    variable = setting.variables[0] + ("_FILE" if setting.is_secret else "")
    return f"{setting.help}  [env var: {variable}{default}]"
