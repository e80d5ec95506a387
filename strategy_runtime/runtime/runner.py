"""Run one strategy against one venue, from the first request to the last acknowledgement."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any

from strategy_runtime.clock import now, ns_of, rfc3339
from strategy_runtime.errors import ConfigError, HookFailed
from strategy_runtime.ids import Random, generator, shortened
from strategy_runtime.protocol.enums import OrderStatus
from strategy_runtime.protocol.subscriptions import EVERYTHING, Subscriptions
from strategy_runtime.protocol.values import in_digits
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.clock import RunClock, time_of
from strategy_runtime.runtime.delivery import Deliver, Delivery
from strategy_runtime.runtime.delivery.failures import Failures, OnError
from strategy_runtime.runtime.delivery.instants import Division, Gathering
from strategy_runtime.runtime.delivery.loose_ends import LooseEnds
from strategy_runtime.runtime.delivery.stuck_hooks import warn_of_stuck_hooks
from strategy_runtime.runtime.desk import TradingDesk
from strategy_runtime.runtime.link import Link
from strategy_runtime.runtime.link.missed import first_snapshot, follow_open, what_was_missed
from strategy_runtime.runtime.link.polling import OrderPolling
from strategy_runtime.runtime.observer import Observer
from strategy_runtime.runtime.oversights import oversights
from strategy_runtime.runtime.retries import with_retries
from strategy_runtime.runtime.shutdown import HOOK_DEADLINE_S, OnExit, Shutdown
from strategy_runtime.runtime.startup import (
    ask_for_instants,
    check_not_started,
    note_position_mode,
    warm_up,
)
from strategy_runtime.runtime.status import OrderStatusLine, PositionStatus, RunStatus
from strategy_runtime.runtime.store import Journal
from strategy_runtime.runtime.timers import Timers
from strategy_runtime.runtime.venue import Venue
from strategy_runtime.strategy import NetPosition, Strategy
from strategy_runtime.strategy.desk import Mode, no_desk
from strategy_runtime.suggestions import some_of

__all__ = ["Runner"]

_POSITION = "position"
_LONGEST_NAME = 40
"""Characters of the class name kept in order ids, which also have a token and a number and may be
at most 64 characters long."""
_LONGEST_SLEEP_S = 30.0
_MOST_ENDED = 10_000
"""Ended orders that a live run remembers, about 15 MB of them."""

_log = logging.getLogger("strategy_runtime")


class Runner:
    """One run of one strategy.

    Args:
        desk: Creates the desk, one with limits if any are set.
        save: Saves what outlives the run. It is called at the end, before the venue is closed,
            since there may be no time after that, and live also after hooks that no event
            triggers, and after timers.
    """

    def __init__(
        self,
        strategy: Strategy,
        venue: Venue,
        *,
        mode: Mode,
        run_id: str = "bt",
        on_error: OnError | None = None,
        subscriptions: Subscriptions = EVERYTHING,
        timeframe: str = "1m",
        observer: Observer | None = None,
        rng: Random | None = None,
        journal: Journal | None = None,
        on_exit: OnExit = "keep",
        desk: Callable[..., TradingDesk] = TradingDesk,
        save: Callable[[], None] | None = None,
    ) -> None:
        self._strategy = strategy
        self._venue = venue
        self._mode: Mode = mode
        self._run_id = run_id
        self._journal = journal
        name = shortened(type(strategy).__name__, _LONGEST_NAME)
        self._prefix = f"{name}-{run_id}"
        self._subscriptions = subscriptions
        self._timeframe = timeframe
        most_ended = _MOST_ENDED if mode == "live" else None  # a backtest ends
        self._book = Book(_lookback_of(strategy), f"{name}-", most_ended)
        self._book.books_profits = mode == "backtest"
        self._book.positions_may_lead = mode == "live"
        self._clock = RunClock(mode)
        self._timers = Timers(self._clock)
        self._desk = desk(
            venue,
            self._book,
            self._clock,
            self._timers,
            prefix=self._prefix,
            mode=mode,
            observer=observer,
            journal=journal,
        )
        self._delivery = Delivery(
            strategy,
            venue,
            book=self._book,
            clock=self._clock,
            desk=self._desk,
            timers=self._timers,
            failures=Failures(mode, on_error),
            observer=observer,
            journal=journal,
            save=save if mode == "live" else None,
        )
        self._link = Link(
            strategy, venue, self._book, self._desk, self._delivery, rng or generator()
        )
        dispatcher = self._delivery.dispatcher
        gathering = self._gathering = dispatcher.gathering
        self._division = (
            None
            if gathering is None
            else Division(gathering, dispatcher.candles, subscriptions, timeframe)
        )
        self._stop_asked = asyncio.Event()
        self._shutdown = Shutdown(strategy, venue, self._desk, self._delivery, on_exit)
        self._loose_ends = LooseEnds(self._add_background_failure)
        self._save = save
        self._desk.when_quit = self._quit

    @property
    def is_complete(self) -> bool:
        """True once the venue has announced the end of the backtest."""
        return self._delivery.is_complete

    def stop(self) -> None:
        """Ask the run to shut down cleanly; call it from the event loop's own thread."""
        self._shutdown.start_deadlines()
        self._stop_asked.set()

    def interrupt(self) -> None:
        """Deliver no event after the current one; safe to call from a signal handler during a hook.

        Many events are delivered between two iterations of the event loop, and `stop` only takes
        effect between iterations.
        """
        self._shutdown.start_deadlines()
        self._delivery.interrupt()

    @property
    def quit_reason(self) -> str | None:
        """Why the strategy ended the run, or None if it did not."""
        return self._desk.quit_reason

    def _quit(self) -> None:
        _log.info("%s ends the run: %s", type(self._strategy).__name__, self.quit_reason)
        self._delivery.interrupt()
        if not self._delivery.is_in_hook:  # called by a task of the strategy
            self._stop_asked.set()

    @property
    def in_hand(self) -> dict[str, str]:
        """Id and simulated time of the current event, if known; for log lines."""
        found = {"event_id": self._venue.in_hand}
        has_begun = self._clock.latest is not None or self._clock.is_between_events
        if self._mode == "backtest" and has_begun:
            found["time"] = self._clock.now.isoformat().replace("+00:00", "Z")
        return {name: text for name, text in found.items() if text}

    def position(self, symbol: str) -> NetPosition:
        """Return the net position in a symbol, even after the run."""
        return self._book.position(symbol)

    def oversights(self, traded: Collection[str]) -> list[str]:
        """Return likely mistakes of the strategy; for a run that reached the end of its data.

        Args:
            traded: The symbols in which its orders were filled.
        """
        return [*oversights(self._strategy, self._book, traded), *self._desk.misplaced_legs]

    @property
    def has_timers(self) -> bool:
        """Whether the strategy has set a timer."""
        return self._timers.were_set

    @property
    def refused_orders(self) -> int:
        """Number of orders refused, here or by the venue, awaited or not."""
        return self._desk.refused_orders

    def was_refused(self, client_order_id: str) -> bool:
        """Whether a backtest refused an order, when it was placed or later."""
        order = self._book.order(client_order_id)
        return order is not None and order.status is OrderStatus.REJECTED

    @property
    def hook_failures(self) -> int:
        """Number of hook calls that failed."""
        return self._delivery.failures.count

    def status(self) -> RunStatus:
        """Return the status of the run; call it from the event loop's own thread."""
        account, event = self._book.account, self._clock.latest
        moment = None if event is None else time_of(event)
        return RunStatus(
            strategy=type(self._strategy).__name__,
            run_id=self._run_id,
            mode=self._mode,
            connected=self._link.is_up,
            reconciled=self._link.is_reconciled,
            risk_state=self._desk.risk_state,
            halted_symbols=self._desk.doubts.symbols,
            complete=self.is_complete,
            failures=self.hook_failures,
            rejections=self._delivery.rejections,
            queued=len(self._desk.unsettled),
            last_event=None if event is None else type(event).__name__,
            last_event_at=None if moment is None else rfc3339(ns_of(moment)),
            equity=in_digits(account.equity),
            currency=account.currency,
            positions=[PositionStatus.of(net) for net in self._book.positions],
            open_orders=[OrderStatusLine.of(order) for order in self._book.orders()],
        )

    async def run(self) -> None:
        """Run until the stream ends or `stop` is called.

        Raises:
            HookFailed: The strategy's own code raised, and the policy is to stop.
            ConnectionLost, Unreachable, AccessDenied, ProtocolError: The venue failed.
            ConfigError: The backtest was already started, or the strategy has run before.
        """
        with self._loose_ends:
            self._context = copy_context()
            await self._in_context(self._run())

    async def _run(self) -> None:
        try:
            await self._until_stopped(self._session())
        except HookFailed as failure:
            self._shutdown.failed = failure
            raise
        finally:
            try:
                await self._end()
                await self._shutdown.finish_requests(self._loose_ends)
                if self._save is not None:
                    self._save()
            finally:
                await self._shutdown.close()
        if self._shutdown.failed is not None:
            raise self._shutdown.failed

    # Phases of a run

    async def _session(self) -> None:
        await self._venue.open()
        known = await first_snapshot(self._venue, self._book, self._journal)
        if self._mode == "backtest":
            await check_not_started(self._venue, self._prefix, known.orders)
        await note_position_mode(self._venue, self._book)
        if self._division is not None:
            await ask_for_instants(self._venue, self._mode, self._division)
        resumed = await self._desk.doubts.resume()
        orders, journal = known.orders, self._journal
        if journal is not None:
            ask = partial(what_was_missed, self._venue, self._book, journal, known, resumed)
            self._link.missed = await with_retries(ask, "what became of earlier orders")
            orders = self._link.missed.orders
        self._book.load(known.account, known.positions, orders, known.trades)
        if journal is not None and self._link.missed is not None:
            follow_open(self._book, journal, self._link.missed, known.trades)
        self._link.is_reconciled = True
        self._delivery.is_in_hook = True
        await self._start()
        self._delivery.is_in_hook = False
        if not self._delivery.is_stopping:
            await self._pump()

    async def _start(self) -> None:
        strategy = self._strategy
        if strategy._has_run:
            raise ConfigError(
                f"this {type(strategy).__name__} has already run, and would start another run with "
                "what the first one left in it; make a new one for each run"
            )
        strategy._has_run = True
        strategy._desk = self._desk
        # Called at every bar, so bound directly to the book. Not set through `__dict__`, which
        # would make every later attribute access on the strategy three times slower.
        setattr(strategy, _POSITION, self._book.nets.__getitem__)
        self._desk.hook_task = asyncio.current_task()
        await self._delivery.call("on_start", strategy.on_start, stop_always=True)
        if not (self._delivery.dispatcher.needs_events or self._timers.is_set):
            self._desk.follow_venue()
        if self._mode == "live" and not self._delivery.is_stopping:
            dispatcher = self._delivery.dispatcher
            await warm_up(strategy, self._venue, dispatcher, self._subscriptions, self._timeframe)

    def _in_context(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start a task that calls hooks; all such tasks share one context.

        So a context variable that one hook sets is seen by all others.
        """
        # Bypasses the loop's task factory, which may be eager: a task that is started eagerly
        # within a task of this context would enter the context a second time.
        return asyncio.Task(work, loop=asyncio.get_running_loop(), context=self._context)

    async def _until_stopped(self, session: Coroutine[Any, Any, None]) -> None:
        main = self._in_context(session)
        stop = asyncio.ensure_future(self._stop_asked.wait())
        waiting = asyncio.ensure_future(warn_of_stuck_hooks(self._desk))
        try:
            await asyncio.wait({main, stop}, return_when=asyncio.FIRST_COMPLETED)
            self._check_not_cancelled(main)
            if self._delivery.is_stopping or not main.done():
                self._delivery.stop()
            if not main.done():
                if self._delivery.is_in_hook:
                    await asyncio.wait({main}, timeout=HOOK_DEADLINE_S)
                main.cancel()
            await asyncio.gather(main, return_exceptions=not main.done())
        except asyncio.CancelledError:
            if not main.cancelled():
                raise
        finally:
            stop.cancel()
            main.cancel()
            waiting.cancel()

    async def _pump(self) -> None:
        """Deliver events, and live also timers and detected drift, until one of these ends."""
        if self._mode == "backtest":
            deliver: Deliver = self._delivery.deliver
            if self._venue.direct is None:
                deliver = OrderPolling(self._venue, self._book, self._clock, self._delivery).deliver
            await self._link.announce_connection(deliver)
            if not self._delivery.is_stopping:
                await self._consume(deliver)
            return
        tasks = [
            self._in_context(self._consume(self._delivery.deliver_in_turn)),
            self._in_context(self._link.watch()),
            self._in_context(self._keep_time()),
        ]
        if self._gathering is not None:
            tasks.append(self._in_context(self._close_instants(self._gathering)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                self._check_not_cancelled(task)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for failure in ended:
            if failure is not None and not isinstance(failure, asyncio.CancelledError):
                raise failure

    async def _keep_time(self) -> None:
        """Fire timers by the wall clock, whether or not events arrive."""
        is_set = asyncio.Event()
        self._timers.when_set = is_set.set
        while True:
            is_set.clear()
            seconds = self._timers.seconds_to_next(now())
            with suppress(TimeoutError):  # the clock may be set meanwhile
                async with asyncio.timeout(min(max(seconds, 0.0), _LONGEST_SLEEP_S)):
                    await is_set.wait()
            moment = now()
            if self._timers.seconds_to_next(moment) <= 0:
                await self._delivery.fire(self._timers.overdue(moment))
                if self._delivery.is_stopping:
                    return

    async def _close_instants(self, gathering: Gathering) -> None:
        """Stop waiting for candles that do not come."""
        table = self._delivery.dispatcher.table
        async for _ in gathering.waits():
            await self._delivery.deliver_in_turn(gathering.end_if_overdue(), table)
            if self._delivery.is_stopping:
                return

    async def _consume(self, deliver: Deliver) -> None:
        table = self._delivery.dispatcher.table
        division = self._division if self._venue.direct is None else None
        async for events in self._venue.bursts():
            burst = events if division is None else division.divided(events)
            await deliver(burst, table)
            if self._delivery.is_stopping:
                # In process, asking for another event would make it happen first; over a network,
                # the last orders of a backtest would still fill.
                has_quit = self._mode == "backtest" and self.quit_reason is not None
                if self._venue.direct is None and self._shutdown.failed is None and not has_quit:
                    self._shutdown.last_burst = burst
                return

    async def _end(self) -> None:
        """Warn of indicators that got no data, and stop the strategy, if it ever started."""
        if self._strategy._desk is not self._desk:
            self._shutdown.log_not_started()
            return
        indicators = self._strategy._indicators
        missing = some_of(indicators.unmet_subscriptions, 3)
        if missing:
            _log.warning("indicators had no candles to follow: subscribe to %s, too", missing)
        if indicators.wrong_key:
            _log.warning(
                "an indicator was looked up by a %s instead of a symbol, so it gets no data: write "
                "self.fast[candle.symbol]",
                indicators.wrong_key,
            )
        await self._shutdown.stop_strategy()
        self._strategy._desk = no_desk(type(self._strategy).__name__)
        delattr(self._strategy, _POSITION)

    def _check_not_cancelled(self, task: "asyncio.Task[None]") -> None:
        """Raise HookFailed if the strategy cancelled the task in which its hooks run."""
        if task.cancelled() and not self._delivery.is_stopping:
            raise self._loose_ends.was_cancelled(task)

    def _add_background_failure(self, failure: HookFailed) -> None:
        if self._delivery.add_background_failure(failure):
            self._shutdown.failed = self._shutdown.failed or failure
            self._stop_asked.set()


def _lookback_of(strategy: Strategy) -> int:
    kept = strategy.lookback
    if type(kept) is not int or kept < 0:
        raise ConfigError(
            f"{type(strategy).__name__}.lookback is how many candles history() keeps, a whole "
            f"number, 0 or more, not {kept!r}"
        )
    return kept
