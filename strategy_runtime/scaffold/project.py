"""Writing a project: all of it, or nothing."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from strategy_runtime.errors import ConfigError, DataError, reason_of
from strategy_runtime.ids import token
from strategy_runtime.scaffold.names import ProjectName
from strategy_runtime.scaffold.render import render
from strategy_runtime.scaffold.templates import Template

__all__ = ["create_project"]

_SUFFIX = ".jinja"
# Only copier needs the file in which it keeps its answers.
_COPIERS_OWN = "_copier_"


def create_project(
    name: ProjectName, template: Template, templates: Path, parent: Path
) -> list[Path]:
    """Write a project into a new folder.

    It is written to a draft folder and then renamed, so that a project exists completely or not at
    all, and existing files are never touched.

    Args:
        templates: The templates folder.
        parent: The folder in which to create the project's folder.

    Returns:
        Its files, relative to `parent`, sorted by name.

    Raises:
        ConfigError: The folder exists already.
        DataError: A file cannot be written.
    """
    target = parent / name.name
    if os.path.lexists(target):
        raise ConfigError(
            f"{target} exists, and nothing is ever overwritten: choose another name, or move it "
            "out of the way"
        )
    draft = parent / f".{name.name}.{token()}"
    try:
        for path, content in _files(name, template, templates):
            place = draft / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        draft.rename(target)
    except OSError as error:
        raise DataError(f"{target} cannot be written: {reason_of(error)}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return sorted(path.relative_to(parent) for path in target.rglob("*") if path.is_file())


def _files(name: ProjectName, template: Template, templates: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield path and content of each file of the project."""
    values = {
        "name": name.name,
        "module": name.module,
        "class_name": name.class_name,
        "template": template.name,
    }
    source = templates / "project"
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source).as_posix()
        if not path.is_file() or _COPIERS_OWN in relative:
            continue
        place = Path(render(relative.removesuffix(_SUFFIX), values, templates))
        content = path.read_bytes()
        if path.suffix == _SUFFIX:
            content = render(content.decode(), values, templates).encode()
        yield place, content
