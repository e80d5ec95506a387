"""Errors that are sent to another process."""

import pickle

import pytest

from strategy_runtime import errors
from strategy_runtime.errors import (
    ApiError,
    FateUnknown,
    FrameError,
    HookFailed,
    OrderRejected,
    StrategyRuntimeError,
)

_WITH_FACTS = [
    ApiError(429, "RATE_LIMITED", "wait", {"limit": 5}, 1.5, "GET /orders"),
    FateUnknown("Bot-bt-1", "S:A", "a timeout"),
    FrameError("no id", "evt-1"),
    HookFailed("on_candle", "candle S:A"),
    OrderRejected("NO", "never", client_order_id="Bot-bt-1", symbol="S:A", details={"field": "x"}),
    OrderRejected("NO", "never", client_order_id="Bot-bt-1", symbol="S:A", verb="cancel"),
]
_KINDS = [
    each
    for each in map(vars(errors).get, errors.__all__)
    if isinstance(each, type) and "__init__" not in vars(each)
]


@pytest.mark.parametrize("error", [*_WITH_FACTS, *(kind("why") for kind in _KINDS)], ids=repr)
def test_an_error_reaches_another_process_as_it_is(error: StrategyRuntimeError) -> None:
    error.add_note("and a hint")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - nobody else has touched it
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
