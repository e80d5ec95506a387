"""Error reports of the commands: messages on stderr, and exit codes.

Most codes belong to an exception, see `strategy_runtime.errors`; docs/commands.md has all of them.
"""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import clear_frames

import click

from strategy_runtime.cli.redaction import indented, safe
from strategy_runtime.errors import (
    ConfigError,
    DataError,
    HookFailed,
    StrategyRuntimeError,
    reason_of,
)

__all__ = ["blamed_on", "complain", "note", "reported", "show", "users_code"]

_STRATEGY_FAILED = 70
_INTERRUPTED = 130


def complain(text: object) -> None:
    """Print an error to stderr."""
    note(f"Error: {text}")


def note(text: str) -> None:
    """Print a message to stderr; stdout is for results only."""
    show(indented(text))


def show(text: str) -> None:
    """Print a text of several lines to stderr."""
    click.echo(safe(text), err=True)


@contextmanager
def reported() -> Iterator[None]:
    """Turn exceptions into messages and exit codes."""
    try:
        yield
    except HookFailed as failure:
        from strategy_runtime.runtime.tracebacks import describe

        show(describe(failure) + "\n")
        complain(failure)
        raise SystemExit(failure.exit_code) from None
    except StrategyRuntimeError as error:
        complain(error)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        complain("interrupted")
        raise SystemExit(_INTERRUPTED) from None
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        complain(f"{reason_of(error)}; allow more of them, as with ulimit -n")
        raise SystemExit(DataError.exit_code) from None
    except MemoryError as error:
        fault: BaseException | None = error
        while fault is not None:
            clear_frames(fault.__traceback__)  # frees memory for the message
            fault = fault.__context__
        complain("there is not enough memory; give the process more, or less data")
        raise SystemExit(DataError.exit_code) from None


@contextmanager
def blamed_on(origin: str) -> Iterator[None]:
    """Let errors about a setting name the option or variable it came from."""
    try:
        yield
    except ConfigError as error:
        raise type(error)(f"{origin}: {error}") from None


@contextmanager
def users_code(doing: str) -> Iterator[None]:
    """Report exceptions of user code outside hooks, with tracebacks that start in that code.

    Errors about settings are passed on.
    """
    try:
        yield
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        from strategy_runtime.runtime.tracebacks import formatted, user_traceback

        frames = user_traceback(error)
        if frames is error.__traceback__:
            frames = None
        show(formatted(error, frames))
        complain(f"{type(error).__name__} while {doing}")
        sys.exit(_STRATEGY_FAILED)
