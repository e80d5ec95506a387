"""Bars as columns: what the readers produce and the exchange replays."""

from array import array

__all__ = ["BarSeries", "QuoteSeries", "middle"]


class BarSeries:
    """The bars of one symbol in one timeframe, in the order of time.

    Columns all have the same length. No object exists for a bar until it is sent.

    Attributes:
        symbol: As in the file.
        timeframe: Canonical text, `1m`.
        step: Its length in nanoseconds.
        starts: Start of each bar, nanoseconds since the epoch, UTC, strictly increasing.
        opens, highs, lows, closes: Prices.
        volumes: 0 where unknown.
        source: The file the bars came from, as it was named.
        lines: Line (CSV) or row (Parquet) of each bar in that file, from 1; None for made-up bars.
    """

    __slots__ = (
        "closes",
        "highs",
        "lines",
        "lows",
        "opens",
        "source",
        "starts",
        "step",
        "symbol",
        "timeframe",
        "volumes",
    )

    def __init__(
        self,
        symbol: str,
        timeframe: str,
        step: int,
        *,
        source: str = "",
        with_lines: bool = False,
    ) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self.step = step
        self.source = source
        self.starts = array("q")
        self.opens = array("d")
        self.highs = array("d")
        self.lows = array("d")
        self.closes = array("d")
        self.volumes = array("d")
        self.lines: array[int] | None = array("q") if with_lines else None

    def __len__(self) -> int:
        return len(self.starts)

    def append(
        self, start: int, open: float, high: float, low: float, close: float, volume: float
    ) -> None:
        """Add a bar at the end."""
        self.starts.append(start)
        self.opens.append(open)
        self.highs.append(high)
        self.lows.append(low)
        self.closes.append(close)
        self.volumes.append(volume)

    def extend(self, other: "BarSeries") -> None:
        """Add the bars of another series at the end."""
        self.starts.extend(other.starts)
        self.opens.extend(other.opens)
        self.highs.extend(other.highs)
        self.lows.extend(other.lows)
        self.closes.extend(other.closes)
        self.volumes.extend(other.volumes)
        if self.lines is not None and other.lines is not None:
            self.lines.extend(other.lines)

    def __repr__(self) -> str:
        return f"<BarSeries {self.symbol} {self.timeframe} {len(self)} bars>"


class QuoteSeries:
    """The changes of one symbol's best bid and ask, in the order of time.

    Attributes:
        symbol: As in the file.
        stamps: Time of each quote, nanoseconds since the epoch, UTC, never falling.
        bids, asks: Best prices.
        source: The file the quotes came from, as it was named.
    """

    __slots__ = ("asks", "bids", "source", "stamps", "symbol")

    def __init__(self, symbol: str, *, source: str = "") -> None:
        self.symbol = symbol
        self.source = source
        self.stamps = array("q")
        self.bids = array("d")
        self.asks = array("d")

    def __len__(self) -> int:
        return len(self.stamps)

    def append(self, stamp: int, bid: float, ask: float) -> None:
        """Add a quote at the end."""
        self.stamps.append(stamp)
        self.bids.append(bid)
        self.asks.append(ask)

    def extend(self, other: "QuoteSeries") -> None:
        """Add the quotes of another series at the end."""
        self.stamps.extend(other.stamps)
        self.bids.extend(other.bids)
        self.asks.extend(other.asks)

    def as_bars(self) -> BarSeries:
        """Each quote as a bar of no length at the middle of bid and ask, for reports."""
        bars = BarSeries(self.symbol, "quote", 0, source=self.source)
        bars.starts = self.stamps
        prices = array("d", map(middle, self.bids, self.asks))
        bars.opens = bars.highs = bars.lows = bars.closes = prices
        bars.volumes = array("d", bytes(8 * len(self.stamps)))
        return bars

    def __repr__(self) -> str:
        return f"<QuoteSeries {self.symbol} {len(self)} quotes>"


def middle(bid: float, ask: float) -> float:
    """Half way between bid and ask, without the noise of binary fractions."""
    return round((bid + ask) / 2, 12)
