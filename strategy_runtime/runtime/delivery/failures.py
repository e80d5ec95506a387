"""The policy for failing hooks.

A backtest stops at once, and the current event is not acknowledged. A live run logs and counts the
failure, calls `on_error` and continues, until five failures within a minute or three in a row of
one hook end it. `--on-error` overrides both.
"""

import logging
from collections import deque
from typing import Literal, get_args

from strategy_runtime.clock import monotonic
from strategy_runtime.errors import HookFailed
from strategy_runtime.runtime.delivery.hints import hint_for
from strategy_runtime.runtime.tracebacks import describe
from strategy_runtime.strategy.desk import Mode

__all__ = ["Failures", "OnError"]

OnError = Literal["stop", "continue"]

_WINDOW_S = 60.0
_IN_WINDOW = 5
_IN_A_ROW = 3

_log = logging.getLogger("strategy_runtime")


class Failures:
    """Counts the failures of hooks and says when they are too many.

    Attributes:
        count: Failures so far.

    Raises:
        ValueError: There is no such policy.
    """

    def __init__(self, mode: Mode, on_error: OnError | None) -> None:
        if on_error not in (None, *get_args(OnError)):
            raise ValueError(f"on_error= is 'stop' or 'continue', not {on_error!r}")
        self.count = 0
        self._stops = (on_error or ("stop" if mode == "backtest" else "continue")) == "stop"
        self._breaks = on_error is None
        self._recent: deque[float] = deque(maxlen=_IN_WINDOW)
        self._row: tuple[str, int] = ("", 0)

    def enter(self, failure: HookFailed) -> bool:
        """Record a failure; return True if the run has to end."""
        self.count += 1
        hint = hint_for(failure.__cause__)
        if failure.__cause__ is not None and hint:
            failure.__cause__.add_note(hint)
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
        """Reset the row of failures of a hook, since it succeeded."""
        if self._row[0] == hook:
            self._row = ("", 0)
