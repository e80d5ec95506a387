"""`strategy-new`: output and files."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke
from tests.cli.support import call


def test_it_lists_what_it_wrote_and_the_next_two_commands(invoke: Invoke, folder: Path) -> None:
    done = invoke("new", "my-bot")
    assert (done.exit_code, done.stderr) == (0, "")
    listed, _, next_steps = done.stdout.partition("\n\n")
    written = {path for path in (folder / "my-bot").rglob("*") if path.is_file()}
    assert listed.splitlines()[0] == "Written:"
    assert {folder / line.strip() for line in listed.splitlines()[1:]} == written
    commands = [line.strip() for line in next_steps.splitlines() if line.startswith("  ")]
    assert commands == ["cd my-bot && strategy-backtest my_bot:MyBot", "pytest"]


def test_the_backtest_it_names_works_at_once(tmp_path: Path) -> None:
    assert call("new", "my-bot", "-t", "sma-cross", cwd=tmp_path).returncode == 0
    done = call("backtest", "my_bot:MyBot", cwd=tmp_path / "my-bot")
    assert done.returncode == 0, done.stderr
    assert "MyBot(fast=10, slow=30, stake=0.3, loss=0.08)" in done.stdout


def test_from_an_environment_that_is_not_active_the_commands_have_their_whole_path(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr("sys.argv", [str(folder / "my venv" / "bin" / "strategy-new")])
    said = invoke("new", "my-bot").stdout
    assert f"  cd my-bot && '{folder}/my venv/bin/strategy-backtest' my_bot:MyBot\n" in said
    assert f"  '{folder}/my venv/bin/pytest'\n" in said


def test_the_list_has_a_line_for_each_template(invoke: Invoke, folder: Path) -> None:
    done = invoke("new", "--list")
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "minimal",
        "market-maker",
        "mean-reversion",
        "multi-symbol",
        "sma-cross",
    ]
    assert all(re.fullmatch(r"[a-z-]+ +[A-Z].*\.", line) for line in done.stdout.splitlines())
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Error: name the project, such as strategy-new my-bot"),
        (["My_Bot"], "words joined by hyphens, such as my-bot"),
        (["json"], "json.py would hide a module of Python's own; try json-bot"),
        (
            ["my-bot", "-t", "smacross"],
            "there is no template 'smacross'; did you mean 'sma-cross'?",
        ),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    arguments: list[str], said: str, invoke: Invoke, folder: Path
) -> None:
    done = invoke("new", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert list(folder.iterdir()) == []


def test_a_second_project_of_the_name_is_refused(invoke: Invoke, folder: Path) -> None:
    assert invoke("new", "my-bot").exit_code == 0
    (folder / "my-bot" / "my_bot.py").write_text("mine\n")
    done = invoke("new", "my-bot")
    assert done.exit_code == 2
    assert "Error: my-bot exists, and nothing is ever overwritten" in done.stderr
    assert (folder / "my-bot" / "my_bot.py").read_text() == "mine\n"
