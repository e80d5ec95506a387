"""Questions without whose answers a run cannot begin: one that goes wrong is asked again."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from strategy_runtime.clock import sleep
from strategy_runtime.errors import AccessDenied, ApiError, StrategyRuntimeError

__all__ = ["patiently"]

_T = TypeVar("_T")
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)
_LONGEST_ASKED_S = 60.0
_PASSES = (408, 425, 429)
_FAULT_OF_THE_VENUE = 500
_NOT_IMPLEMENTED = 501

_log = logging.getLogger("strategy_runtime")


async def patiently(ask: Callable[[], Awaitable[_T]], what: str) -> _T:
    """Ask until there is an answer, five times at most and with growing pauses in between.

    A pause is as long as the venue asks for where that is longer, up to a minute.

    Args:
        ask: Asks once.
        what: Is asked for, to say so.

    Raises:
        StrategyRuntimeError: The last failure; a refusal at once, since it would be no other.
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
    """Whether the answer may be another one after a while."""
    is_fault = status >= _FAULT_OF_THE_VENUE and status != _NOT_IMPLEMENTED
    return is_fault or status in _PASSES
