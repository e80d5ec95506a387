"""Running a coroutine although an event loop is running already, as in a notebook."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import copy_context
from typing import Any

__all__ = ["run_in_thread"]

_Place = tuple[int, asyncio.AbstractEventLoop]
"""A thread and its loop."""

_POLL_INTERVAL_S = 0.2
"""A waiting thread cannot be interrupted, such as that of a run whose hook has started another."""


def run_in_thread(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine function in a thread and event loop of its own, and wait for it.

    Ctrl-C reaches only the main thread, which passes it on each time: it ends the work at any
    point, even in an endless loop.
    """
    running: list[_Place] = []
    interrupts: list[KeyboardInterrupt] = []

    async def in_loop() -> None:
        running.append((threading.get_ident(), asyncio.get_running_loop()))
        try:
            if not interrupts:
                await work()
        finally:
            running.clear()

    with ThreadPoolExecutor(1) as executor:
        executor.submit(int).result()  # a Ctrl-C while the thread starts has nothing to end
        done = executor.submit(copy_context().run, lambda: asyncio.run(in_loop()))
        passed_on = 0
        while not done.done():
            try:
                if passed_on < len(interrupts):
                    _interrupt(running)
                    passed_on += 1
                wait([done], _POLL_INTERVAL_S)
            except KeyboardInterrupt as interrupt:
                interrupts.append(interrupt)
        done.result()  # raises with a traceback from where the work was
        if interrupts:
            raise interrupts[0]


def _interrupt(running: Sequence[_Place]) -> None:
    """Raise KeyboardInterrupt in a thread, and wake its loop, so that it gets there."""
    import ctypes

    for thread, loop in running:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt)
        )
        with suppress(RuntimeError):  # it has just been closed
            loop.call_soon_threadsafe(int)
