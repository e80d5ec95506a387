"""The agenda: when each symbol next has a bar that closes or opens, a quote, a trade, a candle."""

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import TypeVar

from strategy_runtime.simulator.data.spool import STRETCH
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.rollup import GivenBars, Rollup

__all__ = ["Agenda", "by_rank", "pop_all"]

_T = TypeVar("_T")


class Agenda:
    """Heaps of coming instants, each with the symbol or candle it belongs to.

    While all symbols are in step, the next instant is the next row of each of them. They are not
    on the heaps then, and only the symbols in which orders rest are kept.

    Attributes:
        closes: Bars that close.
        opens: Bars that start, if an order waits for the open.
        rollups: Coarser candles that end.
        ticks: Quotes.
        trades: Market trades that candles are made of.
        busy: In step: the symbols in which orders rest, by rank.
        due: In step: those of them in which an order waits for the next open.
    """

    __slots__ = ("_state", "busy", "closes", "due", "opens", "rollups", "ticks", "trades")

    def __init__(self, state: State) -> None:
        self._state = state
        self.closes: list[tuple[int, int, Instrument]] = []
        self.opens: list[tuple[int, int, Instrument]] = []
        self.rollups: list[tuple[int, int, Rollup | GivenBars]] = []
        self.ticks: list[tuple[int, int, Instrument]] = []
        self.trades: list[tuple[int, int, Instrument]] = []
        self.busy: dict[int, Instrument] = {}
        self.due: dict[int, Instrument] = {}
        for instrument in state.instruments.values():
            self.add_close(instrument)
            self.add_quote(instrument)
            self.add_trade(instrument)
            for given in instrument.coarser:
                if given.subscribed:
                    self.add_rollup(given)

    @property
    def upcoming_ns(self) -> int | None:
        """The next instant at which something can happen, or None at the end of the data."""
        return _soonest(self.closes, self.opens, self.rollups, self.ticks, self.trades)

    def next_ns(self) -> int | None:
        """Return the next instant at which something happens, skipping opens that no longer matter.

        None if only opens are left.
        """
        opens = self.opens
        while opens and not self._has_to_open(opens[0][2]):
            heappop(opens)[2].scheduled = -1
        now = _soonest(self.closes, self.rollups, self.ticks, self.trades)
        return opens[0][0] if opens and now is not None and opens[0][0] < now else now

    def _has_to_open(self, instrument: Instrument) -> bool:
        start = instrument.series.starts[instrument.row]
        return bool(instrument.resting) or self._state.is_split_due(instrument, start)

    def add_close(self, instrument: Instrument) -> None:
        """Schedule the close of the current bar, and its open if a split comes before it."""
        series, row = instrument.series, instrument.row
        if row < len(series.starts):
            heappush(self.closes, (series.starts[row] + series.step, instrument.rank, instrument))
            if self._state.is_split_due(instrument, series.starts[row]):
                self.add_open(instrument)

    def add_open(self, instrument: Instrument) -> None:
        """Schedule the open of the next bar, for an order, unless the bar has started already."""
        if instrument.quotes is not None:
            return
        state, starts, row = self._state, instrument.series.starts, instrument.row
        if row == len(starts):
            return
        if state.walk is not None:
            self.busy[instrument.rank] = instrument
        ahead = starts[row] - state.now_ns
        if instrument.scheduled == row or ahead < 0 or (not ahead and state.phase is Phase.OPEN):
            return
        instrument.scheduled = row
        if state.walk is None:
            heappush(self.opens, (starts[row], instrument.rank, instrument))
        else:
            self.due[instrument.rank] = instrument

    def add_busy(self, instrument: Instrument) -> None:
        """Mark, in step, a symbol in which orders rest, none of which waits for an open."""
        self.busy[instrument.rank] = instrument

    def add_quote(self, instrument: Instrument) -> None:
        """Schedule the next quote."""
        quotes, tick = instrument.quotes, instrument.tick
        if quotes is not None and tick < len(quotes.stamps):
            if not tick % STRETCH:
                quotes.release()
            heappush(self.ticks, (quotes.stamps[tick], instrument.rank, instrument))

    def add_trade(self, instrument: Instrument) -> None:
        """Schedule the next market trade."""
        trades, trade = instrument.trades, instrument.trade
        if trades is not None and trade < len(trades):
            heappush(self.trades, (trades.stamps[trade], instrument.rank, instrument))

    def begin_rollups(self, instrument: Instrument, row: int) -> None:
        """Schedule the ends of the coarser candles that begin with the bar or trade of a row."""
        for rollup in instrument.rollups:
            if rollup.begin(row):
                self.add_rollup(rollup)

    def add_rollup(self, rollup: Rollup | GivenBars) -> None:
        """Schedule the end of a coarser candle."""
        heappush(self.rollups, (rollup.end, rollup.rank, rollup))

    # In step

    def enter_step(self, lanes: list[Instrument]) -> None:
        """Take all symbols that have bars to come off the heaps, to move them in step."""
        self.due = {each[1]: each[2] for each in self.opens}
        self.busy = {lane.rank: lane for lane in lanes if lane.resting or lane.rank in self.due}
        self.closes.clear()
        self.opens.clear()

    def leave_step(self, lanes: list[Instrument]) -> None:
        """Put the symbols back on the heaps, each with its own next instant."""
        self.add_opens()
        self._state.walk = None
        for lane in self.due.values():
            heappush(self.opens, (lane.series.starts[lane.row], lane.rank, lane))
        for lane in lanes:
            lane.first_row = -1
            self.add_close(lane)

    def with_orders(self) -> list[Instrument]:
        """Return the symbols in which orders rest, by rank, and drop the others from `busy`."""
        for lane in [lane for lane in self.busy.values() if not lane.resting]:
            del self.busy[lane.rank]
        return by_rank(self.busy)

    def add_opens(self) -> None:
        """Schedule the next opens of all symbols in which orders rest."""
        for lane in self.with_orders():
            self._state.close_up(lane)
            if lane.scheduled != lane.row:
                self.add_open(lane)


def pop_all(agenda: list[tuple[int, int, _T]], now: int) -> list[_T]:
    """Remove and return the entries due now, by rank."""
    due: list[_T] = []
    while agenda and agenda[0][0] == now:
        due.append(heappop(agenda)[2])
    return due


def by_rank(lanes: dict[int, Instrument]) -> list[Instrument]:
    """Return symbols in the order in which they are processed."""
    return list(lanes.values()) if len(lanes) < 2 else [lanes[rank] for rank in sorted(lanes)]


def _soonest(*heaps: Sequence[tuple[int, int, object]]) -> int | None:
    soonest: int | None = None
    for heap in heaps:
        if heap and (soonest is None or heap[0][0] < soonest):
            soonest = heap[0][0]
    return soonest
