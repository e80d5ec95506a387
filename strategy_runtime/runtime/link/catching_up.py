"""Requests for candles that closed while the link was down, so that indicators have no gap."""

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import chain

from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.models import Candle
from strategy_runtime.runtime.concurrency import gather_limited
from strategy_runtime.runtime.venue import Venue

__all__ = ["by_symbol", "missed_candles"]

_FIRST_REACH = 16
_FARTHEST_REACH = 4096

_log = logging.getLogger("strategy_runtime")

Latest = Mapping[tuple[str, str], Candle]
"""The last candle known, by symbol and timeframe."""


async def missed_candles(venue: Venue, latest: Latest) -> list[Candle]:
    """Fetch the closed candles after the last known ones, in the order of their ends.

    If the venue has no bars of a symbol, or not enough, a warning is logged.

    Raises:
        StrategyRuntimeError: The venue did not answer.
    """
    found = await gather_limited(partial(_since, venue, last) for last in latest.values())
    missed = chain.from_iterable(found)
    return sorted(missed, key=lambda candle: (candle.end, candle.symbol))


def by_symbol(candles: Iterable[Candle]) -> dict[str, list[Candle]]:
    """Group candles by symbol, keeping their order."""
    found: dict[str, list[Candle]] = {}
    for candle in candles:
        found.setdefault(candle.symbol, []).append(candle)
    return found


async def _since(venue: Venue, last: Candle) -> list[Candle]:
    symbol, reach = last.symbol, _FIRST_REACH
    while True:
        try:
            bars = await venue.bars(symbol, last.timeframe, limit=reach)
        except ApiError as refusal:
            _log.warning("missed candles of %s cannot be read: %s", symbol, refusal)
            return []
        missed = [bar for bar in bars if bar.timestamp > last.timestamp]
        if len(missed) < len(bars) or len(bars) < reach:
            return missed
        if reach == _FARTHEST_REACH:
            _log.warning("%s: more than %d candles were missed", symbol, reach)
            return missed
        reach *= _FIRST_REACH
