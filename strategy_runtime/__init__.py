"""Write a trading strategy once and run it anywhere.

::

    from strategy_runtime import Candle, Strategy


    class Buyer(Strategy):
        def on_candle(self, candle: Candle) -> None:
            if self.position(candle.symbol).is_flat:
                self.buy(candle.symbol, fraction=0.1)
"""

from strategy_runtime.errors import (
    ConfigError,
    DataError,
    HookFailed,
    OrderRejected,
    ParameterError,
    StrategyRuntimeError,
    WouldDeadlock,
)
from strategy_runtime.indicators import (
    Ema,
    Family,
    Indicator,
    PriceIndicator,
    Sma,
    crossed_above,
    crossed_below,
)
from strategy_runtime.protocol.enums import (
    OrderEventKind,
    OrderStatus,
    OrderType,
    PositionEventKind,
    Side,
    TimeInForce,
)
from strategy_runtime.protocol.events import (
    AccountEvent,
    BacktestComplete,
    ConnectionEvent,
    Event,
    FinancingEvent,
    OrderEvent,
    PositionEvent,
    ProxyErrorEvent,
    RateLimitEvent,
    StalenessEvent,
    UnknownEvent,
)
from strategy_runtime.protocol.models import Candle, Order, Quote, Trade
from strategy_runtime.strategy import (
    AccountView,
    Gap,
    NetPosition,
    RiskState,
    Strategy,
    Ticket,
)

__version__ = "0.1.0"

__all__ = [
    "AccountEvent",
    "AccountView",
    "BacktestComplete",
    "Candle",
    "ConfigError",
    "ConnectionEvent",
    "DataError",
    "Ema",
    "Event",
    "Family",
    "FinancingEvent",
    "Gap",
    "HookFailed",
    "Indicator",
    "NetPosition",
    "Order",
    "OrderEvent",
    "OrderEventKind",
    "OrderRejected",
    "OrderStatus",
    "OrderType",
    "ParameterError",
    "PositionEvent",
    "PositionEventKind",
    "PriceIndicator",
    "ProxyErrorEvent",
    "Quote",
    "RateLimitEvent",
    "RiskState",
    "Side",
    "Sma",
    "StalenessEvent",
    "Strategy",
    "StrategyRuntimeError",
    "Ticket",
    "TimeInForce",
    "Trade",
    "UnknownEvent",
    "WouldDeadlock",
    "crossed_above",
    "crossed_below",
]
