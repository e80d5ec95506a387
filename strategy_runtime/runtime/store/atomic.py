"""Atomic replacement of files."""

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["replace_file", "write_all"]


def replace_file(path: Path, text: bytes) -> int:
    """Replace a file atomically, so that a reader always finds the old or the new one complete.

    The new file is written beside the old one and synced to disk before it takes its place.

    Returns:
        The new file, open for appending; only its owner can read it.

    Raises:
        OSError: It cannot be written. The old file is unchanged, or already replaced if only the
            folder cannot be synced.
    """
    fresh = path.with_suffix(".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
    file = os.open(fresh, flags, 0o600)
    try:
        write_all(file, text)
        os.fsync(file)
        fresh.replace(path)
        _sync_folder(path.parent)
    except OSError:
        os.close(file)
        with suppress(OSError):  # an incomplete file would only take up space
            fresh.unlink()
        raise
    return file


def _sync_folder(path: Path) -> None:
    """Sync the entries of a folder to disk."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_all(file: int, data: bytes) -> None:
    """Write all data to an open file.

    Raises:
        OSError: Not all of it could be written.
    """
    if os.write(file, data) != len(data):
        raise OSError(None, "the disk is full")
