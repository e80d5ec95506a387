"""Ending on a signal: the first asks the run to stop, the second ends the process at once."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from strategy_runtime.clock import monotonic

__all__ = ["STOP_WITHIN_S", "Signals", "heed_as_process_1", "stop_on_signals"]

STOP_WITHIN_S = 7.5
"""Seconds a run may take to stop: enough for its hooks, and less than what containers are given."""

_CODE = 128
_ONE_WISH_S = 0.5
"""Seconds within which signals are one: `timeout`, and what forwards them, sends two at a time."""


def heed_as_process_1() -> None:
    """Have SIGTERM end process 1 of a container, too, as long as nothing else is done about it.

    The system ends all other processes by itself, and ignores what process 1 has no handler for.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(_CODE + number))


class Signals:
    """What has been received.

    Attributes:
        received: Number of the first signal, or None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._watchdog: threading.Timer | None = None

    @property
    def exit_code(self) -> int:
        """130 for SIGINT, 143 for SIGTERM, 0 for neither."""
        return 0 if self.received is None else _CODE + self.received

    def end_within(self, seconds: float | None) -> None:
        """Once there was a signal, have the process ended if it has not in so many seconds from
        now on; with None, leave it as much time as it takes.
        """
        if self._watchdog is not None:
            self._watchdog.cancel()
        if self.received is not None and seconds is not None:
            self._watchdog = threading.Timer(seconds, _run_out_of_time, (self.received, seconds))
            self._watchdog.daemon = True
            with suppress(RuntimeError):  # no thread can be started; a second signal does the same
                self._watchdog.start()


@contextmanager
def stop_on_signals(
    stop: Callable[[], None],
    *,
    interrupt: Callable[[], None] | None = None,
    deadline: float | None = None,
) -> Iterator[Signals]:
    """Call `stop` in the running event loop on the first SIGINT or SIGTERM.

    A loop that is kept busy by a hook cannot stop; then the second signal, or the deadline where
    there is one, ends the process without further ado. Both hold beyond the end of this, since a
    thread of the strategy keeps the process as well. Without a signal the handlers are put back.

    Args:
        interrupt: Called at once, in the middle of whatever the thread is at: may only set flags.
        deadline: Seconds the process may take to stop.
    """
    loop = asyncio.get_running_loop()
    signals = Signals()
    asked_at = 0.0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked_at
        if signals.received is not None:
            if monotonic() - asked_at >= _ONE_WISH_S:
                _give_up(number, "ended at once by a second signal")
            return
        signals.received, asked_at = number, monotonic()
        _say("stopping; a second signal ends at once")
        if interrupt is not None:
            interrupt()
        loop.call_soon_threadsafe(stop)
        signals.end_within(deadline)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        if signals.received is None:
            for number, handler in before.items():
                signal.signal(number, handler)


def _say(text: str) -> None:
    # Past Python's streams: the signal may have come while one of them was being written.
    with suppress(OSError):  # and whoever reads it may have gone
        os.write(2, f"{text}\n".encode())


def _give_up(number: int, why: str) -> None:
    _say(why)
    os._exit(_CODE + number)


def _run_out_of_time(number: int, seconds: float) -> None:
    from strategy_runtime.runtime.tracebacks import user_stack

    frames = sys._current_frames()
    for thread in threading.enumerate():
        at = frames.get(thread.ident or 0)
        stack = "" if thread.daemon or at is None else user_stack(at)
        if stack:
            is_main = thread is threading.main_thread()
            _say(f"{'it' if is_main else f'the thread {thread.name}'} was busy at\n{stack}")
    _give_up(number, f"did not stop within {seconds:g} s of {signal.Signals(number).name}; ended")
