"""An event loop whose clock jumps to the next timer when idle: hours pass in a moment."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVar, TypeVarTuple, cast
from unittest.mock import patch

from msgspec import Struct

__all__ = ["Stuck", "VirtualLoop", "VirtualTime", "run"]

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")
_LONGEST_S = 100_000.0
_EPOCH_NS = 1_700_000_000_000_000_000


class Stuck(Exception):
    """All tasks wait for ever, or only periodic timers are left."""


class _Handle(Struct):
    """A scheduled callback, without the debugging features of asyncio's handles."""

    callback: Callable[..., object]
    args: tuple[Any, ...]
    context: Context
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True
        self.args = ()


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs tasks and timers, without any I/O.

    It has its own scheduler: a run has tens of thousands of callbacks, and asyncio's overhead for
    threads, files and debugging took a third of the time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 1000.0
        self._due: deque[_Handle] = deque()
        self._timers: list[tuple[float, int, _Handle]] = []
        self._order = count()
        self._is_ending = False

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def skip(self, seconds: float) -> None:
        """Advance the clock, as a hook that blocks its thread does."""
        self._now += seconds

    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Schedule a callback after all that are due."""
        handle = _Handle(callback, args, copy_context() if context is None else context)
        self._due.append(handle)
        return cast(asyncio.Handle, handle)

    # There is one thread.
    call_soon_threadsafe = call_soon

    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Schedule a callback after some virtual seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Schedule a callback at a virtual time; equal times run in the order of calls."""
        handle = _Handle(callback, args, copy_context() if context is None else context)
        heappush(self._timers, (when, next(self._order), handle))
        return cast(asyncio.TimerHandle, handle)

    def stop(self) -> None:
        """Stop after all callbacks that are due."""
        self._is_ending = True

    def run_forever(self) -> None:
        """Run until `stop`.

        Raises:
            Stuck: Nothing is scheduled, or only periodic timers are.
        """
        due, timers = self._due, self._timers
        self._is_ending = False
        asyncio._set_running_loop(self)
        try:
            while not self._is_ending:
                if not due:
                    self._let_time_pass()
                while timers and timers[0][0] <= self._now:
                    due.append(heappop(timers)[2])
                for _ in range(len(due)):
                    handle = due.popleft()
                    if not handle.is_cancelled:
                        handle.context.run(handle.callback, *handle.args)
        finally:
            asyncio._set_running_loop(None)

    def _let_time_pass(self) -> None:
        timers = self._timers
        while timers and timers[0][2].is_cancelled:
            heappop(timers)
        if not timers or self._now > _LONGEST_S:
            raise Stuck
        self._now = max(self._now, timers[0][0])


class VirtualTime:
    """Replaces the module `time` where the package reads its clocks.

    Attributes:
        jump_s: How far the wall clock was set; the monotonic clock is not affected.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self.jump_s = 0.0
        self._loop = loop

    def monotonic(self) -> float:
        """Return seconds on a clock that never jumps."""
        return self._loop.time()

    def time(self) -> float:
        """Return the wall clock in seconds."""
        return self.time_ns() / 1e9

    def time_ns(self) -> int:
        """Return the wall clock in nanoseconds."""
        return _EPOCH_NS + int((self._loop.time() + self.jump_s) * 1e9)


def run(work: Coroutine[Any, Any, _T], loop: VirtualLoop, time: VirtualTime) -> _T:
    """Run a coroutine to its end in virtual time.

    Raises:
        Stuck: It would never end.
    """
    asyncio.set_event_loop(loop)
    try:
        with patch("strategy_runtime.clock.time", time):
            task = loop.create_task(work)
            try:
                return loop.run_until_complete(task)
            finally:
                left = asyncio.all_tasks(loop)
                for each in left:
                    each.cancel()
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
                loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
