"""The clock of the exchange: bars and quotes one instant after the other, orders against each.

At every instant there are three phases: orders are tested against the range of the bars that close,
then the candles of these bars are announced, then orders are tested against the opens of the bars
that begin. A quote is to orders what an open is; it is announced behind the fills it made. Whatever
a phase announces is delivered before the next one begins, and an order takes part from the next
phase on.
"""

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import TypeVar

from strategy_runtime.protocol.events import BacktestComplete
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries
from strategy_runtime.simulator.data.spool import STRETCH
from strategy_runtime.simulator.exchange.plain import Plain
from strategy_runtime.simulator.listing import add_quotes
from strategy_runtime.simulator.market import PROVIDER, Instrument, Phase
from strategy_runtime.simulator.rollup import GivenBars, Rollup

__all__ = ["Replay"]

_T = TypeVar("_T")


class Replay(Plain):
    """The exchange and its clock; `Exchange` adds the commands."""

    __slots__ = ("_closes", "_opens", "_rollups", "_ticks", "_trades_due")

    def _furnish(self) -> None:
        super()._furnish()
        self._rollups: list[tuple[int, int, Rollup | GivenBars]] = []
        self._closes: list[tuple[int, int, Instrument]] = []
        self._opens: list[tuple[int, int, Instrument]] = []
        self._ticks: list[tuple[int, int, Instrument]] = []
        self._trades_due: list[tuple[int, int, Instrument]] = []

    def _set_out(self) -> None:
        super()._set_out()
        for instrument in self._instruments.values():
            self._schedule_close(instrument)
            self._schedule_quote(instrument)
            self._schedule_trade(instrument)
            for given in instrument.coarser:
                if given.subscribed:
                    heappush(self._rollups, (given.end, given.rank, given))

    def phases(self) -> Iterator[None]:
        """Run to the next phase that announced something, again and again, to the end of the data.

        One that is paced also stops before each instant, whether that announces anything or not.
        To be resumed only when all of `outbox` has been delivered and dealt with, what commands
        added meanwhile included. The last phase announces `BacktestComplete`. Call it once.
        """
        yield from self.replay()
        yield from self.finish()

    def finish(self) -> Iterator[None]:
        """The last phase of a run: no bar will follow."""
        self.phase = Phase.END
        self._emit(BacktestComplete(broker=PROVIDER, timestamp=self.now))
        yield

    def replay(self) -> Iterator[None]:
        """The phases of all the bars there are; after `extend`, of those that came since."""
        outbox, closes, opens, rollups = self.outbox, self._closes, self._opens, self._rollups
        ticks, trades, is_paced = self._ticks, self._trades_due, self.is_paced
        if outbox:
            yield
        while not self._is_bankrupt:
            if is_paced:
                yield
            while opens and not self._has_to_open(opens[0][2]):
                heappop(opens)[2].scheduled = -1
            now = _soonest(closes, rollups, ticks, trades)
            if now is None:
                return
            if opens and opens[0][0] < now:
                now = opens[0][0]
            self._arrive(now)
            if (closes and closes[0][0] == now) or (rollups and rollups[0][0] == now):
                closing = _pop_all(closes, now)
                self._meet_ranges(closing, closing)
                if outbox:
                    yield
                self.phase = Phase.BAR
                for instrument in closing:
                    self._close_bar(instrument)
                for rollup in _pop_all(rollups, now):
                    candle = rollup.take()
                    if candle is not None:
                        self._emit(candle)
                    if rollup.end > now:
                        heappush(rollups, (rollup.end, rollup.rank, rollup))
                if outbox:
                    yield
            elif self._is_at_risk:
                self._pay_interest(now + 1)
            if ticks and ticks[0][0] == now:
                self.phase = Phase.QUOTE
                quoted = _pop_all(ticks, now)
                for instrument in quoted:
                    self._match_quote(instrument)
                if self._is_at_risk:
                    self._check_margin()
                if outbox:
                    yield
                for instrument in quoted:
                    quote = instrument.quote()
                    if quote is not None and instrument.wants_quotes:
                        self._emit(quote)
                    self._schedule_quote(instrument)
                if outbox:
                    yield
            for instrument in _pop_all(trades, now):
                self._take_trade(instrument)
            if opens and opens[0][0] == now:
                self.phase = Phase.OPEN
                for instrument in _pop_all(opens, now):
                    self._match_open(instrument)
                if outbox:
                    yield

    def _arrive(self, now: int) -> None:
        self.now_ns = now
        if self._is_at_risk:
            self._pay_interest(now)

    def _meet_ranges(self, closing: list[Instrument], busy: list[Instrument]) -> None:
        """Test orders against the ranges of the bars that close; all of them are in `busy`."""
        self.phase = Phase.INTRABAR
        for instrument in busy:
            if instrument.resting and instrument.quotes is None:
                self._match_range(instrument)
        if self._is_at_risk:
            for instrument in closing:
                if instrument.quotes is None:
                    instrument.price = instrument.series.closes[instrument.row]
            self._pay_interest(self.now_ns + 1)
            self._check_margin()

    @property
    def upcoming_ns(self) -> int | None:
        """The next instant at which something can happen, or None at the end of the data."""
        return _soonest(self._closes, self._opens, self._rollups, self._ticks, self._trades_due)

    @property
    def finest_step(self) -> int:
        """Length of the shortest bars, in nanoseconds."""
        return min((series.step for series in self._data), default=0)

    def extend(self, series: BarSeries) -> None:
        """Add bars while the exchange runs: to a symbol it has, or of a new one.

        Raises:
            ValueError: They begin before simulated now.
        """
        if series.starts and series.starts[0] < self.now_ns and self.phase is not Phase.START:
            raise ValueError(
                f"bars of {series.symbol} begin before the simulated instant {self.now}"
            )
        instrument = self._instruments.get(series.symbol)
        if instrument is None:
            self._data.append(series)
            instrument = Instrument(series, len(self._instruments), subscribed=True)
            self._instruments[series.symbol] = instrument
            if self.phase is Phase.START and len(self._instruments) == 1 and series.starts:
                self.now_ns = self._start_ns = series.starts[0]
            self._schedule_close(instrument)
            return
        was_exhausted = instrument.row == len(instrument.series.starts)
        instrument.series.extend(series)
        if was_exhausted:
            self._schedule_close(instrument)
            if instrument.resting:
                self._schedule_open(instrument)

    def extend_quotes(self, quotes: QuoteSeries) -> None:
        """Add quotes while the exchange runs; from then on a symbol's orders execute at these.

        Raises:
            ValueError: They begin before simulated now.
        """
        is_first = self.phase is Phase.START and not self._instruments
        if is_first:
            self.now_ns = self._start_ns = quotes.stamps[0]
        elif quotes.stamps[0] < self.now_ns:
            raise ValueError(
                f"quotes of {quotes.symbol} begin before the simulated instant {self.now}"
            )
        instrument = self._instruments.get(quotes.symbol)
        if instrument is None or instrument.quotes is None:
            self._schedule_quote(add_quotes(self._instruments, quotes, None))
            self._is_valued_later = False
            return
        was_exhausted = instrument.tick == len(instrument.quotes)
        instrument.quotes.extend(quotes)
        if was_exhausted:
            self._schedule_quote(instrument)

    def _schedule_close(self, instrument: Instrument) -> None:
        series, row = instrument.series, instrument.row
        if row < len(series.starts):
            heappush(self._closes, (series.starts[row] + series.step, instrument.rank, instrument))
            if self._is_split_due(instrument, series.starts[row]):
                self._schedule_open(instrument)

    def _schedule_quote(self, instrument: Instrument) -> None:
        quotes, tick = instrument.quotes, instrument.tick
        if quotes is not None and tick < len(quotes):
            if not tick % STRETCH:
                quotes.release()
            heappush(self._ticks, (quotes.stamps[tick], instrument.rank, instrument))

    def _schedule_trade(self, instrument: Instrument) -> None:
        trades, trade = instrument.trades, instrument.trade
        if trades is not None and trade < len(trades):
            heappush(self._trades_due, (trades.stamps[trade], instrument.rank, instrument))

    def _take_trade(self, instrument: Instrument) -> None:
        """Make a trade of the market part of the candles of its symbol."""
        trades, trade = instrument.trades, instrument.trade
        if trades is None:
            return
        price, size = trades.bids[trade], trades.sizes[trade]
        for rollup in instrument.rollups:
            if rollup.add_prices(trades.stamps[trade], price, price, price, price, size):
                heappush(self._rollups, (rollup.end, rollup.rank, rollup))
        instrument.trade = trade + 1
        self._schedule_trade(instrument)

    def _schedule_open(self, instrument: Instrument) -> None:
        """Put the open of the bar to come on the agenda, once, unless it has begun already."""
        if instrument.quotes is not None:
            return
        series, row = instrument.series, instrument.row
        if row == len(series.starts) or instrument.scheduled == row:
            return
        start = series.starts[row]
        if start > self.now_ns or (start == self.now_ns and self.phase is not Phase.OPEN):
            instrument.scheduled = row
            heappush(self._opens, (start, instrument.rank, instrument))

    def _has_to_open(self, instrument: Instrument) -> bool:
        """Whether the open of the bar to come still matters: orders may have been cancelled."""
        start = instrument.series.starts[instrument.row]
        return bool(instrument.resting) or self._is_split_due(instrument, start)

    def _close_bar(self, instrument: Instrument) -> None:
        row = instrument.row
        if row and self._ledger.holdings:
            self._look_for_split(instrument)
        if instrument.quotes is None:
            instrument.price = instrument.series.closes[row]
        if instrument.subscribed:
            self._emit(instrument.candle(row))
        for rollup in instrument.rollups:
            if rollup.add(instrument.series, row):
                heappush(self._rollups, (rollup.end, rollup.rank, rollup))
        instrument.row = row + 1
        if not instrument.row % STRETCH:
            instrument.series.release()
        self._schedule_close(instrument)
        if instrument.resting:
            self._schedule_open(instrument)


def _pop_all(agenda: list[tuple[int, int, _T]], now: int) -> list[_T]:
    due: list[_T] = []
    while agenda and agenda[0][0] == now:
        due.append(heappop(agenda)[2])
    return due


def _soonest(*agendas: Sequence[tuple[int, int, object]]) -> int | None:
    soonest: int | None = None
    for agenda in agendas:
        if agenda and (soonest is None or agenda[0][0] < soonest):
            soonest = agenda[0][0]
    return soonest
