"""Write a trading strategy once and run it anywhere.

::

    from strategy_runtime import Candle, Strategy


    class Buyer(Strategy):
        def on_candle(self, candle: Candle) -> None:
            if self.position(candle.symbol).is_flat:
                self.buy(candle.symbol, fraction=0.1)

`Strategy` has the hooks, verbs and views; `strategy_runtime.backtesting` runs backtests from
Python; `strategy_runtime.testing` is the test kit. The commands are `strategy-backtest`,
`strategy-sweep`, `strategy-run`, `strategy-proxy` and `strategy-new`.
"""

from strategy_runtime.errors import (
    ConfigError,
    DataError,
    HookFailed,
    OrderRejected,
    ParameterError,
    StrategyRuntimeError,
    TimeframeError,
    WouldDeadlock,
)
from strategy_runtime.indicators import (
    Atr,
    BollingerBands,
    Ema,
    Family,
    Highest,
    Indicator,
    Line,
    Lowest,
    Macd,
    PriceIndicator,
    Rsi,
    Sma,
    crossed_above,
    crossed_below,
)
from strategy_runtime.protocol.enums import (
    AccountEventKind,
    ConnectionEventKind,
    OrderEventKind,
    OrderStatus,
    OrderType,
    PositionEventKind,
    PositionSide,
    RateLimitEventKind,
    RejectReason,
    Side,
    StalenessEventKind,
    TimeInForce,
    TrailingType,
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
    TradeEvent,
    UnknownEvent,
)
from strategy_runtime.protocol.models import Account, Candle, Order, Position, Quote, Trade
from strategy_runtime.strategy import (
    AccountView,
    Gap,
    NetPosition,
    RiskState,
    Strategy,
    Ticket,
    Timer,
)

__version__ = "0.1.0"

__all__ = [
    "Account",
    "AccountEvent",
    "AccountEventKind",
    "AccountView",
    "Atr",
    "BacktestComplete",
    "BollingerBands",
    "Candle",
    "ConfigError",
    "ConnectionEvent",
    "ConnectionEventKind",
    "DataError",
    "Ema",
    "Event",
    "Family",
    "FinancingEvent",
    "Gap",
    "Highest",
    "HookFailed",
    "Indicator",
    "Line",
    "Lowest",
    "Macd",
    "NetPosition",
    "Order",
    "OrderEvent",
    "OrderEventKind",
    "OrderRejected",
    "OrderStatus",
    "OrderType",
    "ParameterError",
    "Position",
    "PositionEvent",
    "PositionEventKind",
    "PositionSide",
    "PriceIndicator",
    "ProxyErrorEvent",
    "Quote",
    "RateLimitEvent",
    "RateLimitEventKind",
    "RejectReason",
    "RiskState",
    "Rsi",
    "Side",
    "Sma",
    "StalenessEvent",
    "StalenessEventKind",
    "Strategy",
    "StrategyRuntimeError",
    "Ticket",
    "TimeInForce",
    "TimeframeError",
    "Timer",
    "Trade",
    "TradeEvent",
    "TrailingType",
    "UnknownEvent",
    "WouldDeadlock",
    "crossed_above",
    "crossed_below",
]
