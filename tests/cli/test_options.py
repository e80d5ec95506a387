"""The options of commands are those of the exchange, of reading data in Python, and of a run."""

import re
from inspect import signature
from pathlib import Path
from typing import Any

import click
import pytest

from strategy_runtime import cli
from strategy_runtime.backtesting import read_data
from strategy_runtime.cli.loading import exchange_options
from strategy_runtime.cli.options import DataOptions, account_options, data_options
from strategy_runtime.runtime.risk.limits import Limits
from strategy_runtime.runtime.rounding import Rounding
from strategy_runtime.runtime.settings import SETTINGS
from strategy_runtime.simulator.options import ExchangeOptions


@pytest.fixture
def given() -> dict[str, Any]:
    """What a command gets for `account` and `wanted` if no option is given."""
    found: dict[str, Any] = {}

    @click.command
    @data_options
    @account_options
    def command(**given: Any) -> None:
        found.update(given)

    command.main([], standalone_mode=False)
    return found


def test_the_command_line_has_every_option_of_the_exchange(given: dict[str, Any]) -> None:
    missing = {*ExchangeOptions.__struct_fields__} - {*given["account"]}
    assert missing == {"refuse_splits"}, "add it to cli/options.py"  # that one is --strict


def test_the_defaults_are_those_of_the_exchange(given: dict[str, Any]) -> None:
    assert exchange_options(given["account"], given["wanted"]) == ExchangeOptions()


def test_data_are_read_in_python_with_the_options_of_the_command() -> None:
    of_python = {*signature(read_data).parameters}
    assert {*DataOptions._fields} - of_python == {"paths", "subscriptions"}
    assert of_python - {*DataOptions._fields} == {"sources"}


def test_every_setting_of_a_run_is_used() -> None:
    code = "".join(path.read_text() for path in Path(cli.__path__[0]).glob("*.py"))
    used = set(re.findall(r"\bsettings\.(\w+)", code))
    assert {"limits", "rounding"} <= used
    used.update(Limits.__struct_fields__, Rounding.__struct_fields__)
    unused = [setting.flag for setting in SETTINGS if setting.name not in used]
    assert not unused, "pass them on in cli/run.py"
