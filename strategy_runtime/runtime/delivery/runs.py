"""Runs of candles: a tight loop that handles candle after candle until something else is due.

A backtest spends most of its time here, so everything possible is prepared before a run.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from strategy_runtime.clock import DAY_NS
from strategy_runtime.protocol.events import CandleRun
from strategy_runtime.protocol.models import Candle
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.clock import RunClock
from strategy_runtime.runtime.desk import TradingDesk
from strategy_runtime.runtime.observer import Handler
from strategy_runtime.runtime.timers import LONG_AGO_NS, Timers
from strategy_runtime.strategy import Strategy

__all__ = ["CandleRuns"]

_FEW_ORDERS = 8  # each is copied when the book stops following the venue
_MANY_CANDLES = 32  # from so many on, following the venue pays for starting and stopping it
_SHORTEST_MONTH_NS = 28 * DAY_NS


class CandleRuns:
    """Calls the hook of one strategy with the candles of runs.

    Args:
        table: The handlers of all kinds of event, for a candle that must be handled alone.
        needs_events: See `Dispatcher`.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        book: Book,
        clock: RunClock,
        desk: TradingDesk,
        timers: Timers,
        table: Mapping[type[Any], Handler],
        needs_events: bool,
    ) -> None:
        self._book = book
        self._clock = clock
        self._desk = desk
        self._timers = timers
        self._indicators = strategy._indicators
        self._table = table
        self._needs_events = needs_events
        self._interrupts: list[None] = []
        self._due: Candle | None = None

    def interrupt(self) -> None:
        """End a run after the current candle."""
        self._interrupts.append(None)

    def handler(self, call: Callable[[Candle], Awaitable[None] | None]) -> Handler:
        """Build the handler of runs, which handles candles until something else is due."""
        clock, timers, desk = self._clock, self._timers, self._desk
        last, keep, unsettled = self._book.last, self._book.keep, desk.unsettled
        indicators = self._indicators
        interrupts, fed = self._interrupts, indicators.fed_in_runs
        settle, checked = desk.settle_at_once, desk.checked

        def take(run: CandleRun) -> Awaitable[None] | None:
            clock.event = run
            before: str | None = None
            pushes: Sequence[Callable[[float], None]] = ()
            candles = run.candles
            if timers.is_set:
                candles = self._before_timers(run)
            for part in checked(run, candles):
                for candle in part:
                    run.last = candle
                    symbol = candle.symbol
                    last[symbol] = close = candle.close
                    if symbol is not before:
                        before = symbol
                        try:
                            pushes = fed[symbol]
                        except KeyError:
                            pushes = feed(candle)
                    for push in pushes:
                        push(close)
                    result = call(candle)
                    if result is not None or unsettled or interrupts:
                        if result is None and not interrupts and settle() and run.may_continue():
                            if part is candles:
                                continue
                            break
                        interrupts.clear()
                        return result
            due, self._due = self._due, None
            if due is None:
                return None
            run.last = due
            return self._table[Candle](due)

        def feed(first: Candle) -> Sequence[Callable[[float], None]]:
            """Return what is fed with the candles of a symbol, the same in all its runs."""
            feeds = indicators.feeds.get(first.symbol) or indicators.feeds_of(first)
            takers: list[Callable[[Candle], None]] = []
            if first.timeframe != feeds.timeframe:
                feeds = indicators.other_feeds_of(first)
            elif keep is not None:
                takers.append(keep)
            takers += feeds.updates
            pushes = fed[first.symbol] = [*feeds.pushes, *map(of_its_candle, takers)]
            return pushes

        def of_its_candle(update: Callable[[Candle], None]) -> Callable[[float], None]:
            return lambda close: update(clock.event.last)  # type: ignore[union-attr, arg-type]

        return take

    def _before_timers(self, run: CandleRun) -> Iterator[Candle]:
        """Return the candles of a run up to the first at which a timer may be due.

        That one is kept in `_due`.
        """
        first = next(run.candles, None)
        if first is None:
            return iter(())
        earliest_due_start, ahead = self._timers.earliest_due_start(first.timeframe), 0
        begin: int = first.stamp  # type: ignore[assignment]  # runs are made in process
        if begin >= earliest_due_start:
            self._due = first
            return iter(())
        if parse_timeframe(first.timeframe).nanoseconds < _SHORTEST_MONTH_NS:
            ahead = run.ahead(earliest_due_start)
        is_worth_it = ahead >= _MANY_CANDLES and self._book.open_count <= _FEW_ORDERS
        if is_worth_it and not self._needs_events:
            self._desk.follow_venue(self._timers.are_due_at)
        if not ahead:
            return self._one_by_one_before_timers(chain((first,), run.candles))
        rest = self._one_by_one_before_timers(run.candles)
        return chain((first,), islice(run.candles, ahead - 1), rest)

    def _one_by_one_before_timers(self, candles: Iterator[Candle]) -> Iterator[Candle]:
        earliest_due_start = LONG_AGO_NS
        for candle in candles:
            begin: int = candle.stamp  # type: ignore[assignment]  # runs are made in process
            if begin >= earliest_due_start:
                earliest_due_start = self._timers.earliest_due_start(candle.timeframe)
                if begin >= earliest_due_start:
                    self._due = candle
                    return
            yield candle

    def one_by_one(self, run: CandleRun) -> Awaitable[None] | None:
        """Handle each candle of a run like one that came alone."""
        handle, unsettled = self._table[Candle], self._desk.unsettled
        for candle in run.candles:
            run.last = candle
            result = handle(candle)
            if result is not None or unsettled or self._interrupts:
                self._interrupts.clear()
                return result
        return None
