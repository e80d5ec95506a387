"""Finds subscriptions that the loaded data cannot meet."""

from collections.abc import Mapping

from strategy_runtime.errors import ConfigError
from strategy_runtime.protocol.subscriptions import Subscription, Subscriptions
from strategy_runtime.simulator.data.load import LoadedData
from strategy_runtime.suggestions import did_you_mean, some_of

__all__ = ["unmet"]

_NOT_OF_THE_MARKET = "events about orders, trades, positions and the account come in any case"


def unmet(wanted: Subscriptions, data: LoadedData, origin: str) -> dict[Subscription, str]:
    """Return the subscriptions that will get no events, and why.

    Args:
        origin: Where the subscriptions come from, for the error message.

    Raises:
        ConfigError: None of them will get any event.
    """
    events: dict[str, list[str]] = {}
    for each in (*data.series, *data.ticks):
        events[each.symbol] = ["candle"]
    for each in data.quotes:
        events.setdefault(each.symbol, []).append("quote")
    missing = {entry: said for entry in wanted if (said := _missing(entry, events))}
    if len(wanted) and not any(
        entry.event in ("candle", "quote", "*") and entry not in missing for entry in wanted
    ):
        loaded = [f"{symbol}:{event}" for symbol in events for event in events[symbol]]
        why = some_of([*dict.fromkeys(missing.values())], between="; ") or _NOT_OF_THE_MARKET
        raise ConfigError(
            f"{origin} matches nothing that was loaded: {why}; loaded are {some_of(loaded)}"
        )
    return missing


def _missing(entry: Subscription, events: Mapping[str, list[str]]) -> str:
    """Return why a subscription will get no events; empty if it may get some."""
    if entry.symbol not in ("*", *events):
        return f"{entry.symbol} was not loaded{did_you_mean(entry.symbol, events)}"
    symbols = list(events) if entry.symbol == "*" else [entry.symbol]
    if entry.event not in ("candle", "quote", "option_greeks") or any(
        entry.event in events[symbol] for symbol in symbols
    ):
        return ""
    return f"there are no {entry.event.removesuffix('s')}s of {some_of(symbols)}"
