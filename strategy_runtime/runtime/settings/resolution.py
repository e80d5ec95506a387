"""Resolve the settings of a run from command line, environment and defaults."""

from collections.abc import Mapping
from typing import Any

from strategy_runtime.errors import ConfigError
from strategy_runtime.runtime.settings.addresses import find_addresses
from strategy_runtime.runtime.settings.environment import Environment, find_secret, find_text
from strategy_runtime.runtime.settings.setting import Setting
from strategy_runtime.runtime.settings.table import SETTINGS, Settings
from strategy_runtime.runtime.settings.typos import refuse_typos, unknown_variables
from strategy_runtime.suggestions import did_you_mean

__all__ = ["resolve"]


def resolve(flags: Mapping[str, str | None], environment: Environment) -> Settings:
    """Resolve the settings of a run.

    Args:
        flags: Values from the command line by field; None if an option was not given. That of
            `api_key` is the path of a file.

    Raises:
        ConfigError: A value is invalid, or a variable is misspelt; the message names the option or
            the variable.
    """
    refuse_typos(environment)
    given = {name: text for name, text in flags.items() if text is not None}
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    addresses = find_addresses(environment)
    for setting in SETTINGS:
        name = setting.name
        if not given.get(name, "-").strip():
            raise ConfigError(
                f"{setting.flag} has an empty value; is the variable that it comes from set?"
            )
        if setting.is_secret:
            text, origin = find_secret(
                setting.flag, setting.variables, given.get(name), environment
            )
        elif name in given:
            text, origin = given[name], setting.flag
        elif name in addresses:
            text, origin = addresses[name]
        else:
            text, origin = find_text(setting, environment)
        if setting.choices:
            text = _choice(text, origin, setting)
        values[name], origins[name] = setting.read(text, origin), origin
    settings = Settings(**values, origins=origins, warnings=unknown_variables(environment))
    wanted = {entry.symbol for entry in settings.subscriptions}
    if wanted and "*" not in wanted:
        settings.warnings.extend(settings.rounding.unknown_symbols(wanted))
    return settings


def _choice(text: str, origin: str, setting: Setting) -> str:
    chosen = text.lower()
    if chosen not in setting.choices:
        raise ConfigError(
            f"{origin}: {chosen!r} is none of {', '.join(setting.choices)}"
            f"{did_you_mean(chosen, setting.choices)}"
        )
    return chosen
