"""Settings as options of a command; all of them are read and checked in one place, later."""

from collections.abc import Callable
from typing import Any

import click

from strategy_runtime.cli.options import together
from strategy_runtime.runtime.risk.limits import Limits
from strategy_runtime.runtime.settings import SETTINGS, Setting

__all__ = ["LIMITS", "limit_options", "with_settings"]

LIMITS = tuple(setting for setting in SETTINGS if setting.name in Limits.__struct_fields__)
"""The settings that limit what may be ordered."""


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each setting."""
    return _with(SETTINGS, command)


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of limits; the command gets them together as `limits`."""
    return _with(LIMITS, together(command, "limits", [setting.name for setting in LIMITS]))


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
