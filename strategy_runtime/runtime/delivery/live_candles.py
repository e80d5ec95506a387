"""Deduplication of live candles: each is handled once, however often it is sent or requested."""

import logging
from collections.abc import Awaitable, Iterable
from datetime import datetime
from typing import NamedTuple

from strategy_runtime.clock import ns_of, rfc3339
from strategy_runtime.protocol.models import Candle
from strategy_runtime.runtime.observer import Handler

__all__ = ["LiveCandles"]

_log = logging.getLogger("strategy_runtime")


class _Join(NamedTuple):
    """Where requested candles end and the stream continues."""

    until: datetime
    was_told: bool


class LiveCandles:
    """The candles received so far, from the stream or on request.

    Attributes:
        latest: The last candle by symbol and timeframe.
    """

    def __init__(self) -> None:
        self.latest: dict[tuple[str, str], Candle] = {}
        self._joins: dict[tuple[str, str], _Join] = {}
        self._may_go_back: set[tuple[str, str]] = set()

    def join(self, candles: Iterable[Candle], *, was_told: bool) -> None:
        """Continue the stream after candles that were requested and have been applied.

        Args:
            was_told: The strategy has seen them. Otherwise its hook is called if one of them also
                comes in the stream.
        """
        for candle in candles:
            key = candle.symbol, candle.timeframe
            self.latest[key] = candle
            self._joins[key] = _Join(candle.timestamp, was_told)

    def let_time_go_back(self) -> None:
        """Accept, once for each symbol and timeframe, a candle older than the last as a restart."""
        self._may_go_back.update(self.latest)

    def passes_over(self, candle: Candle) -> bool:
        """Whether the handler of the stream will ignore a candle."""
        key = candle.symbol, candle.timeframe
        join, known = self._joins.get(key), self.latest.get(key)
        if join is not None and candle.timestamp <= join.until:
            return join.was_told
        return known is not None and self._is_behind(candle, known)

    def _is_behind(self, candle: Candle, known: Candle) -> bool:
        if candle.stamp == known.stamp:
            return True
        key = candle.symbol, candle.timeframe
        return candle.timestamp < known.timestamp and key not in self._may_go_back

    def once(self, handle: Handler, tell: Handler) -> Handler:
        """Wrap the handler of the stream so that each candle is handled once.

        Args:
            tell: Calls the hook for a candle that has been applied already.
        """
        joins, latest = self._joins, self.latest

        def handle_once(candle: Candle) -> Awaitable[None] | None:
            key = candle.symbol, candle.timeframe
            if joins and key in joins:
                join = joins[key]
                if candle.timestamp <= join.until:
                    _warn_of_another_close(candle, latest[key])
                    return None if join.was_told else tell(candle)
                del joins[key]
            known = latest.get(key)
            # Runs at every candle: `stamp` is faster than `timestamp`, and of one type per venue.
            if known is not None and candle.stamp <= known.stamp:  # type: ignore[operator]
                if self._is_behind(candle, known):
                    _warn_passed_over(candle, known)
                    return None
                self._may_go_back.remove(key)
            latest[key] = candle
            return handle(candle)

        return handle_once


def _warn_of_another_close(candle: Candle, listed: Candle) -> None:
    """Warn of a bar that the venue listed before it was closed, since that cannot be undone."""
    if candle.timestamp == listed.timestamp and candle.close != listed.close:
        _log.warning(
            "the bar of %s (%s) from %s closed at %g, and had been listed with %g: a proxy has to "
            "list closed bars only; history and indicators have what was listed",
            candle.symbol,
            candle.timeframe,
            rfc3339(ns_of(candle.timestamp)),
            candle.close,
            listed.close,
        )


def _warn_passed_over(candle: Candle, known: Candle) -> None:
    """Warn of a candle that is ignored, unless it is an exact duplicate."""
    if candle != known:
        how = "again with other values" if candle.timestamp == known.timestamp else "late"
        _log.warning(
            "a candle of %s (%s) came %s, and is ignored", candle.symbol, candle.timeframe, how
        )
