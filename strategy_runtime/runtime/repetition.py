"""Filters for repeated log lines: an order refused at every bar of a backtest, or a fault in every
frame of a live run.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

from msgspec import Struct

from strategy_runtime.clock import monotonic

__all__ = ["limit_repeated_lines", "limit_repeated_warnings"]

_MOST = 20
_KINDS_NAMED = 5
_NUMBER = re.compile(r"\d+(\.\d+)?")
_SILENT_S = 10.0
_MINUTE_S = 60.0
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
    """Passes the same warning or error once in ten seconds, and twenty of a kind in a minute, with
    how many came in between; those with `exc_info` always pass.

    Warnings are of the same kind if they differ only in numbers, and so are errors with a stack, as
    of failing hooks. Other errors are not: each anomaly is about another order.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, tuple[float, int]] = {}
        self._kinds: dict[str, _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or record.exc_info:
            return True
        said, now = record.getMessage(), monotonic()
        at, count = self._said.get(said, (now - _SILENT_S, 0))
        if now - at < _SILENT_S:
            self._said[said] = at, count + 1
            return False
        if record.levelno == logging.WARNING or "\n" in said:
            kind = self._kind_of(said, now)
            if kind.passed == _MOST:
                kind.left_out += 1
                return False
            count += kind.left_out
            kind.passed, kind.left_out = kind.passed + 1, 0
        if len(self._said) >= _MOST_KEPT:
            self._said.clear()
        self._said[said] = now, 0
        if count:
            record.msg, record.args = "%s (%d more like it in between)", (said, count)
        return True

    def _kind_of(self, said: str, now: float) -> "_Kind":
        name = _NUMBER.sub("", said)
        if name not in self._kinds and len(self._kinds) >= _MOST_KEPT:
            self._kinds.clear()
        kind = self._kinds.setdefault(name, _Kind(now))
        if now - kind.since >= _MINUTE_S:
            kind.since, kind.passed = now, 0
        return kind


class _Kind(Struct):
    """Lines that differ only in numbers.

    Attributes:
        since: Start of the minute, in monotonic seconds.
        passed: Number that passed since then.
        left_out: Number left out since one passed.
    """

    since: float
    passed: int = 0
    left_out: int = 0


def limit_repeated_warnings() -> AbstractContextManager[None]:
    """Log the same warning or error once in ten seconds, and few that differ only in numbers."""
    return _filtering(_Summary())
