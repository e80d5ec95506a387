"""From rows to columns: what every reader feeds, whatever the file.

Rows are checked as they come, many at a time where they are as they should be; order, duplicates
and gaps are looked at when all have been seen, see `joining`.
"""

from collections.abc import Callable, Sequence
from math import isfinite
from operator import le
from typing import Any, ClassVar

from strategy_runtime.clock import rfc3339
from strategy_runtime.simulator.data.columns import Kind
from strategy_runtime.simulator.data.faults import FaultKind, FaultLog
from strategy_runtime.simulator.data.series import marked
from strategy_runtime.simulator.data.spool import Spool

__all__ = ["BarRows", "Collect", "QuoteRows", "Rows", "TickRows", "rows_of"]


class Rows:
    """The rows of one kind that one file has of one symbol.

    Attributes:
        table: Times, numbers, and places (see `marked`).
        in_order: Whether times never fall.
        first, last: The earliest time and the latest.
    """

    kind: ClassVar[Kind]

    def __init__(self, symbol: str, file: int, source: str, faults: FaultLog, spool: Spool) -> None:
        self.symbol = symbol
        self.file = file
        self.source = source
        self.table = spool.table("q" + "d" * len(self.kind.value) + "q")
        self.in_order = True
        self.first, self.last = 2**63, -(2**63)
        self._previous = self.last
        self._faults = faults

    def __len__(self) -> int:
        return len(self.table)

    def extend(
        self, lines: Sequence[int], stamps: Sequence[int], *numbers: Sequence[float]
    ) -> None:
        """Take in rows, less those that no market can have had."""
        if self._are_clean(*map(_quick, numbers)) and self._follow(_quick(stamps)):
            first_place = marked(self.file, 0)
            places = [first_place + line for line in lines] if first_place else lines
            self.first = min(self.first, stamps[0])
            self.last = self._previous = stamps[-1]
            self.table.extend([stamps, *numbers, places])
            return
        for row in zip(lines, stamps, *numbers, strict=True):
            self.add(*row)

    def add(self, line: int, stamp: int, *numbers: float) -> None:
        """Take in a row, unless no market can have looked like it."""
        if not self._is_possible(*numbers):
            shown = zip(self.kind.value, map(_shown, numbers), strict=True)
            self._note(
                FaultKind.IMPOSSIBLE, line, " ".join(f"{name} {text}" for name, text in shown)
            )
            return
        if stamp < self._previous:
            self.in_order = False
            detail = f"{rfc3339(stamp)} after {rfc3339(self._previous)}"
            self._note(FaultKind.OUT_OF_ORDER, line, detail)
        self._previous = stamp
        self.first, self.last = min(self.first, stamp), max(self.last, stamp)
        self.table.append((stamp, *numbers, marked(self.file, line)))

    def _follow(self, stamps: Sequence[int]) -> bool:
        return stamps[0] >= self._previous and list(stamps) == sorted(stamps)

    def _are_clean(self, *numbers: Sequence[float]) -> bool:
        """Whether all of many rows are possible; False also where that is not plain to see."""
        raise NotImplementedError

    def _is_possible(self, *numbers: float) -> bool:
        raise NotImplementedError

    def _note(self, kind: FaultKind, line: int, detail: str) -> None:
        self._faults.note(kind, self.source, line, self.symbol, detail)


class BarRows(Rows):
    """Bars."""

    kind = Kind.BARS

    def _are_clean(self, *numbers: Sequence[float]) -> bool:
        opens, highs, lows, closes, volumes = numbers
        # A comparison with not-a-number is never true, and a sum with one is none either.
        return (
            all(map(le, lows, opens))
            and all(map(le, opens, highs))
            and all(map(le, lows, closes))
            and all(map(le, closes, highs))
            and min(lows) > 0
            and min(volumes) >= 0
            and isfinite(max(highs))
            and isfinite(sum(volumes))
        )

    def _is_possible(self, *numbers: float) -> bool:
        open, high, low, close, volume = numbers
        return (
            low <= open <= high
            and low <= close <= high
            and low > 0
            and volume >= 0
            and isfinite(high)
            and isfinite(volume)
        )


class QuoteRows(Rows):
    """Best bid and ask."""

    kind = Kind.QUOTES

    def _are_clean(self, *numbers: Sequence[float]) -> bool:
        bids, asks = numbers
        return all(map(le, bids, asks)) and min(bids) > 0 and isfinite(max(asks))

    def _is_possible(self, *numbers: float) -> bool:
        bid, ask = numbers
        return 0 < bid <= ask and isfinite(ask)


class TickRows(Rows):
    """Trades."""

    kind = Kind.TICKS

    def _are_clean(self, *numbers: Sequence[float]) -> bool:
        prices, sizes = numbers
        return (
            min(prices) > 0 and isfinite(sum(prices)) and min(sizes) >= 0 and isfinite(sum(sizes))
        )

    def _is_possible(self, *numbers: float) -> bool:
        price, size = numbers
        return price > 0 and isfinite(price) and size >= 0 and isfinite(size)


def rows_of(kind: Kind) -> type[Rows]:
    """The class for a kind of rows."""
    return {Kind.BARS: BarRows, Kind.QUOTES: QuoteRows, Kind.TICKS: TickRows}[kind]


Collect = Callable[[Kind, str], Rows]
"""Gives the rows of a kind and symbol, for a reader to add to."""


def _quick(numbers: Any) -> Any:
    """The same numbers, as what Python goes through fastest."""
    return numbers.tolist() if isinstance(numbers, memoryview) else numbers


def _shown(number: float) -> str:
    return repr(number).removesuffix(".0")
