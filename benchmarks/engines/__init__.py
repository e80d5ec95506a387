"""The same strategies in several engines, each in a process of its own.

In all of them: buy one unit if flat when the mean of the last 10 closes rises above that of the
last 30, sell it when it falls below; market orders, filled at the next open. In some of them also:
a limit or stop order for one unit at some distance from the close, replaced at each bar.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

__all__ = ["CASH", "DISTANCE", "FAST", "SLOW", "Fill", "Means", "Run", "digest"]

FAST, SLOW = 10, 30
CASH = 10_000_000
DISTANCE = 1.375
"""Distance of an order from the close: between possible prices, and exact in floats."""

Run = Callable[[], "Callable[[], list[Fill]]"]
"""Runs the strategy, which is timed, and returns a function that returns the fills, which is not.
"""


class Fill(NamedTuple):
    """One unit, bought (+1) or sold (-1) in a bar."""

    symbol: str
    bar: int
    sign: int
    price: float


def digest(fills: Iterable[Fill]) -> str:
    """Return a hash of fills that does not depend on their order."""
    lines = sorted(f"{each.symbol},{each.bar},{each.sign},{each.price!r}" for each in fills)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


class Means:
    """The two means of one symbol as running sums, for engines without indicators."""

    __slots__ = ("_fast", "_row", "_slow", "_window", "fast", "is_ready", "slow")

    def __init__(self) -> None:
        self._window = [0.0] * SLOW
        self._row = 0
        self._fast = self._slow = 0.0
        self.fast = self.slow = 0.0
        self.is_ready = False

    def push(self, close: float) -> None:
        """Take in a close."""
        window, row = self._window, self._row
        self._fast += close - window[(row - FAST) % SLOW]
        self._slow += close - window[row]
        window[row] = close
        self._row = (row + 1) % SLOW
        if row == SLOW - 1:
            self.is_ready = True
        self.fast, self.slow = self._fast / FAST, self._slow / SLOW
