"""Candles that end at the same instant, for `on_candles`.

A venue that knows which of them is the last says so, with `InstantClosed`. For others, an instant
is over when every candle subscribed to has come, or when a candle of another instant comes, or,
live, after two seconds.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from strategy_runtime.clock import monotonic, ns_of, sleep
from strategy_runtime.protocol.events import INSTANT_CLOSED, InstantClosed, Item
from strategy_runtime.protocol.models import Candle
from strategy_runtime.protocol.subscriptions import Subscriptions
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.runtime.observer import Handler
from strategy_runtime.strategy.hooks import Hook

__all__ = ["Division", "Gathering", "by_instant"]

_PATIENCE_S = 2.0

_Key = tuple[str, str]
"""Symbol and timeframe."""


class Gathering:
    """Gathers the candles of an instant, until it is over."""

    def __init__(self) -> None:
        self._together: list[Candle] = []
        self._begun = asyncio.Event()
        self._began_at = 0.0

    def gathering(self, hook: Hook | None, *, is_live: bool) -> Hook:
        """Return a hook of candles that also gathers them."""
        together = self._together
        if hook is None and not is_live:
            return together.append

        def gather(candle: Candle) -> Awaitable[None] | None:
            if is_live and not together:
                self._began_at = monotonic()
                self._begun.set()
            together.append(candle)
            return None if hook is None else hook(candle)

        return gather

    def closing(self, hook: Hook) -> Handler:
        """Return a handler that calls a hook with the candles gathered, if there are any."""
        together = self._together

        def close(event: InstantClosed) -> Awaitable[None] | None:
            candles = together.copy()
            together.clear()
            return hook(candles) if candles else None

        return close

    async def waits(self) -> AsyncIterator[None]:
        """Yield whenever the candles of an instant have waited too long for others."""
        while True:
            self._begun.clear()
            if not self._together:
                await self._begun.wait()
            await sleep(max(self._began_at + _PATIENCE_S - monotonic(), 0.0))
            if self._is_overdue:
                yield

    def end_if_overdue(self) -> Iterator[Item]:
        """End the instant if it still waits when this is asked for the first time."""
        if self._is_overdue:
            yield INSTANT_CLOSED

    @property
    def _is_overdue(self) -> bool:
        return bool(self._together) and monotonic() >= self._began_at + _PATIENCE_S


def by_instant(candles: Iterable[Candle]) -> Iterator[Item]:
    """Iterate over candles in the order of their ends, with the end of each instant between."""
    yield INSTANT_CLOSED
    for _, together in groupby(candles, attrgetter("end")):
        yield from together
        yield INSTANT_CLOSED


class Division:
    """Divides a stream of candles into instants.

    Args:
        timeframe: Default for subscriptions that name none.

    Attributes:
        is_exact: Whether the candles subscribed to are all known by name, so that the last one of
            an instant is recognised unless a bar is missing.
    """

    def __init__(self, subscriptions: Subscriptions, timeframe: str) -> None:
        candles = [each for each in subscriptions if each.event in ("candle", "*")]
        self.is_exact = bool(candles) and not any(
            "*" in (each.symbol, each.event, each.timeframe) for each in candles
        )
        self._keys: dict[str, set[_Key]] = {}
        for each in candles if self.is_exact else ():
            text = each.timeframe or timeframe
            self._keys.setdefault(text, set()).add((each.symbol, text))
        self._end: datetime | None = None
        self._missing: set[_Key] = set()

    def divided(self, items: Iterator[Item]) -> Iterator[Item]:
        """Add the ends of instants to what comes."""
        for item in items:
            if not isinstance(item, Candle):
                yield item
                continue
            if item.end != self._end:
                if self._end is not None:
                    yield INSTANT_CLOSED
                self._end, self._missing = item.end, self._due_at(item.end)
            yield item
            key = item.symbol, item.timeframe
            if key in self._missing:
                self._missing.remove(key)
                if not self._missing:
                    yield INSTANT_CLOSED

    def _due_at(self, end: datetime) -> set[_Key]:
        """Return the candles subscribed to that end at an instant."""
        before = ns_of(end) - 1
        return {
            key
            for text, keys in self._keys.items()
            if parse_timeframe(text).span_around(before)[1] == before + 1
            for key in keys
        }
