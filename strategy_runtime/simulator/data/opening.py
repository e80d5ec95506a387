"""Opens files of market data as bytes or text, plain or compressed."""

import io
import sys
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import IO, Any, TextIO

from strategy_runtime.errors import DataError, reason_of
from strategy_runtime.suggestions import some_of

__all__ = ["open_bytes", "open_text", "standard_input"]


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a text file for reading; see `open_bytes`.

    Raises:
        DataError: As `open_bytes`, or the text is neither UTF-8 nor marked as UTF-16.
    """
    with open_bytes(path) as stream, _as_text(stream, str(path)) as text:
        yield text


@contextmanager
def standard_input() -> Iterator[IO[str]]:
    """Open standard input as text like a file, whatever the locale; it stays open afterwards."""
    stdin: TextIO | None = sys.stdin
    if stdin is None:
        raise DataError("there is no standard input: it is closed")
    with _as_text(stdin.buffer, "standard input") as text:
        yield text


@contextmanager
def _as_text(stream: IO[bytes], name: str) -> Iterator[IO[str]]:
    text = io.TextIOWrapper(stream, encoding=_encoding(stream), newline="")
    try:
        yield text
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is not a text in UTF-8 ({error.reason}); is it a CSV, and saved as UTF-8?"
        ) from None
    finally:
        text.detach()


def _encoding(stream: IO[bytes]) -> str:
    """Return the encoding, by the byte order mark that spreadsheets write."""
    peek = getattr(stream, "peek", None)
    is_marked = peek is not None and peek(2)[:2] in (BOM_UTF16_LE, BOM_UTF16_BE)
    return "utf-16" if is_marked else "utf-8-sig"


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, whatever its compression.

    Raises:
        DataError: The compression needs a package that is not installed, or the file is broken,
            which may only show while it is read.
    """
    try:
        with path.open("rb") as raw, _decompressed(path, raw) as stream:
            yield stream
    except (EOFError, OSError) as error:
        raise DataError(f"{path} cannot be read: {reason_of(error)}") from None


@contextmanager
def _decompressed(path: Path, raw: IO[bytes]) -> Iterator[IO[bytes]]:
    unpacked, broken = _unpacked(path, raw)
    try:
        with unpacked as stream:
            yield stream
    except broken as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _unpacked(
    path: Path, raw: IO[bytes]
) -> tuple[AbstractContextManager[Any], tuple[type[Exception], ...]]:
    """Return the decompressed stream, and the errors that a broken file raises."""
    ending = path.suffix.lower()
    if ending == ".gz":
        import gzip
        import zlib

        return gzip.GzipFile(fileobj=raw), (zlib.error,)
    if ending == ".zst":
        zstd = _zstandard(path)
        return zstd.ZstdFile(raw), (zstd.ZstdError,)
    if ending == ".xz":
        import lzma

        return lzma.LZMAFile(raw), (lzma.LZMAError,)
    if ending == ".bz2":
        import bz2

        return bz2.BZ2File(raw), ()
    if ending == ".zip":
        import zipfile
        import zlib

        return _only_member(path, raw), (zipfile.BadZipFile, zlib.error)
    return nullcontext(raw), ()


@contextmanager
def _only_member(path: Path, raw: IO[bytes]) -> Iterator[IO[bytes]]:
    """Open the only data file of an archive; other text files are notes."""
    from zipfile import ZipFile

    with ZipFile(raw) as archive:
        names = [
            name
            for name in archive.namelist()
            if not name.endswith("/") and not name.startswith("__MACOSX/")
        ]
        data = [name for name in names if not name.lower().endswith(".txt")] or names
        if len(data) != 1:
            raise DataError(
                f"{path} has {some_of(data) or 'nothing'} in it, and not one file; unpack it, and "
                "give the file or the folder"
            )
        try:
            member = archive.open(data[0])
        except (RuntimeError, NotImplementedError) as error:
            raise DataError(f"{path} cannot be read: {error}") from None
        with member:
            yield member


def _zstandard(path: Path) -> Any:
    # Part of Python since 3.14; the extra installs the same module for earlier versions.
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise DataError(
        f"{path}: reading .zst needs one more package: pip install 'strategy-runtime[zstd]'"
    )
