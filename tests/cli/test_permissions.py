"""Errors about files and folders that may not be read, and a current folder that is gone."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.support import BUYER, PRICES, command, finished

# Root may read everything, unless it drops that right.
AS_OTHERS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] * (os.geteuid() == 0)
IS_HELD = not AS_OTHERS or not subprocess.call(["sh", "-c", f"{' '.join(AS_OTHERS)} true 2>&-"])

pytestmark = pytest.mark.skipif(not IS_HELD, reason="root may read everything here")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Make a folder with a strategy and prices, and another that may not be read."""
    (tmp_path / "bot.py").write_text(BUYER)
    (tmp_path / "prices.csv").write_text(PRICES)
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "prices.csv").write_text(PRICES)
    with locked(tmp_path / "closed"):
        yield tmp_path


@contextmanager
def locked(path: Path, mode: int = 0) -> Iterator[None]:
    """Restrict a path to a mode."""
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(before)


def end_of(name: str, *arguments: str, cwd: Path) -> tuple[int, str]:
    """Run a command under permissions; return its exit code and stderr."""
    done = finished([*AS_OTHERS, *command(name, *arguments)], cwd=cwd)
    return done.returncode, done.stderr


@pytest.mark.parametrize("given", ["closed", "closed/prices.csv", "closed/none.csv"])
def test_data_in_a_folder_that_may_not_be_read(place: Path, given: str) -> None:
    assert end_of("backtest", "bot:Buyer", "--data", given, cwd=place) == (
        74,
        f"Error: {given} cannot be read: Permission denied\n",
    )


def test_a_folder_that_may_be_entered_and_not_listed(place: Path) -> None:
    with locked(place / "closed", 0o100):
        code, said = end_of("backtest", "bot", "--data", "closed/prices.csv", "--json", cwd=place)
        assert (code, said) == (0, "")
        code, said = end_of("backtest", "bot", "--data", "closed/price.csv", cwd=place)
        assert (code, said) == (74, "Error: closed/price.csv does not exist\n")


def test_a_strategy_whose_file_may_not_be_read(place: Path) -> None:
    with locked(place / "bot.py"):
        for target in ("bot:Buyer", "bot.py:Buyer"):
            assert end_of("backtest", target, "--demo", cwd=place) == (
                2,
                f"Error: {place / 'bot.py'} cannot be read: Permission denied\n",
            )
    for target, path in (("closed/bot.py:Buyer", "closed/bot.py"), ("closed/bot:B", "closed/bot")):
        assert end_of("backtest", target, "--demo", cwd=place) == (
            2,
            f"Error: {place / path} cannot be read: Permission denied\n",
        )


def test_what_a_strategy_may_not_read_is_its_own_failure(place: Path) -> None:
    (place / "bot.py").write_text("open('closed/model.bin')\n")
    code, said = end_of("backtest", "bot", "--demo", cwd=place)
    assert code == 70
    assert "line 1, in <module>\n    open('closed/model.bin')" in said


def test_a_current_folder_that_may_not_be_looked_into(place: Path) -> None:
    # The same happens with root's folder under `sudo -u`; an installed package still runs.
    here = place / "closed"
    line = 'cd closed && chmod 0 . && exec "$@"'

    def there(name: str, *arguments: str) -> tuple[int, str]:
        here.chmod(0o700)
        ours = [*AS_OTHERS, *command(name, *arguments)]
        done = finished(["sh", "-c", line, "sh", *ours], cwd=place)
        return done.returncode, done.stderr

    assert there("backtest", "--demo", "--json") == (0, "")
    assert there("backtest", "bot:Buyer", "--demo") == (
        2,
        f"Error: there is no module 'bot' in {here} nor among those installed\n",
    )
    code, said = there("backtest", "strategy_runtime.demo.strategy:SmaCross")
    assert code == 2
    assert said.startswith("Error: no market data: give --data FILE, or put files into")
    assert there("new", "my-bot") == (74, "Error: my-bot cannot be written: Permission denied\n")


@pytest.mark.parametrize("name", ["backtest", "run"])
def test_a_current_folder_that_is_gone(place: Path, name: str) -> None:
    shutil.copy(place / "bot.py", place / "there.py")
    (place / "gone").mkdir()
    line = ["sh", "-c", 'cd gone && rmdir ../gone && exec "$@"', "sh"]
    done = finished([*line, *command(name, "there:Buyer")], cwd=place)
    assert (done.returncode, done.stderr) == (
        2,
        "Error: the current folder cannot be used: No such file or directory; change to another "
        "one\n",
    )
