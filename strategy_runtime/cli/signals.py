"""Signals: the first one asks the run to stop, the second ends the process at once."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from strategy_runtime.clock import monotonic

__all__ = ["STOP_WITHIN_S", "Signals", "end_pid_1_on_sigterm", "stop_on_signals"]

STOP_WITHIN_S = 7.5
"""Seconds a run may take to stop: enough for its hooks, and less than containers are given."""

_CODE = 128
_DEBOUNCE_S = 0.5
"""Seconds within which signals count as one: `timeout` and other forwarders send two at a time."""


def end_pid_1_on_sigterm() -> None:
    """Let SIGTERM end process 1 of a container, too, until a run handles it.

    For process 1, unlike all others, the system ignores signals without a handler.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(_CODE + number))


class Signals:
    """The signals received.

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
        """After a signal, end the process if it is still running in so many seconds; None removes
        the limit. Without a signal, do nothing.
        """
        if self._watchdog is not None:
            self._watchdog.cancel()
        if self.received is not None and seconds is not None:
            self._watchdog = threading.Timer(seconds, _run_out_of_time, (self.received, seconds))
            self._watchdog.daemon = True
            with suppress(RuntimeError):  # no thread can be started; a second signal still works
                self._watchdog.start()


@contextmanager
def stop_on_signals(
    stop: Callable[[], None],
    *,
    interrupt: Callable[[], None] | None = None,
    deadline: float | None = None,
) -> Iterator[Signals]:
    """Call `stop` in the running event loop on the first SIGINT or SIGTERM.

    A loop that a hook keeps busy cannot stop; then the second signal, or the deadline if there is
    one, ends the process at once. After a signal, both stay in force after the block, because
    threads of the strategy may also keep the process alive. Without one, the handlers are restored.

    Args:
        interrupt: Called in the signal handler, so it may only set flags.
        deadline: Seconds the process may take to stop.
    """
    loop = asyncio.get_running_loop()
    signals = Signals()
    asked_at = 0.0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked_at
        if signals.received is not None:
            if monotonic() - asked_at >= _DEBOUNCE_S:
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
    # Not through Python's streams: the signal may have interrupted a write to one of them.
    with suppress(OSError):  # its reader may have gone
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
