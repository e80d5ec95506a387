"""Files that are replaced whole or not at all, whatever happens meanwhile."""

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["replace_whole", "write_all"]


def replace_whole(path: Path, text: bytes) -> int:
    """Put a file in the place of another, so that whoever looks finds one of them whole.

    It is written beside the other, and the disk has it before it takes the other's place.

    Returns:
        The file, open for appending; only its owner can read it.

    Raises:
        OSError: It cannot be written. The other file is as it was, or already replaced where only
            the folder cannot be written.
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
        with suppress(OSError):  # half of it would keep room that others need
            fresh.unlink()
        raise
    return file


def _sync_folder(path: Path) -> None:
    """Have the disk know the names of the files in a folder."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_all(file: int, data: bytes) -> None:
    """Write to an open file.

    Raises:
        OSError: Not all of it could be written.
    """
    if os.write(file, data) != len(data):
        raise OSError(None, "the disk is full")
