"""Counting the work of a function instead of timing it."""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import get_ident
from types import FrameType
from typing import Any, TypeVar

__all__ = ["Watched", "growth", "steps_of"]

V = TypeVar("V")


class Watched(dict[str, V]):
    """A sequence that takes a step of the interpreter for each value read."""

    def __iter__(self) -> Iterator[str]:
        yield from list(super().keys())

    def values(self) -> Any:
        return (self[name] for name in self)


def steps_of(task: Callable[[], object]) -> int:
    """Count the instructions that the interpreter executes for a call."""
    steps, thread = 0, get_ident()

    def step(*place: object) -> None:
        nonlocal steps
        if get_ident() == thread:  # from 3.13 on, those of all threads are watched
            steps += 1

    gc.disable()  # or callbacks that other tools have set would be counted
    try:
        with _stepping(step):
            task()
    finally:
        gc.enable()
    return steps


@contextmanager
def _stepping(step: Callable[..., None]) -> Iterator[None]:
    """Call a function at every instruction."""
    # From 3.13 on, the first traced call of a function reports no instructions.
    if sys.version_info >= (3, 13):
        watch, kind = sys.monitoring, sys.monitoring.events.INSTRUCTION
        watch.use_tool_id(watch.PROFILER_ID, "steps")
        watch.register_callback(watch.PROFILER_ID, kind, step)
        watch.set_events(watch.PROFILER_ID, kind)
        try:
            yield
        finally:
            watch.set_events(watch.PROFILER_ID, watch.events.NO_EVENTS)
            watch.free_tool_id(watch.PROFILER_ID)
    else:

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            if event == "opcode":
                step()
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            yield
        finally:
            sys.settrace(before)


def growth(task: Callable[[int], object], size: int) -> float:
    """Return the factor by which work grows with twice the size: 2 if it is linear, 4 if it is
    quadratic.
    """
    task(1)  # warm up, so that one-off work does not count
    once, twice = (steps_of(partial(task, count)) for count in (size, 2 * size))
    return twice / once
