"""What is made of the options: market data, what of it is wanted, how the exchange treats it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from strategy_runtime.cli.errors import blamed_on, note
from strategy_runtime.errors import ConfigError, SubscriptionError
from strategy_runtime.suggestions import did_you_mean

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from strategy_runtime.protocol.subscriptions import Subscription, Subscriptions
    from strategy_runtime.simulator.data.load import LoadedData
    from strategy_runtime.simulator.options import ExchangeOptions
    from strategy_runtime.strategy import Strategy

__all__ = ["exchange_options", "load_data", "never_called", "subscriptions_of"]

_FAULTS_SHOWN = 20


def load_data(
    *,
    demo: bool,
    paths: tuple[str, ...],
    symbol: str | None,
    timeframe: str | None,
    tz: str | None,
    start: str | None,
    end: str | None,
    strict: bool,
    command: str,
) -> "LoadedData":
    """Read the market data that the options name, and say on stderr what is wrong with it.

    Raises:
        ConfigError: They contradict each other, or name none.
        DataError: The data cannot be read.
    """
    from strategy_runtime.protocol.timeframes import parse_timeframe
    from strategy_runtime.simulator.data.load import load_bars

    chosen: list[str | Path] = list(paths)
    if demo:
        if paths:
            raise ConfigError("--demo brings its own prices; leave out --data or --demo")
        from strategy_runtime.demo import PRICES

        chosen = [PRICES]
    elif not chosen:
        if not Path("data").is_dir():
            raise ConfigError(
                "no market data: give --data FILE, or put files into a folder named data here; "
                f"{command} --demo brings its own"
            )
        chosen = [Path("data")]
    begin, finish = _moment("--from", start, tz), _moment("--to", end, tz)
    if begin is not None and finish is not None and begin >= finish:
        raise ConfigError(f"--to {end} is not behind --from {start}")
    _zone(tz)
    if timeframe is not None:
        with blamed_on("--timeframe"):
            parse_timeframe(timeframe)
    loaded = load_bars(
        chosen,
        symbol=symbol,
        timeframe=timeframe,
        tz=tz,
        start=begin,
        end=finish,
        strict=strict,
    )
    _report_faults(loaded)
    return loaded


def _report_faults(data: "LoadedData") -> None:
    """Say before the run what was wrong with the data; all of it is in the result, too."""
    from strategy_runtime.simulator.data.faults import summarize

    found = summarize(data.faults)
    for each in found[:_FAULTS_SHOWN]:
        note(f"Data: {each}")
    if len(found) > _FAULTS_SHOWN:
        note(f"Data: and {len(found) - _FAULTS_SHOWN} more kinds of faults in other files")


def subscriptions_of(text: str, data: "LoadedData") -> "Subscriptions":
    """What `--subscriptions`, or its variable, wants of the data.

    Raises:
        SubscriptionError: It cannot be read.
        ConfigError: It wants nothing that was loaded.
    """
    from strategy_runtime.protocol.subscriptions import parse_subscriptions

    source = click.get_current_context().get_parameter_source("subscriptions")
    origin = "--subscriptions" if source is ParameterSource.COMMANDLINE else "SUBSCRIPTIONS"
    try:
        wanted = parse_subscriptions(text)
    except SubscriptionError as error:
        raise SubscriptionError(str(error).replace("SUBSCRIPTIONS", origin, 1)) from None
    events: dict[str, list[str]] = {}
    for each in (*data.series, *data.ticks):
        events[each.symbol] = ["candle"]
    for each in data.quotes:
        events.setdefault(each.symbol, []).append("quote")
    missing = {entry: said for entry in wanted if (said := _missing(entry, events))}
    if len(wanted) and not any(
        entry.event in ("candle", "quote", "*") and entry not in missing for entry in wanted
    ):
        loaded = ", ".join(f"{symbol}:{event}" for symbol in events for event in events[symbol])
        why = "; ".join([*dict.fromkeys(missing.values()), f"loaded are {loaded}"])
        raise ConfigError(f"{origin} wants nothing that was loaded: {why}")
    for entry, said in missing.items():
        note(f"{origin}: nothing will come of {entry}: {said}")
    return wanted


def never_called(strategy: "Strategy", data: "LoadedData", wanted: "Subscriptions") -> list[str]:
    """Warnings of a strategy that was told no price: what was sent has other hooks than it has."""
    from strategy_runtime.runtime.delivery.dispatcher import overridden

    def is_sent(event: str, symbols: Iterable[str]) -> bool:
        return any(
            not wanted or any(e.symbol in ("*", symbol) and e.event in ("*", event) for e in wanted)
            for symbol in symbols
        )

    sent = {
        "on_candle": is_sent("candle", (each.symbol for each in (*data.series, *data.ticks))),
        "on_quote": is_sent("quote", (each.symbol for each in data.quotes)),
        "on_event": True,
    }
    hooks = [hook for hook in sent if overridden(strategy, hook)]
    if any(sent[hook] for hook in hooks):
        return []
    if hooks == ["on_candle"] and not (data.series or data.ticks):
        return [
            "on_candle was never called: the data have quotes only; follow them with on_quote "
            "(--timeframe makes no candles of quotes)"
        ]
    return [f"{hook} was never called: no {hook.removeprefix('on_')}s were sent" for hook in hooks]


def _missing(entry: "Subscription", events: Mapping[str, list[str]]) -> str:
    """Why nothing will come of an entry; empty where something may."""
    if entry.symbol not in ("*", *events):
        return f"{entry.symbol} was not loaded{did_you_mean(entry.symbol, events)}"
    symbols = list(events) if entry.symbol == "*" else [entry.symbol]
    if entry.event not in ("candle", "quote") or any(
        entry.event in events[symbol] for symbol in symbols
    ):
        return ""
    return f"there are no {entry.event}s of {', '.join(symbols)}"


def exchange_options(
    account: Mapping[str, Any], *, strict: bool, tz: str | None
) -> "ExchangeOptions":
    """The exchange's options from the command's.

    Args:
        tz: Time zone of the dates of splits.

    Raises:
        ConfigError: A value that cannot be one.
        DataError: The file of splits cannot be read.
    """
    from strategy_runtime.protocol.enums import PositionMode
    from strategy_runtime.simulator.data.split_reader import read_splits
    from strategy_runtime.simulator.options import ExchangeOptions

    zone = _zone(tz)
    mode = PositionMode(account["mode"].upper())
    path = account["splits"]
    splits = () if path is None else read_splits(path, zone)
    changed = {"mode": mode, "splits": splits}
    try:
        return ExchangeOptions(**{**account, **changed}, refuse_splits=strict)
    except ConfigError as error:
        name, _, said = str(error).partition(" ")
        raise ConfigError(f"--{name.replace('_', '-')} {said}") from None


def _zone(tz: str | None) -> "tzinfo":
    from strategy_runtime.simulator.data.timestamps import zone_of

    with blamed_on("--tz"):
        return zone_of("UTC" if tz is None else tz)


def _moment(option: str, text: str | None, tz: str | None) -> "datetime | None":
    if text is None:
        return None
    from strategy_runtime.clock import utc
    from strategy_runtime.simulator.data.timestamps import StampReader

    try:
        return utc(StampReader(_zone(tz)).read(text.strip()))
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from None
