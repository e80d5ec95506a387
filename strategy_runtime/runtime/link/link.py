"""The link to the venue: after it was down, missed events and candles are recovered.

While it is up, `drift` finds events that were lost all the same.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial

from strategy_runtime.clock import monotonic, now
from strategy_runtime.errors import AccessDenied, StrategyRuntimeError
from strategy_runtime.ids import Random
from strategy_runtime.protocol.enums import ConnectionEventKind
from strategy_runtime.protocol.events import ConnectionEvent, Event, ProxyErrorEvent, RateLimitEvent
from strategy_runtime.protocol.models import Candle
from strategy_runtime.protocol.values import in_digits
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.delivery import Deliver, Delivery
from strategy_runtime.runtime.desk import TradingDesk
from strategy_runtime.runtime.desk.doubts import ASK_AGAIN_AFTER_S
from strategy_runtime.runtime.link.catching_up import by_symbol, missed_candles
from strategy_runtime.runtime.link.drift import Drift, compare, drifts, rest_after
from strategy_runtime.runtime.link.missed import Missed
from strategy_runtime.runtime.link.reconciliation import (
    Snapshot,
    differences,
    gone_in_words,
    snapshot_after_gap,
    was_reset,
)
from strategy_runtime.runtime.retries import with_retries
from strategy_runtime.runtime.venue import Venue
from strategy_runtime.strategy import Strategy
from strategy_runtime.strategy.gap import Gap

__all__ = ["Link"]

_UNDER_WAY_S = 5.0
_CONNECTED = ConnectionEvent(event=ConnectionEventKind.CONNECTED)
_BACK = (ConnectionEventKind.CONNECTED, ConnectionEventKind.BROKER_RECONNECTED)
_NEWS_OF_THE_BROKER = {
    ConnectionEventKind.BROKER_DISCONNECTED: logging.WARNING,
    ConnectionEventKind.BROKER_RECONNECTED: logging.WARNING,
    ConnectionEventKind.BROKER_CONNECTION_FAILED: logging.ERROR,
}

_log = logging.getLogger("strategy_runtime")


class Link:
    """The link between one run and its venue.

    Attributes:
        is_reconciled: Orders and positions have been read since the link came up.
        missed: What happened before this run, and is told when the link first comes up.
    """

    def __init__(
        self,
        strategy: Strategy,
        venue: Venue,
        book: Book,
        desk: TradingDesk,
        delivery: Delivery,
        rng: Random,
    ) -> None:
        self.is_reconciled = False
        self.missed: Missed | None = None
        self._strategy = strategy
        self._venue = venue
        self._book = book
        self._desk = desk
        self._delivery = delivery
        self._dispatcher = delivery.dispatcher
        self._rng = rng
        self._was_connected = False
        self._session: str | None = None
        self._lost_at: float | None = None
        self._is_announced = False
        self._resting_until = 0.0
        self._dispatcher.precede(ConnectionEvent, self._on_connection)
        self._dispatcher.precede(RateLimitEvent, self._rest)
        if venue.direct is None:  # in process the result has it
            self._dispatcher.precede(ProxyErrorEvent, self._log_proxy_error)

    @property
    def is_up(self) -> bool:
        """Whether the event stream is up."""
        return self._was_connected and self._lost_at is None

    def _log_proxy_error(self, event: ProxyErrorEvent) -> None:
        """Log problems such as a liquidation, even if the strategy has no hook for them."""
        _log.error("the proxy reports %s: %s", event.code, event.message)

    # Connection

    async def announce_connection(self, deliver: Deliver) -> None:
        """Call `on_connect` in a backtest before its events start.

        Over a network, time advances as soon as there is a connection. Called before, the hook can
        place orders for the first open, as in process.
        """
        await deliver(iter((_CONNECTED,)), self._dispatcher.table)
        self._is_announced = True
        self._dispatcher.sift(ConnectionEvent, self._is_news)

    def _is_news(self, event: ConnectionEvent) -> bool:
        is_announced, self._is_announced = self._is_announced, False
        return not (is_announced and event.event is ConnectionEventKind.CONNECTED)

    async def _on_connection(self, event: ConnectionEvent) -> None:
        """Call the hooks about the link, and reconcile the book after a gap."""
        strategy, delivery = self._strategy, self._delivery
        level = _NEWS_OF_THE_BROKER.get(event.event)
        if level is not None:
            said = ": ".join(filter(None, (event.event, event.broker, event.error)))
            _log.log(level, "the proxy reports %s", said)
        if event.event in _BACK:
            was_up, again = self.is_up, self._was_connected
            self._was_connected = True
            await self._note_session(event.session)
            is_live = self._desk.mode == "live"  # in a backtest nothing is missed
            if is_live:
                await self._reconcile()
            self.is_reconciled = True
            if again:
                with suppress(StrategyRuntimeError):
                    await self._desk.doubts.clear()
                await delivery.report_anomalies()
            if was_up:  # a late hello, or the broker's own link has been restored
                return
            missed = await self._catch_up(again) if is_live else []
            away = None if self._lost_at is None else monotonic() - self._lost_at
            if is_live or away is not None:
                self._log_connection(away, len(missed))
            await delivery.call("on_connect", strategy.on_connect)
            if away is not None:
                end = now()
                gap = Gap(end - timedelta(seconds=away), end, by_symbol(missed))
                await delivery.call("on_reconnect", partial(strategy.on_reconnect, gap))
            self._lost_at = None
        elif event.event is ConnectionEventKind.RECONNECTING and self._lost_at is None:
            self._lost_at = monotonic()
            self.is_reconciled = False
            await delivery.call("on_disconnect", strategy.on_disconnect)

    def _log_connection(self, away: float | None, missed: int) -> None:
        """Log a connection, what was found, and for how long there was none before."""
        account, own = self._book.account, self._book.orders(external=False)
        after = "" if away is None else f" again after {away:.1f} s, candles missed: {missed}"
        _log.info(
            "connected%s; equity %s %s, own open orders: %d, positions: %d",
            after,
            in_digits(account.equity),
            account.currency,
            len(own),
            len(self._book.positions),
        )

    async def _note_session(self, session: str | None) -> None:
        """Detect a restart of the proxy, after which candles and executions may start again.

        Those of a replay do.
        """
        if session is None:
            return
        is_another, self._session = self._session not in (None, session), session
        if not is_another:
            return
        self._dispatcher.candles.let_time_go_back()
        ask = partial(was_reset, self._venue, self._book)
        with suppress(StrategyRuntimeError):
            if await with_retries(ask, "whether the proxy knows what was traded"):
                self._book.forget_fills()
                self._desk.anomalies.append(
                    "the proxy was restarted and knows nothing of what this run has traded: its "
                    "orders, positions and account count from now on"
                )

    async def _reconcile(self) -> None:
        """Deliver what was missed while the link was down, as ordinary events."""
        snapshot = await snapshot_after_gap(self._venue, self._book)
        news: list[Event] = []
        if self.missed is not None:
            news += self.missed.events
            self._desk.anomalies += self.missed.anomalies
            self.missed = None
        self._desk.anomalies += map(gone_in_words, snapshot.absent)
        news += self._news_of(snapshot)
        await self._delivery.consume(iter(news), self._dispatcher.hooks_only)
        await self._delivery.report_anomalies()

    async def _catch_up(self, again: bool) -> list[Candle]:
        """Feed missed candles to indicators and history, or with `backfill` to the hooks, too."""
        dispatcher = self._dispatcher
        try:
            missed = await missed_candles(self._venue, dispatcher.candles.latest)
        except AccessDenied:
            raise
        except StrategyRuntimeError as error:
            _log.warning("missed candles cannot be read: %s", error)
            return []
        if again and self._strategy.backfill:
            self._strategy._is_backfilling = True
            gathering = dispatcher.gathering
            late = iter(missed) if gathering is None else gathering.by_instant(missed)
            await self._delivery.consume(late, dispatcher.table)
            self._strategy._is_backfilling = False
            dispatcher.candles.join(missed, was_told=True)
        else:
            dispatcher.take_history(missed, was_told=again)
        return missed

    def _news_of(self, snapshot: Snapshot) -> list[Event]:
        """Apply a snapshot to the book, and return the events to deliver."""
        news = self._dispatcher.apply(differences(self._book, snapshot))
        if snapshot.is_of_one_moment:
            moved: set[str] = set()
            self._book.moved = moved
            asyncio.get_running_loop().call_later(_UNDER_WAY_S, self._all_arrived, moved)
        return news

    def _all_arrived(self, moved: set[str]) -> None:
        """Note that no event older than a snapshot can arrive any more."""
        if self._book.moved is moved:
            self._book.moved = None

    # Drift

    async def watch(self) -> None:
        """Find events that were lost although the link is healthy, until the run ends."""
        looks = drifts(self._venue, self._book, self._rng, may_check=self._may_check)
        async for found in looks:
            drift, doubts = found, self._desk.doubts
            with suppress(StrategyRuntimeError):
                await doubts.clear(min_age=ASK_AGAIN_AFTER_S)
                if doubts.have_ended and self._may_check():
                    drift = await compare(self._venue, self._book)
                    doubts.have_ended = not drift.is_current(self._book)
            if drift is not None or self._delivery.has_pending_reports:
                await self._delivery.deliver_in_turn(self._lost(drift), self._dispatcher.hooks_only)
                if self._delivery.is_stopping:
                    return

    def _may_check(self) -> bool:
        return self.is_reconciled and monotonic() >= self._resting_until

    def _rest(self, event: RateLimitEvent) -> None:
        """Pause checks, to leave the remaining requests for orders and cancels."""
        self._resting_until = monotonic() + rest_after(event)

    def _lost(self, drift: Drift | None) -> Iterator[Event]:
        """Yield the events of a drift, unless the book has changed by the time of our turn."""
        if drift is not None and drift.is_current(self._book):
            drift.is_reported = True
            if drift.lost:
                self._desk.anomalies.append(
                    f"these events were lost on a healthy link: {', '.join(drift.lost)}"
                )
            yield from self._news_of(drift.snapshot)
