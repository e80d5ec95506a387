"""Doing the same with many things, in several processes."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from strategy_runtime.errors import ConfigError, StrategyRuntimeError

__all__ = ["each_of"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each_of(
    items: Sequence[_Item], function: Callable[[_Item], _Result], count: int
) -> Iterator[_Result]:
    """What a function gives for each item, in their order.

    Processes begin as copies of this one, so that what was read is read once and the function may
    be any; only results are sent. With one, or where the system makes no copies, all is done in
    this process.

    Args:
        count: How many processes; each has every so many-th item.

    Raises:
        ConfigError: A process was ended from outside.
        StrategyRuntimeError: The function raised it.
    """
    count = min(count, len(items))
    if count < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(function, items)
        return
    copies = multiprocessing.get_context("fork")
    begun: list[tuple[BaseProcess, Connection]] = []
    # Also where they are ignored, as in a job of the shell's background.
    interrupted = signal.signal(signal.SIGINT, signal.default_int_handler)
    terminated = signal.signal(signal.SIGTERM, _end)
    try:
        for share in range(count):
            reader, writer = copies.Pipe(duplex=False)
            process = copies.Process(target=_work, args=(function, items[share::count], writer))
            process.start()
            begun.append((process, reader))
            writer.close()
        for place in range(len(items)):
            yield _answer(*begun[place % count])
    finally:
        for each, _ in begun:
            each.terminate()
        for each, results in begun:
            each.join()
            results.close()
        signal.signal(signal.SIGINT, interrupted)
        signal.signal(signal.SIGTERM, terminated)


def _work(function: Callable[[Any], Any], items: Sequence[Any], results: Connection) -> None:
    """Be one of the copies, which the first process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it came to all of them
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        for item in items:
            results.send(function(item))
    except StrategyRuntimeError as error:
        results.send(error)


def _answer(process: BaseProcess, results: Connection) -> Any:
    try:
        answer = results.recv()
    except EOFError:
        process.join()
        raise ConfigError(
            f"a process was ended ({process.exitcode}), perhaps for want of memory; take fewer "
            "with --processes"
        ) from None
    if isinstance(answer, StrategyRuntimeError):
        raise answer
    return answer


def _end(number: int, frame: object) -> None:
    raise SystemExit(128 + number)
