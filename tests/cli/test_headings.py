"""Headings in the help of a command with many options."""

import re

import pytest

from strategy_runtime.cli import backtest, new, proxy, run, sweep
from tests.cli.conftest import Invoke

COMMANDS = {"backtest": backtest, "new": new, "proxy": proxy, "run": run, "sweep": sweep}
ACCOUNT, LIMITS = "Account and costs", "Risk limits and rounding"


def sections(text: str) -> dict[str, str]:
    """Return the options below each heading of a help text."""
    parts = re.split(r"^(\w[\w ]+):\n", text.partition("\n  Examples:")[0], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize(
    ("command", "headings"),
    [
        ("backtest", ["Options", "Market data", ACCOUNT, LIMITS, "Results"]),
        ("sweep", ["Options", "Market data", ACCOUNT, LIMITS, "Results"]),
        ("proxy", ["Options", "Market data", ACCOUNT, "Results"]),
        ("run", ["Options", LIMITS]),
        ("new", ["Options"]),
    ],
)
def test_the_options_of_a_command_are_below_headings(
    command: str, headings: list[str], invoke: Invoke
) -> None:
    found = sections(invoke(command, "--help").stdout)
    assert list(found) == headings
    text = "".join(found.values())
    flags = [each.opts[0] for each in COMMANDS[command].main.params if each.opts[0][0] == "-"]
    for flag in flags:
        assert len(re.findall(rf"^  (?:-\w, )?{flag}\b(?!-)", text, re.MULTILINE)) == 1, flag


def test_an_option_is_below_the_heading_it_belongs_to(invoke: Invoke) -> None:
    found = sections(invoke("backtest", "--help").stdout)
    belong = {
        "Options": "--set",
        "Market data": "--data",
        ACCOUNT: "--fee-rate",
        LIMITS: "--lot-size",
        "Results": "--open",
    }
    for heading, flag in belong.items():
        assert [each for each in found if f" {flag} " in found[each]] == [heading]
