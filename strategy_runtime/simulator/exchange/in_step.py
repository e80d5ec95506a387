"""Symbols that walk in step: most bars of most runs, without an agenda for each of them.

Where all symbols have bars of one length that begin at the same instants, and nothing but bars can
happen, the next instant is the next row of all their columns. Their candles are handed over in
runs that are made out of the columns as they are taken, and between them only the symbols that have
orders are looked at. What the general way (`replay`) would give is the same.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from heapq import heappush
from itertools import chain, islice

from strategy_runtime.clock import DAY_NS
from strategy_runtime.protocol.enums import OrderEventKind
from strategy_runtime.protocol.events import CandleRun, Event
from strategy_runtime.protocol.models import Candle
from strategy_runtime.simulator.data.spool import STRETCH
from strategy_runtime.simulator.exchange.replay import Replay
from strategy_runtime.simulator.exchange.walk import Walk, in_common, is_even, part_of
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.orders import PlainOrder
from strategy_runtime.simulator.splits import suspected_split

__all__ = ["InStep"]

_LONGEST = 1024
_PLENTY = 1.000001  # of floats; what is nearer to a limit is for decimals
_FARTHEST = 64
_BAR, _OPEN = Phase.BAR, Phase.OPEN


class InStep(Replay):
    """The exchange and its clock, which can hand over candles in runs."""

    __slots__ = ("_busy", "_caught_up", "_due", "_new", "_run", "_walk", "_window")

    def _furnish(self) -> None:
        super()._furnish()
        self._walk: Walk | None = None
        self._run: CandleRun | None = None
        self._caught_up: Candle | None = None
        self._window = 1
        """For how many bars it is worth asking whether they leave the orders that rest in peace."""
        self._busy: dict[int, Instrument] = {}
        self._due: dict[int, Instrument] = {}
        self._new: list[PlainOrder] = []
        """Plain orders that have been accepted since the last open, and so far rest nowhere."""

    def stream(self, phases: Iterator[None]) -> Iterator[Event | CandleRun]:
        """What phases announce, in the order in which it is to be dealt with.

        To be resumed only when that has been done. A run may be left before its end, for something
        that has to be done at once, such as giving an order; the next one goes on behind it.
        """
        outbox = self.outbox
        while True:
            while outbox:
                yield outbox.popleft()
            if self._untold:
                self._show()
            yield from self._in_step()
            self._tell_from_here()
            while outbox:
                yield outbox.popleft()
            if next(phases, self) is self:
                return

    def catch_up(self) -> None:
        """Have the bars of all symbols closed up to the candle in hand."""
        self._keep_time()
        if self._walk is not None:
            for lane in self._walk.lanes:
                self._close_up(lane)
            if self._new:
                self._let_new_rest()

    def _close_up(self, instrument: Instrument) -> None:
        """Have the bars of one symbol closed for as far as time has come.

        Of a thousand symbols only those need it at once that somebody looks at.
        """
        walk = self._walk
        if walk is not None and instrument.first_row >= 0:
            row = instrument.first_row + walk.done
            if instrument.row != row:
                instrument.row = row
                instrument.price = instrument.series.closes[row - 1]

    def _price_between_bars(self, instrument: Instrument) -> float | None:
        walk = self._walk
        if walk is None or instrument.first_row < 0:
            return super()._price_between_bars(instrument)
        row = instrument.row = instrument.first_row + walk.done
        price = instrument.price = instrument.series.closes[row - 1] if row else None
        return price

    def _visible_price(self, instrument: Instrument) -> float | None:
        if self._walk is not None:
            self._close_up(instrument)
        return super()._visible_price(instrument)

    def _keep_time(self) -> None:
        """Have time stand where the candle in hand was closed."""
        run, walk = self._run, self._walk
        if run is None or walk is None:
            return
        candle = run.last
        if candle is self._caught_up or candle is None:
            return
        self._caught_up = candle
        stamp: int = candle.stamp  # type: ignore[assignment]  # made here, of a column of integers
        before = walk.done
        if walk.is_even:
            done = walk.done = (stamp - walk.first) // walk.step + 1
        else:
            done = walk.done = bisect_right(walk.starts, stamp, before)
        if done != before:
            self.phase = _BAR
            self.now_ns = stamp + walk.step
            self.emitted += (done - before) * len(walk.lanes)

    def _in_step(self) -> Iterator[Event | CandleRun]:
        """Go on for as long as all symbols walk in step, which may be not at all."""
        outbox, lanes = self.outbox, self._lanes()
        if not lanes:
            return
        self._new = []
        due = self._due = {each[1]: each[2] for each in self._opens}
        busy = self._busy = {lane.rank: lane for lane in lanes if lane.resting or lane.rank in due}
        self._closes.clear()
        self._opens.clear()
        try:
            while starts := self._common_starts(lanes):
                walk = self._walk = Walk(lanes, starts)
                while walk.done < len(starts) and not self._is_bankrupt:
                    start = walk.starts[walk.done]
                    if self._new and (busy or self._is_at_risk or self._tells_at(start)):
                        self._let_new_rest()
                        self._show()
                    elif self._new:
                        self._open_new(start)
                    left = 0
                    if busy or due or outbox or self._is_at_risk:
                        left = self._instants_in_peace(walk) * len(lanes)
                        if not left:
                            yield from self._visit(walk)
                            left = len(lanes) if busy or self._is_at_risk else 0
                    if not walk.is_alone:
                        walk.candles = chain.from_iterable(self._instants(walk))
                    while True:
                        candles = islice(walk.candles, left) if left else walk.candles
                        run = self._run = CandleRun(candles, self._goes_on, self._ahead, walk.bound)
                        yield run
                        self._keep_time()
                        left = 0 if walk.is_alone or run.last is None else walk.left(run.last)
                        if not left:
                            break
                    self._run = None
                    while outbox:
                        yield outbox.popleft()
                    if self._is_at_risk:
                        self.catch_up()
                    if self._untold:
                        self._show()
                self.catch_up()
                if self._untold:
                    self._show()
                for lane in lanes:
                    if not lane.row % STRETCH:
                        lane.series.release()
            if self._is_bankrupt and due:
                self._open(self.now_ns)
                while outbox:
                    yield outbox.popleft()
        finally:
            self._leave(lanes)

    def _goes_on(self) -> bool:
        """Whether the candle behind the one in hand may be taken, though orders were given."""
        walk = self._walk
        if walk is None:
            return False
        if not walk.is_alone:  # the others of the instant come first
            return not self._has_more_to_do()
        return self._opens_at_once(walk)

    def _ahead(self, before: int) -> int:
        """See `CandleRun`; those of the instant in hand are left out of account."""
        self._keep_time()
        walk = self._walk
        if walk is None or self._new:
            return 0
        return (bisect_left(walk.starts, before, walk.done) - walk.done) * len(walk.lanes)

    def _opens_at_once(self, walk: Walk) -> bool:
        """Have new orders meet the open that comes now; False if that is not all there is to do."""
        if not self._new:  # time has been kept where there are new ones
            self._keep_time()
        if walk.done == len(walk.starts) or self._has_more_to_do():
            return False
        if not self._new:
            return True
        start = walk.starts[walk.done]
        if self._tells_at(start):
            return False
        self._open_new(start)
        return not (self._due or self._is_at_risk or self.outbox)

    def _has_more_to_do(self) -> bool:
        """Whether the bar that comes now is more to anybody than its candle."""
        return bool(self._busy or self._is_at_risk or self._untold or self.outbox)

    def _instants(self, walk: Walk) -> Iterator[tuple[Candle, ...]]:
        """The candles of one instant after the other, for as long as there is nothing else."""
        while True:
            if self._new and not self._opens_at_once(walk):
                return
            together = next(walk.instants, None)
            if together is None:
                return
            yield together

    def _visit(self, walk: Walk) -> Iterator[Event]:
        """Have orders and account meet the bars of one instant: their opens, then their ranges."""
        outbox, start = self.outbox, walk.starts[walk.done]
        self._tells_at(start + walk.step)
        if len(self._due) < len(self._busy):
            self._schedule_opens()
        if self._due:
            self._open(start)
        while outbox:
            yield outbox.popleft()
        if self._busy or self._is_at_risk:
            self._arrive(start + walk.step)
            self._meet_ranges(walk.lanes, _by_rank(self._busy))
            while outbox:
                yield outbox.popleft()

    # Plain orders

    def _let_wait(self, instrument: Instrument, order: PlainOrder) -> None:
        if instrument.first_row < 0:  # its bars have ended
            super()._let_wait(instrument, order)
        else:
            self._new.append(order)

    def _let_new_rest(self) -> None:
        new, self._new = self._new, []
        for order in new:
            super()._let_wait(self._instruments[order.symbol], order)

    def _open_new(self, start: int) -> None:
        """Have the orders that came since the last open, and only these, meet that which comes now.

        From one on that has to be looked at more closely, they come to rest in time for it.
        """
        new, self._new = self._new, []
        if len(new) > 1:
            new.sort(key=self._rank_of)
        self.now_ns, self.phase = start, _OPEN
        for order in new:
            lane = self._instruments[order.request.symbol]
            row = lane.row
            self._begin_bar(lane)
            if not self._due and self._fill_plain(lane, order, lane.series.opens[row]):
                continue
            self._untold.append((self._put_to_rest(lane, order), OrderEventKind.ORDER_CREATED))
            lane.scheduled = row
            self._due[lane.rank] = self._busy[lane.rank] = lane
        if self._untold:
            self._show()

    def _rank_of(self, order: PlainOrder) -> int:
        return self._instruments[order.symbol].rank

    def _leave(self, lanes: list[Instrument]) -> None:
        """Put everything on the agenda again."""
        self.catch_up()
        self._schedule_opens()
        self._walk = self._run = None
        for lane in self._due.values():
            heappush(self._opens, (lane.series.starts[lane.row], lane.rank, lane))
        for lane in lanes:
            lane.first_row = -1
            self._schedule_close(lane)

    def _open(self, start: int) -> None:
        """Test the orders that wait for it against the opens of the bars that begin now."""
        due = _by_rank(self._due)
        if due[0].series.starts[due[0].row] != start:
            return
        self._due.clear()
        if start != self.now_ns:
            self._arrive(start)
            if self._is_at_risk:
                self._pay_interest(start + 1)
        self.phase = Phase.OPEN
        for lane in due:
            self._match_open_at(lane, lane.series.opens[lane.row])
            if not lane.resting:
                self._busy.pop(lane.rank, None)

    def _schedule_open(self, instrument: Instrument) -> None:
        if self._walk is None:
            super()._schedule_open(instrument)
            return
        starts, row, rank = instrument.series.starts, instrument.row, instrument.rank
        if row == len(starts):
            return
        self._busy[rank] = instrument
        ahead = starts[row] - self.now_ns
        if instrument.scheduled != row and (ahead > 0 or (not ahead and self.phase != Phase.OPEN)):
            instrument.scheduled = row
            self._due[rank] = instrument

    def _with_orders(self) -> list[Instrument]:
        """The symbols in which orders rest, by rank; others are no longer looked at."""
        for lane in [lane for lane in self._busy.values() if not lane.resting]:
            del self._busy[lane.rank]
        return _by_rank(self._busy)

    def _schedule_opens(self) -> None:
        """Have orders tested against the opens of the bars that begin next."""
        for lane in self._with_orders():
            self._close_up(lane)
            if lane.scheduled != lane.row:
                self._schedule_open(lane)

    def _instants_in_peace(self, walk: Walk) -> int:
        """How many instants pass at which no price matters to an order or to an account at risk.

        Fewer than there are, where looking at them one by one would take longer; 0 also where there
        is neither the one nor the other.
        """
        if self._due:
            return 0
        lanes = self._with_orders()
        if not (lanes or self._is_at_risk):
            return 0
        rows = min(self._window, len(walk.starts) - walk.done)
        for lane in lanes:
            calm = lane.resting.calm
            if calm is None:
                return 0
            self._close_up(lane)
            rows = _rows_within(lane, rows, *calm)
        if self._is_at_risk:
            while rows and not self._is_safe(walk, rows):
                rows //= 2
            self._is_warned = self._is_warned and not rows
        self._window = min(2 * rows or 1, _FARTHEST)
        return rows

    def _is_safe(self, walk: Walk, rows: int) -> bool:
        """Whether an account at risk has margin enough, and owes for no night, for so many bars."""
        end = walk.starts[walk.done + rows - 1] + walk.step
        if self._day_before(end + 1) > self._charged_day:
            return False
        equity, value = float(self._ledger.cash), 0.0
        for holding in self._ledger.holdings.values():
            instrument = self._instruments[holding.symbol]
            self._close_up(instrument)
            row, quantity = instrument.row, float(holding.quantity)
            closes = instrument.series.closes[row : row + rows]
            if not len(closes):
                return False
            low, high = min(closes), max(closes)
            equity += quantity * (low if quantity > 0 else high)
            value += abs(quantity) * max(high, -low)
        # The margin to be kept is never more than the one to open a position.
        return equity * float(self.options.leverage) > value * _PLENTY

    # Which bars are in step

    def _lanes(self) -> list[Instrument]:
        """The symbols that have bars to come, by rank, if nothing else can happen; else none."""
        closes, phase = self._closes, self.phase
        if phase is Phase.INTRABAR or phase is Phase.QUOTE:
            return []  # amid an instant, when those whose turn it is are on no agenda
        if not closes or self._rollups or self._ticks or self._trades_due or self._is_bankrupt:
            return []
        end, _, leader = closes[0]
        begin = end - leader.series.step
        if any(each[0] != end for each in closes) or any(each[0] != begin for each in self._opens):
            return []
        lanes = [each[2] for each in sorted(closes)]
        if any(lane.rollups or not lane.subscribed or lane.quotes is not None for lane in lanes):
            return []
        return lanes

    def _common_starts(self, lanes: list[Instrument]) -> Sequence[int]:
        """When the next bars begin, for as long as they do so at the same instants everywhere."""
        rows = min(_LONGEST, *(self._rows_ahead(lane) for lane in lanes))
        if self._is_bankrupt or rows <= 0:
            return []
        leader = lanes[0]
        starts: Sequence[int] = part_of(leader.series.starts, leader.row, rows)
        for lane in lanes[1:]:
            if lane.series.step != leader.series.step:
                return []
            starts = in_common(starts, part_of(lane.series.starts, lane.row, len(starts)))
        for lane in lanes:
            starts = starts[: self._rows_in_peace(lane, starts)]
        return starts

    def _rows_ahead(self, lane: Instrument) -> int:
        """How many bars there are before an announced split, and before memory is given back."""
        starts, row = lane.series.starts, lane.row
        ahead = self._splits.get(lane.series.symbol) if self._splits else None
        last = bisect_left(starts, ahead[0][0]) if ahead else len(starts)
        return min(last, row - row % STRETCH + STRETCH) - row

    def _rows_in_peace(self, lane: Instrument, starts: Sequence[int]) -> int:
        """How many bars come before a jump over night that looks like a split, if anything is held.

        Of the later ones it does not matter whether anything is held now: it may be by then.
        """
        series, row, step = lane.series, lane.row, lane.series.step
        if not starts:
            return 0
        if row and self._ledger.holdings:
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


def _rows_within(lane: Instrument, rows: int, low: float, high: float) -> int:
    """For how many of the bars to come, at least, the market stays strictly between two prices."""
    lows, highs, row = lane.series.lows, lane.series.highs, lane.row
    while rows and not (min(lows[row : row + rows]) > low and max(highs[row : row + rows]) < high):
        rows //= 2
    return rows


def _by_rank(lanes: dict[int, Instrument]) -> list[Instrument]:
    return list(lanes.values()) if len(lanes) < 2 else [lanes[rank] for rank in sorted(lanes)]
