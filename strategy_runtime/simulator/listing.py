"""Lists the instruments of the data: what each symbol fills at, and which candles are sent."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from strategy_runtime.errors import ConfigError
from strategy_runtime.protocol.subscriptions import Subscriptions
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries, TickSeries
from strategy_runtime.simulator.market import Instrument
from strategy_runtime.simulator.rollup import BarRollup, GivenBars, Rollup, TradeRollup

__all__ = ["add_quotes", "listed"]

_OF_TRADES = "1m"
"""Default timeframe of candles made of trades."""


def listed(
    data: Sequence[BarSeries],
    quotes: Sequence[QuoteSeries],
    trades: Sequence[TickSeries],
    subscriptions: Subscriptions,
    timeframe: str | None,
) -> dict[str, Instrument]:
    """Return the instruments of the data by symbol; arguments as for the exchange.

    Raises:
        ConfigError: A timeframe is there twice, or one that is wanted cannot be made of the data.
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
    """Return the place of each symbol: in the order of subscriptions, then in that of the data."""
    symbols = [entry.symbol for entry in subscriptions]
    symbols += [series.symbol for series in data]
    return {symbol: place for place, symbol in enumerate(dict.fromkeys(symbols))}


def _rank_candles(instruments: Mapping[str, Instrument], places: Mapping[str, int]) -> None:
    """Rank candles that end at the same instant: finest timeframe first, then by place."""
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
    """Make a symbol's orders fill at quotes, and return its instrument, a new one if needed."""
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
    """Return instruments by symbol, ranked by timeframe, then by place.

    Orders fill in a symbol's finest bars; coarser ones are only sent, if they are wanted.
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
                instrument.rollups.append(BarRollup(series, text))
    return instruments


def _add_trades(
    instruments: dict[str, Instrument],
    trades: TickSeries,
    subscriptions: Subscriptions,
    timeframe: str | None,
) -> None:
    """Make the candles of a symbol without bars from trades, and fill its orders at trades if it
    has no quotes.
    """
    instrument = instruments.get(trades.symbol) or _add_without_bars(instruments, trades)
    if instrument.quotes is None:
        instrument.quotes = trades
        instrument.wants_quotes = False
    if not len(instrument.series):
        instrument.trades = trades
        wanted = _timeframes_wanted(trades.symbol, timeframe or _OF_TRADES, subscriptions)
        for text in sorted(wanted, key=_length):
            instrument.rollups.append(TradeRollup(trades, text))


def _add_without_bars(instruments: dict[str, Instrument], quotes: QuoteSeries) -> Instrument:
    no_bars = BarSeries(quotes.symbol, "1m", 60_000_000_000, sources=quotes.sources)
    rank = 1 + max((each.rank for each in instruments.values()), default=-1)
    instrument = Instrument(no_bars, rank, subscribed=False)
    instruments[quotes.symbol] = instrument
    return instrument


def _timeframes_wanted(
    symbol: str, plain: str, subscriptions: Subscriptions, *loaded: str
) -> set[str]:
    """Return the timeframes in which the candles of a symbol are sent.

    Args:
        plain: Timeframe of a `candle` subscription without one; never finer than the data.
        loaded: Timeframes of the bars in the data.
    """
    if not subscriptions:
        return {plain}
    wanted = set()
    for entry in subscriptions.of(symbol):
        if entry.event == "*" or entry.timeframe == "*":
            wanted |= {*loaded, plain}
        elif entry.event == "candle":
            wanted.add(entry.timeframe or plain)
    return wanted


def _length(timeframe: str) -> int:
    return parse_timeframe(timeframe).nanoseconds
