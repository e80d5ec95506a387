"""Running a coroutine although an event loop is running already, as in a notebook."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Any

__all__ = ["run_in_thread"]


def run_in_thread(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in a thread and event loop of its own, and wait for it.

    Ctrl-C reaches only the main thread, which passes it on: it ends the work at any point, even in
    an endless loop.
    """
    running: list[tuple[int, asyncio.AbstractEventLoop]] = []

    async def in_loop() -> None:
        running.append((threading.get_ident(), asyncio.get_running_loop()))
        try:
            await work
        finally:
            running.clear()

    done: Future[None] | None = None
    with ThreadPoolExecutor(1) as executor:
        try:
            done = executor.submit(copy_context().run, asyncio.run, in_loop())
            done.result()
        except KeyboardInterrupt:
            for thread, loop in running:
                _interrupt(thread, loop)
            if done is not None:
                done.result()  # raises with a traceback from where the work was
            raise


def _interrupt(thread: int, loop: asyncio.AbstractEventLoop) -> None:
    """Raise KeyboardInterrupt in a thread, and wake its loop, so that it gets there."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt)
    )
    with suppress(RuntimeError):  # it has just been closed
        loop.call_soon_threadsafe(int)
