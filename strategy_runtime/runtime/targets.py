"""Parse the strategy target of a command line: `module:Class`, `file.py`, and so on."""

from contextlib import suppress
from pathlib import Path

from strategy_runtime.errors import LoadError, reason_of

__all__ = ["FORMS", "NO_CODE", "PYTHON", "look_at", "parse_target"]

FORMS = "write module:Class, such as bot:SmaCross, or file.py:Class"
NO_CODE = "is a file, but none with Python code"
PYTHON = ".py"

_SHOWN = 5


def parse_target(target: str, directory: Path) -> tuple[str, str | None]:
    """Return the module or file, and the class, or None if that is left out.

    Args:
        directory: Base of relative paths.

    Raises:
        LoadError: The target has neither form; suggests the right one if it can be guessed.
    """
    place, colon, name = target.rpartition(":")
    if not colon or name.endswith(PYTHON) or "/" in name or "\\" in name:
        place, colon, name = target, "", ""
    if not (place.endswith(PYTHON) or _is_dotted(place)):
        path = directory / place
        try:
            look_at(path)
            said = _no_module(place, colon + name, target, path)
        except OSError as error:
            said = f"{path} cannot be read: {reason_of(error)}"
        raise LoadError(said)
    if colon and not _is_dotted(name):
        raise LoadError(f"{target!r} does not name a strategy; {FORMS}")
    return place, name if colon else None


def look_at(path: Path) -> None:
    """Raise the error for which a path cannot be looked at, if it is not that nothing is there.

    From Python 3.14 on, `is_file` and `is_dir` hide it.
    """
    with suppress(FileNotFoundError, NotADirectoryError):
        path.stat()


def _is_dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _no_module(place: str, of: str, target: str, path: Path) -> str:
    """Return the error message for a place that is not a module name, given what is there."""
    if place and Path(f"{path}{PYTHON}").is_file():
        right = place.rstrip("/") + PYTHON + of
        return f"{target!r} does not name a module; did you mean {right!r}?"
    if place and path.is_dir():
        return f"{place!r} is a folder{_files_in(path, place.rstrip('/'))}"
    if path.is_file():
        return f"{place!r} {NO_CODE}; {FORMS}"
    if "/" in place:
        dotted = place.strip("./").replace("/", ".")
        return (
            f"{target!r} is neither a module nor a file; write {dotted}:Class or {place}.py:Class"
        )
    return f"{target!r} does not name a strategy; {FORMS}"


def _files_in(folder: Path, place: str) -> str:
    files = sorted(f"{place}/{each.name}" for each in folder.glob(f"[!_.]*{PYTHON}"))
    if not files:
        return f" without Python code; {FORMS}"
    more = " …" if len(files) > _SHOWN else ""
    return f"; name a file in it: {' '.join(files[:_SHOWN])}{more}"
