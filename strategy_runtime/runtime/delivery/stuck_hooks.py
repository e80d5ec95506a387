"""Warnings of hooks that wait for long, since one that awaits what never comes does not fail."""

import logging
import traceback
from types import FrameType

from strategy_runtime.clock import sleep
from strategy_runtime.runtime.desk import TradingDesk
from strategy_runtime.runtime.tracebacks import waiting_in

__all__ = ["warn_of_stuck_hooks"]

_LONG_S = 60.0

_log = logging.getLogger("strategy_runtime")


async def warn_of_stuck_hooks(desk: TradingDesk) -> None:
    """Log where a hook waits that has not returned for a minute or two, once for each call.

    Runs until it is cancelled.
    """
    before: FrameType | None = None
    told: FrameType | None = None
    while True:
        await sleep(_LONG_S)
        task = desk.hook_task
        frames = [] if task is None else waiting_in(task.get_coro())
        hook = frames[0] if frames else None
        if hook is not None and hook is before and hook is not told:
            told = hook
            stack = traceback.StackSummary.extract((each, each.f_lineno) for each in frames)
            _log.warning(
                "%s has not returned for %g s, and nothing else is delivered; it waits at\n%s",
                hook.f_code.co_name,
                _LONG_S,
                "".join(stack.format()).rstrip(),
            )
        before = hook
