"""What is wrong with market data, row by row, and a report of it."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

__all__ = ["DataFault", "FaultKind", "FaultSummary", "summarize"]


class FaultKind(StrEnum):
    """What can be wrong with a row, and what is done about it."""

    DUPLICATE = "duplicate"
    """The same symbol and start as an earlier row: dropped, the first is kept."""
    OUT_OF_ORDER = "out of order"
    """Earlier than the row before it: sorted in."""
    IMPOSSIBLE = "impossible"
    """Prices no market can have had: dropped."""
    GAP = "gap"
    """Time without bars. A note, not an error: markets close."""


class DataFault(Struct, frozen=True):
    """One fault.

    Attributes:
        source: The file, as it was named.
        line: Line (CSV) or row (Parquet), from 1.
        detail: What was found there.
    """

    kind: FaultKind
    source: str
    line: int
    symbol: str
    detail: str

    def __str__(self) -> str:
        return f"{self.source} line {self.line}: {self.kind} row of {self.symbol}: {self.detail}"


class FaultSummary(Struct, frozen=True):
    """All faults of one kind in one file."""

    kind: FaultKind
    source: str
    count: int
    first: DataFault


def summarize(faults: Iterable[DataFault]) -> list[FaultSummary]:
    """One line a kind and file, in the order in which they first occur."""
    grouped: dict[tuple[FaultKind, str], list[DataFault]] = {}
    for fault in faults:
        grouped.setdefault((fault.kind, fault.source), []).append(fault)
    return [
        FaultSummary(kind, source, len(group), group[0])
        for (kind, source), group in grouped.items()
    ]
