"""Builds the exchange over loaded data, the same one in process and behind the proxy."""

from strategy_runtime.protocol.subscriptions import Subscriptions
from strategy_runtime.simulator.data.load import LoadedData
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions

__all__ = ["exchange_over"]


def exchange_over(
    data: LoadedData, options: ExchangeOptions, subscriptions: Subscriptions
) -> Exchange:
    """Return an exchange that replays the data and sends what is subscribed to."""
    return Exchange(
        data.series,
        options,
        subscriptions,
        timeframe=data.timeframe,
        quotes=data.quotes,
        trades=data.ticks,
    )
