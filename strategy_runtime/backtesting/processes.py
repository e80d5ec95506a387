"""A `map` over several processes."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from strategy_runtime.errors import ConfigError, StrategyRuntimeError, reason_of

__all__ = ["map_in_processes"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_TAKE_FEWER = "use fewer with --processes N, or processes=N in Python"


def map_in_processes(
    items: Sequence[_Item], function: Callable[[_Item], _Result], count: int
) -> Iterator[_Result]:
    """Yield the result of a function for each item, in order.

    Processes are forked, so they share the data that this one has read, and any function will do;
    only results are sent. If `count` is 1, or the system cannot fork, this process does all.

    Args:
        count: Number of processes; each takes the next item when it has finished one.

    Raises:
        ConfigError: A process could not be started, or was ended from outside.
        StrategyRuntimeError: The function raised it.
    """
    count = min(count, len(items))
    if count < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(function, items)
        return
    context = multiprocessing.get_context("fork")
    workers: dict[Connection, BaseProcess] = {}
    with _signals_end_it():
        try:
            for _ in range(count):
                try:
                    ours, theirs = context.Pipe()
                    process = context.Process(target=_work, args=(function, items, theirs, ours))
                    process.start()
                except OSError as error:
                    raise ConfigError(
                        f"process {len(workers) + 1} of {count} cannot be started: "
                        f"{reason_of(error)}; {_TAKE_FEWER}"
                    ) from None
                workers[ours] = process
                theirs.close()
            yield from _in_order(workers, len(items))
        finally:
            for each in workers.values():
                each.kill()  # a process that is just starting could miss any other signal
            for connection, each in workers.items():
                each.join()
                connection.close()


@contextmanager
def _signals_end_it() -> Iterator[None]:
    """Let signals end the work, even if they were ignored, as in a background job of a shell.

    Outside the main thread, signals cannot be handled.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = signal.signal(signal.SIGINT, signal.default_int_handler)
    terminated = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupted)
        signal.signal(signal.SIGTERM, terminated)


def _work(
    function: Callable[[Any], Any], items: Sequence[Any], ours: Connection, theirs: Connection
) -> None:
    """Handle items in a child process, until the parent ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the parent, too
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    theirs.close()  # else this copy would hide the end of the parent
    with suppress(EOFError, ConnectionError):  # the parent has ended
        while True:
            place = ours.recv()
            try:
                answer = function(items[place])
            except StrategyRuntimeError as error:
                answer = error
            ours.send((place, answer))


def _in_order(workers: Mapping[Connection, BaseProcess], count: int) -> Iterator[Any]:
    """Yield the results of so many items in order, although some take longer than others."""
    places, answers = iter(range(count)), dict[int, Any]()
    for connection, place in zip(workers, places, strict=False):
        with suppress(ConnectionError):  # if the process has ended, _answer reports it
            connection.send(place)
    for place in range(count):
        while place not in answers:
            ready = wait([*workers])
            for connection, process in workers.items():
                if connection in ready:
                    done, answer = _answer(process, connection, next(places, None))
                    answers[done] = answer
        answer = answers.pop(place)
        if isinstance(answer, StrategyRuntimeError):
            raise answer
        yield answer


def _answer(process: BaseProcess, connection: Connection, following: int | None) -> tuple[int, Any]:
    """Return place and result of the item that a process has finished, and send it another."""
    try:
        place, answer = connection.recv()
        if following is not None:
            connection.send(following)
    except (EOFError, ConnectionError):
        process.join()
        if process.exitcode == -signal.SIGKILL:
            raise ConfigError(
                f"a process was ended (-9), perhaps because memory ran out; {_TAKE_FEWER}"
            ) from None
        raise ConfigError(
            f"a process ended ({process.exitcode}); --processes 1, or processes=1 in Python, runs "
            "all in this one"
        ) from None
    return place, answer


def _end(number: int, frame: object) -> None:
    raise SystemExit(128 + number)
