"""Commands start quickly, because they import little until it is needed."""

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from strategy_runtime.cli.backtest import main
from tests.cli.support import BUYER, PRICES, call, environment

COMMANDS = ["run", "backtest", "new", "proxy", "sweep"]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_needs_less_than_0_4_seconds_of_cpu(name: str, tmp_path: Path) -> None:
    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def once() -> float:
        before = spent()
        assert call(name, "--help", cwd=tmp_path).returncode == 0
        return spent() - before

    assert min(once() for _ in range(3)) < 0.4


@pytest.mark.parametrize("name", COMMANDS)
def test_the_module_of_a_command_imports_nothing_heavy(name: str, tmp_path: Path) -> None:
    heavy = ["aiohttp", "numpy", "pyarrow", "structlog", "uvloop"]
    probe = (
        f"import sys, strategy_runtime.cli.{name}; print(*set(sys.modules).intersection({heavy}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []


def test_a_backtest_needs_neither_network_nor_log_library(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(
        f"import atexit, json, sys\n{BUYER}\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
    )
    (tmp_path / "prices.csv").write_text(PRICES)
    done = call("backtest", "bot", "--data", "prices.csv", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "strategy_runtime.simulator.exchange" in loaded
    assert not loaded & {"aiohttp", "numpy", "pyarrow", "structlog"}


@pytest.mark.parametrize("name", COMMANDS)
def test_version_is_one_line_with_what_a_bug_report_needs(name: str, tmp_path: Path) -> None:
    done = call(name, "--version", cwd=tmp_path)
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert line.startswith("strategy-runtime 0.")
    for word in ("Python 3.", "aiohttp 3.", "click 8.", "msgspec 0.", "structlog "):
        assert word in line


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_every_option_and_ends_with_examples_and_exit_codes(
    name: str, tmp_path: Path
) -> None:
    said = call(name, "-h", cwd=tmp_path).stdout
    assert f"  strategy-{name} " in said[said.index("Examples:") :]
    assert "Exit codes: 0 fine, 2 usage" in said
    listing = said[said.index("Options:") : said.index("Examples:")].splitlines()[1:]
    for line, following in zip(listing, [*listing[1:], ""], strict=True):
        if line.startswith("  -"):
            explained = re.search(r"\S {2,}\S", line.lstrip())
            assert explained or following.startswith(" " * 20), line
            assert not re.search(" (TEXT|INTEGER|FLOAT)", line), "a type is no meaning"


@pytest.mark.parametrize(
    ("words", "begun", "offered"),
    [
        (["bot:SmaCross"], "--fee-r", ["--fee-rate"]),
        (["bot:SmaCross", "--children"], "", ["same_bar", "next_bar"]),
        (["bot:SmaCross", "--data"], "", [""]),
    ],
)
def test_a_shell_can_complete_a_command_line(
    words: list[str], begun: str, offered: list[str]
) -> None:
    completion = ShellComplete(main, {}, "strategy-backtest", "_STRATEGY_BACKTEST_COMPLETE")
    found = completion.get_completions(words, begun)
    assert [each.value for each in found] == offered


def test_help_says_what_a_worse_price_is_measured_in(tmp_path: Path) -> None:
    said = " ".join(call("backtest", "-h", cwd=tmp_path).stdout.split())
    for option in ("--slippage", "--slippage-fixed", "--impact", "--spread"):
        (meaning,) = re.findall(rf" {option} NUMBER (.*?) \[default", said)
        assert re.search("fraction of the price|in price units", meaning, re.IGNORECASE), option


def test_an_unknown_option_is_a_usage_error(tmp_path: Path) -> None:
    done = call("run", "bot", "--chek", cwd=tmp_path)
    assert done.returncode == 2
    assert re.search("No such option:? '?--chek", done.stderr)
