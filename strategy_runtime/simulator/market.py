"""The market as far as it has happened: one instrument a symbol, walked bar by bar."""

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
    middle,
)
from strategy_runtime.simulator.resting import RestingOrders
from strategy_runtime.simulator.rollup import GivenBars, Rollup

__all__ = ["Instrument", "Phase"]


@with_plain_members
class Phase(Enum):
    """Where within an instant the exchange stands."""

    START = "start"
    INTRABAR = "intrabar"
    BAR = "bar"
    QUOTE = "quote"
    OPEN = "open"
    END = "end"


class Instrument:
    """One symbol: its bars, how far they have been replayed, and the orders that rest in it.

    Attributes:
        series: Its finest bars; empty where it has quotes or trades only.
        quotes: Its quotes, where it has any: its orders then execute at these alone.
        wants_quotes: Whether its quotes are sent.
        tick: Index of the first quote that has not come yet.
        rollups: Coarser candles that its bars, or trades, are made into.
        coarser: Coarser bars of it that the data has.
        trades: The market's trades in it that candles are made of, where it has no bars.
        trade: Index of the first of them that has not come yet.
        row: Index of the first bar that has not closed yet.
        first_row: Where it began to walk in step with others, or -1 where it does not.
        rank: Place among bars that close at the same instant.
        price: The last one seen: a close, or a fill since; None before the first.
        resting: Its open orders.
        left: What the bar in progress can still give to orders, or None without limit.
        begun_row: Row of the bar that `left` is of, or -1.
        split_row: Row of the last bar whose start was looked at for a split, or -1.
        scheduled: Row whose open the exchange has on its agenda, or -1.
        subscribed: Whether its candles are sent.
    """

    __slots__ = (
        "_filled_ns",
        "_filled_price",
        "begun_row",
        "coarser",
        "first_row",
        "left",
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
        self.left: Decimal | None = None
        self.begun_row = -1

    @property
    def sent(self) -> list[str]:
        """What is sent of it, as subscriptions name it: finer candles first, quotes last."""
        timeframes = [each.timeframe for each in self.rollups]
        timeframes += [each.series.timeframe for each in self.coarser if each.subscribed]
        if self.subscribed:
            timeframes.append(self.series.timeframe)
        timeframes.sort(key=lambda text: parse_timeframe(text).nanoseconds)
        names = [f"candle_{text}" for text in timeframes]
        return [*names, "quote"] if self.quotes is not None and self.wants_quotes else names

    def note_price(self, price: float, now_ns: int) -> None:
        """A fill within the range of the bar that ends now made a price."""
        self.price = self._filled_price = price
        self._filled_ns = now_ns

    def mark_at(self, now_ns: int, phase: Phase) -> Decimal:
        """The price that stood in a phase of an instant behind the first open, where only bars make
        prices.
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
        """Volume of the bar in progress; 0 where there is none."""
        return self.series.volumes[self.row] if self._has_begun(now_ns) else 0.0

    def bar_start_at(self, now_ns: int) -> int:
        """Start of the bar in progress, or of the last one; the time of the quote, with quotes."""
        if self.quotes is not None:
            return self.quotes.stamps[max(self.tick - 1, 0)]
        return self.series.starts[self.row if self._has_begun(now_ns) else self.row - 1]

    def _has_begun(self, now_ns: int) -> bool:
        starts, row = self.series.starts, self.row
        return row < len(starts) and starts[row] <= now_ns

    def begin_bar(self, share: Decimal) -> None:
        """Work out what the bar in progress gives to orders; an unknown volume gives all."""
        volume = self.series.volumes[self.row]
        self.left = cut_to_finest(Decimal(repr(volume)) * share) if volume > 0 else None
        self.begun_row = self.row

    def price_for(self, side: Side) -> float | None:
        """What a side can trade at as things stand: the ask or bid of the last quote, or the last
        price.
        """
        quotes, tick = self.quotes, self.tick - 1
        if quotes is None or tick < 0:
            return self.price
        return quotes.asks[tick] if side is Side.BUY else quotes.bids[tick]

    def quote(self) -> Quote | None:
        """The last quote that has come, as an event."""
        quotes, tick = self.quotes, self.tick - 1
        if quotes is None or tick < 0:
            return None
        bid, ask = quotes.bids[tick], quotes.asks[tick]
        return Quote(
            quotes.symbol,
            bid,
            ask,
            quotes.stamps[tick],
            last=middle(bid, ask),
            provider=PROVIDER,
        )
