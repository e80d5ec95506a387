"""Doing the same with many things, in several processes."""

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, TypeVar

from strategy_runtime.errors import ConfigError

__all__ = ["each_of"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each_of(
    items: Sequence[_Item], function: Callable[[_Item], _Result], count: int
) -> Iterator[_Result]:
    """What a function gives for each item, in their order.

    Processes begin as copies of this one, so that what was read is read once and the function may
    be any; items and results are sent. With one, or where the system makes no copies, all is done
    in this process.

    Args:
        count: How many processes.

    Raises:
        ConfigError: A process was ended from outside.
    """
    count = min(count, len(items))
    if count < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(function, items)
        return
    sys.stdout.flush()
    sys.stderr.flush()  # a copy would write what is left in it once more
    copies = multiprocessing.get_context("fork")
    executor = ProcessPoolExecutor(count, copies, partial(_begin, function))
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield from executor.map(_done_by_copy, items)
    except BrokenProcessPool:
        raise ConfigError(
            f"one of {count} processes was ended from outside, perhaps for want of memory; take "
            "fewer with --processes"
        ) from None
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        signal.signal(signal.SIGTERM, before)


_task: list[Callable[[Any], Any]] = []
"""What a copy is there to do; only what it is done to can be sent to it."""


def _begin(function: Callable[[Any], Any]) -> None:
    """Begin a copy, which a signal ends at once and in silence."""
    _task.append(function)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _done_by_copy(item: Any) -> Any:
    return _task[-1](item)


def _end(number: int, frame: object) -> None:
    raise SystemExit(128 + number)
