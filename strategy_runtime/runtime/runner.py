"""Runs one strategy against one venue, from the first question to the last acknowledgement."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Literal

from strategy_runtime.clock import monotonic, now, ns_of, rfc3339
from strategy_runtime.errors import (
    ApiError,
    DataError,
    HookFailed,
    OrderRejected,
    StrategyRuntimeError,
)
from strategy_runtime.ids import Random, generator
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import (
    BacktestComplete,
    CandleRun,
    ConnectionEvent,
    Event,
    RateLimitEvent,
)
from strategy_runtime.protocol.models import Candle
from strategy_runtime.protocol.subscriptions import Subscription, Subscriptions
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.catching_up import by_symbol, missed_candles
from strategy_runtime.runtime.clock import RunClock, time_of
from strategy_runtime.runtime.desk import TradingDesk
from strategy_runtime.runtime.dispatcher import Dispatcher, Table, overridden
from strategy_runtime.runtime.drift import Drift, drifts, rest_after
from strategy_runtime.runtime.failures import Failures, OnError
from strategy_runtime.runtime.loose_ends import LooseEnds
from strategy_runtime.runtime.observer import (
    Observer,
    OrderStatusLine,
    PositionStatus,
    RunStatus,
)
from strategy_runtime.runtime.outbox import ASK_AGAIN_AFTER_S, FATE_UNKNOWN
from strategy_runtime.runtime.patience import patiently
from strategy_runtime.runtime.reconciliation import (
    Snapshot,
    differences,
    snapshot_after_gap,
    take_snapshot,
)
from strategy_runtime.runtime.store import Journal
from strategy_runtime.runtime.timers import Timers
from strategy_runtime.runtime.venue import Venue
from strategy_runtime.strategy import Strategy
from strategy_runtime.strategy.desk import Mode, no_desk
from strategy_runtime.strategy.gap import Gap
from strategy_runtime.strategy.hooks import EVENT_HOOKS

__all__ = ["OnExit", "Runner"]

OnExit = Literal["keep", "cancel", "flatten"]
"""What a live run leaves behind: everything, no open orders, or no positions either."""

_POSITION = "position"
_HOOK_DEADLINE_S = 3.0
_WIND_DOWN_DEADLINE_S = 2.0
_UNDER_WAY_S = 5.0
_log = logging.getLogger("strategy_runtime")


class Runner:
    """One run of one strategy.

    Hooks are called one at a time, in the order of events. The next event is asked for, and the
    last one thereby acknowledged, only when the hook has returned and every order it gave has been
    answered.

    Args:
        desk: Makes the desk, one with limits where there are any.

    Attributes:
        failures: What went wrong in hooks.
        is_complete: True once the venue has announced the end of the backtest.
        rejections: Number of orders, changes and cancels refused without anybody awaiting them.
    """

    def __init__(
        self,
        strategy: Strategy,
        venue: Venue,
        *,
        mode: Mode,
        run_id: str = "bt",
        on_error: OnError | None = None,
        subscriptions: Subscriptions | None = None,
        timeframe: str = "1m",
        observer: Observer | None = None,
        chance: Random | None = None,
        journal: Journal | None = None,
        on_exit: OnExit = "keep",
        desk: Callable[..., TradingDesk] = TradingDesk,
    ) -> None:
        self.strategy = strategy
        self.failures = Failures(mode, on_error)
        self.is_complete = False
        self.rejections = 0
        self._venue = venue
        self._book = Book(strategy.lookback, f"{type(strategy).__name__}-")
        self._clock = RunClock(mode)
        self._timers = Timers()
        self._desk = desk(
            venue,
            self._book,
            self._clock,
            self._timers,
            prefix=f"{type(strategy).__name__}-{run_id}",
            mode=mode,
            observer=observer,
            journal=journal,
        )
        self._on_exit = on_exit
        self._mode: Mode = mode
        self._run_id = run_id
        self._observer = observer
        self._subscriptions = subscriptions or Subscriptions()
        self._timeframe = timeframe
        self._stop_asked = asyncio.Event()
        self._stopping = False
        self._in_hook = False
        self._lost_at: float | None = None
        self._was_connected = False
        self._is_reconciled = False
        self._turn = asyncio.Lock()
        self._chance = chance or generator()
        self._failed: HookFailed | None = None
        self._unreported: list[HookFailed] = []
        self._resting_until = 0.0
        self._dispatcher: Dispatcher | None = None

    def stop(self) -> None:
        """Ask the run to end in good order; call it from the loop's own thread."""
        self._stop_asked.set()

    @property
    def in_hand(self) -> dict[str, str]:
        """Id and simulated time of the event in hand, as far as there are any; for log lines."""
        found = {"event_id": self._venue.in_hand}
        if self._mode == "backtest" and self._clock.latest is not None:
            found["time"] = self._clock.now.isoformat().replace("+00:00", "Z")
        return {name: text for name, text in found.items() if text}

    def status(self) -> RunStatus:
        """How the run stands; call it from the loop's own thread."""
        account, event = self._book.account, self._clock.latest
        moment = None if event is None else time_of(event)
        return RunStatus(
            strategy=type(self.strategy).__name__,
            run_id=self._run_id,
            mode=self._mode,
            connected=self._was_connected and self._lost_at is None,
            reconciled=self._is_reconciled,
            risk_state=self._desk.risk_state,
            halted_symbols=sorted({doubt.symbol for doubt in self._desk.doubtful.values()}),
            complete=self.is_complete,
            failures=self.failures.count,
            rejections=self.rejections,
            queued=len(self._desk.unsettled),
            last_event=None if event is None else type(event).__name__,
            last_event_at=None if moment is None else rfc3339(ns_of(moment)),
            equity=format(account.equity, "f"),
            currency=account.currency,
            positions=[
                PositionStatus(
                    net.symbol,
                    format(net.quantity, "f"),
                    format(net.average_entry_price, "f"),
                    format(net.unrealized_pnl, "f"),
                )
                for net in self._book.positions
            ],
            open_orders=[
                OrderStatusLine(
                    order.client_order_id or order.id,
                    order.symbol,
                    order.side.value,
                    order.order_type.value,
                    format(order.quantity, "f"),
                    format(order.filled_quantity, "f"),
                    order.status.value,
                    order.external,
                )
                for order in self._book.orders()
            ],
        )

    async def run(self) -> None:
        """Run to the end of the stream, or until `stop` is asked for.

        Raises:
            HookFailed: The strategy's own code raised, and the policy is to stop.
            ConnectionLost, Unreachable, AccessDenied, ProtocolError: The venue gave up.
        """
        with LooseEnds(self._came_loose) as loose_ends:
            try:
                await self._until_stopped(self._session())
            except HookFailed as failure:
                self._failed = failure
                raise
            finally:
                try:
                    await self._end()
                    await loose_ends.cut()
                finally:
                    await self._venue.close()
        if self._failed is not None:
            raise self._failed

    # Phases of a run

    async def _session(self) -> None:
        await self._venue.open()
        known = await patiently(
            lambda: take_snapshot(self._venue, self._book), "what is open at the venue"
        )
        orders = known.orders + await self._desk.take_up()
        self._book.load(known.account, known.positions, orders, known.trades)
        self._is_reconciled = True
        self._in_hook = True
        await self._start()
        self._in_hook = False
        if not self._stopping:
            await self._pump()

    async def _start(self) -> None:
        strategy = self.strategy
        strategy._running = self._desk
        # Asked at every bar, so bound straight to the book; and never by way of `__dict__`, which
        # would make every attribute of the strategy take three times as long from then on.
        setattr(strategy, _POSITION, self._book.nets.__getitem__)
        self._dispatcher = Dispatcher(
            strategy,
            book=self._book,
            clock=self._clock,
            desk=self._desk,
            timers=self._timers,
            settle=self._settle,
            before={ConnectionEvent: self._on_connection, RateLimitEvent: self._rest},
            observer=self._observer,
        )
        self._desk.hook_task = asyncio.current_task()
        await self._guarded("on_start", strategy.on_start, stop_always=True)
        if not (self._dispatcher.hears_changes or self._timers.is_set):
            self._desk.look()
        if self._mode == "live":
            await self._warm_up()

    async def _warm_up(self) -> None:
        """Fetch the candles that indicators and `history` need, for the symbols that are named.

        A backtest has none before its first candle, so its indicators warm up as it goes.
        """
        strategy = self.strategy
        count = max(strategy.lookback, strategy._indicators.warm_up)
        named = [
            (parse_timeframe(entry.timeframe or self._timeframe), entry)
            for entry in self._subscriptions
            if count and entry.event == "candle" and "*" not in (entry.symbol, entry.timeframe)
        ]
        # The finest first: it is what indicators and `history` follow.
        for length, entry in sorted(named, key=lambda item: item[0].nanoseconds):
            timeframe = length.text
            history = partial(self._history, entry, timeframe, count)
            candles = await patiently(history, f"the history of {entry}")
            if candles is None:
                continue
            self._running.take_history(candles)
            if len(candles) < count:
                _log.warning("%s: %d of %d candles to warm up with", entry, len(candles), count)

    async def _history(
        self, entry: Subscription, timeframe: str, count: int
    ) -> list[Candle] | None:
        """The candles to warm up with, or None where the venue does not give any."""
        try:
            return await self._venue.bars(entry.symbol, timeframe, limit=count)
        except ApiError as refusal:
            _log.warning("no history of %s to warm up with: %s", entry, refusal)
            return None

    async def _until_stopped(self, session: Awaitable[None]) -> None:
        main = asyncio.ensure_future(session)
        stop = asyncio.ensure_future(self._stop_asked.wait())
        try:
            await asyncio.wait({main, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not main.done():
                self._stopping = self._desk.is_closed = True
                if self._in_hook:
                    await asyncio.wait({main}, timeout=_HOOK_DEADLINE_S)
                main.cancel()
            await asyncio.gather(main, return_exceptions=not main.done())
        except asyncio.CancelledError:
            if not main.cancelled():
                raise
        finally:
            stop.cancel()
            main.cancel()

    async def _pump(self) -> None:
        """What arrives, and live what a second look finds, until either ends."""
        if self._mode == "backtest":
            await self._hear(self._take)
            return
        work = self._hear(self._tell), self._watch()
        tasks = [asyncio.ensure_future(each) for each in work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for failure in ended:
            if isinstance(failure, Exception):
                raise failure

    async def _hear(
        self, take: Callable[[Iterator[Event | CandleRun], Table], Awaitable[None]]
    ) -> None:
        table = self._running.table
        async for burst in self._venue.bursts():
            await take(burst, table)
            if self._stopping:
                return

    async def _tell(self, burst: Iterator[Event | CandleRun], table: Table) -> None:
        """Consume events live, where another task may have some to tell, too."""
        async with self._turn:
            self._desk.hook_task = asyncio.current_task()
            await self._take(burst, table)

    async def _take(self, burst: Iterator[Event | CandleRun], table: Table) -> None:
        self._in_hook = True
        await self._consume(burst, table)
        if self._desk.anomalies:
            await self._tell_anomalies()
        while self._unreported:
            await self._report(self._unreported.pop(0))
        self._in_hook = False

    async def _watch(self) -> None:
        """Find what was lost although the link seemed healthy."""
        looks = drifts(self._venue, self._book, self._chance, may_look=self._may_look)
        async for drift in looks:
            if self._desk.doubtful:
                with suppress(StrategyRuntimeError):
                    await self._desk.clear_doubts(min_age=ASK_AGAIN_AFTER_S)
            if drift is not None or self._desk.anomalies or self._unreported:
                await self._tell(self._lost(drift), self._running.telling)

    def _may_look(self) -> bool:
        return self._is_reconciled and monotonic() >= self._resting_until

    def _rest(self, event: RateLimitEvent) -> None:
        """Leave the requests that are left to orders and cancels."""
        self._resting_until = monotonic() + rest_after(event)

    def _lost(self, drift: Drift | None) -> Iterator[Event]:
        """What a drift has to tell, unless the book has moved on; asked for in our turn."""
        if drift is not None and drift.is_current(self._book):
            drift.is_told = True
            if drift.lost:
                self._desk.anomalies.append(
                    f"the link was healthy, and these never came: {', '.join(drift.lost)}"
                )
            yield from self._news_of(drift.snapshot)

    def _news_of(self, snapshot: Snapshot) -> list[Event]:
        """Have the book take in a snapshot; gives back what there is to tell of it."""
        news = self._running.apply(differences(self._book, snapshot))
        if snapshot.is_of_one_moment:
            moved: set[str] = set()
            self._book.moved = moved
            asyncio.get_running_loop().call_later(_UNDER_WAY_S, self._all_arrived, moved)
        return news

    def _all_arrived(self, moved: set[str]) -> None:
        """Nothing is under way any more that is older than a snapshot."""
        if self._book.moved is moved:
            self._book.moved = None

    async def _consume(self, burst: Iterator[Event | CandleRun], table: Table) -> None:
        desk = self._desk
        unsettled, settle_at_once = desk.unsettled, desk.settle_at_once
        event: Event | CandleRun | None = None
        while True:
            try:
                for event in burst:
                    result = table[type(event)](event)
                    if result is not None and hasattr(result, "__await__"):
                        await result
                    if unsettled and not settle_at_once():
                        await self._settle()
                    if self._stopping:
                        return
                break
            except (HookFailed, DataError):
                raise
            except Exception as error:
                await self._failure_of(event.last if isinstance(event, CandleRun) else event, error)
        if type(event) is BacktestComplete:
            self.is_complete = True

    async def _end(self) -> None:
        """Call `on_stop`, whatever ended the run; a failure there ends a good run badly."""
        if self.strategy._running is not self._desk:
            return
        try:
            async with asyncio.timeout(_HOOK_DEADLINE_S):
                await self._guarded("on_stop", self.strategy.on_stop, stop_always=True)
        except HookFailed as failure:
            if self._failed is None:
                self._failed = failure
            else:
                _log.error("%s", failure, exc_info=failure.__cause__)
        except TimeoutError:
            _log.error("on_stop took longer than %g s and was cancelled", _HOOK_DEADLINE_S)
        if self._on_exit != "keep" and self._mode == "live":
            await self._wind_down()
        self.strategy._running = no_desk(type(self.strategy).__name__)
        delattr(self.strategy, _POSITION)

    async def _wind_down(self) -> None:
        """Leave behind what was asked for, as far as the venue lets us within the time there is."""
        try:
            async with asyncio.timeout(_WIND_DOWN_DEADLINE_S):
                await self._desk.wind_down(flatten=self._on_exit == "flatten")
        except TimeoutError:
            _log.error("on exit: not everything was answered in %g s", _WIND_DOWN_DEADLINE_S)
        orders, held = len(self._desk.orders(None)), len(self._book.positions)
        _log.info("on exit (%s): %d orders open, %d positions held", self._on_exit, orders, held)

    # Hooks and their failures

    @property
    def _running(self) -> Dispatcher:
        if self._dispatcher is None:
            raise RuntimeError("the run has not started")
        return self._dispatcher

    async def _settle(self) -> None:
        """Have all orders given so far answered, and report refusals nobody awaited."""
        while self._desk.unsettled:
            for rejection in await self._desk.settle():
                self.rejections += 1
                if rejection.code != FATE_UNKNOWN:
                    await self._report(rejection)
            await self._tell_anomalies()

    async def _tell_anomalies(self) -> None:
        while self._desk.anomalies:
            text = self._desk.anomalies.pop(0)
            _log.error("anomaly: %s", text)
            hook = self.strategy.on_anomaly
            await self._guarded("on_anomaly", partial(hook, text), settle=False)

    async def _report(self, error: Exception) -> None:
        hook = overridden(self.strategy, "on_error")
        if hook is None:
            if isinstance(error, OrderRejected):
                _log.warning("order refused: %s", error)
            return
        await self._guarded("on_error", lambda: hook(error), settle=False)

    async def _guarded(
        self,
        name: str,
        call: Callable[[], Any],
        *,
        stop_always: bool = False,
        settle: bool = True,
    ) -> None:
        """Call a hook that no event brought, with the same care as one that an event did."""
        try:
            result = call()
            if result is not None and hasattr(result, "__await__"):
                await result
            if settle and self._desk.unsettled:
                await self._settle()
        except HookFailed:
            raise
        except Exception as error:
            failure = HookFailed(name, "")
            failure.__cause__ = error
            if self.failures.enter(failure) or stop_always:
                raise failure from error

    async def _failure_of(self, event: Event | None, error: Exception) -> None:
        dispatcher = self._running
        hook = dispatcher.hook or EVENT_HOOKS.get(type(event), "a hook")
        dispatcher.hook = None
        if self._observer is not None:
            self._observer.hook_failed(hook)
        failure = HookFailed(hook, _where(event, self._venue.in_hand))
        failure.__cause__ = error
        if self.failures.enter(failure):
            self._desk.is_closed = True
            raise failure from error
        dispatcher.watch(type(event), lambda: self.failures.succeeded(hook))
        await self._report(failure)
        await self._settle()

    def _came_loose(self, failure: HookFailed) -> None:
        """A hook failed after it had returned, or without noticing."""
        if self._observer is not None:
            self._observer.hook_failed(failure.hook)
        if self.failures.enter(failure):
            self._failed = self._failed or failure
            self._stopping = self._desk.is_closed = True
            self._stop_asked.set()
        else:
            self._unreported.append(failure)
        if self._dispatcher is not None:
            self._dispatcher.interrupt()

    # The link

    async def _on_connection(self, event: ConnectionEvent) -> None:
        """Tell the strategy of the link in its own words, and read the book anew after a gap."""
        strategy = self.strategy
        if event.event is ConnectionEventKind.CONNECTED:
            again, self._was_connected = self._was_connected, True
            if self._mode == "live":  # in a backtest nothing can be missed (protocol b.5)
                await self._reconcile()
            self._is_reconciled = True
            if again:
                with suppress(StrategyRuntimeError):
                    await self._desk.clear_doubts()
                await self._tell_anomalies()
            missed = await self._catch_up(again) if self._mode == "live" else []
            await self._guarded("on_connect", strategy.on_connect)
            if again:
                away = timedelta(seconds=monotonic() - (self._lost_at or monotonic()))
                end = now()
                gap = Gap(end - away, end, by_symbol(missed))
                await self._guarded("on_reconnect", lambda: strategy.on_reconnect(gap))
            self._lost_at = None
        elif event.event is ConnectionEventKind.RECONNECTING and self._lost_at is None:
            self._lost_at = monotonic()
            self._is_reconciled = False
            await self._guarded("on_disconnect", strategy.on_disconnect)

    async def _catch_up(self, again: bool) -> list[Candle]:
        """Have indicators and history take in the candles that were missed."""
        dispatcher = self._running
        try:
            missed = await missed_candles(self._venue, dispatcher.latest)
        except StrategyRuntimeError as error:
            _log.warning("candles that were missed are not to be had: %s", error)
            return []
        if again and self.strategy.backfill:
            self.strategy._is_backfilling = True
            await self._consume(iter(missed), dispatcher.table)
            self.strategy._is_backfilling = False
            dispatcher.join(missed, was_told=True)
        else:
            dispatcher.take_history(missed, was_told=again)
        return missed

    async def _reconcile(self) -> None:
        """Tell the strategy, in its ordinary hooks, what it missed while nothing was heard."""
        snapshot = await snapshot_after_gap(self._venue, self._book)
        for order in snapshot.absent:
            self._desk.anomalies.append(
                f"{order.symbol} {order.client_order_id or order.id} was open and is not known to "
                "the venue any more; it is taken for cancelled"
            )
        await self._consume(iter(self._news_of(snapshot)), self._running.telling)
        await self._tell_anomalies()


def _where(event: Event | None, in_hand: str) -> str:
    """The event in words: its kind, symbol and time, and where it came from."""
    if event is None:
        return ""
    if isinstance(event, Candle):
        words = f"candle {event.symbol} {event.timestamp.isoformat().replace('+00:00', 'Z')}"
    else:
        words = type(event).__name__
    return f"{words} ({in_hand})" if in_hand else words
