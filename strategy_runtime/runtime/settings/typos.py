"""Misspelt variables: nothing reads them, but they may have been meant as settings.

A misspelt limit limits nothing, so obvious mistakes are refused. An unrelated variable must not
prevent a run, so for any that may be unrelated there is a warning at most.
"""

import re
from collections.abc import Iterator

from strategy_runtime.errors import ConfigError
from strategy_runtime.runtime.settings.addresses import GATEWAY_VARIABLES
from strategy_runtime.runtime.settings.environment import FILE, Environment
from strategy_runtime.runtime.settings.setting import as_it_is
from strategy_runtime.runtime.settings.table import SETTINGS
from strategy_runtime.suggestions import did_you_mean, nearest

__all__ = ["refuse_typos", "unknown_variables"]

_OURS = ("PROXY_", "STRATEGY_")
_LIMIT = "STRATEGY_MAX_"
_ALIKE_BEHIND_PREFIX = 0.8
_ALIKE = 0.9
_BY_VARIABLE = {variable: setting for setting in SETTINGS for variable in setting.variables}
_KNOWN = {
    *_BY_VARIABLE,
    *GATEWAY_VARIABLES,
    *(variable + FILE for variable, setting in _BY_VARIABLE.items() if setting.is_secret),
}
_BEGINNINGS, _ENDS = {name[:3] for name in _KNOWN}, {name[-3:] for name in _KNOWN}
"""A single typo changes only one of them. Other variables are skipped, as there may be thousands.
"""

# Kubernetes and container links set such variables for every service called `proxy`.
_SERVICE_LINK = re.compile(
    r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_(PORT|PROTO|ADDR))?)?)$"
)


def refuse_typos(environment: Environment) -> None:
    """Refuse variables that are obviously misspelt settings.

    Raises:
        ConfigError: There is one: an unknown limit, or a name close to that of a setting with a
            value that the setting accepts.
    """
    for variable, meant in _unread(environment):
        is_limit = variable.upper().startswith(_LIMIT)
        text = environment.values[variable].strip()
        if meant and (is_limit or _is_plain(variable, meant, text)):
            hint = f"did you mean {meant!r}?"
        elif is_limit:
            limits = sorted(each for each in _KNOWN if each.startswith(_LIMIT))
            hint = f"the limits are {', '.join(limits)}."
        else:
            continue
        raise ConfigError(
            f"{environment.origin(variable)} is not a setting, and would be ignored; {hint} Rename "
            "it or remove it"
        )


def unknown_variables(environment: Environment) -> list[str]:
    """Return warnings of variables that look like settings but are not."""
    return [
        f"{environment.origin(variable)} is not a setting"
        + (f"; did you mean {meant!r}?" if meant else did_you_mean(variable, _KNOWN))
        for variable, meant in _unread(environment)
        if meant or variable.startswith(_OURS)
    ]


def _unread(environment: Environment) -> Iterator[tuple[str, str]]:
    """Yield variables that are not settings, each with the closest setting, if any."""
    for variable in sorted(environment.values):
        if variable not in _KNOWN and not _SERVICE_LINK.search(variable):
            yield variable, _near(variable.upper(), environment)


def _near(name: str, environment: Environment) -> str:
    if not (name[:3] in _BEGINNINGS or name[-3:] in _ENDS):
        return ""
    unset = [each for each in _KNOWN if each not in environment.values]
    for prefix in _OURS:
        if name.startswith(prefix):
            rests = [each.removeprefix(prefix) for each in unset if each.startswith(prefix)]
            found = nearest(name.removeprefix(prefix), rests, cutoff=_ALIKE_BEHIND_PREFIX)
            return prefix + found if found else ""
    return nearest(name, unset, cutoff=_ALIKE)


def _is_plain(variable: str, meant: str, text: str) -> bool:
    """Whether a variable is obviously a misspelt setting: its value is one that this accepts."""
    is_ours = variable.upper().startswith(_OURS)
    setting = _BY_VARIABLE.get(meant)
    if setting is None:
        return is_ours
    if setting.choices:
        return is_ours and text.lower() in setting.choices
    if setting.read is as_it_is:
        return False
    try:
        setting.read(text, "")
    except ConfigError:
        return False
    return True
