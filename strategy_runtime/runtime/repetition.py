"""Filters for repeated log lines: an order refused at every bar of a backtest, or a fault in every
frame of a live run.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

from strategy_runtime.clock import monotonic

__all__ = ["limit_repeated_lines", "limit_repeated_warnings"]

_MOST = 20
_KINDS_NAMED = 5
_NUMBER = re.compile(r"\d+(\.\d+)?")
_SILENT_S = 10.0
_MOST_KEPT = 1000


class _Repetitions(logging.Filter):
    """Passes the first lines of each kind, and counts the others; lines that differ only in numbers
    are of the same kind.

    Args:
        moment: Return what to put before each line, such as the simulated time.

    Attributes:
        left_out: By kind, the number of lines left out.
        first: By kind, the first line left out.
    """

    def __init__(self, moment: Callable[[], str]) -> None:
        super().__init__()
        self.left_out: Counter[str] = Counter()
        self.first: dict[str, str] = {}
        self._seen: Counter[str] = Counter()
        self._moment = moment

    def filter(self, record: logging.LogRecord) -> bool:
        if _limiting.get() is not self:
            return True  # the line of another run, in another thread
        said = record.getMessage()
        kind = _NUMBER.sub("", said)
        self._seen[kind] += 1
        if self._seen[kind] <= _MOST:
            if moment := self._moment():
                record.msg, record.args = "%s %s", (moment, said)
            return True
        self.left_out[kind] += 1
        self.first.setdefault(kind, said.partition("\n")[0])
        return False


_limiting: ContextVar[_Repetitions | None] = ContextVar("limiting", default=None)


@contextmanager
def _filtering(lines: logging.Filter) -> Iterator[None]:
    """Filter the package's own log lines, not those of the strategy; not with the level `debug`."""
    log = logging.getLogger("strategy_runtime")
    if log.isEnabledFor(logging.DEBUG):
        yield
        return
    log.addFilter(lines)
    try:
        yield
    finally:
        log.removeFilter(lines)


@contextmanager
def limit_repeated_lines(
    note: Callable[[str], object], advice: str, moment: Callable[[], str] = str
) -> Iterator[None]:
    """Log at most twenty lines of each kind, and tell at the end how many were left out.

    Args:
        note: Tell the user something.
        advice: How to see all of them.
        moment: Return what to put before each line, such as the simulated time.
    """
    repetitions = _Repetitions(moment)
    token = _limiting.set(repetitions)
    try:
        with _filtering(repetitions):
            yield
    finally:
        _limiting.reset(token)
        for kind, count in repetitions.left_out.most_common(_KINDS_NAMED):
            note(f"{count:,} more lines like this were left out: {repetitions.first[kind]}")
        others = sorted(repetitions.left_out.values(), reverse=True)[_KINDS_NAMED:]
        if others:
            note(f"{sum(others):,} lines of {len(others):,} other kinds were left out.")
        if repetitions.left_out:
            note(advice)


class _Summary(logging.Filter):
    """Passes the same warning or error once in ten seconds, with how often it came in between;
    those with a traceback always pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or record.exc_info:
            return True
        said, now = record.getMessage(), monotonic()
        at, count = self._said.get(said, (now - _SILENT_S, 0))
        if now - at < _SILENT_S:
            self._said[said] = at, count + 1
            return False
        if len(self._said) >= _MOST_KEPT:
            self._said.clear()
        self._said[said] = now, 0
        if count:
            record.msg, record.args = "%s (%d more like it in between)", (said, count)
        return True


def limit_repeated_warnings() -> AbstractContextManager[None]:
    """Log the same warning or error once in ten seconds."""
    return _filtering(_Summary())
