"""Symbols that walk in step: most bars of most runs, without an agenda for each of them.

Where all symbols have bars of one length that begin at the same instants, and nothing but bars can
happen, the next instant is the next row of all their columns. Their candles are handed over in
runs that are made out of the columns as they are taken, and between them only the symbols that have
orders are looked at. What the general way (`replay`) would give is the same.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain, islice

from strategy_runtime.protocol.events import CandleRun, Event
from strategy_runtime.protocol.models import Candle
from strategy_runtime.simulator.data.spool import STRETCH
from strategy_runtime.simulator.exchange.agenda import Agenda, by_rank
from strategy_runtime.simulator.exchange.crossing import Crossing
from strategy_runtime.simulator.exchange.liquidation import Liquidation
from strategy_runtime.simulator.exchange.news import News
from strategy_runtime.simulator.exchange.outlook import Outlook
from strategy_runtime.simulator.exchange.plain import PlainOrders
from strategy_runtime.simulator.exchange.replay import Replay
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.exchange.walk import Walk
from strategy_runtime.simulator.market import Phase

__all__ = ["InStep"]


class InStep:
    """Hands over candles in runs, for as long as all symbols walk in step."""

    __slots__ = (
        "_agenda",
        "_crossing",
        "_liquidation",
        "_news",
        "_outlook",
        "_plain",
        "_replay",
        "_state",
    )

    def __init__(
        self,
        state: State,
        news: News,
        agenda: Agenda,
        outlook: Outlook,
        plain: PlainOrders,
        crossing: Crossing,
        liquidation: Liquidation,
        replay: Replay,
    ) -> None:
        self._state = state
        self._news = news
        self._agenda = agenda
        self._outlook = outlook
        self._plain = plain
        self._crossing = crossing
        self._liquidation = liquidation
        self._replay = replay

    def stream(self, phases: Iterator[None]) -> Iterator[Event | CandleRun]:
        """See `Exchange.stream`."""
        outbox, news = self._state.outbox, self._news
        while True:
            while outbox:
                yield outbox.popleft()
            if news.untold:
                news.show()
            yield from self._runs()
            news.tell_from_here()
            while outbox:
                yield outbox.popleft()
            if next(phases, self) is self:
                return

    def catch_up(self) -> None:
        """Have everything stand where the candle in hand does: bars closed, new orders at rest."""
        self._state.catch_up()
        if self._plain.new:
            self._plain.let_new_rest()

    def _runs(self) -> Iterator[Event | CandleRun]:
        """Go on for as long as all symbols walk in step, which may be not at all."""
        state, agenda, lanes = self._state, self._agenda, self._outlook.lanes()
        if not lanes:
            return
        agenda.fall_in(lanes)
        try:
            while starts := self._outlook.common_starts(lanes):
                walk = state.walk = Walk(lanes, starts)
                yield from self._stretch(walk)
                self.catch_up()
                if self._news.untold:
                    self._news.show()
                for lane in lanes:
                    if not lane.row % STRETCH:
                        lane.series.release()
            if state.is_bankrupt and agenda.due:
                self._open(state.now_ns)
                while state.outbox:
                    yield state.outbox.popleft()
        finally:
            self.catch_up()
            agenda.fall_out(lanes)

    def _stretch(self, walk: Walk) -> Iterator[Event | CandleRun]:
        """The candles of a stretch in runs, and between these what else happens in its bars."""
        state, news, plain = self._state, self._news, self._plain
        busy, due, outbox, lanes = self._agenda.busy, self._agenda.due, state.outbox, walk.lanes
        while walk.done < len(walk.starts) and not state.is_bankrupt:
            if plain.new:
                self._meet_new(walk.starts[walk.done])
            left = 0
            if busy or due or outbox or state.is_at_risk:
                left = self._instants_in_peace(walk) * len(lanes)
                if not left:
                    yield from self._visit(walk)
                    left = len(lanes) if busy or state.is_at_risk else 0
            walk.is_in_parts = bool(plain.new) or not walk.is_alone
            if not walk.is_alone:
                walk.candles = chain.from_iterable(self._instants(walk))
            while True:
                candles = islice(walk.candles, left) if left else walk.candles
                if plain.new and walk.is_alone:
                    candles = chain.from_iterable(self._parts(walk))
                run = walk.run = CandleRun(candles, self._goes_on, self._ahead, walk.bound)
                yield run
                state.keep_time()
                left = 0 if walk.is_alone or run.last is None else walk.left(run.last)
                if not left:
                    break
            walk.run = None
            while outbox:
                yield outbox.popleft()
            if state.is_at_risk:
                self.catch_up()
            if news.untold:
                news.show()

    def _meet_new(self, start: int) -> None:
        """Have new orders meet the open that comes now, or come to rest if more than they do."""
        if self._agenda.busy or self._state.is_at_risk or self._tells_at(start):
            self._plain.let_new_rest()
            self._news.show()
        else:
            self._plain.open_new(start)

    def _tells_at(self, instant_ns: int) -> bool:
        """Have events made from here on where somebody might look between two things that happen
        at an instant; False where nothing is to change.
        """
        if not self._news.is_to_tell_at(instant_ns):
            return False
        self.catch_up()
        self._news.tell_from_here()
        return True

    # A run of candles

    def _goes_on(self) -> bool:
        """Whether the candle behind the one in hand may be taken, though orders were given."""
        walk = self._state.walk
        if walk is None:
            return False
        if walk.is_in_parts:  # new orders are dealt with when the next instant is asked for
            return not self._has_more_to_do()
        return not self._plain.has_others and self._opens_at_once(walk)

    def _ahead(self, before: int) -> int:
        """See `CandleRun`; those of the instant in hand are left out of account."""
        self._state.keep_time()
        walk = self._state.walk
        if walk is None or self._plain.new:
            return 0
        return (bisect_left(walk.starts, before, walk.done) - walk.done) * len(walk.lanes)

    def _opens_at_once(self, walk: Walk) -> bool:
        """Have new orders meet the open that comes now; False if that is not all there is to do."""
        state, plain = self._state, self._plain
        if not plain.new or plain.has_others:  # else accepting the new orders has kept the time
            state.keep_time()
        if walk.done == len(walk.starts) or self._has_more_to_do():
            return False
        if not plain.new:
            return True
        start = walk.starts[walk.done]
        if self._tells_at(start):
            return False
        plain.open_new(start)
        return not (self._agenda.busy or state.is_at_risk or state.outbox)

    def _has_more_to_do(self) -> bool:
        """Whether the bar that comes now is more to anybody than its candle."""
        state = self._state
        return bool(self._agenda.busy or state.is_at_risk or self._news.untold or state.outbox)

    def _instants(self, walk: Walk) -> Iterator[tuple[Candle, ...]]:
        """The candles of one instant after the other, for as long as there is nothing else."""
        while True:
            if self._plain.new and not self._opens_at_once(walk):
                return
            together = next(walk.instants, None)
            if together is None:
                return
            yield together

    def _parts(self, walk: Walk) -> Iterator[Iterator[Candle]]:
        """The candles of a symbol that is alone: one at a time, as long as prices of the next bar
        matter to an order that rests nowhere, and then all.
        """
        while self._plain.new:
            yield islice(walk.candles, 1)
            if self._plain.new and not self._opens_at_once(walk):
                return
        walk.is_in_parts = False
        yield walk.candles

    # Bars in which there is more to do

    def _instants_in_peace(self, walk: Walk) -> int:
        instants = self._outlook.instants_in_peace(walk)
        if instants and self._state.is_at_risk:
            self._liquidation.calm_down()
        return instants

    def _visit(self, walk: Walk) -> Iterator[Event]:
        """Have orders and account meet the bars of one instant: their opens, then their ranges."""
        state, agenda = self._state, self._agenda
        outbox, start = state.outbox, walk.starts[walk.done]
        self._tells_at(start + walk.step)
        if len(agenda.due) < len(agenda.busy):
            agenda.add_opens()
        if agenda.due:
            self._open(start)
        while outbox:
            yield outbox.popleft()
        if agenda.busy or state.is_at_risk:
            self._replay.arrive(start + walk.step)
            self._replay.meet_ranges(walk.lanes, by_rank(agenda.busy))
            while outbox:
                yield outbox.popleft()

    def _open(self, start: int) -> None:
        """Test the orders that wait for it against the opens of the bars that begin now."""
        state, agenda = self._state, self._agenda
        due = by_rank(agenda.due)
        if due[0].series.starts[due[0].row] != start:
            return
        agenda.due.clear()
        # Where all that waited has been cancelled, time does not stand still at the open.
        if start != state.now_ns and any(lane.resting for lane in due):
            self._replay.arrive(start, closes=False)
        for lane in due:
            if lane.resting:
                state.phase = Phase.OPEN
                self._crossing.match_open_at(lane, lane.series.opens[lane.row])
            if not lane.resting:
                agenda.busy.pop(lane.rank, None)
