"""An event loop whose clock moves only when there is nothing else to do: hours pass in a moment."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar
from unittest.mock import patch

__all__ = ["Stuck", "VirtualLoop", "VirtualTime", "run"]

_T = TypeVar("_T")
_LONGEST_S = 100_000.0
_EPOCH_NS = 1_700_000_000_000_000_000


class Stuck(Exception):
    """Everybody waits, and nothing will ever happen, or nothing but the ticking of clocks."""


class _Selector:
    """Has no files to watch; the time it would have waited is skipped."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None or self._loop.time() > _LONGEST_S:
            raise Stuck
        self._loop.skip(timeout)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs tasks and timers; there is nothing outside of it."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 1000.0
        self._selector = _Selector(self)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Seconds on the virtual clock."""
        return self._now

    def skip(self, seconds: float) -> None:
        """Let time pass: what a hook that blocks its thread does."""
        self._now += seconds

    def _process_events(self, events: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""


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
