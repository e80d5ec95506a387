"""Finds the data files behind the paths a user gives."""

import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from strategy_runtime.errors import DataError, reason_of
from strategy_runtime.simulator.data.tables import Table
from strategy_runtime.suggestions import did_you_mean

__all__ = ["FEATHER", "PARQUET", "RECORDING", "ending_of", "files_of"]

_COMPRESSED = (".gz", ".zst", ".xz", ".bz2", ".zip")
_CSV = (".csv", ".tsv", ".txt")
PARQUET = (".parquet", ".pq")
FEATHER = (".feather", ".arrow")
_RECORDING = ".jsonl"


def _packed(ending: str) -> tuple[str, ...]:
    """Return an ending of texts, alone and before each ending of compressed files."""
    return tuple(ending + packed for packed in ("", *_COMPRESSED))


RECORDING = _packed(_RECORDING)
_NOTES = _packed(".txt")
"""A text file may hold data or notes about them: in a folder it is read only if there is nothing
else."""
_ENDINGS = (*chain(*map(_packed, _CSV)), *PARQUET, *FEATHER, *RECORDING, ".zip")
_SHOWN = (
    f"CSV ({', '.join(_CSV)}), Parquet ({', '.join(PARQUET)}), Feather ({', '.join(FEATHER)}) or a "
    f"recording ({_RECORDING}); a text may be packed ({', '.join(_COMPRESSED)})"
)


def files_of(paths: Sequence[str | Path | Table]) -> list[tuple[Path | Table | None, str]]:
    """Return files with their names as given; None is standard input, and tables are passed on.

    Raises:
        DataError: A file does not exist, has an unknown kind, or is in a folder that cannot be
            read.
    """
    found: list[tuple[Path | Table | None, str]] = []
    for given in paths:
        if isinstance(given, Table):
            found.append((given, str(given)))
            continue
        if str(given) == "-":
            found.append((None, "standard input"))
            continue
        path = Path(given)
        try:
            found.extend((each, _named(given if each is path else each)) for each in _found(path))
        except OSError as error:
            raise DataError(f"{path} cannot be read: {reason_of(error)}") from None
    return found


def _found(path: Path) -> list[Path]:
    """Return the file, or the data files of a folder."""
    with suppress(FileNotFoundError, NotADirectoryError):
        path.lstat()  # from Python 3.14 on, is_dir() hides a PermissionError
    if path.is_dir():
        inside = sorted(
            each
            for each in path.iterdir()
            if ending_of(each) and not each.name.startswith(".") and _is_file(each)
        )
        if not inside:
            raise DataError(f"{path} has no data files, which are {_SHOWN}")
        return [each for each in inside if ending_of(each) not in _NOTES] or inside
    if not (_is_file(path) or path.exists()):
        raise DataError(f"{path} does not exist{_near(path)}")
    if ending_of(path) is None:
        raise DataError(f"{path} is not named as data are, which are {_SHOWN}")
    return [path]


def _named(path: str | Path) -> str:
    """Return the name of a file for results, which are UTF-8, while a path may have any bytes."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _is_file(path: Path) -> bool:
    if path.is_symlink() and not path.exists():
        raise DataError(f"{path} is a link to {path.readlink()}, which does not exist")
    return path.is_file()


def ending_of(path: Path) -> str | None:
    """Return the ending that shows the kind of a file, in lower case; None if it is unknown."""
    name = path.name.lower()
    return next((ending for ending in _ENDINGS if name.endswith(ending)), None)


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent} either"
    try:
        known = [each.name for each in path.parent.iterdir()]
    except PermissionError:  # the folder may be entered but not listed
        return ""
    return did_you_mean(path.name, known)
