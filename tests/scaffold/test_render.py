"""The part of Jinja that templates use, and the refusal of the rest."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.errors import ConfigError
from strategy_runtime.scaffold.render import render

VALUES = {"name": "my-bot", "template": "minimal"}
INCLUDE = '{% include "parts/" ~ template ~ "/about.md" %}'


def test_values_are_put_in(tmp_path: Path) -> None:
    assert render("{{ name }}: {{ template }}{}", VALUES, tmp_path) == "my-bot: minimal{}"


def test_a_file_is_included_rendered_and_brings_its_own_last_line_break(tmp_path: Path) -> None:
    (tmp_path / "parts" / "minimal").mkdir(parents=True)
    (tmp_path / "parts" / "minimal" / "about.md").write_text("About {{ name }}.\n")
    assert render(f"a\n{INCLUDE}b\n", VALUES, tmp_path) == "a\nAbout my-bot.\nb\n"


@pytest.mark.parametrize(
    "tag",
    [
        "{{name}}",
        "{{ name | title }}",
        "{% if x %}",
        "{# note #}",
        '{% include "a.md" %}',
        "{{\n}}",
    ],
)
def test_another_tag_is_refused(tag: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no value and no inclusion"):
        render(f"a {tag} b", VALUES, tmp_path)


@pytest.mark.parametrize("tag", ["{{ nmae }}", INCLUDE.replace("template", "nmae")])
def test_an_unknown_name_is_refused(tag: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"and there is no nmae$"):
        render(tag, VALUES, tmp_path)


@given(st.text(alphabet="ab{} $%#\n"))
def test_text_without_tags_stays_as_it_is(text: str) -> None:
    if not any(mark in text for mark in ("{{", "{%", "{#")):
        assert render(text, VALUES, Path("nowhere")) == text
