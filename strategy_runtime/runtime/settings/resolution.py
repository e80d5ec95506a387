"""Putting the settings of a run together from all that gives some."""

from collections.abc import Mapping
from typing import Any

from strategy_runtime.errors import ConfigError
from strategy_runtime.runtime.settings.addresses import find_addresses
from strategy_runtime.runtime.settings.environment import Environment, find_secret, find_text
from strategy_runtime.runtime.settings.setting import Setting
from strategy_runtime.runtime.settings.slips import refuse_slips, strangers
from strategy_runtime.runtime.settings.table import SETTINGS, Settings
from strategy_runtime.suggestions import did_you_mean

__all__ = ["resolve"]


def resolve(flags: Mapping[str, str | None], environment: Environment) -> Settings:
    """Put the settings together.

    Args:
        flags: Values from the command line by field; None where an option was not given. That of
            `api_key` is the path of a file.

    Raises:
        ConfigError: A value that cannot be one, or a variable that is misspelt; names the option
            or the variable.
    """
    refuse_slips(environment)
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
    settings = Settings(**values, origins=origins, warnings=strangers(environment))
    wanted = {entry.symbol for entry in settings.subscriptions}
    if wanted and "*" not in wanted:
        settings.warnings.extend(settings.rounding.strangers(wanted))
    return settings


def _choice(text: str, origin: str, setting: Setting) -> str:
    chosen = text.lower()
    if chosen not in setting.choices:
        raise ConfigError(
            f"{origin}: {chosen!r} is none of {', '.join(setting.choices)}"
            f"{did_you_mean(chosen, setting.choices)}"
        )
    return chosen
