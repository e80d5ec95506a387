"""An event loop whose clock moves only when there is nothing else to do: hours pass in a moment."""

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
    """Everybody waits, and nothing will ever happen, or nothing but the ticking of clocks."""


class _Handle(Struct):
    """A callback that is due, without what the library's handles do for debugging."""

    callback: Callable[..., object]
    args: tuple[Any, ...]
    context: Context
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True
        self.args = ()


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs tasks and timers; there is nothing outside of it.

    Scheduling is its own: a run is tens of thousands of callbacks, and what the loop of the
    library does around each of them for threads, files and debugging took a third of the time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 1000.0
        self._due: deque[_Handle] = deque()
        self._timers: list[tuple[float, int, _Handle]] = []
        self._order = count()
        self._is_ending = False

    def time(self) -> float:
        """Seconds on the virtual clock."""
        return self._now

    def skip(self, seconds: float) -> None:
        """Let time pass: what a hook that blocks its thread does."""
        self._now += seconds

    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """After all that is due already."""
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
        """After so many virtual seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """At a virtual time; among equal times in the order of the calls."""
        handle = _Handle(callback, args, copy_context() if context is None else context)
        heappush(self._timers, (when, next(self._order), handle))
        return cast(asyncio.TimerHandle, handle)

    def stop(self) -> None:
        """Return once all that is due has been done."""
        self._is_ending = True

    def run_forever(self) -> None:
        """Work until `stop`.

        Raises:
            Stuck: Nothing is due, and nothing ever will be, or nothing but clocks.
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
    """Stands in for the module `time` where the package reads its clocks.

    Attributes:
        jump_s: How far the wall clock has been set; the monotonic one does not know.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self.jump_s = 0.0
        self._loop = loop

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return self._loop.time()

    def time(self) -> float:
        """The wall clock, in seconds."""
        return self.time_ns() / 1e9

    def time_ns(self) -> int:
        """The wall clock, in nanoseconds."""
        return _EPOCH_NS + int((self._loop.time() + self.jump_s) * 1e9)


def run(work: Coroutine[Any, Any, _T], loop: VirtualLoop, time: VirtualTime) -> _T:
    """Run a coroutine to its end in virtual time.

    Raises:
        Stuck: It would never come to its end.
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
