"""The start of a run: checks of the venue, and warm-up of indicators."""

import logging
from contextlib import suppress
from functools import partial

from strategy_runtime.errors import ApiError, ConfigError, StrategyRuntimeError
from strategy_runtime.protocol.enums import PositionMode
from strategy_runtime.protocol.models import Candle, Order
from strategy_runtime.protocol.subscriptions import Subscription, Subscriptions
from strategy_runtime.protocol.timeframes import Timeframe, parse_timeframe
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.concurrency import gather_limited
from strategy_runtime.runtime.delivery.dispatcher import Dispatcher
from strategy_runtime.runtime.delivery.instants import Division
from strategy_runtime.runtime.retries import with_retries
from strategy_runtime.runtime.venue import Venue
from strategy_runtime.strategy import Strategy
from strategy_runtime.strategy.desk import Mode

__all__ = ["ask_for_instants", "check_not_started", "note_position_mode", "warm_up"]

_MOST_BARS = 10_000  # a proxy need not keep more

_log = logging.getLogger("strategy_runtime")


async def check_not_started(venue: Venue, prefix: str, orders: list[Order]) -> None:
    """Refuse a backtest whose venue already has orders with the ids it is about to use.

    Args:
        prefix: Prefix of these ids, which is followed by a number that counts from 1.
        orders: The open orders.

    Raises:
        ConfigError: There are such orders. They would be taken for the backtest's own.
    """
    first = partial(venue.orders, client_order_id=f"{prefix}-1")
    found = orders + await with_retries(first, "whether the backtest has begun already")
    begun = [
        order.client_order_id
        for order in found
        if (order.client_order_id or "").startswith(f"{prefix}-")
    ]
    if begun:
        raise ConfigError(
            f"this backtest has already begun: the venue has orders of an earlier run (such as "
            f"{begun[0]}), and its time does not run back; restart the proxy, then the strategy"
        )


async def note_position_mode(venue: Venue, book: Book) -> None:
    """Tell the book whether the account is hedging; if the venue does not say, it is netting."""
    with suppress(StrategyRuntimeError):
        mode = (await venue.capabilities()).position_mode
        book.is_hedging = mode is PositionMode.HEDGING


async def ask_for_instants(venue: Venue, mode: Mode, division: Division) -> None:
    """Ask the venue to tell where the candles of each instant end, for `on_candles`."""
    with suppress(StrategyRuntimeError):
        division.is_told = await venue.tell_instants()
    if mode == "backtest" and not (division.is_told or division.is_exact):
        _log.warning(
            "this proxy does not tell which candle of an instant is the last, so on_candles is "
            "called when the next instant has begun, and its orders fill a bar later: subscribe "
            "by symbol, as in S:AAPL:candle,S:MSFT:candle"
        )


async def warm_up(
    strategy: Strategy,
    venue: Venue,
    dispatcher: Dispatcher,
    subscriptions: Subscriptions,
    timeframe: str,
) -> None:
    """Fetch the candles that indicators and `history` need, for explicitly subscribed symbols.

    A backtest has none before its first candle, so its indicators warm up during the run.

    Args:
        timeframe: Default for subscriptions that name none.
    """
    count = min(max(strategy.lookback, strategy._indicators.warm_up), _MOST_BARS)
    named = [
        (entry, parse_timeframe(entry.timeframe or timeframe))
        for entry in subscriptions
        if count and entry.event == "candle" and "*" not in (entry.symbol, entry.timeframe)
    ]

    if count and not named:
        _log.warning(
            "indicators and history start empty, and the longest takes %d candles: subscribe by "
            "symbol, as in S:AAPL:candle, to have earlier candles fetched",
            count,
        )

    async def bars_of(entry: Subscription, length: Timeframe) -> list[Candle]:
        bars = partial(venue.bars, entry.symbol, length.text, limit=count)
        try:
            candles = await with_retries(bars, f"the history of {entry}")
        except ApiError as refusal:
            _log.warning("no history of %s to warm up with: %s", entry, refusal)
            return []
        if len(candles) < count:
            _log.warning("%s: %d of %d candles to warm up with", entry, len(candles), count)
        return candles

    # Finest timeframe first: indicators and `history` follow it.
    named.sort(key=lambda item: item[1].nanoseconds)
    for candles in await gather_limited(partial(bars_of, *item) for item in named):
        dispatcher.take_history(candles)
