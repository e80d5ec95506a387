"""Candles in runs: taken one after the other, without leaving, until there is something else to do.

Most of a backtest's time goes here, so whatever can be found out before a run is found out there.
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

_FEW_ORDERS = 8  # to look away means to make a copy of each
_MANY_CANDLES = 32  # so many save what it takes to look and to look away again
_SHORTEST_MONTH_NS = 28 * DAY_NS


class CandleRuns:
    """Takes the candles of runs to the hook of one strategy.

    Args:
        table: The handlers of all kinds of event, for a candle that has to be dealt with by itself.
        hears_changes: See `Dispatcher`.
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
        hears_changes: bool,
    ) -> None:
        self._book = book
        self._clock = clock
        self._desk = desk
        self._timers = timers
        self._indicators = strategy._indicators
        self._table = table
        self._hears_changes = hears_changes
        self._interrupts: list[None] = []
        self._due: Candle | None = None

    def interrupt(self) -> None:
        """End a run after the candle in hand."""
        self._interrupts.append(None)

    def handler(self, call: Callable[[Candle], Awaitable[None] | None]) -> Handler:
        """A handler of runs that takes candle after candle until there is something else to do."""
        clock, timers, desk = self._clock, self._timers, self._desk
        last, keep, unsettled = self._book.last, self._book.keep, desk.unsettled
        indicators = self._indicators
        interrupts, fed = self._interrupts, indicators.fed_in_runs
        settle, seen = desk.settle_at_once, desk.seen

        def take(run: CandleRun) -> Awaitable[None] | None:
            clock.event = run
            before: str | None = None
            pushes: Sequence[Callable[[float], None]] = ()
            candles = run.candles
            if timers.is_set:
                candles = self._before_timers(run)
            for part in seen(run, candles):
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
                        if result is None and not interrupts and settle() and run.goes_on():
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
            """What is to be fed with the candles of a symbol, the same in all its runs."""
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
        """The candles of a run up to the first at which a timer may be due; that one is kept."""
        first = next(run.candles, None)
        if first is None:
            return iter(())
        begins_by, ahead = self._timers.begins_by(first.timeframe), 0
        begin: int = first.stamp  # type: ignore[assignment]  # runs are made in process
        if begin >= begins_by:
            self._due = first
            return iter(())
        if parse_timeframe(first.timeframe).nanoseconds < _SHORTEST_MONTH_NS:
            ahead = run.ahead(begins_by)
        is_worth_it = ahead >= _MANY_CANDLES and self._book.open_count <= _FEW_ORDERS
        if is_worth_it and not self._hears_changes:
            self._desk.look(self._timers.are_due_at)
        if not ahead:
            return self._one_by_one_before_timers(chain((first,), run.candles))
        rest = self._one_by_one_before_timers(run.candles)
        return chain((first,), islice(run.candles, ahead - 1), rest)

    def _one_by_one_before_timers(self, candles: Iterator[Candle]) -> Iterator[Candle]:
        begins_by = LONG_AGO_NS
        for candle in candles:
            begin: int = candle.stamp  # type: ignore[assignment]  # runs are made in process
            if begin >= begins_by:
                begins_by = self._timers.begins_by(candle.timeframe)
                if begin >= begins_by:
                    self._due = candle
                    return
            yield candle

    def one_by_one(self, run: CandleRun) -> Awaitable[None] | None:
        """Have each candle of a run handled like one that came alone."""
        handle, unsettled = self._table[Candle], self._desk.unsettled
        for candle in run.candles:
            run.last = candle
            result = handle(candle)
            if result is not None or unsettled or self._interrupts:
                self._interrupts.clear()
                return result
        return None
