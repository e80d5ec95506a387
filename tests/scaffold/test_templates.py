"""Finding the templates, in the package and beside it."""

import re
from pathlib import Path

import pytest

import strategy_runtime
from strategy_runtime.errors import ConfigError
from strategy_runtime.scaffold import templates
from strategy_runtime.scaffold.templates import find_template, list_templates, templates_folder

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["minimal", "market-maker", "mean-reversion", "multi-symbol", "sma-cross"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder that the finder takes for the package."""
    folder = tmp_path / "strategy_runtime"
    folder.mkdir()
    monkeypatch.setattr(templates, "files", lambda name: tmp_path / name)
    return folder


def made(folder: Path) -> Path:
    folder.mkdir()
    (folder / "copier.yml").touch()
    return folder


def test_a_clone_has_them_beside_the_package() -> None:
    assert templates_folder() == ROOT / "templates"


def test_a_wheel_has_them_in_the_package(package: Path) -> None:
    inside = made(package / "_templates")
    assert templates_folder() == inside


def test_those_in_the_package_come_first(package: Path) -> None:
    made(package.parent / "templates")
    inside = made(package / "_templates")
    assert templates_folder() == inside


def test_another_folder_of_that_name_is_not_taken_for_them(package: Path) -> None:
    (package.parent / "templates").mkdir()
    with pytest.raises(ConfigError, match=f"missing from {re.escape(str(package))}: install"):
        templates_folder()


def test_each_template_says_in_a_line_what_it_does() -> None:
    found = list_templates(templates_folder())
    assert [each.name for each in found] == NAMES
    for each in found:
        assert re.fullmatch(r"[A-Z].{20,75}\.", each.about)


def test_copier_offers_the_same_ones() -> None:
    questions = (ROOT / "templates" / "copier.yml").read_text()
    choices = questions[questions.index("choices:") : questions.index("module:")]
    assert sorted(re.findall(r"- (\S+)", choices)) == sorted(NAMES)


def test_an_unknown_template_is_refused_with_near_matches() -> None:
    with pytest.raises(ConfigError) as refusal:
        find_template(templates_folder(), "mean-revision")
    assert str(refusal.value) == (
        "there is no template 'mean-revision'; did you mean 'mean-reversion'? "
        "(strategy-new --list shows them: minimal, market-maker, mean-reversion, multi-symbol, "
        "sma-cross)"
    )


def test_projects_ask_for_a_runtime_like_this_one() -> None:
    text = (ROOT / "templates" / "project" / "pyproject.toml.jinja").read_text()
    asked = re.findall(r'"strategy-runtime\[dotenv\]>=([\d.]+)"', text)
    assert asked == [strategy_runtime.__version__.rpartition(".")[0]]
