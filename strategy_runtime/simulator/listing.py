"""Which symbols there are in a market, what moves each of them, and which candles are sent."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from strategy_runtime.errors import ConfigError
from strategy_runtime.protocol.subscriptions import Subscriptions
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries, TickSeries
from strategy_runtime.simulator.market import Instrument
from strategy_runtime.simulator.rollup import GivenBars, Rollup

__all__ = ["add_quotes", "listed"]

_OF_TRADES = "1m"
"""Candles made of single trades, where nobody says which."""


def listed(
    data: Sequence[BarSeries],
    quotes: Sequence[QuoteSeries],
    trades: Sequence[TickSeries],
    subscriptions: Subscriptions,
    timeframe: str | None,
) -> dict[str, Instrument]:
    """The instruments of some data, by symbol; arguments as for the exchange.

    Raises:
        ConfigError: The data contradict each other, or cannot be made into what is wanted.
    """
    places = _places(data, subscriptions)
    instruments = _with_bars(data, places, subscriptions, timeframe)
    for each in quotes:
        add_quotes(instruments, each, subscriptions)
    for ticks in trades:
        _add_trades(instruments, ticks, subscriptions, timeframe)
    _rank_candles(instruments, places)
    return instruments


def _places(data: Sequence[BarSeries], subscriptions: Subscriptions) -> dict[str, int]:
    """The order in which symbols are subscribed to; the others come as they were given."""
    symbols = [entry.symbol for entry in subscriptions]
    symbols += [series.symbol for series in data]
    return {symbol: place for place, symbol in enumerate(dict.fromkeys(symbols))}


def _rank_candles(instruments: Mapping[str, Instrument], places: Mapping[str, int]) -> None:
    """Of candles that end at the same instant the finest come first, then the first symbol's."""
    made: list[tuple[int, Rollup | GivenBars]] = []
    for symbol, instrument in instruments.items():
        place = places.get(symbol, len(places) + instrument.rank)
        made += [(place, each) for each in instrument.rollups]
        made += [(place, each) for each in instrument.coarser]
    made.sort(key=lambda item: (_length(item[1].timeframe), item[0], item[1].timeframe))
    for rank, (_, each) in enumerate(made):
        each.rank = rank


def add_quotes(
    instruments: dict[str, Instrument], quotes: QuoteSeries, subscriptions: Subscriptions
) -> Instrument:
    """Have a symbol's orders execute at quotes; gives back its instrument, a new one if need be."""
    instrument = instruments.get(quotes.symbol) or _add_without_bars(instruments, quotes)
    instrument.quotes = quotes
    instrument.wants_quotes = subscriptions.wants_quote(quotes.symbol)
    return instrument


def _with_bars(
    data: Sequence[BarSeries],
    places: Mapping[str, int],
    subscriptions: Subscriptions,
    timeframe: str | None,
) -> dict[str, Instrument]:
    """Instruments by symbol, ranked by timeframe, then by place.

    A symbol executes in its finest bars; coarser ones are only told, where they are wanted.
    """
    instruments: dict[str, Instrument] = {}
    by_symbol: defaultdict[str, list[BarSeries]] = defaultdict(list)
    for each in data:
        by_symbol[each.symbol].append(each)
    ranked = sorted(data, key=lambda each: (each.step, places[each.symbol]))
    for rank, series in enumerate(ranked):
        if series.symbol in instruments:
            continue
        given = {
            other.timeframe: other for other in by_symbol[series.symbol] if other is not series
        }
        if series.timeframe in given:
            raise ConfigError(f"{series.symbol} has two series of {series.timeframe} bars")
        plain = series.timeframe
        if timeframe is not None and parse_timeframe(timeframe).nanoseconds > series.step:
            plain = timeframe
        wanted = _timeframes_wanted(series.symbol, plain, subscriptions, series.timeframe, *given)
        instrument = Instrument(series, rank, subscribed=series.timeframe in wanted)
        instruments[series.symbol] = instrument
        for text in sorted((wanted | given.keys()) - {series.timeframe}, key=_length):
            coarse = parse_timeframe(text)
            if text not in given and not coarse.is_made_of(series.step):
                raise ConfigError(
                    f"candles of {text} cannot be made of the {series.timeframe} bars of "
                    f"{series.symbol}"
                )
            if text in given:
                bars = GivenBars(given[text], subscribed=text in wanted)
                instrument.coarser.append(bars)
            else:
                instrument.rollups.append(Rollup(series.symbol, text))
    return instruments


def _add_trades(
    instruments: dict[str, Instrument],
    trades: TickSeries,
    subscriptions: Subscriptions,
    timeframe: str | None,
) -> None:
    """Have trades make the candles of a symbol without bars, and price its orders where there
    are no quotes."""
    instrument = instruments.get(trades.symbol) or _add_without_bars(instruments, trades)
    if instrument.quotes is None:
        instrument.quotes = trades
        instrument.wants_quotes = False
    if not len(instrument.series):
        instrument.trades = trades
        wanted = _timeframes_wanted(trades.symbol, timeframe or _OF_TRADES, subscriptions)
        for text in sorted(wanted, key=_length):
            instrument.rollups.append(Rollup(trades.symbol, text))


def _add_without_bars(instruments: dict[str, Instrument], quotes: QuoteSeries) -> Instrument:
    no_bars = BarSeries(quotes.symbol, "1m", 60_000_000_000, sources=quotes.sources)
    rank = 1 + max((each.rank for each in instruments.values()), default=-1)
    instrument = Instrument(no_bars, rank, subscribed=False)
    instruments[quotes.symbol] = instrument
    return instrument


def _timeframes_wanted(
    symbol: str, plain: str, subscriptions: Subscriptions, *loaded: str
) -> set[str]:
    """Timeframes in which the candles of a symbol are sent.

    Args:
        plain: Of a `candle` that does not say; never finer than the data.
        loaded: Of the bars in the data.
    """
    if not subscriptions:
        return {plain}
    wanted = set()
    for entry in subscriptions:
        if entry.symbol in ("*", symbol):
            if entry.event == "*" or entry.timeframe == "*":
                wanted |= {*loaded, plain}
            elif entry.event == "candle":
                wanted.add(entry.timeframe or plain)
    return wanted


def _length(timeframe: str) -> int:
    return parse_timeframe(timeframe).nanoseconds
