"""The fast path for symbols in step, as most bars of most runs are.

If all symbols have bars of one length that start at the same instants, and nothing but bars can
happen, the next instant is the next row of all their columns. Their candles are delivered in runs,
made from the columns as they are consumed, and between runs only symbols with orders are visited.
The result is the same as on the general path (`replay`).
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain, islice

from strategy_runtime.protocol.events import INSTANT_CLOSED, CandleRun, Event, Item
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
    """Delivers candles in runs while all symbols are in step.

    Attributes:
        tells_instants: Whether `InstantClosed` follows the last candle of each instant.
    """

    __slots__ = (
        "_agenda",
        "_crossing",
        "_liquidation",
        "_news",
        "_outlook",
        "_plain",
        "_replay",
        "_state",
        "tells_instants",
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
        self.tells_instants = False

    def stream(self, phases: Iterator[None]) -> Iterator[Item]:
        """See `Exchange.stream`."""
        state, news = self._state, self._news
        outbox = state.outbox
        while True:
            while outbox:
                event = outbox.popleft()
                yield event
                if self.tells_instants and type(event) is Candle and not state.is_candle_next:
                    yield INSTANT_CLOSED
            if news.pending:
                news.show_pending()
            yield from self._runs()
            news.resume_events()
            while outbox:
                yield outbox.popleft()
            if next(phases, self) is self:
                return

    def catch_up(self) -> None:
        """Bring the state up to the current candle: close its bars and let new orders rest."""
        self._state.catch_up()
        if self._plain.new:
            self._plain.rest_new()

    def _runs(self) -> Iterator[Item]:
        """Deliver candles while all symbols are in step, which may be none."""
        state, agenda, lanes = self._state, self._agenda, self._outlook.lanes()
        if not lanes:
            return
        agenda.enter_step(lanes)
        try:
            while starts := self._outlook.common_starts(lanes):
                walk = state.walk = Walk(lanes, starts)
                yield from self._stretch(walk)
                self.catch_up()
                if self._news.pending:
                    self._news.show_pending()
                for lane in lanes:
                    if not lane.row % STRETCH:
                        lane.series.release()
            if state.is_bankrupt and agenda.due:
                self._open(state.now_ns)
                while state.outbox:
                    yield state.outbox.popleft()
        finally:
            self.catch_up()
            agenda.leave_step(lanes)

    def _stretch(self, walk: Walk) -> Iterator[Item]:
        """Yield the candles of a stretch in runs, and between runs the other events of its bars."""
        state, news, plain = self._state, self._news, self._plain
        busy, due, outbox, lanes = self._agenda.busy, self._agenda.due, state.outbox, walk.lanes
        while walk.done < len(walk.starts) and not state.is_bankrupt:
            if plain.new:
                self._meet_new(walk.starts[walk.done])
            left = 0
            if busy or due or outbox or state.is_at_risk:
                left = self._quiet_instants(walk) * len(lanes)
                if not left:
                    yield from self._visit(walk)
                    left = len(lanes) if busy or state.is_at_risk else 0
            if self.tells_instants:  # one at a time
                left = len(lanes)
            walk.is_stepwise = bool(plain.new) or not walk.is_alone or self.tells_instants
            if not walk.is_alone:
                walk.candles = chain.from_iterable(self._instants(walk))
            while True:
                candles = islice(walk.candles, left) if left else walk.candles
                if plain.new and walk.is_alone and not self.tells_instants:
                    candles = chain.from_iterable(self._stepwise(walk))
                run = walk.run = CandleRun(candles, self._may_continue, self._ahead, walk.bound)
                yield run
                state.keep_time()
                left = 0 if walk.is_alone or run.last is None else walk.left(run.last)
                if not left:
                    break
            walk.run = None
            if self.tells_instants:
                yield INSTANT_CLOSED
            while outbox:
                yield outbox.popleft()
            if state.is_at_risk:
                self.catch_up()
            if news.pending:
                news.show_pending()

    def _meet_new(self, start: int) -> None:
        """Test new orders against the next open, or let them rest if it needs the general path."""
        if self._agenda.busy or self._state.is_at_risk or self._switch_to_events_at(start):
            self._plain.rest_new()
            self._news.show_pending()
        else:
            self._plain.match_new(start)

    def _switch_to_events_at(self, instant_ns: int) -> bool:
        """Emit events from now on, if changes at an instant must be announced one by one.

        Return whether that is so.
        """
        if not self._news.needs_events_at(instant_ns):
            return False
        self.catch_up()
        self._news.resume_events()
        return True

    # A run of candles

    def _may_continue(self) -> bool:
        """Return whether the next candle may be taken, although orders were placed."""
        walk = self._state.walk
        if walk is None:
            return False
        if walk.is_stepwise:  # new orders are handled when the next instant is requested
            return not self._needs_visit()
        return not self._plain.has_others and self._meet_next_open(walk)

    def _ahead(self, before: int) -> int:
        """See `CandleRun`; candles of the current instant do not count."""
        self._state.keep_time()
        walk = self._state.walk
        if walk is None or self._plain.new:
            return 0
        return (bisect_left(walk.starts, before, walk.done) - walk.done) * len(walk.lanes)

    def _meet_next_open(self, walk: Walk) -> bool:
        """Test new orders against the next open; return False if the bar needs more than that."""
        state, plain = self._state, self._plain
        if not plain.new or plain.has_others:  # else accepting the new orders has advanced the time
            state.keep_time()
        if walk.done == len(walk.starts) or self._needs_visit():
            return False
        if not plain.new:
            return True
        start = walk.starts[walk.done]
        if self._switch_to_events_at(start):
            return False
        plain.match_new(start)
        return not (self._agenda.busy or state.is_at_risk or state.outbox)

    def _needs_visit(self) -> bool:
        """Return whether the next bar needs more than its candle to be sent."""
        state = self._state
        return bool(self._agenda.busy or state.is_at_risk or self._news.pending or state.outbox)

    def _instants(self, walk: Walk) -> Iterator[tuple[Candle, ...]]:
        """Yield the candles of each instant, until one needs anything else."""
        while True:
            if self._plain.new and not self._meet_next_open(walk):
                return
            together = next(walk.instants, None)
            if together is None:
                return
            yield together

    def _stepwise(self, walk: Walk) -> Iterator[Iterator[Candle]]:
        """Yield the candles of a single symbol: one by one while new orders wait, then all."""
        while self._plain.new:
            yield islice(walk.candles, 1)
            if self._plain.new and not self._meet_next_open(walk):
                return
        walk.is_stepwise = False
        yield walk.candles

    # Bars that need a visit

    def _quiet_instants(self, walk: Walk) -> int:
        instants = self._outlook.quiet_instants(walk)
        if instants and self._state.is_at_risk:
            self._liquidation.rearm_warning()
        return instants

    def _visit(self, walk: Walk) -> Iterator[Event]:
        """Test orders and account against the bars of one instant: the opens, then the ranges."""
        state, agenda = self._state, self._agenda
        outbox, start = state.outbox, walk.starts[walk.done]
        self._switch_to_events_at(start + walk.step)
        if len(agenda.due) < len(agenda.busy):
            agenda.add_opens()
        if agenda.due:
            self._open(start)
        while outbox:
            yield outbox.popleft()
        if agenda.busy or state.is_at_risk:
            self._replay.advance_to(start + walk.step)
            self._replay.meet_ranges(walk.lanes, by_rank(agenda.busy))
            while outbox:
                yield outbox.popleft()

    def _open(self, start: int) -> None:
        """Test the orders that wait for an open against the opens of the bars that start now."""
        state, agenda = self._state, self._agenda
        due = by_rank(agenda.due)
        if due[0].series.starts[due[0].row] != start:
            return
        agenda.due.clear()
        # If all orders that waited have been cancelled, time does not stop at the open.
        if start != state.now_ns and any(lane.resting for lane in due):
            self._replay.advance_to(start, closes=False)
        for lane in due:
            if lane.resting:
                state.phase = Phase.OPEN
                self._crossing.match_open_at(lane, lane.series.opens[lane.row])
            if not lane.resting:
                agenda.busy.pop(lane.rank, None)
