"""The options that commands share are those of the exchange, and of reading data in Python."""

from inspect import signature
from typing import Any

import click
import pytest

from strategy_runtime.backtesting import read_data
from strategy_runtime.cli.loading import exchange_options
from strategy_runtime.cli.options import DataOptions, account_options, data_options
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
