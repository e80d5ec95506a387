"""Standard output and error that may fail without harm to the run.

Whoever reads them may leave (`| head -1`), the disk behind them may be full, they may be closed
from the start or by the strategy. None of it is a reason to stop trading: what cannot be written is
left out, and the command goes on. It ends as it would have, unless something that somebody was to
read was lost. A character that the encoding of the terminal does not have is written as its number.
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
from strategy_runtime.cli.signals import heed_as_process_1
from strategy_runtime.errors import DataError, reason_of

__all__ = ["Command"]

_FAULT = 1


class Command(click.Command):
    """A command with such streams; 74 where standard output was lost, 0 where nobody reads it."""

    allow_extra_args = True  # they are refused here

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the command line; an interrupt ends that as it ends the run."""
        with reported():
            return super().make_context(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take in the command line."""
        left_over = super().parse_args(ctx, args)
        if left_over and not ctx.resilient_parsing:
            refuse(ctx, left_over)
        return left_over

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options into the help, below their headings."""
        write_options(self, ctx, formatter)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line, and end the process."""
        heed_as_process_1()
        _hold_places()
        with _forgiving("stderr"), _forgiving("stdout") as lost:
            try:
                super().main(*args, **kwargs)
            except SystemExit as end:
                if end.code:
                    raise
            except Exception as fault:  # of ours; its traceback is as public as any line of the log
                from strategy_runtime.runtime.tracebacks import formatted

                show(formatted(fault, fault.__traceback__))
                raise SystemExit(_FAULT) from None
        raise SystemExit(DataError.exit_code if lost else 0)


def _hold_places() -> None:
    """Open what was closed from the start, lest the next socket take the place of a stream."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the first number that is free


@contextmanager
def _forgiving(name: str) -> Iterator[list[OSError]]:
    """Put a stream in the place of another; gives back what it could not write, if anything."""
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
    if not isinstance(file, io.FileIO):  # replaced by somebody
        yield lost
        return
    stream.flush()
    layer: Any = _Forgiving(file, name, lost)
    if not stream.write_through:
        layer = io.BufferedWriter(layer)
    ours = _Lasting(
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


class _Lasting(io.TextIOWrapper):
    """A text stream that whoever it was lent to cannot close."""

    def close(self) -> None:
        """Write what has been kept back."""
        self.flush()


class _Forgiving(io.RawIOBase):
    """A file that takes everything, and after its first failure keeps nothing."""

    def __init__(self, file: io.FileIO, name: str, lost: list[OSError]) -> None:
        self._file = file
        self._name = name
        self._lost = lost
        self._is_over = False

    def write(self, data: Any) -> int:
        """Write all of it, or leave it out."""
        left = memoryview(data)
        size = left.nbytes
        while left.nbytes and not self._is_over:
            try:
                if self._file.closed:
                    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
                written = self._file.write(left)
                if written is None:  # it was made not to block, by whoever else has it
                    select([], [self._file], [])
                else:
                    left = left[written:]
            except OSError as failure:
                self._is_over = True
                if not isinstance(failure, BrokenPipeError):
                    self._lose(failure)
        return size

    def _lose(self, failure: OSError) -> None:
        self._lost.append(failure)
        if self._name == "stdout":
            complain(
                f"standard output cannot be written: {reason_of(failure)}; what follows is lost"
            )

    def writable(self) -> bool:
        """Whether it can be written to: always."""
        return True

    def fileno(self) -> int:
        """The number of the file."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether the file is a terminal."""
        return self._file.isatty()
