"""The hooks a strategy may fill in: their names, which event each takes, and how they are called.

A hook is an ordinary function or a coroutine function; which of the two is found out once, when
the class is defined or the run begins, never for each event.
"""

from collections.abc import Awaitable, Callable, Mapping
from inspect import iscoroutinefunction
from typing import Any

from strategy_runtime.protocol.events import (
    AccountEvent,
    BacktestComplete,
    ConnectionEvent,
    FinancingEvent,
    OrderEvent,
    PositionEvent,
    ProxyErrorEvent,
    RateLimitEvent,
    StalenessEvent,
    TradeEvent,
    UnknownEvent,
)
from strategy_runtime.protocol.models import Candle, Quote
from strategy_runtime.suggestions import did_you_mean

__all__ = ["EVENT_HOOKS", "HOOKS", "Hook", "check_hook_names", "is_async"]

Hook = Callable[..., Awaitable[None] | None]

EVENT_HOOKS: Mapping[type[Any], str] = {
    Candle: "on_candle",
    Quote: "on_quote",
    OrderEvent: "on_order",
    TradeEvent: "on_trade",
    PositionEvent: "on_position",
    AccountEvent: "on_account",
    ConnectionEvent: "on_connection",
    RateLimitEvent: "on_rate_limit",
    ProxyErrorEvent: "on_proxy_error",
    StalenessEvent: "on_staleness",
    FinancingEvent: "on_financing",
    BacktestComplete: "on_complete",
    UnknownEvent: "on_unknown",
}
"""The hook of each kind of event."""

HOOKS = frozenset(
    {
        *EVENT_HOOKS.values(),
        "on_start",
        "on_connect",
        "on_disconnect",
        "on_reconnect",
        "on_timer",
        "on_error",
        "on_anomaly",
        "on_stop",
        "on_event",
    }
)
"""All names; any other `on_…` in a strategy is taken for a slip."""


def check_hook_names(owner: str, namespace: Mapping[str, object]) -> None:
    """Refuse names that look like hooks and are none.

    Raises:
        TypeError: Names the class, the name, and what was probably meant.
    """
    for name in namespace:
        if name.startswith("on_") and name not in HOOKS:
            guess = did_you_mean(name, HOOKS)
            hint = guess or f". The hooks are {', '.join(sorted(HOOKS))}"
            raise TypeError(
                f"{owner}.{name} is not a hook, so nothing would ever call it{hint}"
                " (a helper of your own needs a name that does not begin with 'on_')"
            )


def is_async(hook: Hook) -> bool:
    """Whether calling the hook gives a coroutine."""
    return iscoroutinefunction(hook)
