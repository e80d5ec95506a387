"""Deliver events: call hooks, settle their orders, and handle their failures.

One event at a time: the next one is asked for, which acknowledges the last one, only when the hook
has returned and every order it placed has been answered.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from strategy_runtime.clock import ns_of, rfc3339
from strategy_runtime.errors import AccessDenied, DataError, HookFailed, OrderRejected, Verb
from strategy_runtime.protocol.events import (
    BacktestComplete,
    CandleRun,
    Event,
    InstantClosed,
    Item,
    OrderEvent,
    PositionEvent,
    TradeEvent,
)
from strategy_runtime.protocol.models import Candle, Quote
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.clock import RunClock, time_of
from strategy_runtime.runtime.delivery.dispatcher import Dispatcher, Table, overridden
from strategy_runtime.runtime.delivery.failures import Failures
from strategy_runtime.runtime.desk import TradingDesk
from strategy_runtime.runtime.desk.refusals import FATE_UNKNOWN
from strategy_runtime.runtime.observer import Handler, Observer
from strategy_runtime.runtime.store import Journal
from strategy_runtime.runtime.timers import Timers
from strategy_runtime.runtime.venue import Venue
from strategy_runtime.strategy import Strategy
from strategy_runtime.strategy.desk import TimerFunction
from strategy_runtime.strategy.hooks import EVENT_HOOKS, wants_awaiting

__all__ = ["Burst", "Deliver", "Delivery"]

Burst = Iterator[Item]
"""Events that are available now; asking for the next one marks the one before as done."""

Deliver = Callable[[Burst, Table], Awaitable[None]]
"""Delivers events to their handlers."""

# The proxy waits for the last acknowledgement two seconds longer.
_COMPLETE_WITHIN_S = 8.0
_ON_ERROR = "on_error"
_EARLIER = "an earlier hook"
_REFUSED: Mapping[Verb, str] = {"submit": "order", "modify": "change", "cancel": "cancel"}

_log = logging.getLogger("strategy_runtime")


class Delivery:
    """Delivers the events of one run to its strategy.

    Args:
        save: Saves the state of the strategy. It is called after hooks that no event triggers,
            before their orders are sent. After the others an observer saves it.

    Attributes:
        dispatcher: Has the handlers of all kinds of event.
        failures: Counts the failures of hooks.
        rejections: Number of orders, changes and cancels that were refused and not awaited.
        is_complete: True once the venue has announced the end of the backtest.
        is_in_hook: Whether a hook runs, or its orders are being settled.
        is_stopping: The run is ending: no event is delivered after the current one.
    """

    def __init__(
        self,
        strategy: Strategy,
        venue: Venue,
        *,
        book: Book,
        clock: RunClock,
        desk: TradingDesk,
        timers: Timers,
        failures: Failures,
        observer: Observer | None,
        journal: Journal | None = None,
        save: Callable[[], None] | None = None,
    ) -> None:
        self.failures = failures
        self.rejections = 0
        self.is_complete = False
        self.is_in_hook = False
        self.is_stopping = False
        self.dispatcher = Dispatcher(
            strategy,
            book=book,
            clock=clock,
            desk=desk,
            timers=timers,
            settle=self.settle,
            observer=observer,
            journal=journal,
        )
        if venue.direct is None:  # in process nobody waits, and every event has its right kind
            self.dispatcher.limit(BacktestComplete, _COMPLETE_WITHIN_S)
            table = self.dispatcher.table
            table[PositionEvent] = _naming(book, table[PositionEvent])
        self._strategy = strategy
        self._venue = venue
        self._clock = clock
        self._desk = desk
        self._observer = observer
        self._save = save
        self._turn = asyncio.Lock()
        self._unreported: list[HookFailed] = []

    def stop(self) -> None:
        """Deliver no more events, and accept no more orders."""
        self.interrupt()
        self._desk.is_closed = True

    def interrupt(self) -> None:
        """Deliver no more events; orders of the current hook are still accepted."""
        self.is_stopping = True
        self.dispatcher.interrupt()

    # Events

    async def deliver_in_turn(self, burst: Burst, table: Table) -> None:
        """Deliver events, one task at a time."""
        async with self._turn:
            await self._begin()
            if not self.is_stopping:
                await self.deliver(burst, table)
            self.is_in_hook = False

    async def fire(self, timers: Iterable[TimerFunction]) -> None:
        """Call the functions of timers, one task at a time."""
        async with self._turn:
            await self._begin()
            for function in timers:
                if not self.is_stopping:
                    await self.call(getattr(function, "__name__", "a timer"), function)
            await self._report_pending()
            self.is_in_hook = False

    async def _begin(self) -> None:
        """Make this the task that runs hooks, and settle what earlier ones have left."""
        self._desk.hook_task = asyncio.current_task()
        self.is_in_hook = True
        await self._settle_earlier()

    async def deliver(self, burst: Burst, table: Table) -> None:
        """Deliver events, then report anomalies and failures that came up meanwhile."""
        self.is_in_hook = True
        await self.consume(burst, table)
        if self._desk.anomalies or self._unreported:
            await self._report_pending()
        self.is_in_hook = False

    async def _report_pending(self) -> None:
        await self.report_anomalies()
        while self._unreported:
            await self._report(self._unreported.pop(0))

    async def consume(self, burst: Burst, table: Table) -> None:
        """Deliver events, if need be within the handling of another one.

        Raises:
            AccessDenied: The venue no longer accepts the key.
            HookFailed: The strategy's own code raised, and the policy is to stop.
            Exception: The venue failed to return the next event.
        """
        desk = self._desk
        unsettled, settle_at_once = desk.unsettled, desk.settle_at_once
        event: Item | None = None
        while True:
            try:
                for event in burst:
                    result = table[type(event)](event)
                    if result is not None and wants_awaiting(result):
                        await result
                    if unsettled and not settle_at_once():
                        await self.settle()
                    if self.is_stopping:
                        return
                break
            except (AccessDenied, DataError, HookFailed):
                raise
            except BaseException as error:
                if _has_failed(burst) or _is_being_ended(error):
                    raise
                await self._failed(event, error)
                if self.is_stopping:
                    return
        if type(event) is BacktestComplete:
            self.is_complete = True

    async def settle(self) -> None:
        """Wait until all requests so far are answered, and report refusals nobody awaited.

        Live, a request that is not answered within a second is left for later.

        Raises:
            Exception: A request failed unexpectedly; this counts as a failure of the hook.
        """
        while self._desk.has_to_settle:
            for rejection in await self._desk.settle():
                self.rejections += 1
                if rejection.code != FATE_UNKNOWN:
                    await self._report(rejection)
            await self.report_anomalies()

    async def _settle_earlier(self) -> None:
        """Settle the requests of earlier hooks; which of them a failure is due to is unknown."""
        while self._desk.has_to_settle:
            await self.call(_EARLIER, self.settle, settle=False)

    @property
    def has_pending_reports(self) -> bool:
        """Whether there is something to report although no event came."""
        return bool(self._desk.anomalies or self._unreported or self._desk.has_to_settle)

    # Hooks that no event triggers

    async def call(
        self,
        name: str,
        hook: Callable[[], Awaitable[None] | None],
        *,
        stop_always: bool = False,
        settle: bool = True,
    ) -> None:
        """Call a hook that no event triggers, and handle its failure like that of any other.

        Args:
            stop_always: A failure ends the run, whatever the policy.
            settle: Settle its orders before anything else is done.
        """
        try:
            await self._call(hook)
            if settle and self._desk.unsettled:
                await self.settle()
        except HookFailed:
            raise
        except BaseException as error:
            if _is_being_ended(error):
                raise
            failure = HookFailed(name, "")
            failure.__cause__ = error
            if self._enter(failure) or stop_always:
                raise failure from error
            if name != _ON_ERROR:
                await self._report(failure)
        else:
            self.failures.succeeded(name)

    async def _call(self, hook: Callable[[], Awaitable[None] | None]) -> None:
        try:
            result: Any = hook()
            if result is not None and wants_awaiting(result):
                await result
        finally:
            if self._save is not None:
                self._save()

    async def report_anomalies(self) -> None:
        """Log anomalies, and call `on_anomaly` with them."""
        while self._desk.anomalies:
            text = self._desk.anomalies.pop(0)
            _log.error("anomaly: %s", text)
            await self.call("on_anomaly", partial(self._strategy.on_anomaly, text), settle=False)

    async def _report(self, error: Exception) -> None:
        hook = overridden(self._strategy, _ON_ERROR)
        if hook is None:
            if isinstance(error, OrderRejected):
                _log.warning("%s refused: %s", _REFUSED[error.verb], error)
            return
        await self.call(_ON_ERROR, partial(hook, error), settle=False)

    # Hooks that fail

    async def _failed(self, item: Item | None, error: BaseException) -> None:
        dispatcher = self.dispatcher
        event: Event | None
        match item:
            case CandleRun():
                event = item.last
            case InstantClosed():
                event = None if dispatcher.gathering is None else dispatcher.gathering.latest
            case _:
                event = item
        kind: type[Any] = InstantClosed if isinstance(item, InstantClosed) else type(event)
        hook = dispatcher.hook or EVENT_HOOKS.get(kind, "a hook")
        where = _where(event, self._venue.in_hand)
        if dispatcher.hook is not None and self._clock.is_between_events:  # it is a timer's
            where = f"{rfc3339(ns_of(self._clock.now))}, before {where}"
        dispatcher.hook = None
        failure = HookFailed(hook, where)
        failure.__cause__ = error
        if self._enter(failure):
            self._desk.is_closed = True
            raise failure from error
        if event is not None:
            dispatcher.watch(kind, lambda: self.failures.succeeded(hook))
        await self._report(failure)
        await self._settle_earlier()

    def add_background_failure(self, failure: HookFailed) -> bool:
        """Report a failure of a hook's task or coroutine; return True if it ends the run."""
        ends_run = self._enter(failure)
        if ends_run:
            self.stop()
        else:
            self._unreported.append(failure)
            self._watch_twice(failure.hook)
            self.dispatcher.interrupt()
        return ends_run

    def _watch_twice(self, hook: str) -> None:
        """Reset the failures of a hook only after it has succeeded twice.

        A failure in the background of one call shows only after that call has returned.
        """
        watch, succeeded = self.dispatcher.watch, partial(self.failures.succeeded, hook)
        for kind in (kind for kind, name in EVENT_HOOKS.items() if name == hook):
            watch(kind, partial(watch, kind, succeeded))

    def _enter(self, failure: HookFailed) -> bool:
        if self._observer is not None:
            self._observer.hook_failed(failure.hook)
        is_too_much = self.failures.enter(failure)
        return is_too_much or isinstance(failure.__cause__, SystemExit)


