"""The files of a result: which there are, and writing them, all or none."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copyfile

from strategy_runtime.errors import DataError, reason_of
from strategy_runtime.ids import token
from strategy_runtime.report.csv_tables import without_formula
from strategy_runtime.report.results import TABLES, Results

__all__ = ["PAGE", "ensure_writable", "files_in", "write_atomically", "write_results"]

PAGE = "report.html"


def files_in(folder: Path) -> list[Path]:
    """Return the files that `write_results` writes to a folder."""
    names = *(f"{table}.csv" for table in TABLES), "result.json", PAGE
    return [folder / name for name in names]


def write_results(folder: str | Path, results: Results) -> list[Path]:
    """Write the report, the JSON document, and tables of fills, orders, trips and daily equity.

    Returns the paths. On failure all files are as they were, so the files of two runs never mix.

    Raises:
        DataError: The folder or a file in it cannot be written.
    """
    from strategy_runtime.report.page import render_page

    texts = (
        *(write(results, without_formula) for write in TABLES.values()),
        results.summary.to_json(),
        render_page(results),
    )
    written = files_in(Path(folder))
    _write(dict(zip(written, texts, strict=True)))
    return written


def ensure_writable(path: Path) -> None:
    """Check that a file can be written, without changing anything.

    Raises:
        DataError: It cannot.
    """
    try:
        obstacle = _obstacle(path)
    except OSError as error:
        obstacle = reason_of(error)
    if obstacle:
        raise DataError(f"cannot write {path}: {obstacle}")


def write_atomically(path: Path, text: str) -> None:
    """Replace the contents of a file by a text: all of it or, on failure, nothing.

    A link is followed. What cannot be replaced (a pipe, a device, a mount) is written to.

    Raises:
        DataError: The file cannot be written.
    """
    _write({path: text})


def _write(texts: Mapping[Path, str]) -> None:
    """Replace the contents of files by texts: all of them or, on failure, none."""
    ready: dict[Path, Path] = {}
    try:
        for path, text in texts.items():
            with _naming(path):
                if path.exists() and not path.is_file():
                    path.write_text(text, encoding="utf-8", newline="")
                else:
                    ready[path] = _beside(path.resolve(), text)
        for path, beside in ready.items():
            with _naming(path):
                _replace(path.resolve(), beside)
    finally:
        for beside in ready.values():
            _remove(beside)


def _obstacle(path: Path) -> str:
    """Say what prevents writing a file; empty if nothing does."""
    with suppress(FileNotFoundError, NotADirectoryError):
        path.stat()  # raises errors that is_dir() hides, such as a loop of links
    if path.is_dir():
        return "it is a folder"
    if path.exists() and not path.is_file():
        return ""
    place = path.resolve() if path.is_symlink() else path
    nearest = next(folder for folder in place.parents if folder.exists())
    if not nearest.is_dir():
        return f"{nearest} is not a folder"
    if os.access(nearest, os.W_OK | os.X_OK):
        return ""
    is_read_only = os.statvfs(nearest).f_flag & os.ST_RDONLY
    return os.strerror(errno.EROFS if is_read_only else errno.EACCES)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        ensure_writable(path)
        raise DataError(f"cannot write {path}: {reason_of(error)}") from None


def _beside(path: Path, text: str) -> Path:
    """Write a text to a new file next to another, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{token()}")
    try:
        with beside.open("w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        _remove(beside)
        raise
    return beside


def _replace(path: Path, beside: Path) -> None:
    try:
        beside.replace(path)
    except OSError as error:
        if error.errno != errno.EBUSY:  # a file that is a mount of its own, as in containers
            raise
        copyfile(beside, path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
