"""Work for an event loop where one is running already, as in a notebook."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Any

__all__ = ["run_beside"]


def run_beside(work: Coroutine[Any, Any, None]) -> None:
    """Do it in a thread of its own, and wait for it.

    Ctrl-C comes to the first thread, and is handed on: it ends the work wherever that is, be it in
    a loop without an end.
    """
    whereabouts: list[tuple[int, asyncio.AbstractEventLoop]] = []

    async def begun() -> None:
        whereabouts.append((threading.get_ident(), asyncio.get_running_loop()))
        try:
            await work
        finally:
            whereabouts.clear()

    done: Future[None] | None = None
    with ThreadPoolExecutor(1) as beside:
        try:
            done = beside.submit(copy_context().run, asyncio.run, begun())
            done.result()
        except KeyboardInterrupt:
            for thread, loop in whereabouts:
                _interrupt(thread, loop)
            if done is not None:
                done.result()  # whose traceback tells where the work was
            raise


def _interrupt(thread: int, loop: asyncio.AbstractEventLoop) -> None:
    """Have a thread raise KeyboardInterrupt at its next step, which its loop may wait for."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt)
    )
    with suppress(RuntimeError):  # it has just been closed
        loop.call_soon_threadsafe(int)
