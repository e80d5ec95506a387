"""Look-ahead: for how many bars nothing happens except that candles are sent."""

from bisect import bisect_left
from collections.abc import Sequence

from strategy_runtime.clock import DAY_NS
from strategy_runtime.simulator.data.spool import STRETCH
from strategy_runtime.simulator.exchange.agenda import Agenda
from strategy_runtime.simulator.exchange.nights import Nights
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.exchange.walk import Walk, in_common, is_even, part_of
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.splits import suspected_split

__all__ = ["Outlook"]

_LONGEST = 1024
"""Most instants of one walk."""
_FARTHEST = 64
"""Most instants to look ahead at once."""
_FEWEST = 4
"""Fewest bars before the one with which a coarser candle ends that are worth moving in step."""
_PLENTY = 1.000001
"""Factor by which floats must clear a limit; closer cases are decided with decimals."""


class Outlook:
    """Looks ahead in the columns of the data, for symbols that move in step."""

    __slots__ = ("_agenda", "_nights", "_state")

    def __init__(self, state: State, agenda: Agenda, nights: Nights) -> None:
        self._state = state
        self._agenda = agenda
        self._nights = nights

    # Which bars are in step

    def lanes(self) -> list[Instrument]:
        """Return the symbols that have bars to come, by rank, if they can move in step; else none.

        They can if their next bars close together and nothing but bars can happen until a coarser
        candle ends, which is not too soon.
        """
        state, agenda = self._state, self._agenda
        closes, phase = agenda.closes, state.phase
        if phase is Phase.INTRABAR or phase is Phase.QUOTE:
            return []  # within an instant, the symbols being processed are not on the agenda
        if not closes or agenda.ticks or agenda.trades or state.is_bankrupt:
            return []
        end, _, leader = closes[0]
        if self._is_candle_soon(leader, end):
            return []
        begin = end - leader.series.step
        if any(each[0] != end for each in closes) or any(each[0] != begin for each in agenda.opens):
            return []
        lanes = [each[2] for each in sorted(closes)]
        if any(not lane.subscribed or lane.quotes is not None for lane in lanes):
            return []
        for lane in lanes:
            agenda.begin_rollups(lane, lane.row)
        return [] if self._is_candle_soon(leader, end) else lanes

    def _is_candle_soon(self, leader: Instrument, end: int) -> bool:
        """Return whether a coarser candle ends soon after a bar that ends at `end`."""
        rollups = self._agenda.rollups
        return bool(rollups) and rollups[0][0] - end < _FEWEST * leader.series.step

    def common_starts(self, lanes: list[Instrument]) -> Sequence[int]:
        """Return when the next bars start, for as long as they start together in all lanes."""
        rows = min(_LONGEST, *(self._rows_ahead(lane) for lane in lanes))
        if self._state.is_bankrupt or rows <= 0:
            return []
        leader = lanes[0]
        starts: Sequence[int] = part_of(leader.series.starts, leader.row, rows)
        for lane in lanes[1:]:
            if lane.series.step != leader.series.step:
                return []
            starts = in_common(starts, part_of(lane.series.starts, lane.row, len(starts)))
        for lane in lanes:
            starts = starts[: self._rows_unsplit(lane, starts)]
        return starts

    def _rows_ahead(self, lane: Instrument) -> int:
        """Return the number of bars before the next release of memory, before an announced split,
        and before the bar with which a coarser candle ends.
        """
        starts, row, splits = lane.series.starts, lane.row, self._state.splits
        ahead = splits.get(lane.series.symbol) if splits else None
        last = bisect_left(starts, ahead[0][0]) if ahead else len(starts)
        if rollups := self._agenda.rollups:
            last = bisect_left(starts, rollups[0][0] - lane.series.step, row, last)
        return min(last, row - row % STRETCH + STRETCH) - row

    def _rows_unsplit(self, lane: Instrument, starts: Sequence[int]) -> int:
        """Return the number of bars before an overnight jump that looks like a split.

        A jump before the first bar counts only while positions are held; a later one always counts,
        because a position may be held by then.
        """
        series, row, step = lane.series, lane.row, lane.series.step
        if not starts:
            return 0
        if row and self._state.ledger.holdings:
            is_overnight = step >= DAY_NS or series.starts[row - 1] + step < starts[0]
            if is_overnight and suspected_split(series.closes[row - 1], series.opens[row]):
                return 0
        if step < DAY_NS and is_even(starts, step):
            return len(starts)
        for ahead in range(1, len(starts)):
            if step >= DAY_NS or starts[ahead - 1] + step < starts[ahead]:
                close, opened = series.closes[row + ahead - 1], series.opens[row + ahead]
                if suspected_split(close, opened):
                    return ahead
        return len(starts)

    # Which bars matter to nobody

    def quiet_instants(self, walk: Walk) -> int:
        """Return for how many instants no price matters to an order or to an account at risk.

        May be fewer than there are, because checking them one by one would take longer; 0 if there
        are neither orders nor an account at risk.
        """
        if self._agenda.due:
            return 0
        state, lanes = self._state, self._agenda.with_orders()
        if not (lanes or state.is_at_risk):
            return 0
        # Look twice as far as since the last look: if orders come and go at every bar, looking
        # further is wasted.
        since, walk.last_lookahead = walk.done - walk.last_lookahead, walk.done
        rows = min(2 * since or 1, _FARTHEST, len(walk.starts) - walk.done)
        for lane in lanes:
            quiet, expires_ns = lane.resting.quiet_range, lane.resting.expires_ns
            if quiet is None:
                return 0
            if rows and walk.starts[walk.done + rows - 1] >= expires_ns:
                rows = bisect_left(walk.starts, expires_ns, walk.done) - walk.done
            state.close_up(lane)
            rows = _rows_within(lane, rows, *quiet)
        if state.is_at_risk:
            while rows and not self._is_safe(walk, rows):
                rows //= 2
        return rows

    def _is_safe(self, walk: Walk, rows: int) -> bool:
        """Return whether an account at risk keeps enough margin and owes no interest for `rows`
        bars.
        """
        state = self._state
        end = walk.starts[walk.done + rows - 1] + walk.step
        if self._nights.is_interest_due(end + 1):
            return False
        equity, value = float(state.ledger.cash), 0.0
        for holding in state.ledger.holdings.values():
            instrument = state.instruments[holding.symbol]
            state.close_up(instrument)
            row, quantity = instrument.row, float(holding.quantity)
            closes = instrument.series.closes[row : row + rows]
            if not len(closes):
                return False
            low, high = min(closes), max(closes)
            equity += quantity * (low if quantity > 0 else high)
            value += abs(quantity) * max(high, -low)
        # The maintenance margin is never more than the margin to open a position.
        return equity * float(state.options.leverage) > value * _PLENTY


def _rows_within(lane: Instrument, rows: int, low: float, high: float) -> int:
    """Return a number of coming bars, at most `rows`, that stay strictly between two prices."""
    lows, highs, row = lane.series.lows, lane.series.highs, lane.row
    while rows and not (min(lows[row : row + rows]) > low and max(highs[row : row + rows]) < high):
        rows //= 2
    return rows
