"""What happens when a hook fails (contract line 6).

In a backtest the run stops at once and the event in hand is not acknowledged. Live the failure is
logged and counted, `on_error` is told, and the run goes on, until five failures within a minute or
three in a row of one hook end it. `--on-error` overrides either.
"""

import logging
import os
import traceback
from collections import deque
from itertools import takewhile
from pathlib import Path
from types import FrameType, TracebackType
from typing import Literal

from strategy_runtime.clock import monotonic
from strategy_runtime.errors import HookFailed
from strategy_runtime.strategy.desk import Mode

__all__ = ["Failures", "OnError", "describe", "user_stack", "user_traceback"]

OnError = Literal["stop", "continue"]

_WINDOW_S = 60.0
_IN_WINDOW = 5
_IN_A_ROW = 3
_PACKAGE = str(Path(__file__).parent.parent) + os.sep

_log = logging.getLogger("strategy_runtime")


class Failures:
    """Counts the failures of hooks and says when they are too many.

    Attributes:
        count: Failures so far.
    """

    def __init__(self, mode: Mode, on_error: OnError | None) -> None:
        self.count = 0
        self._stops = (on_error or ("stop" if mode == "backtest" else "continue")) == "stop"
        self._breaks = on_error is None
        self._recent: deque[float] = deque(maxlen=_IN_WINDOW)
        self._row: tuple[str, int] = ("", 0)

    def enter(self, failure: HookFailed) -> bool:
        """Note a failure; True where the run has to end."""
        self.count += 1
        if self._stops:
            return True
        _log.error("%s\n%s", failure, describe(failure))
        if not self._breaks:
            return False
        hook, row = self._row
        self._row = (failure.hook, row + 1 if hook == failure.hook else 1)
        self._recent.append(monotonic())
        crowded = (
            len(self._recent) == _IN_WINDOW and self._recent[-1] - self._recent[0] <= _WINDOW_S
        )
        return crowded or self._row[1] >= _IN_A_ROW

    def succeeded(self, hook: str) -> None:
        """A hook ran through: its failures are no longer in a row."""
        if self._row[0] == hook:
            self._row = ("", 0)


def user_traceback(error: BaseException) -> TracebackType | None:
    """The traceback of an error from the first frame of code that is not this package's."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        frames = frames.tb_next
    return frames or error.__traceback__


def user_stack(frame: FrameType) -> str:
    """Where a thread is, from the code this package called to the innermost line."""
    theirs = takewhile(
        lambda each: not each[0].f_code.co_filename.startswith(_PACKAGE),
        traceback.walk_stack(frame),
    )
    stack = traceback.StackSummary.extract(theirs)
    stack.reverse()
    return "".join(stack.format()).rstrip()


def describe(failure: HookFailed) -> str:
    """The traceback behind a failure, beginning in the user's code."""
    cause = failure.__cause__ or failure
    return "".join(traceback.format_exception(type(cause), cause, user_traceback(cause))).rstrip()
