"""Retries of requests that a run cannot start without."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from strategy_runtime.clock import sleep
from strategy_runtime.errors import AccessDenied, ApiError, StrategyRuntimeError

__all__ = ["with_retries"]

_T = TypeVar("_T")
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)
_LONGEST_ASKED_S = 60.0
_PASSES = (408, 425, 429)
_FAULT_OF_THE_VENUE = 500
_NOT_IMPLEMENTED = 501

_log = logging.getLogger("strategy_runtime")


async def with_retries(ask: Callable[[], Awaitable[_T]], what: str) -> _T:
    """Send a request until it is answered, at most five times, with growing pauses.

    If the venue asks for a longer pause, it gets it, up to a minute.

    Args:
        ask: Sends the request once.
        what: What is asked for, for the log.

    Raises:
        StrategyRuntimeError: The last failure. A refusal that would not change is raised at once.
    """
    for pause in _PAUSES_S:
        try:
            return await ask()
        except AccessDenied:
            raise
        except StrategyRuntimeError as error:
            wait = pause
            if isinstance(error, ApiError):
                if not _passes(error.status):
                    raise
                wait = max(pause, min(error.retry_after or 0.0, _LONGEST_ASKED_S))
            _log.warning("%s cannot be read, asking again in %g s: %s", what, wait, error)
        await sleep(wait)
    return await ask()


def _passes(status: int) -> bool:
    """Whether the same request may succeed later."""
    is_fault = status >= _FAULT_OF_THE_VENUE and status != _NOT_IMPLEMENTED
    return is_fault or status in _PASSES
