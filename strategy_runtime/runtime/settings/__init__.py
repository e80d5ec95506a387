"""The settings of a run against a proxy, and the origin of each.

A setting comes from the command line, else the environment, else the file given with `--env-file`,
else its default. An empty variable counts as not set, since compose files pass such ones. A secret
may also be given as `NAME_FILE`, the path of a file that contains it.
"""

from strategy_runtime.runtime.settings.environment import (
    DEFAULT,
    Environment,
    find_secret,
    read_environment,
)
from strategy_runtime.runtime.settings.resolution import resolve
from strategy_runtime.runtime.settings.setting import Setting
from strategy_runtime.runtime.settings.table import SETTINGS, Settings
from strategy_runtime.runtime.settings.typos import refuse_typos

__all__ = [
    "DEFAULT",
    "SETTINGS",
    "Environment",
    "Setting",
    "Settings",
    "find_secret",
    "read_environment",
    "refuse_typos",
    "resolve",
]
