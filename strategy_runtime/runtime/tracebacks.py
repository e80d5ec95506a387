"""Tracebacks and stacks without the frames of this package, which nobody can do anything about."""

import os
import sys
import traceback
from itertools import dropwhile, takewhile
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from strategy_runtime.errors import HookFailed

__all__ = [
    "describe",
    "ending_in_hook",
    "formatted",
    "said_by",
    "user_stack",
    "user_traceback",
    "waiting_in",
]

_BEGUN = "coroutine"  # so `eager` calls what it has begun, which nobody awaits in the plain way
_PACKAGE = str(Path(__file__).parent.parent) + os.sep


def user_traceback(error: BaseException) -> TracebackType | None:
    """The traceback of an error from the first frame of code that is not this package's."""
    frames = error.__traceback__
    while frames is not None and _is_ours(frames.tb_frame):
        frames = frames.tb_next
    return frames or error.__traceback__


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_PACKAGE)


def waiting_in(work: Any) -> list[FrameType]:
    """Where what a task runs waits, in code that this package called: the innermost frame last.

    Without frames where it waits in none of that.
    """
    frames: list[FrameType] = []
    while (frame := getattr(work, "cr_frame", None) or getattr(work, "gi_frame", None)) is not None:
        frames.append(frame)
        work = getattr(work, "cr_await", None) or getattr(work, "gi_yieldfrom", None)
        if work is None and _is_ours(frame):
            work = frame.f_locals.get(_BEGUN)
    return list(dropwhile(_is_ours, frames))


def user_stack(frame: FrameType) -> str:
    """Where a thread is, from the code this package called to the innermost line.

    What Python itself does to call that code is left out; nothing remains of a thread that waits
    for some.
    """
    above = takewhile(lambda each: not _is_ours(each[0]), traceback.walk_stack(frame))
    theirs = dropwhile(lambda each: _is_of_python(each[0]), reversed([*above]))
    return "".join(traceback.StackSummary.extract(theirs).format()).rstrip()


def _is_of_python(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in sys.stdlib_module_names


def said_by(error: BaseException | None) -> str:
    """The message of an error, which may be the user's own and fail to make one."""
    try:
        return str(error)
    except Exception:
        return "<no message: its __str__ fails>"


def formatted(error: BaseException, frames: TracebackType | None) -> str:
    """An error as Python shows it, but with the further lines of its message indented: what comes
    from outside may be in there, and must not pass for a line of ours.
    """
    return "".join(
        piece if piece[0].isspace() else piece[:-1].replace("\n", "\n    ") + "\n"
        for piece in traceback.format_exception(type(error), error, frames)
    )


def describe(failure: HookFailed) -> str:
    """The traceback behind a failure, beginning in the user's code."""
    cause = failure.__cause__ or failure
    return formatted(cause, user_traceback(cause)).rstrip()


def ending_in_hook(failure: HookFailed) -> HookFailed:
    """A failure whose traceback goes on into the hook: a debugger that is called for it, as by
    `pytest --pdb`, knows no other, and begins where that ends.
    """
    cause = failure.__cause__
    if cause is None:
        return failure
    frames = user_traceback(cause)
    cause.__traceback__ = frames
    return failure.with_traceback(frames)
