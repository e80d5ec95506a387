"""What is said again and again: in a backtest why an order is refused at every bar, and over the
network what is odd about every frame.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from strategy_runtime.cli.errors import note
from strategy_runtime.clock import monotonic

__all__ = ["repeated_lines_left_out", "repeated_warnings_summed_up"]

_MOST = 20
_KINDS_NAMED = 5
_NUMBER = re.compile(r"\d+")
_SILENT_S = 10.0
_MOST_KEPT = 1000


class _Repetitions(logging.Filter):
    """Lets so many lines of a kind through, those that differ in numbers only, and counts the
    others.

    Attributes:
        left_out: How many of each kind.
        first: The first of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left_out: Counter[str] = Counter()
        self.first: dict[str, str] = {}
        self._seen: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        kind = _NUMBER.sub("", said)
        self._seen[kind] += 1
        if self._seen[kind] <= _MOST:
            return True
        self.left_out[kind] += 1
        self.first.setdefault(kind, said.partition("\n")[0])
        return False


@contextmanager
def _filtering(lines: logging.Filter) -> Iterator[None]:
    """Have the package's own lines go through a filter: a strategy logs what it will. With the
    level `debug` all of them are there.
    """
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
def repeated_lines_left_out() -> Iterator[None]:
    """Log no more than twenty lines of a kind, and say at the end how many were left out."""
    repetitions = _Repetitions()
    try:
        with _filtering(repetitions):
            yield
    finally:
        for kind, count in repetitions.left_out.most_common(_KINDS_NAMED):
            note(f"{count:,} more lines like this were left out: {repetitions.first[kind]}")
        others = sorted(repetitions.left_out.values(), reverse=True)[_KINDS_NAMED:]
        if others:
            note(f"{sum(others):,} lines of {len(others):,} other kinds were left out.")
        if repetitions.left_out:
            note("LOG_LEVEL=debug has all of them.")


class _Summary(logging.Filter):
    """Lets a warning or an error through once in ten seconds, and then with how often it came in
    between; but each that has a traceback.
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


def repeated_warnings_summed_up() -> AbstractContextManager[None]:
    """Log the same warning or error once in ten seconds."""
    return _filtering(_Summary())
