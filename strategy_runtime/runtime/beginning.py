"""How a run begins: on a venue where no other has begun it, and with indicators that are warm."""

import logging
from contextlib import suppress
from functools import partial

from strategy_runtime.errors import ApiError, ConfigError, StrategyRuntimeError
from strategy_runtime.protocol.enums import PositionMode
from strategy_runtime.protocol.models import Candle, Order
from strategy_runtime.protocol.subscriptions import Subscription, Subscriptions
from strategy_runtime.protocol.timeframes import Timeframe, parse_timeframe
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.delivery.dispatcher import Dispatcher
from strategy_runtime.runtime.patience import patiently
from strategy_runtime.runtime.side_by_side import side_by_side
from strategy_runtime.runtime.venue import Venue
from strategy_runtime.strategy import Strategy

__all__ = ["check_not_begun", "note_position_mode", "warm_up"]

_MOST_BARS = 10_000  # a proxy need not have more at hand

_log = logging.getLogger("strategy_runtime")


async def check_not_begun(venue: Venue, prefix: str, orders: list[Order]) -> None:
    """Refuse a backtest whose venue already has orders under the ids that it is going to give.

    Args:
        prefix: What these ids begin with, before a number that counts from 1.
        orders: The open ones.

    Raises:
        ConfigError: There are such orders. They would be taken for the backtest's own.
    """
    first = partial(venue.orders, client_order_id=f"{prefix}-1")
    found = orders + await patiently(first, "whether the backtest has begun already")
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
    """Tell the book whether the account hedges; one whose venue does not say it nets."""
    with suppress(StrategyRuntimeError):
        mode = (await venue.capabilities()).position_mode
        book.is_hedging = mode is PositionMode.HEDGING


async def warm_up(
    strategy: Strategy,
    venue: Venue,
    dispatcher: Dispatcher,
    subscriptions: Subscriptions,
    timeframe: str,
) -> None:
    """Fetch the candles that indicators and `history` need, for the symbols that are named.

    A backtest has none before its first candle, so its indicators warm up as it goes.

    Args:
        timeframe: Of candles that are subscribed to without one.
    """
    count = min(max(strategy.lookback, strategy._indicators.warm_up), _MOST_BARS)
    named = [
        (entry, parse_timeframe(entry.timeframe or timeframe))
        for entry in subscriptions
        if count and entry.event == "candle" and "*" not in (entry.symbol, entry.timeframe)
    ]

    async def bars_of(entry: Subscription, length: Timeframe) -> list[Candle]:
        bars = partial(venue.bars, entry.symbol, length.text, limit=count)
        try:
            candles = await patiently(bars, f"the history of {entry}")
        except ApiError as refusal:
            _log.warning("no history of %s to warm up with: %s", entry, refusal)
            return []
        if len(candles) < count:
            _log.warning("%s: %d of %d candles to warm up with", entry, len(candles), count)
        return candles

    # The finest first: it is what indicators and `history` follow.
    named.sort(key=lambda item: item[1].nanoseconds)
    for candles in await side_by_side(partial(bars_of, *item) for item in named):
        dispatcher.take_history(candles)
