"""The exchange over data that were read: in process and over the network it is the same."""

from strategy_runtime.protocol.subscriptions import Subscriptions
from strategy_runtime.simulator.data.load import LoadedData
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions

__all__ = ["exchange_over"]


def exchange_over(
    data: LoadedData, options: ExchangeOptions, subscriptions: Subscriptions
) -> Exchange:
    """An exchange that plays data, and sends what is subscribed to."""
    return Exchange(
        data.series,
        options,
        subscriptions,
        timeframe=data.timeframe,
        quotes=data.quotes,
        trades=data.ticks,
    )
