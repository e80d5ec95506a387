"""The list of public names: adding or removing one is a decision, not an accident."""

import strategy_runtime
from strategy_runtime import errors

PUBLIC = """
Account AccountEvent AccountEventKind AccountView BacktestComplete Candle ConfigError
ConnectionEvent ConnectionEventKind DataError Ema Event Family FinancingEvent Gap HookFailed
Indicator NetPosition Order OrderEvent OrderEventKind OrderRejected OrderStatus OrderType
ParameterError Position PositionEvent PositionEventKind PositionSide PriceIndicator
ProxyErrorEvent Quote RateLimitEvent RateLimitEventKind RejectReason RiskState Side Sma
StalenessEvent StalenessEventKind Strategy StrategyRuntimeError Ticket TimeInForce TimeframeError
Trade TradeEvent TrailingType UnknownEvent WouldDeadlock crossed_above crossed_below
""".split()


def test_the_public_names_are_these() -> None:
    assert list(strategy_runtime.__all__) == PUBLIC


def test_every_error_is_in_the_printed_tree_under_its_base() -> None:
    tree = errors.__doc__ or ""
    for name in errors.__all__:
        error = getattr(errors, name)
        assert issubclass(error, errors.StrategyRuntimeError)
        assert name in tree
