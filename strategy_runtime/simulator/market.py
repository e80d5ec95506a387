"""The market as far as it has been replayed: one instrument per symbol."""

from bisect import bisect_left, bisect_right
from decimal import Decimal
from enum import Enum
from math import nan

from strategy_runtime.protocol.enums import Side, with_plain_members
from strategy_runtime.protocol.models import Quote
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.protocol.values import cut_to_finest, decimal_of
from strategy_runtime.simulator.data.series import (
    PROVIDER,
    BarSeries,
    QuoteSeries,
    TickSeries,
)
from strategy_runtime.simulator.resting import RestingOrders
from strategy_runtime.simulator.rollup import GivenBars, Rollup

__all__ = ["Instrument", "Phase"]


@with_plain_members
class Phase(Enum):
    """Phase of an instant, in the order in which they come."""

    START = "start"
    INTRABAR = "intrabar"
    BAR = "bar"
    QUOTE = "quote"
    OPEN = "open"
    END = "end"


class Instrument:
    """One symbol: its bars, how far they have been replayed, and the orders that rest in it.

    Attributes:
        series: Its finest bars; empty if it has only quotes or trades.
        quotes: Its quotes, if any: its orders then fill only at these.
        wants_quotes: Whether its quotes are sent.
        tick: Index of the next quote.
        rollups: Coarser candles made of its bars or trades.
        coarser: Coarser bars that the data have.
        trades: Its market trades that candles are made of, if it has no bars.
        trade: Index of the next of these trades.
        row: Index of the first bar that has not closed yet.
        first_row: Row at which it started to move in step with others; -1 if it does not.
        rank: Place among bars that close at the same instant.
        price: The last price: a close, or a later fill, or with quotes the middle of the last one;
            None before the first.
        resting: Its open orders.
        volume_left: Volume that orders can still take from the current bar; None without limit.
        volume_row: Row of the bar of `volume_left`, or -1.
        split_row: Row of the last bar checked for a split, or -1.
        scheduled: Row whose open is on the agenda, or -1.
        subscribed: Whether its candles are sent.
    """

    __slots__ = (
        "_filled_ns",
        "_filled_price",
        "coarser",
        "first_row",
        "price",
        "quotes",
        "rank",
        "resting",
        "rollups",
        "row",
        "scheduled",
        "series",
        "split_row",
        "subscribed",
        "tick",
        "trade",
        "trades",
        "volume_left",
        "volume_row",
        "wants_quotes",
    )

    def __init__(self, series: BarSeries, rank: int, *, subscribed: bool) -> None:
        self.series = series
        self.rank = rank
        self.subscribed = subscribed
        self.row = 0
        self.first_row = -1
        self.price: float | None = None
        self.resting = RestingOrders()
        self._filled_price, self._filled_ns = nan, -1
        self.quotes: QuoteSeries | None = None
        self.tick = 0
        self.wants_quotes = True
        self.rollups: list[Rollup] = []
        self.coarser: list[GivenBars] = []
        self.trades: TickSeries | None = None
        self.trade = 0
        self.scheduled = -1
        self.split_row = -1
        self.volume_left: Decimal | None = None
        self.volume_row = -1

    @property
    def sent(self) -> list[str]:
        """What is sent of it, named as in subscriptions: finer candles first, quotes last."""
        timeframes = [each.timeframe for each in self.rollups]
        timeframes += [each.series.timeframe for each in self.coarser if each.subscribed]
        if self.subscribed:
            timeframes.append(self.series.timeframe)
        timeframes.sort(key=lambda text: parse_timeframe(text).nanoseconds)
        names = [f"candle_{text}" for text in timeframes]
        return [*names, "quote"] if self.quotes is not None and self.wants_quotes else names

    def note_price(self, price: float, now_ns: int) -> None:
        """Take over the price of a fill within the range of the bar that ends now."""
        self.price = self._filled_price = price
        self._filled_ns = now_ns

    def mark_at(self, now_ns: int, phase: Phase) -> Decimal:
        """Return the price in a phase of a past instant, if only bars make prices.

        The instant must not be before the first open.
        """
        series = self.series
        if phase is Phase.INTRABAR and self._filled_ns == now_ns:
            return decimal_of(self._filled_price)
        if phase is Phase.OPEN:
            row = bisect_left(series.starts, now_ns)
            if row < len(series.starts) and series.starts[row] == now_ns:
                return decimal_of(series.opens[row])
        closed = now_ns - series.step - (phase is Phase.INTRABAR)
        row = bisect_right(series.starts, closed)
        return decimal_of(series.closes[row - 1] if row else series.opens[0])

    def volume_at(self, now_ns: int) -> float:
        """Return the volume of the bar in progress, or 0."""
        return self.series.volumes[self.row] if self._has_begun(now_ns) else 0.0

    def bar_start_at(self, now_ns: int) -> int:
        """Return the start of the current or last bar; with quotes, the time of the last quote."""
        if self.quotes is not None:
            return self.quotes.stamps[max(self.tick - 1, 0)]
        return self.series.starts[self.row if self._has_begun(now_ns) else self.row - 1]

    def _has_begun(self, now_ns: int) -> bool:
        starts, row = self.series.starts, self.row
        return row < len(starts) and starts[row] <= now_ns

    def begin_bar(self, share: Decimal) -> None:
        """Set the volume that the current bar has for orders; an unknown volume is no limit."""
        volume = self.series.volumes[self.row]
        self.volume_left = cut_to_finest(Decimal(repr(volume)) * share) if volume > 0 else None
        self.volume_row = self.row

    def price_for(self, side: Side) -> float | None:
        """Return the price at which a side can trade now: last ask or bid, else last price."""
        quotes, tick = self.quotes, self.tick - 1
        if quotes is None or tick < 0:
            return self.price
        return quotes.asks[tick] if side is Side.BUY else quotes.bids[tick]

    def quote(self) -> Quote | None:
        """Return the last quote as an event, or None."""
        quotes, tick = self.quotes, self.tick - 1
        if quotes is None or tick < 0:
            return None
        return Quote(
            quotes.symbol,
            quotes.bids[tick],
            quotes.asks[tick],
            quotes.stamps[tick],
            last=self.price,
            provider=PROVIDER,
        )
