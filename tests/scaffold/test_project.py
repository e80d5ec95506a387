"""Writing a project: all of it or nothing, without touching anything else."""

import shutil
from pathlib import Path

import pytest

from strategy_runtime.errors import ConfigError, DataError
from strategy_runtime.scaffold.names import check_name
from strategy_runtime.scaffold.project import create_project
from strategy_runtime.scaffold.templates import find_template, list_templates, templates_folder

FOLDER = templates_folder()
NAME = check_name("my-bot")
MINIMAL = find_template(FOLDER, "minimal")
WANTED = """
.dockerignore .env.example .github/workflows/ci.yml .gitignore Dockerfile README.md compose.yaml
data/prices.csv my_bot.py pyproject.toml requirements.lock tests/test_my_bot.py
""".split()


@pytest.mark.parametrize("template", list_templates(FOLDER), ids=lambda each: each.name)
def test_a_project_has_all_its_files_and_no_tag_left(template: object, tmp_path: Path) -> None:
    chosen = find_template(FOLDER, getattr(template, "name", ""))
    written = create_project(NAME, chosen, FOLDER, tmp_path)
    assert written == sorted(
        path.relative_to(tmp_path) for path in (tmp_path / "my-bot").rglob("*") if path.is_file()
    )
    assert {Path("my-bot") / each for each in WANTED} <= set(written)
    for path in written:
        text = (tmp_path / path).read_text()
        assert "{{" not in text
        assert "{%" not in text
        assert text.endswith("\n")
        assert "\n\n\n\n" not in text
    strategy = (tmp_path / "my-bot" / "my_bot.py").read_text().splitlines()
    assert 20 <= len(strategy) <= 60


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_what_exists_is_not_touched(make: object, tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path / "my-bot")
    with pytest.raises(ConfigError, match="my-bot exists, and nothing is ever overwritten"):
        create_project(NAME, MINIMAL, FOLDER, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["my-bot"]


def test_a_template_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    templates, parent = tmp_path / "templates", tmp_path / "parent"
    shutil.copytree(FOLDER, templates)
    (templates / "project" / "zz.md.jinja").write_text("{{ unknown }}")
    parent.mkdir()
    with pytest.raises(ConfigError, match="there is no unknown"):
        create_project(NAME, MINIMAL, templates, parent)
    assert list(parent.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file/my-bot cannot be written: Not a directory"):
        create_project(NAME, MINIMAL, FOLDER, tmp_path / "file")


def test_a_folder_that_appears_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        target.mkdir()
        (target / "mine").touch()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    with pytest.raises(DataError, match="cannot be written: Directory not empty"):
        create_project(NAME, MINIMAL, FOLDER, tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["my-bot", "mine"]
