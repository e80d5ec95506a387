"""How a command ends when something went wrong: what it says on stderr, and its exit code.

0 fine · 2 usage · 69 nobody answers · 70 the strategy failed · 74 files or data, or no memory for
them · 75 the proxy went away · 76 not the protocol · 77 access denied · 130 and 143 ended by SIGINT
and SIGTERM.
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
    """Say on stderr what is wrong."""
    note(f"Error: {text}")


def note(text: str) -> None:
    """Say something on stderr, so that stdout holds results only."""
    show(indented(text))


def show(text: str) -> None:
    """Say something on stderr that has several lines of its own."""
    click.echo(safe(text), err=True)


@contextmanager
def reported() -> Iterator[None]:
    """Turn what went wrong into words and an exit code."""
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
            clear_frames(fault.__traceback__)  # they hold what has taken the memory
            fault = fault.__context__
        complain("there is not enough memory; give the process more, or less data")
        raise SystemExit(DataError.exit_code) from None


@contextmanager
def blamed_on(origin: str) -> Iterator[None]:
    """Have an error about a setting name the option or the variable that gave it."""
    try:
        yield
    except ConfigError as error:
        raise type(error)(f"{origin}: {error}") from None


@contextmanager
def users_code(doing: str) -> Iterator[None]:
    """Run code of the user's outside hooks; what it raises is shown from its own frames on.

    Errors about settings pass.
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
