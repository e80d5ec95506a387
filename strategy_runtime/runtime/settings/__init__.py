"""The settings of a run against a proxy, and where each one came from.

Each is taken from the command line, else the environment, else the file given with `--env-file`,
else its default. A variable that is set but empty counts as not set: compose files pass such ones.
A secret may also be given as `NAME_FILE`, the path of a file that holds it.
"""

from strategy_runtime.runtime.settings.environment import (
    DEFAULT,
    Environment,
    find_secret,
    read_environment,
)
from strategy_runtime.runtime.settings.resolution import resolve
from strategy_runtime.runtime.settings.setting import Setting
from strategy_runtime.runtime.settings.slips import refuse_slips
from strategy_runtime.runtime.settings.table import SETTINGS, Settings

__all__ = [
    "DEFAULT",
    "SETTINGS",
    "Environment",
    "Setting",
    "Settings",
    "find_secret",
    "read_environment",
    "refuse_slips",
    "resolve",
]
