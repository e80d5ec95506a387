"""Warnings about subscriptions without events: misspelt ones, or ones the proxy does not have."""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from strategy_runtime.clock import sleep
from strategy_runtime.protocol.subscriptions import Subscription
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.suggestions import did_you_mean, some_of

if TYPE_CHECKING:
    from strategy_runtime.proxy import ProxyVenue
    from strategy_runtime.runtime.settings import Settings

__all__ = ["warn_of_overdue", "warn_of_unmet"]

_PATIENCE_S = 60.0
_SHOWN = 5
_ANY = (None, "*")

_log = logging.getLogger("strategy_runtime")


def warn_of_unmet(proxy: "ProxyVenue", settings: "Settings") -> None:
    """Warn about every subscription for which nothing has come."""
    _warn(proxy.unmet, proxy, settings)


async def warn_of_overdue(proxy: "ProxyVenue", settings: "Settings") -> None:
    """Warn about each subscription for which nothing has come a minute after a candle was due."""
    waited = 0.0
    patience = {entry: _patience(entry, settings.timeframe) for entry in settings.subscriptions}
    for seconds in sorted(set(patience.values())):
        await sleep(seconds - waited)
        waited = seconds
        _warn([each for each in proxy.unmet if patience[each] == seconds], proxy, settings)


def _patience(entry: Subscription, usual: str) -> float:
    if entry.event == "quote":
        return _PATIENCE_S
    timeframe = usual if entry.timeframe in _ANY else entry.timeframe
    return _PATIENCE_S + parse_timeframe(timeframe or usual).nanoseconds / 1e9


def _warn(entries: Iterable[Subscription], proxy: "ProxyVenue", settings: "Settings") -> None:
    came = proxy.came.copy()  # in a live run another thread adds to it
    seen = f"; what came was {some_of(sorted(came), _SHOWN)}" if came else ""
    for entry in entries:
        hint = _other_timeframes(entry, came) or did_you_mean(str(entry), came) or seen
        _log.warning("%s: nothing came of %s%s", settings.origins["subscriptions"], entry, hint)


def _other_timeframes(entry: Subscription, came: Iterable[str]) -> str:
    """What to do where the symbol is right, and its candles are of another timeframe."""
    if entry.event != "candle":
        return ""
    kinds = (kind.rpartition(":candle_") for kind in came)
    sent = {
        timeframe
        for symbol, is_candle, timeframe in kinds
        if is_candle and entry.symbol in ("*", symbol)
    }
    if not sent:
        return ""
    of_what = "" if entry.symbol == "*" else f" of {entry.symbol}"
    return (
        f"; the proxy sends only {some_of(sorted(sent), _SHOWN)} candles{of_what}; if it is "
        "strategy-proxy, start it with the same --subscriptions"
    )
