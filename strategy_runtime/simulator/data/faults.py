"""Faults in market data, row by row, and their summary."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["DataFault", "FaultKind", "FaultLog", "FaultSummary", "summarize"]

_MOST_KEPT = 1000  # of each kind in each file


class FaultKind(StrEnum):
    """What can be wrong with a row, and what happens to it."""

    DUPLICATE = "duplicate"
    """A bar with the symbol and start of an earlier row, or a quote or trade that another file has
    too: dropped, the first is kept."""
    OUT_OF_ORDER = "out of order"
    """Earlier than the row before it: sorted."""
    IMPOSSIBLE = "impossible"
    """Prices that no market can have: dropped."""
    UNREADABLE = "unreadable"
    """A line of a recording that is no message: skipped."""
    GAP = "gap"
    """Time without bars. A note, not an error: markets close."""


class DataFault(Struct, frozen=True):
    """One fault.

    Attributes:
        source: The file, as given.
        line: Line (CSV) or row (Parquet), from 1.
        detail: What was found there.
        count: How many faults it stands for; beyond a limit, faults are only counted.
    """

    kind: FaultKind
    source: str
    line: int
    symbol: str
    detail: str
    count: int = 1

    def __str__(self) -> str:
        place = "in" if self.kind is FaultKind.GAP else "row of"
        what = f"{place} {self.symbol}" if self.symbol else "line"
        return f"{self.source} line {self.line}: {self.kind} {what}: {self.detail}"


class FaultSummary(Struct, frozen=True):
    """All faults of one kind in one file; `first` describes the first one."""

    kind: FaultKind
    source: str
    count: int
    first: str

    def __str__(self) -> str:
        return f"{self.source}: {self.count} x {self.kind}; the first: {self.first}"


class FaultLog:
    """Collects faults: keeps the first ones of each kind and file, and counts all."""

    def __init__(self) -> None:
        self._kept: dict[tuple[FaultKind, str], list[DataFault]] = {}

    def note(self, kind: FaultKind, source: str, line: int, symbol: str, detail: str) -> None:
        """Record a fault."""
        kept = self._kept.setdefault((kind, source), [])
        if len(kept) < _MOST_KEPT:
            kept.append(DataFault(kind, source, line, symbol, detail))
        else:
            kept[-1] = replace(kept[-1], count=kept[-1].count + 1)

    def in_order(self, sources: Iterable[str]) -> list[DataFault]:
        """Return the faults in the order of the files given, and of their lines."""
        rank = {source: place for place, source in enumerate(sources)}
        found = [fault for kept in self._kept.values() for fault in kept]
        return sorted(found, key=lambda fault: (rank[fault.source], fault.line))


def summarize(faults: Iterable[DataFault]) -> list[FaultSummary]:
    """Summarise faults by kind and file, in the order in which these first occur."""
    grouped: dict[tuple[FaultKind, str], list[DataFault]] = {}
    for fault in faults:
        grouped.setdefault((fault.kind, fault.source), []).append(fault)
    return [
        FaultSummary(kind, source, sum(fault.count for fault in group), str(group[0]))
        for (kind, source), group in grouped.items()
    ]
