"""The market as far as it has happened: one instrument a symbol, walked bar by bar."""

from enum import Enum

from strategy_runtime.protocol.models import Candle
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.orders import RestingOrder

__all__ = ["PROVIDER", "Instrument", "Phase"]

PROVIDER = "backtest"


class Phase(Enum):
    """Where within an instant the exchange stands (protocol e.4)."""

    START = "start"
    INTRABAR = "intrabar"
    BAR = "bar"
    OPEN = "open"
    END = "end"


class Instrument:
    """One symbol: its bars, how far they have been replayed, and the orders that rest in it.

    Attributes:
        row: Index of the first bar that has not closed yet.
        rank: Place among bars that close at the same instant.
        price: The last one seen: a close, or a fill since; None before the first.
        resting: Open orders by id, in the order of their acceptance.
        scheduled: Row whose open the exchange has on its agenda, or -1.
        subscribed: Whether its candles are sent.
    """

    __slots__ = ("price", "rank", "resting", "row", "scheduled", "series", "subscribed")

    def __init__(self, series: BarSeries, rank: int, *, subscribed: bool) -> None:
        self.series = series
        self.rank = rank
        self.subscribed = subscribed
        self.row = 0
        self.price: float | None = None
        self.resting: dict[str, RestingOrder] = {}
        self.scheduled = -1

    def candle(self, row: int) -> Candle:
        """A bar as an event."""
        series = self.series
        return Candle(
            series.symbol,
            series.timeframe,
            series.starts[row],
            series.opens[row],
            series.highs[row],
            series.lows[row],
            series.closes[row],
            series.volumes[row],
            PROVIDER,
        )
