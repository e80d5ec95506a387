"""What a hook began and lost sight of: coroutines nobody awaited, and tasks that failed unheard.

Python says as much in a warning at some later time, if at all. Here either is a failure of the hook
that did it, with a traceback to the line. No event takes longer for it.
"""

import asyncio
import re
import sys
import threading
import warnings
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from types import FrameType, TracebackType
from typing import Any, Self, TextIO

from strategy_runtime.clock import sleep
from strategy_runtime.errors import HookFailed

__all__ = ["LooseEnds"]

_FORGOTTEN = r"coroutine '(.*)' was never awaited"
_NO_HOOK = "code outside of hooks"
_CANCELLED = (
    "cancelling the task in which its hooks run, as a TaskGroup does that outlives the hook it was "
    "entered in when one of its tasks fails: leave it in that hook, and begin with "
    "asyncio.create_task what is to go on"
)
_ON_THE_WAY = ("asyncio", "warnings")
_TURNS = 3
_LAST_TURNS = 10

_lock = threading.Lock()
_in_place = ExitStack()
_listeners: list["LooseEnds"] = []
_whose: ContextVar["LooseEnds | None"] = ContextVar("_whose", default=None)
"""Of which run it is what happens in a context."""
_Work = Coroutine[Any, Any, Any] | Generator[Any, Any, Any]


class LooseEnds:
    """Hears of them from `with` to its end, in the event loop that runs and in its context.

    A task is the strategy's where its code made it. It is kept until it has ended, which the loop
    itself does not see to. It counts as heard where somebody awaits it when it fails.

    Args:
        report: Called with each failure, in the middle of whatever runs.
    """

    def __init__(self, report: Callable[[HookFailed], None]) -> None:
        self._report = report
        self._tasks: dict[asyncio.Task[Any], str] = {}
        self._failed: BaseException | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._thread = threading.get_ident()
        self._stack.enter_context(_listening(self))
        self._stack.enter_context(_making_tasks(asyncio.get_running_loop()))
        self._stack.callback(_whose.reset, _whose.set(self))
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    async def cut(self, within: float) -> None:
        """End the tasks that still run, in so many seconds; those that have failed are reported.

        One that a backtest has left no time to begin has it now.
        """
        for _ in range(_LAST_TURNS):
            if self._tasks:
                await sleep(0)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within)
        for task in list(self._tasks):
            self._look(task, 0)

    # Coroutines

    def forgotten(self, name: str, message: str, frame: FrameType) -> bool:
        """Report a coroutine of that name, if it is of the thread in which the run is."""
        if threading.get_ident() != self._thread:
            return False
        hook, frames = self._theirs(frame)
        place = "" if hook == _NO_HOOK else f", in an `async def {hook}`"
        self._fail(
            hook,
            f"{name}(), which it called without await, so that it did not run: write "
            f"`await` before the call{place}",
            RuntimeError(message.partition("\n")[0]).with_traceback(_traceback(frames)),
        )
        return True

    # Tasks

    def made(self, task: asyncio.Task[Any], frame: FrameType) -> None:
        """Look after a task, if it was the strategy that made it."""
        hook, frames = self._theirs(frame)
        if frames:
            self._tasks[task] = hook
            task.add_done_callback(self._ended)

    def was_cancelled(self, task: asyncio.Task[Any]) -> HookFailed:
        """The failure that it is when the strategy has cancelled a task of the run."""
        failure = HookFailed(_NO_HOOK, _CANCELLED)
        try:
            task.result()
        except asyncio.CancelledError as error:
            error.__cause__ = self._failed
            failure.__cause__ = error
        return failure

    def _ended(self, task: asyncio.Task[Any]) -> None:
        # Asked in the plain way, it would no longer tell that nobody has heard of it.
        self._failed = getattr(task, "_exception", None) or self._failed
        self._look(task, _TURNS)

    def _look(self, task: asyncio.Task[Any], turns: int) -> None:
        """Report a task that has failed, once those who await it have had their turns."""
        if turns:
            task.get_loop().call_soon(self._look, task, turns - 1)
            return
        hook = self._tasks.pop(task, None)
        if hook is None or not task.done() or task.cancelled() or not task._log_traceback:
            return
        failure = task.exception()
        work = task.get_coro()
        name = getattr(work, "__qualname__", task.get_name())
        self._fail(
            hook,
            f"the task {name}() that it made and nobody awaits: handle the error in it, or await "
            "the task",
            failure,
        )

    def _theirs(self, frame: FrameType | None) -> tuple[str, list[FrameType]]:
        """The hook behind what is being done, and its frames, the innermost first.

        Without frames where it is not the strategy that does it.
        """
        frames: list[FrameType] = []
        while frame is not None:
            package = str(frame.f_globals.get("__name__")).partition(".")[0]
            if package == "aiohttp":  # at our behest, where the strategy shares a loop with it
                break
            if package == "strategy_runtime":
                return (frames[-1].f_code.co_name if frames else _NO_HOOK), frames
            if frames and package == "asyncio":  # the root of a task, perhaps made by a hook
                task = asyncio.current_task()
                hook = None if task is None else self._tasks.get(task)
                return (_NO_HOOK, []) if hook is None else (hook, frames)
            if frames or package not in _ON_THE_WAY:
                frames.append(frame)
            frame = frame.f_back
        return _NO_HOOK, []

    def _fail(self, hook: str, where: str, cause: BaseException | None) -> None:
        failure = HookFailed(hook, where)
        failure.__cause__ = cause
        self._report(failure)


@contextmanager
def _listening(ends: LooseEnds) -> Iterator[None]:
    """Have warnings heard as long as any run of the process lasts: what hears them is of all
    threads, and in the place of what showed them before the first of these runs.
    """
    with _lock:
        if not _listeners:
            _in_place.enter_context(_ear())
        _listeners.append(ends)
    try:
        yield
    finally:
        with _lock:
            _listeners.remove(ends)
            if not _listeners:
                _in_place.close()


@contextmanager
def _ear() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("always", _FORGOTTEN, RuntimeWarning)
        show = warnings.showwarning

        def warned(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            found, frame = re.match(_FORGOTTEN, str(message)), sys._getframe(1)
            mine = _whose.get()  # a test has none, of which its run hears, too
            if found is None or not any(
                each.forgotten(found[1], str(message), frame)
                for each in (reversed(_listeners) if mine is None else (mine,))
            ):
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = warned
        yield


class _Factory:
    """Makes the tasks of a loop, for as many runs as there are in it."""

    def __init__(self, before: Callable[..., Any] | None) -> None:
        self.before = before
        self.runs = 0

    def __call__(
        self, loop: asyncio.AbstractEventLoop, work: _Work, **kwargs: Any
    ) -> asyncio.Future[Any]:
        make, ends = self.before, _whose.get()
        made = (
            asyncio.Task(work, loop=loop, **kwargs) if make is None else make(loop, work, **kwargs)
        )
        if ends is not None:
            ends.made(made, sys._getframe(1))
        return made


@contextmanager
def _making_tasks(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    factory: Any = loop.get_task_factory()
    if not isinstance(factory, _Factory):
        factory = _Factory(factory)
        loop.set_task_factory(factory)
    factory.runs += 1
    try:
        yield
    finally:
        factory.runs -= 1
        if not factory.runs:
            loop.set_task_factory(factory.before)


def _traceback(frames: list[FrameType]) -> TracebackType | None:
    trace: TracebackType | None = None
    for frame in frames:
        trace = TracebackType(trace, frame, frame.f_lasti, frame.f_lineno)
    return trace
