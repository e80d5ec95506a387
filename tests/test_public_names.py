"""The list of public names: adding or removing one is a decision, not an accident."""

import re
from typing import get_args

import strategy_runtime
from strategy_runtime import errors, indicators

PUBLIC = """
Account AccountEvent AccountEventKind AccountView Atr BacktestComplete BollingerBands Candle
ConfigError ConnectionEvent ConnectionEventKind DataError Ema Event Family FinancingEvent Gap
Highest HookFailed Indicator Line Lowest Macd NetPosition Order OrderEvent OrderEventKind
OrderRejected OrderStatus OrderType ParameterError Position PositionEvent PositionEventKind
PositionSide PriceIndicator ProxyErrorEvent Quote RateLimitEvent RateLimitEventKind RejectReason
RiskState Rsi Side Sma StalenessEvent StalenessEventKind Strategy StrategyRuntimeError Ticket
TimeInForce TimeframeError Timer Trade TradeEvent TrailingType UnknownEvent WouldDeadlock
crossed_above crossed_below
""".split()


def test_the_public_names_are_these() -> None:
    assert list(strategy_runtime.__all__) == PUBLIC


def test_every_event_can_be_imported_to_annotate_a_hook() -> None:
    assert {event.__name__ for event in get_args(strategy_runtime.Event)} <= {*PUBLIC}


def test_every_indicator_can_be_imported_to_annotate_a_family() -> None:
    of_the_runtime = {"Indicators"}
    assert {*indicators.__all__} - of_the_runtime <= {*PUBLIC}


def test_the_printed_tree_of_errors_is_the_one_there_is() -> None:
    row = re.compile(r"^    ([│ ]*[├└]── )?(\w+)(?:.*exit (\d+))?", re.MULTILINE)
    above: list[type[errors.StrategyRuntimeError]] = []
    printed = []
    for indent, name, code in row.findall(errors.__doc__ or ""):
        error, depth = getattr(errors, name), len(indent) // 4
        assert depth == 0 or error.__base__ is above[depth - 1], name
        assert not code or error.exit_code == int(code), name
        above[depth:] = [error]
        printed.append(name)
    assert sorted(printed) == sorted({*errors.__all__} - {"Verb", "reason_of"})


def test_a_reason_is_never_nothing() -> None:
    assert errors.reason_of(OSError(28, "No space left on device")) == "No space left on device"
    assert errors.reason_of(OSError("not a gzipped file")) == "not a gzipped file"
    assert errors.reason_of(ValueError("odd")) == "odd"
