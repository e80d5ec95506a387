"""Dispatch events to hooks, with one handler for each kind of event.

A handler updates clock, book and indicators, then calls the strategy's hook, if any, and returns
its result: None, or an awaitable. Everything that can be decided before the first event is decided
then, so that a candle costs only the work itself.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from inspect import iscoroutinefunction
from typing import Any

from msgspec.structs import replace

from strategy_runtime.protocol.events import (
    AccountEvent,
    CandleRun,
    Event,
    InstantClosed,
    OrderEvent,
    PositionEvent,
    TradeEvent,
)
from strategy_runtime.protocol.models import Candle, Quote
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.clock import RunClock, time_of
from strategy_runtime.runtime.delivery.eager import eager
from strategy_runtime.runtime.delivery.heard import Heard
from strategy_runtime.runtime.delivery.instants import Gathering
from strategy_runtime.runtime.delivery.live_candles import LiveCandles
from strategy_runtime.runtime.delivery.order_log import log_order
from strategy_runtime.runtime.delivery.runs import CandleRuns
from strategy_runtime.runtime.desk import TradingDesk
from strategy_runtime.runtime.observer import Handler, Observer, observed
from strategy_runtime.runtime.store import Journal
from strategy_runtime.runtime.timers import Timers
from strategy_runtime.strategy import Strategy
from strategy_runtime.strategy.hooks import EVENT_HOOKS, Hook, wants_awaiting

__all__ = ["Dispatcher", "Table", "overridden"]

_log = logging.getLogger("strategy_runtime")

Table = Mapping[type[Any], Handler]
"""The handler of each kind of event."""

_Update = Callable[[Any], bool]
"""Updates the book by an event; returns False if the event has nothing new."""

_BETWEEN = "on_order on_trade on_position on_account on_financing on_proxy_error on_event".split()
"""Hooks that the exchange may have called between two events of one execution."""


def overridden(strategy: Strategy, name: str) -> Hook | None:
    """Return the strategy's own hook of that name, or None if it does not override it.

    It may be a method of its class or an attribute of the object.
    """
    hook: Hook = getattr(strategy, name)
    return None if getattr(hook, "__func__", None) is getattr(Strategy, name) else hook


def _begun_at_once(strategy: Strategy, name: str) -> Hook | None:
    hook = overridden(strategy, name)
    return hook if hook is None or not iscoroutinefunction(hook) else eager(hook)


class Dispatcher:
    """Dispatches events to the hooks of one strategy.

    Args:
        observer: Notified of every event that was handled.
        journal: Records what the strategy has been told of its orders.

    Attributes:
        table: The handler of each kind of event.
        hooks_only: Handlers for the events that `apply` returns: they call hooks, but do not update
            the book again.
        hook: Name of the running hook if it is not the one of the current event, else None.
        candles: The candles of a live run.
        gathering: Gathers the candles of each instant; None if the strategy has no hook for them.
        needs_events: Whether the strategy or an observer could look at the book between two
            events of one execution, or at an order before its first event.
        interrupt: Ends a run of candles after the current one.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        book: Book,
        clock: RunClock,
        desk: TradingDesk,
        timers: Timers,
        settle: Callable[[], Awaitable[None]],
        observer: Observer | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.hook: str | None = None
        self.candles = LiveCandles()
        self._book = book
        self._clock = clock
        self._desk = desk
        self._order_seen = desk.doubts.order_seen
        self._timers = timers
        self._settle = settle
        self._strategy = strategy
        self._heard = None if journal is None else Heard(book, journal)
        is_live = desk.mode == "live"
        has_instants = overridden(strategy, "on_candles") is not None
        self.gathering = Gathering() if has_instants else None
        self._updates: dict[type[Any], _Update] = {
            OrderEvent: self._on_live_order if is_live else self._on_order,
            TradeEvent: self._on_trade,
            PositionEvent: self._on_position,
            AccountEvent: self._on_account,
            Quote: self._on_quote,
        }
        self._catch_all = overridden(strategy, "on_event")
        self._take_in = self._taking_in()
        self.table: dict[type[Any], Handler] = {
            kind: self._handler_of(kind, self._updates.get(kind), observer) for kind in EVENT_HOOKS
        }
        if is_live:
            tell = self._handler_of(Candle, _is_news, observer)
            self.table[Candle] = self.candles.once(self.table[Candle], tell)
        self.hooks_only: Table = {
            kind: self._handler_of(kind, _is_news, observer) for kind in self._updates
        }
        hooks = (overridden(strategy, name) for name in _BETWEEN)
        self.needs_events = (
            is_live or observer is not None or any(hook is not None for hook in hooks)
        )
        is_plain = not is_live and self._catch_all is None and observer is None
        hook = self._hook_of(Candle)
        self._runs = CandleRuns(
            strategy,
            book=book,
            clock=clock,
            desk=desk,
            timers=timers,
            table=self.table,
            needs_events=self.needs_events,
        )
        self.interrupt = self._runs.interrupt
        timers.when_set = strategy._indicators.when_added = self.interrupt
        self._watched: dict[type[Any], Callable[[], None]] = {}
        self._take_run = self._runs.handler(hook or _nothing) if is_plain else self._runs.one_by_one
        self.table[CandleRun] = self._take_run
        self.table |= desk.checking_handlers(self.table)

    def _handler_of(
        self, kind: type[Any], update: _Update | None, observer: Observer | None
    ) -> Handler:
        """Build the handler of a kind of event: update, hook, `on_event` and observer."""
        name = EVENT_HOOKS[kind]
        hook = self._hook_of(kind)
        if kind is Candle:
            handler = self._candle_handler(hook, update or self._take_in)
        elif update is not None:
            handler = self._updating(update, hook)
        else:
            handler = hook or _nothing
        if self._catch_all is not None and kind is not InstantClosed:
            handler = self._in_turn(handler, self._catch_all, "on_event")
        if kind is OrderEvent:
            handler = self._marking(handler)
        elif kind is TradeEvent:
            handler = self._marking_trades(handler)
        if observer is not None:
            has_hook = overridden(self._strategy, name) is not None
            note = observer.noting(kind, name if has_hook else None, self._desk.mode)
            handler = observed(handler, note)
        if self._heard is not None and kind in (OrderEvent, TradeEvent):
            handler = self._heard.noting(handler)
        return handler

    def _hook_of(self, kind: type[Any]) -> Hook | None:
        """Return what to call with events of a kind, or None if the strategy has no hook for it."""
        hook = _begun_at_once(self._strategy, EVENT_HOOKS[kind])
        if self.gathering is not None:
            if kind is Candle:
                return self.gathering.gathering(hook, is_live=self._desk.mode == "live")
            if kind is InstantClosed and hook is not None:
                return self.gathering.closing(hook)
        return hook

    def _candle_handler(self, hook: Hook | None, take_in: Callable[[Candle], object]) -> Handler:
        """Build the handler of candles: the hot path, so everything it uses is a local name."""
        clock, timers, call = self._clock, self._timers, hook or _nothing

        def handle(candle: Candle) -> Awaitable[None] | None:
            if timers.is_set and timers.might_be_due(candle):
                return self._after_timers(candle, handle)
            clock.event = candle
            take_in(candle)
            return call(candle)

        return handle

    def _taking_in(self) -> Callable[[Candle], None]:
        """Build the function that updates last price, history and indicators by a candle."""
        last, keep = self._book.last, self._book.keep
        indicators = self._strategy._indicators
        all_feeds, feeds_of = indicators.feeds, indicators.feeds_of
        other_feeds_of = indicators.other_feeds_of

        def take_in(candle: Candle) -> None:
            symbol, close = candle.symbol, candle.close
            last[symbol] = close
            timeframe, pushes, updates = all_feeds.get(symbol) or feeds_of(candle)
            if candle.timeframe != timeframe:
                _, pushes, updates = other_feeds_of(candle)
            elif keep is not None:
                keep(candle)
            for push in pushes:
                push(close)
            for update in updates:
                update(candle)

        return take_in

    def take_history(self, candles: Sequence[Candle], *, was_told: bool = False) -> None:
        """Apply candles that did not come as events, oldest first, without calling a hook.

        Args:
            was_told: See `LiveCandles.join`.
        """
        for candle in candles:
            self._take_in(candle)
        self.candles.join(candles, was_told=was_told)

    def apply(self, events: Iterable[Event]) -> list[Event]:
        """Update the book without calling a hook, and return the events that are new.

        So no hook acts on the first of several old events before the book has the others.
        """
        marked = self._book.marked
        news: list[Event] = []
        for event in events:
            ours = event
            if isinstance(event, OrderEvent):
                ours = replace(event, order=marked(event.order))
            if self._updates[type(ours)](ours):
                news.append(ours)
        return news

    def _updating(self, update: _Update, hook: Hook | None) -> Handler:
        """Build a handler that updates the book, and calls the hook if there was something new."""

        timers = self._timers

        def handle(event: Any) -> Awaitable[None] | None:
            if timers.is_set and timers.might_be_due(event):
                return self._after_timers(event, handle)
            if not update(event) or hook is None:
                return None
            return hook(event.trade if type(event) is TradeEvent else event)

        return handle

    def _marking(self, handle: Handler) -> Handler:
        """Wrap a handler so that it gets orders marked as ours or external."""
        marked = self._book.marked

        def handle_marked(event: OrderEvent) -> Awaitable[None] | None:
            order = marked(event.order)
            return handle(event if order is event.order else replace(event, order=order))

        return handle_marked

    def _marking_trades(self, handle: Handler) -> Handler:
        """Wrap a handler so that it gets executions marked as of our orders or external ones."""
        marked = self._book.marked_trade

        def handle_marked(event: TradeEvent) -> Awaitable[None] | None:
            return handle(marked(event))

        return handle_marked

    def _on_order(self, event: OrderEvent) -> bool:
        self._clock.event = event
        self._order_seen(event.order)
        return self._book.apply_order(event)

    def _on_live_order(self, event: OrderEvent) -> bool:
        is_news = self._on_order(event)
        if is_news:
            log_order(event)
        return is_news

    def _on_trade(self, event: TradeEvent) -> bool:
        self._clock.event = event
        return self._book.apply_trade(event)

    def _on_position(self, event: PositionEvent) -> bool:
        self._clock.event = event
        return self._book.apply_position(event)

    def _on_account(self, event: AccountEvent) -> bool:
        self._book.apply_account(event)
        return True

    def _on_quote(self, quote: Quote) -> bool:
        self._clock.event = quote
        self._book.last[quote.symbol] = quote.price
        return True

    def _in_turn(self, first: Handler, second: Handler, hook: str | None = None) -> Handler:
        """Combine two handlers into one; the second one runs the named hook."""

        async def handle(event: Event) -> None:
            await self._call(first, event)
            self.hook = hook
            await self._call(second, event)
            self.hook = None

        return handle

    def precede(self, kind: type[Any], first: Handler) -> None:
        """Call `first` with every event of a kind before its hook."""
        self.table[kind] = self._in_turn(first, self.table[kind])

    def sift(self, kind: type[Any], is_news: Callable[[Any], bool]) -> None:
        """Skip events of a kind that are not news."""
        handler = self.table[kind]
        self.table[kind] = lambda event: handler(event) if is_news(event) else None

    def limit(self, kind: type[Any], seconds: float) -> None:
        """Cancel the hook of a kind of event if it takes longer; the run continues."""
        handler = self.table[kind]

        async def handle(event: Event) -> None:
            limit = asyncio.timeout(seconds)
            try:
                async with limit:
                    await self._call(handler, event)
            except TimeoutError:
                if not limit.expired():
                    raise
                _log.error("%s took longer than %g s and was cancelled", EVENT_HOOKS[kind], seconds)

        self.table[kind] = handle

    def watch(self, kind: type[Any], succeeded: Callable[[], None]) -> None:
        """Call `succeeded` once, after the next event of a kind that is handled without failure."""
        if kind not in self._watched:
            original = self.table[kind]

            async def handle(event: Event) -> None:
                await self._call(original, event)
                self.table[kind] = original
                self._watched.pop(kind)()
                if not self._watched:
                    self.table[CandleRun] = self._take_run

            self.table[kind] = handle
            self.table[CandleRun] = self._runs.one_by_one
        self._watched[kind] = succeeded

    async def _after_timers(self, event: Event, deliver: Handler) -> None:
        """Fire timers due up to an event's time, then deliver it, unless one of them ends the run.

        The orders of each timer are settled before anything else.
        """
        moment = time_of(event)
        if moment is not None:
            await self._fire_timers(moment)
        if self._desk.quit_reason is None:
            await self._call(deliver, event)

    async def _fire_timers(self, moment: datetime) -> None:
        """Fire timers due up to a moment, in the order of time."""
        for due, function in self._timers.due(moment):
            self._clock.reach(due)
            self.hook = getattr(function, "__name__", "a timer")
            result = function()
            if result is not None and wants_awaiting(result):
                await result
            self.hook = None
            await self._settle()
            if self._desk.quit_reason is not None:
                return

    async def _call(self, handler: Handler, event: Event) -> None:
        result = handler(event)
        if result is not None and wants_awaiting(result):
            await result


def _is_news(event: Any) -> bool:
    """Update nothing, since the book already has the event, but call the hook."""
    return True


def _nothing(event: Any) -> None:
    """Do nothing, in place of a hook that the strategy does not have."""
