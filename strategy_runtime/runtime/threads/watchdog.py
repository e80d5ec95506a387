"""A watchdog in another thread that logs where the strategy's event loop is blocked."""

import asyncio
import logging
import sys
from functools import partial

from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.runtime.tracebacks import user_stack

__all__ = ["watch"]

_EVERY_S = 1.0

_log = logging.getLogger("strategy_runtime")


async def watch(
    watched: asyncio.AbstractEventLoop, thread: int, *, patience: float, every: float = _EVERY_S
) -> None:
    """Log the stack of a thread whenever its event loop is blocked; runs until cancelled.

    Args:
        watched: The event loop.
        thread: Identity of the thread it runs in.
        patience: Seconds in which it must respond.
        every: Seconds between two checks.
    """
    here = asyncio.get_running_loop()
    while True:
        turned = asyncio.Event()
        asked = monotonic()
        watched.call_soon_threadsafe(partial(here.call_soon_threadsafe, turned.set))
        try:
            async with asyncio.timeout(patience):
                await turned.wait()
        except TimeoutError:
            frame = sys._current_frames().get(thread)
            stack = "" if frame is None else user_stack(frame)
            _log.error(
                "the strategy has blocked its thread for %g s; it is at\n%s", patience, stack
            )
            await turned.wait()
            _log.warning("the strategy goes on after %.1f s", monotonic() - asked)
        await sleep(every)
