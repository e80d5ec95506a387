"""copier makes the same projects from the templates folder, and updates them."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from strategy_runtime.scaffold.names import check_name
from strategy_runtime.scaffold.project import create_project
from strategy_runtime.scaffold.templates import find_template, list_templates, templates_folder

copier = pytest.importorskip("copier")

FOLDER = templates_folder()
ANSWERS = ".copier-answers.yml"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ANSWERS and ".git" not in path.parts
    }


@pytest.mark.parametrize("template", [each.name for each in list_templates(FOLDER)])
def test_copier_makes_the_same_project(template: str, tmp_path: Path) -> None:
    create_project(check_name("my-2-bots"), find_template(FOLDER, template), FOLDER, tmp_path)
    copier.run_copy(
        str(FOLDER),
        tmp_path / "copied",
        data={"name": "my-2-bots", "template": template},
        defaults=True,
        quiet=True,
    )
    assert contents(tmp_path / "copied") == contents(tmp_path / "my-2-bots")


def test_the_command_of_the_documentation_makes_a_project_and_asks_nothing(tmp_path: Path) -> None:
    (command,) = re.findall(r"^copier copy .*", (FOLDER / "README.md").read_text(), re.MULTILINE)
    # Absolute, because a project is updated from another folder than it was made in.
    assert " /path/to/templates " in command
    line = command.replace("/path/to/templates", shlex.quote(str(FOLDER)))
    subprocess.run(
        [sys.executable, "-m", *shlex.split(line)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    create_project(check_name("my-bot"), find_template(FOLDER, "sma-cross"), FOLDER, tmp_path / "x")
    assert contents(tmp_path / "my-bot") == contents(tmp_path / "x" / "my-bot")


def test_copier_refuses_the_same_forms_of_a_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Write lower-case letters and digits"):
        copier.run_copy(str(FOLDER), tmp_path / "x", data={"name": "My_Bot"}, defaults=True)


def test_copier_brings_a_change_of_the_template_into_a_project(tmp_path: Path) -> None:
    source, project = tmp_path / "source", tmp_path / "my-bot"
    shutil.copytree(FOLDER, source)
    release(source, "v1")
    copier.run_copy(
        str(source), project, data={"name": "my-bot"}, defaults=True, quiet=True, vcs_ref="v1"
    )
    strategy = project / "my_bot.py"
    strategy.write_text(strategy.read_text().replace("= 0.25", "= 0.5"))
    release(project, "mine")
    template = source / "strategies" / "minimal" / "strategy.py.jinja"
    template.write_text(template.read_text() + "\n# from the new version\n")
    release(source, "v2")
    copier.run_update(project, defaults=True, overwrite=True, quiet=True)
    text = strategy.read_text()
    assert "= 0.5" in text
    assert text.endswith("# from the new version\n")


def release(folder: Path, tag: str) -> None:
    """Commit all of a folder and tag it."""
    who = ["-c", "user.name=me", "-c", "user.email=me@example.com", "-c", "commit.gpgsign=false"]
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        [*who, "commit", "-q", "-m", tag],
        ["tag", tag],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
