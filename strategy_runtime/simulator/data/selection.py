"""Finds subscriptions that the loaded data cannot meet."""

from collections.abc import Mapping
from itertools import islice

from strategy_runtime.errors import ConfigError
from strategy_runtime.protocol.subscriptions import Subscription, Subscriptions
from strategy_runtime.simulator.data.load import LoadedData
from strategy_runtime.suggestions import did_you_mean, some_of

__all__ = ["listed", "unmet"]

_SHOWN = 20
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
    missing: dict[Subscription, str] = {}
    for entry in wanted:
        if said := _missing(entry, events, has_hint=len(missing) < _SHOWN):
            missing[entry] = said
    if len(wanted) and not any(
        entry.event in ("candle", "quote", "*") and entry not in missing for entry in wanted
    ):
        loaded = [f"{symbol}:{event}" for symbol in events for event in events[symbol]]
        why = some_of([*dict.fromkeys(missing.values())], between="; ") or _NOT_OF_THE_MARKET
        raise ConfigError(
            f"{origin} matches nothing that was loaded: {why}; loaded are {some_of(loaded)}"
        )
    return missing


def listed(missing: Mapping[Subscription, str], what: str) -> list[str]:
    """Return a line for each of the first subscriptions without events, and one for the others.

    Args:
        what: What there is to say, such as `nothing came of`.
    """
    lines = [f"{what} {entry}: {said}" for entry, said in islice(missing.items(), _SHOWN)]
    more = len(missing) - _SHOWN
    return [*lines, f"{what} {more:,} more subscriptions"] if more > 0 else lines


def _missing(entry: Subscription, events: Mapping[str, list[str]], *, has_hint: bool) -> str:
    """Return why a subscription will get no events; empty if it may get some.

    Args:
        has_hint: Whether to look for similar names, which takes long among thousands.
    """
    if entry.symbol != "*" and entry.symbol not in events:
        hint = did_you_mean(entry.symbol, events) if has_hint else ""
        return f"{entry.symbol} was not loaded{hint}"
    symbols = list(events) if entry.symbol == "*" else [entry.symbol]
    if entry.event not in ("candle", "quote", "option_greeks") or any(
        entry.event in events[symbol] for symbol in symbols
    ):
        return ""
    return f"there are no {entry.event.removesuffix('s')}s of {some_of(symbols)}"
