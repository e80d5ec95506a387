"""Commands called in this process, for tests that need no process of their own."""

import logging
import sys
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from strategy_runtime.cli import backtest, new, proxy, run, sweep
from tests.cli.support import BUYER, PRICES

Invoke = Callable[..., Result]

# Before 8.2, click separates the two streams only if told to.
DISTANCE: dict[str, Any] = (
    {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, made the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def bot(folder: Path) -> Path:
    """A folder with a strategy and prices."""
    (folder / "bot.py").write_text(BUYER)
    (folder / "prices.csv").write_text(PRICES)
    return folder


@pytest.fixture
def invoke(folder: Path) -> Iterator[Invoke]:
    """Call a command in the current folder, and undo its changes to the process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    path, modules = sys.path[:], set(sys.modules)
    commands = {
        "backtest": backtest.main,
        "new": new.main,
        "proxy": proxy.main,
        "run": run.main,
        "sweep": sweep.main,
    }

    def call(name: str, *arguments: object, env: dict[str, str] | None = None) -> Result:
        unset = dict.fromkeys(("PROXY_WS_URL", "PROXY_REST_URL", "SUBSCRIPTIONS", "STRATEGY_MODE"))
        runner = CliRunner(env={**unset, **(env or {})}, **DISTANCE)
        return runner.invoke(commands[name], [str(each) for each in arguments])

    yield call
    root.handlers[:], sys.path[:] = handlers, path
    root.setLevel(level)
    for name in set(sys.modules) - modules:
        if not name.startswith("strategy_runtime"):
            file = getattr(sys.modules[name], "__file__", None) or ""
            if file.startswith(str(folder)):
                del sys.modules[name]
