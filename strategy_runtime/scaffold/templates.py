"""Where the templates are, and which there are."""

from importlib.resources import files
from pathlib import Path

from msgspec import Struct

from strategy_runtime.errors import ConfigError
from strategy_runtime.suggestions import did_you_mean

__all__ = ["DEFAULT", "Template", "find_template", "list_templates", "templates_folder"]

DEFAULT = "minimal"
"""The template of a project that asks for none."""


class Template(Struct, frozen=True):
    """A template.

    Attributes:
        name: As `--template` takes it.
        about: What its strategy does, in a sentence.
    """

    name: str
    about: str


def templates_folder() -> Path:
    """The folder of templates: in the installed package, or beside an editable one.

    Raises:
        ConfigError: Neither has it: the installation is not whole.
    """
    package = Path(str(files("strategy_runtime")))
    for folder in (package / "_templates", package.parent / "templates"):
        if (folder / "copier.yml").is_file():
            return folder
    raise ConfigError(
        f"the templates are missing from {package}: install strategy-runtime again, from a wheel "
        "or a whole clone"
    )


def list_templates(folder: Path) -> list[Template]:
    """All templates, in the order of their names, the default one first."""
    found = [
        Template(each.name, (each / "about.md.jinja").read_text("utf-8").partition("\n")[0])
        for each in (folder / "strategies").iterdir()
        if each.is_dir()
    ]
    return sorted(found, key=lambda each: (each.name != DEFAULT, each.name))


def find_template(folder: Path, name: str) -> Template:
    """The template of that name.

    Raises:
        ConfigError: There is none; names those there are.
    """
    known = {each.name: each for each in list_templates(folder)}
    if name not in known:
        raise ConfigError(
            f"there is no template {name!r}{did_you_mean(name, known)} "
            f"(strategy-new --list shows them: {', '.join(known)})"
        )
    return known[name]
