"""Loose ends of hooks: coroutines that nobody awaited, and tasks that failed unnoticed.

Python only warns of them, some time later, if at all. Here they are failures of the hook that
caused them, with a traceback to the line. Events take no longer because of it.
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
    "cancelling the task in which its hooks run, as a TaskGroup that outlives its hook does when "
    "one of its tasks fails: leave the group in the hook that entered it, and start longer work "
    "with asyncio.create_task"
)
_ON_THE_WAY = ("asyncio", "warnings")
_TURNS = 3
_LAST_TURNS = 10

_lock = threading.Lock()
_in_place = ExitStack()
_listeners: list["LooseEnds"] = []
_whose: ContextVar["LooseEnds | None"] = ContextVar("_whose", default=None)
"""The run that the code of a context belongs to."""
_Work = Coroutine[Any, Any, Any] | Generator[Any, Any, Any]


class LooseEnds:
    """Detects loose ends within a `with` block, in the running event loop and in its context.

    A task belongs to the strategy if its code created it. It is referenced until it has ended,
    which the loop itself does not do. Its failure is not reported if somebody awaits it.

    Args:
        report: Called with each failure, at any point of the running code.
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

    async def cancel_tasks(self, within: float) -> None:
        """Cancel the tasks that still run, and report those that failed.

        A task that had no time to start during a backtest gets it now.

        Args:
            within: Seconds to wait for the cancelled tasks.
        """
        for _ in range(_LAST_TURNS):
            if self._tasks:
                await sleep(0)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within)
        for task in list(self._tasks):
            self._report_if_failed(task, 0)

    # Coroutines

    def report_not_awaited(self, name: str, message: str, frame: FrameType) -> bool:
        """Report a coroutine that was not awaited; return False if it is of another thread."""
        if threading.get_ident() != self._thread:
            return False
        hook, frames = self._hook_behind(frame)
        place = "" if hook == _NO_HOOK else f", in an `async def {hook}`"
        self._fail(
            hook,
            f"{name}(), which it called without await, so that it did not run: write "
            f"`await` before the call{place}",
            RuntimeError(message.partition("\n")[0]).with_traceback(_traceback(frames)),
        )
        return True

    # Tasks

    def track(self, task: asyncio.Task[Any], frame: FrameType) -> None:
        """Keep track of a new task, if the strategy created it."""
        hook, frames = self._hook_behind(frame)
        if frames:
            self._tasks[task] = hook
            task.add_done_callback(self._ended)

    def was_cancelled(self, task: asyncio.Task[Any]) -> HookFailed:
        """Return the failure for a task of the run that the strategy cancelled."""
        failure = HookFailed(_NO_HOOK, _CANCELLED)
        try:
            task.result()
        except asyncio.CancelledError as error:
            error.__cause__ = self._failed
            failure.__cause__ = error
        return failure

    def _ended(self, task: asyncio.Task[Any]) -> None:
        # `task.exception()` would mark the exception as retrieved.
        self._failed = getattr(task, "_exception", None) or self._failed
        self._report_if_failed(task, _TURNS)

    def _report_if_failed(self, task: asyncio.Task[Any], turns: int) -> None:
        """Report a failed task, unless somebody retrieves its exception in the next iterations."""
        if turns:
            task.get_loop().call_soon(self._report_if_failed, task, turns - 1)
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

    def _hook_behind(self, frame: FrameType | None) -> tuple[str, list[FrameType]]:
        """Return the hook that a frame was called from, and the frames within it, innermost first.

        There are no frames if the strategy did not make the call.
        """
        frames: list[FrameType] = []
        while frame is not None:
            package = str(frame.f_globals.get("__name__")).partition(".")[0]
            if package == "aiohttp":  # called by us, in the loop that it shares with the strategy
                break
            if package == "strategy_runtime":
                return (frames[-1].f_code.co_name if frames else _NO_HOOK), frames
            if frames and package == "asyncio":  # the root of a task, which a hook may have created
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
    """Intercept warnings while any run of the process lasts.

    `warnings.showwarning` is global to all threads. It is replaced at the start of the first run,
    and restored at the end of the last one.
    """
    with _lock:
        if not _listeners:
            _in_place.enter_context(_intercepting())
        _listeners.append(ends)
    try:
        yield
    finally:
        with _lock:
            _listeners.remove(ends)
            if not _listeners:
                _in_place.close()


@contextmanager
def _intercepting() -> Iterator[None]:
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
            mine = _whose.get()  # None in a test, whose coroutines any run in it may report
            if found is None or not any(
                each.report_not_awaited(found[1], str(message), frame)
                for each in (reversed(_listeners) if mine is None else (mine,))
            ):
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = warned
        yield


class _Factory:
    """Task factory of an event loop, shared by all runs in it."""

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
            ends.track(made, sys._getframe(1))
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
