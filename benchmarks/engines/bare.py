"""The baseline: a plain loop over structs made beforehand, with two running means."""

from collections.abc import Callable

from msgspec import Struct

from benchmarks.engines import FAST, SLOW, Fill, Run
from benchmarks.market import Columns

__all__ = ["prepare"]


class Bar(Struct, gc=False):
    symbol: str
    row: int
    open: float
    high: float
    low: float
    close: float


class Mean:
    __slots__ = ("next", "period", "total", "value", "window")

    def __init__(self, period: int) -> None:
        self.period = period
        self.window = [0.0] * period
        self.next = 0
        self.total = 0.0
        self.value = 0.0

    def push(self, close: float) -> None:
        place = self.next
        self.total += close - self.window[place]
        self.window[place] = close
        self.next = (place + 1) % self.period
        self.value = self.total / self.period


class Seen:
    __slots__ = ("bars", "fast", "is_long", "pending", "slow", "was_above")

    def __init__(self) -> None:
        self.fast, self.slow = Mean(FAST), Mean(SLOW)
        self.bars = 0
        self.was_above = True
        self.is_long = False
        self.pending = 0


def prepare(columns: list[Columns]) -> Run:
    rows = zip(*(zip(*each[1:], strict=True) for each in columns), strict=True)
    bars = [
        Bar(each.symbol, row, *prices)
        for row, together in enumerate(rows)
        for each, prices in zip(columns, together, strict=True)
    ]

    def run() -> Callable[[], list[Fill]]:
        fills = fills_of(bars)
        return lambda: fills

    return run


def fills_of(bars: list[Bar]) -> list[Fill]:
    fills: list[Fill] = []
    known: dict[str, Seen] = {}
    for bar in bars:
        seen = known.get(bar.symbol)
        if seen is None:
            seen = known[bar.symbol] = Seen()
        if seen.pending:
            fills.append(Fill(bar.symbol, bar.row, seen.pending, bar.open))
            seen.is_long = seen.pending > 0
            seen.pending = 0
        seen.fast.push(bar.close)
        seen.slow.push(bar.close)
        seen.bars += 1
        if seen.bars < SLOW:
            continue
        fast, slow = seen.fast.value, seen.slow.value
        if fast > slow:
            if not seen.was_above and not seen.is_long:
                seen.pending = 1
            seen.was_above = True
        else:
            seen.was_above = False
            if fast < slow and seen.is_long:
                seen.pending = -1
    return fills
