"""Candles that end at the same instant, for `on_candles`.

A venue that knows which of them is the last says so, with `InstantClosed`. For others, an instant
is over when every candle subscribed to has come, or when a candle of another instant comes, or,
live, when none has come for two seconds.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from datetime import datetime

from strategy_runtime.clock import monotonic, ns_of, sleep
from strategy_runtime.protocol.events import INSTANT_CLOSED, BacktestComplete, InstantClosed, Item
from strategy_runtime.protocol.models import Candle
from strategy_runtime.protocol.subscriptions import Subscription, Subscriptions
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.runtime.delivery.live_candles import LiveCandles
from strategy_runtime.runtime.observer import Handler
from strategy_runtime.strategy.hooks import Hook

__all__ = ["Division", "Gathering"]

_PATIENCE_S = 2.0


class Gathering:
    """Gathers the candles of an instant, until it is over.

    Attributes:
        latest: The last candle of the instant that was over last.
    """

    def __init__(self) -> None:
        self.latest: Candle | None = None
        self._together: list[Candle] = []
        self._begun = asyncio.Event()
        self._waits_since = 0.0

    def gathering(self, hook: Hook | None, *, is_live: bool) -> Hook:
        """Return a hook of candles that also gathers them."""
        together = self._together
        if hook is None and not is_live:
            return together.append

        def gather(candle: Candle) -> Awaitable[None] | None:
            if is_live and not together:
                self.wait_for_more()
                self._begun.set()
            together.append(candle)
            return None if hook is None else hook(candle)

        return gather

    def closing(self, hook: Hook) -> Handler:
        """Return a handler that calls a hook with the candles gathered, if there are any."""
        together = self._together

        def close(event: InstantClosed) -> Awaitable[None] | None:
            if not together:
                return None
            candles = together.copy()
            together.clear()
            self.latest = candles[-1]
            return hook(candles)

        return close

    def is_of_another(self, candle: Candle) -> bool:
        """Whether the candles gathered end at another instant than this one."""
        return bool(self._together) and self._together[0].end != candle.end

    def by_instant(self, candles: Iterable[Candle]) -> Iterator[Item]:
        """Iterate over candles in the order of their ends, with the end of each instant between.

        The first of them may end with those gathered already.
        """
        for candle in candles:
            if self.is_of_another(candle):
                yield INSTANT_CLOSED
            yield candle
        yield from self.end()

    def end(self) -> Iterator[Item]:
        """End the instant, if any candle of it has come."""
        if self._together:
            yield INSTANT_CLOSED

    def wait_for_more(self) -> None:
        """Count the time to wait for other candles from now on."""
        self._waits_since = monotonic()

    async def waits(self) -> AsyncIterator[None]:
        """Yield whenever the candles of an instant have waited too long for others."""
        while True:
            self._begun.clear()
            if not self._together:
                await self._begun.wait()
            await sleep(max(self._waits_since + _PATIENCE_S - monotonic(), 0.0))
            if self._is_overdue:
                yield

    def end_if_overdue(self) -> Iterator[Item]:
        """End the instant if it still waits when this is asked for the first time."""
        if self._is_overdue:
            yield INSTANT_CLOSED

    @property
    def _is_overdue(self) -> bool:
        return bool(self._together) and monotonic() >= self._waits_since + _PATIENCE_S


class Division:
    """Divides a stream of candles into instants.

    Args:
        gathering: Has the candles of the current instant.
        live_candles: Tells which candles will be passed over.
        timeframe: Default for subscriptions that name none.

    Attributes:
        is_told: Whether the venue tells where instants end.
        is_exact: Whether the candles subscribed to are all known by name, so that the last one of
            an instant is recognised unless a bar is missing.
    """

    def __init__(
        self,
        gathering: Gathering,
        live_candles: LiveCandles,
        subscriptions: Subscriptions,
        timeframe: str,
    ) -> None:
        candles = [each for each in subscriptions if each.event in ("candle", "*")]
        self.is_told = False
        self.is_exact = bool(candles) and not any(
            "*" in (each.symbol, each.event, each.timeframe) for each in candles
        )
        self._gathering = gathering
        self._live_candles = live_candles
        self._subscriptions = subscriptions
        self._timeframe = timeframe
        self._by_timeframe: dict[str | None, list[Subscription]] = {}
        for each in candles if self.is_exact else ():
            self._by_timeframe.setdefault(each.timeframe, []).append(each)
        self._end: datetime | None = None
        self._missing: set[Subscription] = set()

    def divided(self, items: Iterator[Item]) -> Iterator[Item]:
        """Add the ends of instants to what comes."""
        gathering = self._gathering
        for item in items:
            if isinstance(item, InstantClosed | BacktestComplete):
                yield from gathering.end()
            if isinstance(item, InstantClosed):
                continue
            if not isinstance(item, Candle) or self._live_candles.passes_over(item):
                yield item
                continue
            if gathering.is_of_another(item):
                yield INSTANT_CLOSED
            yield item
            gathering.wait_for_more()
            if not self.is_told and self._is_last(item):
                yield INSTANT_CLOSED

    def _is_last(self, candle: Candle) -> bool:
        """Return whether, with this candle, all that end at its instant have come."""
        met = {
            each
            for each in self._subscriptions.of(candle.symbol)
            if each.takes_candle(candle.symbol, candle.timeframe)
        }
        if candle.end != self._end:
            self._end, self._missing = candle.end, self._due_with(candle, met)
        is_awaited = not met.isdisjoint(self._missing)
        self._missing -= met
        return is_awaited and not self._missing

    def _due_with(self, candle: Candle, met: set[Subscription]) -> set[Subscription]:
        """Return the subscriptions whose candles end at the same instant as the first of them.

        Those like its own do, even if days are not those of UTC.
        """
        before, alike = ns_of(candle.end) - 1, {each.timeframe for each in met}
        return {
            each
            for timeframe, entries in self._by_timeframe.items()
            if timeframe in alike
            or parse_timeframe(timeframe or self._timeframe).span_around(before)[1] == before + 1
            for each in entries
        }
