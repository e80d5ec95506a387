"""The stretches of a run in which nothing but candles can happen: most bars of most runs.

Where one symbol is alone, no order rests and the account owes nothing, a bar is its candle and no
more. `quiet_bars` gives these candles straight away, without agendas, phases and the outbox; what
the general way would give is the same.
"""

from bisect import bisect_left
from collections.abc import Iterator

from strategy_runtime.protocol.models import Candle
from strategy_runtime.simulator.data.spool import STRETCH
from strategy_runtime.simulator.market import PROVIDER, Instrument, Phase
from strategy_runtime.simulator.nights import DAY
from strategy_runtime.simulator.replay import Replay

__all__ = ["Quiet"]

_CHUNK = 64


class Quiet(Replay):
    """The exchange and its clock, which can be asked for a quiet stretch between two phases."""

    _latest: Instrument | None = None

    @property
    def latest_row(self) -> str:
        """Where the last candle of a quiet stretch stands: `prices.csv line 34`."""
        latest = self._latest
        return "" if latest is None else latest.series.where(latest.row - 1)

    @property
    def is_quiet(self) -> bool:
        """Whether the next thing to happen is the candle of a bar, and nothing else can."""
        closes = self._closes
        if len(closes) != 1 or self._opens or self.outbox or self._is_at_risk:
            return False
        if self._rollups or self._ticks or self._trades_due or self._is_bankrupt:
            return False
        instrument = closes[0][2]
        if instrument.resting or instrument.rollups or not instrument.subscribed:
            return False
        return instrument.row < self._rows_before_split(instrument)

    def quiet_bars(self, most: int) -> Iterator[Candle]:
        """Run on to the next bar and give its candle, again and again, while all is quiet.

        To be resumed, like `phases`, only when the candle has been dealt with. Ends after `most`
        candles, or when there is something in `outbox`: the answer to an order, or a warning, with
        the candle behind it.
        """
        if not self.is_quiet:
            return
        self._latest = instrument = self._closes.pop()[2]
        outbox = self.outbox
        series, holdings = instrument.series, self._ledger.holdings
        symbol, timeframe, step = series.symbol, series.timeframe, series.step
        row = instrument.row
        expected = series.starts[row - 1] + step if row and step < DAY else -1
        stretch = row - row % STRETCH + STRETCH
        end = min(self._rows_before_split(instrument), row + most, stretch)
        self.phase = Phase.BAR
        begun = row
        try:
            while row < end:
                rows = slice(row, min(row + _CHUNK, end))
                for start, opened, high, low, close, volume in zip(
                    series.starts[rows],
                    series.opens[rows],
                    series.highs[rows],
                    series.lows[rows],
                    series.closes[rows],
                    series.volumes[rows],
                    strict=True,
                ):
                    self.now_ns = closed = start + step
                    if start != expected and holdings and row:
                        self._look_for_split(instrument)
                    expected = closed if step < DAY else -1
                    instrument.price = close
                    instrument.row = row = row + 1
                    candle = Candle(
                        symbol, timeframe, start, opened, high, low, close, volume, PROVIDER
                    )
                    if outbox:
                        outbox.append(candle)
                        return
                    yield candle
                    if outbox:
                        return
        finally:
            self.emitted += row - begun
            if row == stretch:
                series.release()
            self._schedule_close(instrument)

    def _rows_before_split(self, instrument: Instrument) -> int:
        starts = instrument.series.starts
        ahead = self._splits.get(instrument.series.symbol) if self._splits else None
        return bisect_left(starts, ahead[0][0]) if ahead else len(starts)
