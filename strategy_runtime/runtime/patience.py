"""Questions without whose answers a run cannot begin: one that goes wrong is asked again."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from strategy_runtime.clock import sleep
from strategy_runtime.errors import AccessDenied, ApiError, StrategyRuntimeError

__all__ = ["patiently"]

_T = TypeVar("_T")
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)
_FAULT_OF_THE_VENUE = 500

_log = logging.getLogger("strategy_runtime")


async def patiently(ask: Callable[[], Awaitable[_T]], what: str) -> _T:
    """Ask until there is an answer, five times at most and with growing pauses in between.

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
            if isinstance(error, ApiError) and error.status < _FAULT_OF_THE_VENUE:
                raise
            _log.warning("%s cannot be read, asking again in %g s: %s", what, pause, error)
        await sleep(pause)
    return await ask()
