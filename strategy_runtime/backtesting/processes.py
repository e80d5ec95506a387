"""Doing the same with many things, in several processes."""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from strategy_runtime.errors import ConfigError, StrategyRuntimeError, reason_of

__all__ = ["each_of"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_TAKE_FEWER = "use fewer with --processes N, or processes=N in Python"


def each_of(
    items: Sequence[_Item], function: Callable[[_Item], _Result], count: int
) -> Iterator[_Result]:
    """What a function gives for each item, in their order.

    Processes begin as copies of this one, so that what was read is read once and the function may
    be any; only results are sent. With one, or where the system makes no copies, all is done in
    this process.

    Args:
        count: How many processes; each has another item when it is done with one.

    Raises:
        ConfigError: A process could not be started, or was ended from outside.
        StrategyRuntimeError: The function raised it.
    """
    count = min(count, len(items))
    if count < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(function, items)
        return
    copies = multiprocessing.get_context("fork")
    begun: dict[Connection, BaseProcess] = {}
    with _signals_end_it():
        try:
            for _ in range(count):
                try:
                    ours, theirs = copies.Pipe()
                    process = copies.Process(target=_work, args=(function, items, theirs, ours))
                    process.start()
                except OSError as error:
                    raise ConfigError(
                        f"process {len(begun) + 1} of {count} cannot be started: "
                        f"{reason_of(error)}; {_TAKE_FEWER}"
                    ) from None
                begun[ours] = process
                theirs.close()
            yield from _in_order(begun, len(items))
        finally:
            for each in begun.values():
                each.kill()  # which no copy can miss, as it can what comes while it begins
            for connection, each in begun.items():
                each.join()
                connection.close()


@contextmanager
def _signals_end_it() -> Iterator[None]:
    """Have signals end what is done meanwhile, also where they are ignored, as in a job of the
    shell's background. Those of other threads than the first cannot be handled.
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
    """Be one of the copies, which the first process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it came to all of them
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    theirs.close()  # with the first process, so that its end is seen
    with suppress(EOFError, ConnectionError):  # which tells of that end
        while True:
            place = ours.recv()
            try:
                answer = function(items[place])
            except StrategyRuntimeError as error:
                answer = error
            ours.send((place, answer))


def _in_order(begun: Mapping[Connection, BaseProcess], count: int) -> Iterator[Any]:
    """What the processes give for so many items, of which some take longer than others."""
    ahead, answers = iter(range(count)), dict[int, Any]()
    for connection, place in zip(begun, ahead, strict=False):
        with suppress(ConnectionError):  # where it has ended, its answer tells
            connection.send(place)
    for place in range(count):
        while place not in answers:
            heard = wait([*begun])
            for connection, process in begun.items():
                if connection in heard:
                    done, answer = _answer(process, connection, next(ahead, None))
                    answers[done] = answer
        answer = answers.pop(place)
        if isinstance(answer, StrategyRuntimeError):
            raise answer
        yield answer


def _answer(process: BaseProcess, connection: Connection, following: int | None) -> tuple[int, Any]:
    """The place of an item and what was given for it, by a process that goes on with another."""
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