def _naming(book: Book, handle: Handler) -> Handler:
    """Wrap a handler so that it gets events of positions with the right kind."""

    def handle_named(event: PositionEvent) -> Awaitable[None] | None:
        return handle(book.named(event))

    return handle_named


def _is_being_ended(error: BaseException) -> bool:
    """Whether an error means that the hook was cancelled or the process interrupted.

    If only what it awaits was cancelled, such as a task of its own, the hook has failed.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and bool(task.cancelling())
    return isinstance(error, KeyboardInterrupt | GeneratorExit)


def _has_failed(burst: Burst) -> bool:
    """Whether the source of events failed, not the handling of one."""
    return getattr(burst, "gi_frame", burst) is None


def _where(event: Event | None, in_hand: str) -> str:
    """Describe an event: kind, subject, time and origin."""
    if event is None:
        return ""
    moment = event.timestamp if isinstance(event, Candle) else time_of(event)
    words = [*_what(event), *([moment.isoformat().replace("+00:00", "Z")] if moment else [])]
    return " ".join([*words, f"({in_hand})"] if in_hand else words)


def _what(event: Event) -> list[str]:
    if isinstance(event, Candle):
        return ["candle", event.symbol]
    if isinstance(event, Quote):
        return ["quote", event.symbol]
    if isinstance(event, OrderEvent):
        return [event.event, event.order.id, event.order.symbol]
    if isinstance(event, TradeEvent):
        return [event.event, event.trade.order_id, event.trade.symbol]
    if isinstance(event, PositionEvent):
        return [event.event, event.position.symbol]
    return [type(event).__name__]
