"""Files of market data as bytes or text: plain, `.gz` or `.zst`."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any, TextIO, cast

from strategy_runtime.errors import DataError, reason_of

__all__ = ["open_bytes", "open_text", "standard_input"]


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a text for reading; see `open_bytes`.

    Raises:
        DataError: Also for what is not UTF-8.
    """
    with open_bytes(path) as stream, _as_text(stream, str(path)) as text:
        yield text


@contextmanager
def standard_input() -> Iterator[IO[str]]:
    """The standard input as a text like that of a file, whatever the locale; it stays open."""
    stdin: TextIO | None = sys.stdin
    if stdin is None:
        raise DataError("there is no standard input: it is closed")
    with _as_text(stdin.buffer, "standard input") as text:
        yield text


@contextmanager
def _as_text(stream: IO[bytes], name: str) -> Iterator[IO[str]]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        yield text
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not a text in UTF-8 ({error.reason}); is it a CSV?") from None
    finally:
        text.detach()


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, whatever it is compressed with.

    Raises:
        DataError: The compression needs a package that is not installed, or the file is broken;
            also for what breaks while the file is being read.
    """
    try:
        with path.open("rb") as raw, _decompressed(path, raw) as stream:
            yield stream
    except (EOFError, OSError) as error:
        raise DataError(f"{path} cannot be read: {reason_of(error)}") from None


@contextmanager
def _decompressed(path: Path, raw: IO[bytes]) -> Iterator[IO[bytes]]:
    ending = path.suffix.lower()
    if ending == ".gz":
        import gzip
        import zlib

        try:
            yield cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
        except zlib.error as error:
            raise DataError(f"{path} cannot be read: {error}") from None
    elif ending == ".zst":
        zstd = _zstandard(path)
        try:
            yield zstd.ZstdFile(raw)
        except zstd.ZstdError as error:
            raise DataError(f"{path} cannot be read: {error}") from None
    else:
        yield raw


def _zstandard(path: Path) -> Any:
    # Part of Python since 3.14; the extra brings the same module to earlier ones.
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise DataError(
        f"{path}: reading .zst needs one more package: pip install 'strategy-runtime[zstd]'"
    )
