"""How much work something takes, counted and never timed."""

import gc
import sys
from collections.abc import Callable, Iterator
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

    def step(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal steps
        steps += event == "opcode"
        return step

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return step

    before = sys.gettrace()
    gc.disable()  # which others have told to call them
    sys.settrace(enter)
    try:
        task()
    finally:
        sys.settrace(before)
        gc.enable()
    return steps


def growth(task: Callable[[int], object], size: int) -> float:
    """How many times the work is that something of twice a size takes: 2 where each part costs the
    same, 4 where each looks at all the others.
    """
    task(1)  # what is done only once is done with
    once, twice = (steps_of(partial(task, count)) for count in (size, 2 * size))
    return twice / once
