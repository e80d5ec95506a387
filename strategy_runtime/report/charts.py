"""Price charts of a page: bars and fills, reduced to what a chart can show."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from strategy_runtime.clock import NANOSECONDS
from strategy_runtime.protocol.enums import Side
from strategy_runtime.report.grid import rows_of
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.outcome import Fill

__all__ = ["Mark", "PriceChart", "price_charts"]

_MOST_SYMBOLS = 12

ChartCandle = tuple[int, float, float, float, float]


class Mark(Struct, frozen=True, array_like=True):
    """The fills of one side within one candle of a chart.

    Attributes:
        time: Start of the candle, in seconds since the epoch.
        count: Number of fills.
        quantity: Sum of their quantities.
    """

    time: int
    side: Side
    count: int
    quantity: float


class PriceChart(Struct, frozen=True):
    """The prices and fills of one symbol.

    Attributes:
        bars: Largest number of bars in one candle.
        candles: Start of the interval in seconds since the epoch, open, high, low, close.
    """

    symbol: str
    bars: int
    candles: list[ChartCandle]
    marks: list[Mark]


def price_charts(
    series: Sequence[BarSeries], fills: Sequence[Fill], grid: Sequence[int], end_ns: int
) -> list[PriceChart]:
    """Return charts of the symbols that were traded most, in the order of the data.

    Args:
        grid: The starts of the intervals, one candle each, see `grid.grid_of`.
        end_ns: Bars that end later are left out.
    """
    traded = Counter(fill.symbol for fill in fills)
    busiest = sorted(series, key=lambda each: -traded[each.symbol])[:_MOST_SYMBOLS]
    chosen = {id(each) for each in busiest}
    return [
        _chart(each, [fill for fill in fills if fill.symbol == each.symbol], grid, end_ns)
        for each in series
        if id(each) in chosen
    ]


def _chart(
    series: BarSeries, fills: Iterable[Fill], grid: Sequence[int], end_ns: int
) -> PriceChart:
    most = 1
    firsts: list[int] = []
    candles: list[ChartCandle] = []
    for number, rows in rows_of(series, grid, end_ns):
        part = slice(rows.start, rows.stop)
        firsts.append(series.starts[rows.start])
        candles.append(
            (
                grid[number] // NANOSECONDS,
                series.opens[rows.start],
                max(series.highs[part]),
                min(series.lows[part]),
                series.closes[rows.stop - 1],
            )
        )
        most = max(most, len(rows))
    together: dict[tuple[int, Side], list[Fill]] = {}
    for fill in fills if candles else ():
        place = max(bisect_right(firsts, fill.bar_ns) - 1, 0)
        together.setdefault((place, fill.side), []).append(fill)
    marks = [
        Mark(candles[place][0], side, len(group), float(sum(each.quantity for each in group)))
        for (place, side), group in sorted(together.items(), key=lambda item: item[0][0])
    ]
    return PriceChart(series.symbol, most, candles, marks)
