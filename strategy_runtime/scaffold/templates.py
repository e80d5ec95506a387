"""The templates folder and its list of templates."""

from importlib.resources import files
from pathlib import Path

from msgspec import Struct

from strategy_runtime.errors import ConfigError
from strategy_runtime.suggestions import did_you_mean

__all__ = ["DEFAULT", "Template", "find_template", "list_templates", "templates_folder"]

DEFAULT = "minimal"
"""The template used by default."""


class Template(Struct, frozen=True):
    """A strategy to start from.

    Attributes:
        name: As given to `--template`.
        about: One sentence on what the strategy does.
    """

    name: str
    about: str


def templates_folder() -> Path:
    """Return the folder of templates: in the installed package, or beside an editable one.

    Raises:
        ConfigError: Neither exists, so the installation is incomplete.
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
    """Return all templates sorted by name, the default one first."""
    found = [
        Template(each.name, (each / "about.md.jinja").read_text("utf-8").partition("\n")[0])
        for each in (folder / "strategies").iterdir()
        if each.is_dir()
    ]
    return sorted(found, key=lambda each: (each.name != DEFAULT, each.name))


def find_template(folder: Path, name: str) -> Template:
    """Return a template by name.

    Raises:
        ConfigError: There is no such template; lists the existing ones.
    """
    known = {each.name: each for each in list_templates(folder)}
    if name not in known:
        raise ConfigError(
            f"there is no template {name!r}{did_you_mean(name, known)} "
            f"(strategy-new --list shows them: {', '.join(known)})"
        )
    return known[name]
