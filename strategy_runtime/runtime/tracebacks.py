"""Tracebacks and stacks without the frames of this package, which do not help the user."""

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
    "message_of",
    "user_stack",
    "user_traceback",
    "waiting_in",
]

_BEGUN = "coroutine"  # variable of `eager` with a started coroutine, which `cr_await` cannot reach
_PACKAGE = str(Path(__file__).parent.parent) + os.sep


def user_traceback(error: BaseException) -> TracebackType | None:
    """Return the traceback of an error from the first frame outside of this package."""
    frames = error.__traceback__
    while frames is not None and _is_ours(frames.tb_frame):
        frames = frames.tb_next
    return frames or error.__traceback__


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_PACKAGE)


def waiting_in(work: Any) -> list[FrameType]:
    """Return the frames in which a coroutine waits, in user code only, the innermost last.

    Empty if it waits in the code of this package.
    """
    frames: list[FrameType] = []
    while (frame := getattr(work, "cr_frame", None) or getattr(work, "gi_frame", None)) is not None:
        frames.append(frame)
        work = getattr(work, "cr_await", None) or getattr(work, "gi_yieldfrom", None)
        if work is None and _is_ours(frame):
            work = frame.f_locals.get(_BEGUN)
    return list(dropwhile(_is_ours, frames))


def user_stack(frame: FrameType) -> str:
    """Format the stack of a thread, from the user code that this package called.

    The frames of the standard library that lead to it are left out; the stack of an idle thread is
    empty.
    """
    above = takewhile(lambda each: not _is_ours(each[0]), traceback.walk_stack(frame))
    theirs = dropwhile(lambda each: _is_of_python(each[0]), reversed([*above]))
    return "".join(traceback.StackSummary.extract(theirs).format()).rstrip()


def _is_of_python(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in sys.stdlib_module_names


def message_of(error: BaseException | None) -> str:
    """Return the message of an error, even if its `__str__` fails."""
    try:
        return str(error)
    except Exception:
        return "<no message: its __str__ fails>"


def formatted(error: BaseException, frames: TracebackType | None) -> str:
    """Format an error as Python does, but indent the further lines of its message.

    The message may contain outside text, which must not look like a log line of ours.
    """
    return "".join(
        piece if piece[0].isspace() else piece[:-1].replace("\n", "\n    ") + "\n"
        for piece in traceback.format_exception(type(error), error, frames)
    )


def describe(failure: HookFailed) -> str:
    """Format the traceback of a hook failure, starting in the user's code."""
    cause = failure.__cause__ or failure
    return formatted(cause, user_traceback(cause)).rstrip()


def ending_in_hook(failure: HookFailed) -> HookFailed:
    """Return a failure whose traceback ends in the hook.

    A debugger such as that of `pytest --pdb` starts where the traceback of the failure ends, and
    does not follow its cause.
    """
    cause = failure.__cause__
    if cause is None:
        return failure
    frames = user_traceback(cause)
    cause.__traceback__ = frames
    return failure.with_traceback(frames)
