"""The link to the venue: what is missed while it is down is found out, told and made up for.

While it is up, a second look finds what was lost all the same (`drift`).
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
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.book.order_states import name_of
from strategy_runtime.runtime.delivery import Deliver, Delivery
from strategy_runtime.runtime.desk import TradingDesk
from strategy_runtime.runtime.desk.doubts import ASK_AGAIN_AFTER_S
from strategy_runtime.runtime.link.catching_up import by_symbol, missed_candles
from strategy_runtime.runtime.link.drift import Drift, drifts, look, rest_after
from strategy_runtime.runtime.link.reconciliation import (
    Snapshot,
    differences,
    has_begun_anew,
    snapshot_after_gap,
)
from strategy_runtime.runtime.patience import patiently
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
    """Stands between one run and its venue.

    Attributes:
        is_reconciled: Orders and positions have been read since the link came up.
    """

    def __init__(
        self,
        strategy: Strategy,
        venue: Venue,
        book: Book,
        desk: TradingDesk,
        delivery: Delivery,
        chance: Random,
    ) -> None:
        self.is_reconciled = False
        self._strategy = strategy
        self._venue = venue
        self._book = book
        self._desk = desk
        self._delivery = delivery
        self._dispatcher = delivery.dispatcher
        self._chance = chance
        self._was_connected = False
        self._session: str | None = None
        self._lost_at: float | None = None
        self._is_foretold = False
        self._resting_until = 0.0
        self._dispatcher.precede(ConnectionEvent, self._on_connection)
        self._dispatcher.precede(RateLimitEvent, self._rest)
        if venue.direct is None:  # in process the result says it
            self._dispatcher.precede(ProxyErrorEvent, self._tell_the_log)

    @property
    def is_up(self) -> bool:
        """Whether events come."""
        return self._was_connected and self._lost_at is None

    def _tell_the_log(self, event: ProxyErrorEvent) -> None:
        """Trouble such as a liquidation is told whether or not the strategy listens."""
        _log.error("the proxy reports %s: %s", event.code, event.message)

    # Lost and found again

    async def foretell(self, deliver: Deliver) -> None:
        """Tell the strategy of the link to a backtest before its events begin.

        Over a network time moves as soon as there is a connection, whatever the strategy does about
        it. Told beforehand, it can order something for the first open there as well as in process.
        """
        await deliver(iter((_CONNECTED,)), self._dispatcher.table)
        self._is_foretold = True
        self._dispatcher.sift(ConnectionEvent, self._is_news)

    def _is_news(self, event: ConnectionEvent) -> bool:
        is_foretold, self._is_foretold = self._is_foretold, False
        return not (is_foretold and event.event is ConnectionEventKind.CONNECTED)

    async def _on_connection(self, event: ConnectionEvent) -> None:
        """Tell the strategy of the link in its own words, and read the book anew after a gap."""
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
                await delivery.tell_anomalies()
            if was_up:  # its hello was late, or the venue has a link of its own that is back
                return
            missed = await self._catch_up(again) if is_live else []
            await delivery.call("on_connect", strategy.on_connect)
            if self._lost_at is not None:
                away, end = timedelta(seconds=monotonic() - self._lost_at), now()
                gap = Gap(end - away, end, by_symbol(missed))
                await delivery.call("on_reconnect", partial(strategy.on_reconnect, gap))
            self._lost_at = None
        elif event.event is ConnectionEventKind.RECONNECTING and self._lost_at is None:
            self._lost_at = monotonic()
            self.is_reconciled = False
            await delivery.call("on_disconnect", strategy.on_disconnect)

    async def _note_session(self, session: str | None) -> None:
        """Where the proxy was started anew, its candles may begin anew, too, as those of a replay
        do, and so may all that it has to tell.
        """
        if session is None:
            return
        is_another, self._session = self._session not in (None, session), session
        if not is_another:
            return
        self._dispatcher.candles.let_time_go_back()
        ask = partial(has_begun_anew, self._venue, self._book)
        with suppress(StrategyRuntimeError):
            if await patiently(ask, "whether the proxy knows what was traded"):
                self._book.forget_fills()
                self._desk.anomalies.append(
                    "the proxy was started anew and knows nothing of what this run has traded: "
                    "orders, positions and account are from now on as it has them"
                )

    async def _reconcile(self) -> None:
        """Tell the strategy, in its ordinary hooks, what it missed while nothing was heard."""
        snapshot = await snapshot_after_gap(self._venue, self._book)
        for order in snapshot.absent:
            self._desk.anomalies.append(
                f"{order.symbol} {name_of(order)} was open and is not known to "
                "the venue any more; it is taken for cancelled"
            )
        await self._delivery.consume(iter(self._news_of(snapshot)), self._dispatcher.telling)
        await self._delivery.tell_anomalies()

    async def _catch_up(self, again: bool) -> list[Candle]:
        """Have indicators and history take in the candles that were missed."""
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
            await self._delivery.consume(iter(missed), dispatcher.table)
            self._strategy._is_backfilling = False
            dispatcher.candles.join(missed, was_told=True)
        else:
            dispatcher.take_history(missed, was_told=again)
        return missed

    def _news_of(self, snapshot: Snapshot) -> list[Event]:
        """Have the book take in a snapshot; gives back what there is to tell of it."""
        news = self._dispatcher.apply(differences(self._book, snapshot))
        if snapshot.is_of_one_moment:
            moved: set[str] = set()
            self._book.moved = moved
            asyncio.get_running_loop().call_later(_UNDER_WAY_S, self._all_arrived, moved)
        return news

    def _all_arrived(self, moved: set[str]) -> None:
        """Nothing is under way any more that is older than a snapshot."""
        if self._book.moved is moved:
            self._book.moved = None

    # A second look

    async def watch(self) -> None:
        """Find what was lost although the link seemed healthy, until the run is to end."""
        looks = drifts(self._venue, self._book, self._chance, may_look=self._may_look)
        async for found in looks:
            drift, doubts = found, self._desk.doubts
            with suppress(StrategyRuntimeError):
                await doubts.clear(min_age=ASK_AGAIN_AFTER_S)
                if doubts.have_ended and self._may_look():
                    drift = await look(self._venue, self._book)
                    doubts.have_ended = not drift.is_current(self._book)
            if drift is not None or self._delivery.has_more_to_tell:
                await self._delivery.deliver_in_turn(self._lost(drift), self._dispatcher.telling)
                if self._delivery.is_stopping:
                    return

    def _may_look(self) -> bool:
        return self.is_reconciled and monotonic() >= self._resting_until

    def _rest(self, event: RateLimitEvent) -> None:
        """Leave the requests that are left to orders and cancels."""
        self._resting_until = monotonic() + rest_after(event)

    def _lost(self, drift: Drift | None) -> Iterator[Event]:
        """What a drift has to tell, unless the book has moved on by the time it is our turn."""
        if drift is not None and drift.is_current(self._book):
            drift.is_told = True
            if drift.lost:
                self._desk.anomalies.append(
                    f"the link was healthy, and these never came: {', '.join(drift.lost)}"
                )
            yield from self._news_of(drift.snapshot)
