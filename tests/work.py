"""How much work something takes, counted and never timed."""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, TypeVar

__all__ = ["Watched", "growth", "steps_of"]

V = TypeVar("V")


class Watched(dict[str, V]):
    """Takes a step of the interpreter for each of its values that is looked at."""

    def __iter__(self) -> Iterator[str]:
        yield from list(super().keys())

    def values(self) -> Any:
        return (self[name] for name in self)


def steps_of(task: Callable[[], object]) -> int:
    """How many instructions the interpreter takes to do something."""
    steps = 0

    def step(*place: object) -> None:
        nonlocal steps
        steps += 1

    gc.disable()  # which others have told to call them
    try:
        with _stepping(step):
            task()
    finally:
        gc.enable()
    return steps


@contextmanager
def _stepping(step: Callable[..., None]) -> Iterator[None]:
    """Call something at every instruction."""
    # From 3.13 on, a function that is traced for the first time tells nothing of its instructions.
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
    """How many times the work is that something of twice a size takes: 2 where each part costs the
    same, 4 where each looks at all the others.
    """
    task(1)  # what is done only once is done with
    once, twice = (steps_of(partial(task, count)) for count in (size, 2 * size))
    return twice / once
