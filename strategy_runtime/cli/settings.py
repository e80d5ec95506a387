"""Settings as options of a command; all of them are read and checked in one place, later."""

import os
from collections.abc import Callable
from typing import Any

import click

from strategy_runtime.cli.options import together
from strategy_runtime.runtime.risk.limits import Limits
from strategy_runtime.runtime.settings import SETTINGS, Setting, read_environment, refuse_slips

__all__ = ["limit_options", "limits_from", "with_settings"]

_LIMITS = tuple(setting for setting in SETTINGS if setting.name in Limits.__struct_fields__)


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each setting."""
    return _with(SETTINGS, command)


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of limits; the command gets them together as `limits`."""
    return _with(_LIMITS, together(command, "limits", [setting.name for setting in _LIMITS]))


def limits_from(options: dict[str, str | None]) -> Limits:
    """The limits of a backtest, from its options and the environment; the log is set up, too.

    Raises:
        ConfigError: A value that cannot be one, or a misspelt variable.
    """
    from strategy_runtime.cli.logs import set_up_from

    refuse_slips(read_environment(os.environ))
    variables = {variable for setting in _LIMITS for variable in setting.variables}
    return set_up_from(os.environ, options, variables).limits


def _with(settings: tuple[Setting, ...], command: Callable[..., Any]) -> Callable[..., Any]:
    for setting in reversed(settings):
        command = click.option(
            setting.flag, setting.name, metavar=setting.metavar, help=_help(setting)
        )(command)
    return command


def _help(setting: Setting) -> str:
    default = f"; default: {setting.default}" if setting.default else ""
    variable = setting.variables[0] + ("_FILE" if setting.is_secret else "")
    return f"{setting.help}  [env var: {variable}{default}]"
