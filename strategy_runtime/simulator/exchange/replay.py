"""The clock of the exchange: replays bars and quotes instant by instant and tests orders on each.

An instant has three phases: orders are tested against the range of the bars that close, the candles
of these bars are announced, and orders are tested against the opens of the bars that start. A quote
is treated like an open, and announced after the fills it made. The events of a phase are delivered
before the next phase starts, and an order can fill from the next phase on.
"""

from collections.abc import Iterator

from strategy_runtime.protocol.events import BacktestComplete
from strategy_runtime.protocol.subscriptions import EVERYTHING
from strategy_runtime.simulator.data.series import PROVIDER, BarSeries, QuoteSeries
from strategy_runtime.simulator.data.spool import STRETCH
from strategy_runtime.simulator.exchange.agenda import Agenda, pop_all
from strategy_runtime.simulator.exchange.crossing import Crossing
from strategy_runtime.simulator.exchange.liquidation import Liquidation
from strategy_runtime.simulator.exchange.news import News
from strategy_runtime.simulator.exchange.nights import Nights
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.listing import add_quotes
from strategy_runtime.simulator.market import Instrument, Phase

__all__ = ["Replay"]


class Replay:
    """Advances the clock."""

    __slots__ = ("_agenda", "_crossing", "_liquidation", "_news", "_nights", "_state")

    def __init__(
        self,
        state: State,
        news: News,
        agenda: Agenda,
        crossing: Crossing,
        nights: Nights,
        liquidation: Liquidation,
    ) -> None:
        self._state = state
        self._news = news
        self._agenda = agenda
        self._crossing = crossing
        self._nights = nights
        self._liquidation = liquidation

    def phases(self, *, is_paced: bool = False) -> Iterator[None]:
        """Run the phases of the bars so far; after `extend`, those of the new bars."""
        state, agenda = self._state, self._agenda
        outbox, closes, opens, rollups = state.outbox, agenda.closes, agenda.opens, agenda.rollups
        ticks, trades = agenda.ticks, agenda.trades
        if outbox:
            yield
        while not state.is_bankrupt:
            if is_paced:
                yield
            now = agenda.next_ns()
            if now is None:
                return
            has_closes = bool(closes and closes[0][0] == now)
            has_closes |= bool(rollups and rollups[0][0] == now)
            # Coarser candles may end long after the last price; those nights cost no interest.
            has_prices = bool(closes or ticks or trades)
            if has_prices:
                self.advance_to(now, closes=has_closes)
            else:
                state.now_ns = now
            if has_closes:
                closing = pop_all(closes, now)
                if has_prices:
                    self.meet_ranges(closing, closing)
                if outbox:
                    yield
                self._announce_bars(closing)
                if outbox:
                    yield
            while ticks and ticks[0][0] == now:
                quoted = pop_all(ticks, now)
                self._meet_quotes(quoted)
                if outbox:
                    yield
                self._announce_quotes(quoted)
                if outbox:
                    yield
            if trades:
                for instrument in pop_all(trades, now):
                    self._take_trade(instrument)
            if opens and opens[0][0] == now:
                self._meet_opens(pop_all(opens, now))
                if outbox:
                    yield

    def finish(self) -> Iterator[None]:
        """Run the last phase of a run: no bar will follow."""
        self._state.phase = Phase.END
        self._news.emit(BacktestComplete(broker=PROVIDER, timestamp=self._state.now))
        yield

    def advance_to(self, now: int, *, closes: bool = True) -> None:
        """Advance to another instant and charge interest up to it.

        A midnight at which bars close is charged only after their ranges.
        """
        self._state.now_ns = now
        if self._state.is_at_risk:
            self._nights.charge_interest(now)
            if not closes:
                self._nights.charge_interest(now + 1)

    def meet_ranges(self, closing: list[Instrument], busy: list[Instrument]) -> None:
        """Test orders against the ranges of the bars that close; `busy` lists all with orders."""
        state = self._state
        state.phase = Phase.INTRABAR
        for instrument in busy:
            if instrument.resting and instrument.quotes is None:
                self._crossing.match_range(instrument)
        if state.is_at_risk:
            for instrument in closing:
                if instrument.quotes is None:
                    instrument.price = instrument.series.closes[instrument.row]
            state.revalue_all()
            self._nights.charge_interest(state.now_ns + 1)
            self._liquidation.check()

    def _meet_quotes(self, quoted: list[Instrument]) -> None:
        """Test orders against the quotes of this instant."""
        self._state.phase = Phase.QUOTE
        for instrument in quoted:
            self._crossing.match_quote(instrument)
        if self._state.is_at_risk:
            self._liquidation.check()

    def _meet_opens(self, opening: list[Instrument]) -> None:
        """Test orders against the opens of the bars that start now."""
        self._state.phase = Phase.OPEN
        for instrument in opening:
            self._crossing.match_open(instrument)

    def _announce_quotes(self, quoted: list[Instrument]) -> None:
        for instrument in quoted:
            quote = instrument.quote()
            if quote is not None and instrument.wants_quotes:
                self._news.emit(quote)
            self._agenda.add_quote(instrument)

    def _announce_bars(self, closing: list[Instrument]) -> None:
        """Announce the candles of the bars that close, then the coarser candles that end."""
        state, agenda = self._state, self._agenda
        state.phase = Phase.BAR
        if state.ledger.holdings:
            for instrument in closing:  # warns before the candles, which come in a row
                if instrument.row:
                    self._nights.check_for_split(instrument)
        for instrument in closing:
            self._close_bar(instrument)
        for rollup in pop_all(agenda.rollups, state.now_ns):
            self._news.emit(rollup.take())
            if rollup.end > state.now_ns:
                agenda.add_rollup(rollup)

    def _close_bar(self, instrument: Instrument) -> None:
        row = instrument.row
        if instrument.quotes is None:
            instrument.price = instrument.series.closes[row]
        if instrument.subscribed:
            self._news.emit(instrument.series.candle(row))
        self._agenda.begin_rollups(instrument, row)
        instrument.row = row + 1
        if not instrument.row % STRETCH:
            instrument.series.release()
        self._agenda.add_close(instrument)
        if instrument.resting:
            self._agenda.add_open(instrument)

    def _take_trade(self, instrument: Instrument) -> None:
        """Take in a market trade, with which candles of its symbol may begin."""
        self._agenda.begin_rollups(instrument, instrument.trade)
        instrument.trade += 1
        self._agenda.add_trade(instrument)

    # More data

    def extend(self, series: BarSeries) -> None:
        """See `Exchange.extend`."""
        state = self._state
        if series.starts and series.starts[0] < state.now_ns and state.phase is not Phase.START:
            raise ValueError(
                f"bars of {series.symbol} begin before the simulated instant {state.now}"
            )
        instrument = state.instruments.get(series.symbol)
        if instrument is None:
            state.data.append(series)
            instrument = Instrument(series, len(state.instruments), subscribed=True)
            state.instruments[series.symbol] = instrument
            if state.phase is Phase.START and len(state.instruments) == 1 and series.starts:
                state.now_ns = state.start_ns = series.starts[0]
            self._agenda.add_close(instrument)
            return
        was_exhausted = instrument.row == len(instrument.series.starts)
        instrument.series.extend(series)
        state.revalue_all()
        if was_exhausted:
            self._agenda.add_close(instrument)
            if instrument.resting:
                self._agenda.add_open(instrument)

    def extend_quotes(self, quotes: QuoteSeries) -> None:
        """See `Exchange.extend_quotes`."""
        state = self._state
        is_first = state.phase is Phase.START and not state.instruments
        if is_first:
            state.now_ns = state.start_ns = quotes.stamps[0]
        elif quotes.stamps[0] < state.now_ns:
            raise ValueError(
                f"quotes of {quotes.symbol} begin before the simulated instant {state.now}"
            )
        instrument = state.instruments.get(quotes.symbol)
        if instrument is None or instrument.quotes is None:
            if instrument is not None:
                instrument.resting.wake_all()  # a quote now takes the place of the next open
                instrument.volume_left = None  # it was that of a bar
            self._agenda.add_quote(add_quotes(state.instruments, quotes, EVERYTHING))
            self._news.value_at_once()
            return
        was_exhausted = instrument.tick == len(instrument.quotes)
        instrument.quotes.extend(quotes)
        if was_exhausted:
            self._agenda.add_quote(instrument)
