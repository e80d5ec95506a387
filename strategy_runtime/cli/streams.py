"""Standard output and error that may fail without harm to the run.

Their reader may go away (`| head -1`), their disk may be full, and they may be closed from the
start or by the strategy. None of that is a reason to stop trading: what cannot be written is
dropped, and the command goes on. Its exit code changes only if a reader of stdout lost something.
Characters that the encoding of the terminal lacks are written as escapes.
"""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from typing import Any

import click

from strategy_runtime.cli.arguments import refuse
from strategy_runtime.cli.errors import complain, reported, show
from strategy_runtime.cli.headings import write_options
from strategy_runtime.cli.signals import end_pid_1_on_sigterm
from strategy_runtime.errors import DataError, reason_of

__all__ = ["Command"]

_FAULT = 1
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Command(click.Command):
    """A command with such streams: it exits with 74 if standard output could not be written, and
    with 0 if only its reader went away.
    """

    allow_extra_args = True  # parse_args refuses them, with a better message

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the command line; an interrupt is reported as during the run."""
        with reported():
            return super().make_context(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line."""
        left_over = super().parse_args(ctx, args)
        if left_over and not ctx.resilient_parsing:
            refuse(ctx, left_over)
        return left_over

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options below their headings."""
        write_options(self, ctx, formatter)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line, and end the process."""
        end_pid_1_on_sigterm()
        _open_missing_streams()
        with _forgiving("stderr"), _forgiving("stdout") as lost:
            try:
                super().main(*args, **kwargs)
            except SystemExit as end:
                if end.code:
                    raise
            except Exception as fault:  # a bug of ours; its traceback is redacted like the log
                from strategy_runtime.runtime.tracebacks import formatted

                show(formatted(fault, fault.__traceback__))
                raise SystemExit(_FAULT) from None
        raise SystemExit(DataError.exit_code if lost else 0)


def _open_missing_streams() -> None:
    """Open streams that were closed from the start, or the next socket would get their number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number


@contextmanager
def _forgiving(name: str) -> Iterator[list[OSError]]:
    """Replace a stream by one that never fails; yield the list of its hidden errors."""
    lost: list[OSError] = []
    stream = getattr(sys, name)
    if stream is None:  # closed from the start
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            setattr(sys, name, nowhere)
            try:
                yield lost
            finally:
                setattr(sys, name, None)
        return
    file = getattr(stream, "buffer", None)
    file = getattr(file, "raw", file)
    if not isinstance(file, io.FileIO):  # it has been replaced, as by a test runner
        yield lost
        return
    stream.flush()
    layer: Any = _Forgiving(file, name, lost)
    if not stream.write_through:
        layer = io.BufferedWriter(layer)
    ours = _Uncloseable(
        layer,
        encoding=stream.encoding,
        errors="backslashreplace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    setattr(sys, name, ours)
    try:
        yield lost
    finally:
        ours.flush()
        setattr(sys, name, stream)


class _Uncloseable(io.TextIOWrapper):
    """A text stream that user code cannot close."""

    def close(self) -> None:
        """Only flush."""
        self.flush()


class _Forgiving(io.RawIOBase):
    """A file that never fails: after its first error it discards everything.

    A log must not end because its disk was full for a minute. So standard error then only has a
    gap, and a line about it once there is room again.
    """

    def __init__(self, file: io.FileIO, name: str, lost: list[OSError]) -> None:
        self._file = file
        self._name = name
        self._lost = lost
        self._is_over = False
        self._gap = b""

    def write(self, data: Any) -> int:
        """Write all of the data, or discard it."""
        size = memoryview(data).nbytes
        try:
            if self._gap:
                self._write_all(self._gap)
                self._gap = b""
            if not self._is_over:
                self._write_all(data)
        except OSError as failure:
            if self._name == "stderr" and failure.errno in _NO_ROOM:
                self._gap = f"\nlines are missing here: {reason_of(failure)}\n".encode()
            else:
                self._is_over, self._gap = True, b""
                if not isinstance(failure, BrokenPipeError):
                    self._lose(failure)
        return size

    def _write_all(self, data: Any) -> None:
        left = memoryview(data)
        while left.nbytes:
            if self._file.closed:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            written = self._file.write(left)
            if written is None:  # another process has made it non-blocking
                select([], [self._file], [])
            else:
                left = left[written:]

    def _lose(self, failure: OSError) -> None:
        self._lost.append(failure)
        if self._name == "stdout":
            complain(
                f"standard output cannot be written: {reason_of(failure)}; what follows is lost"
            )

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether the file is a terminal."""
        return self._file.isatty()
