"""The hooks that a strategy may define: their names and arguments, and how they are checked."""

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property, partialmethod
from inspect import (
    isasyncgenfunction,
    iscode,
    iscoroutinefunction,
    isfunction,
    isgeneratorfunction,
    signature,
    unwrap,
)
from typing import Any

from strategy_runtime.protocol.events import (
    AccountEvent,
    BacktestComplete,
    ConnectionEvent,
    FinancingEvent,
    InstantClosed,
    OrderEvent,
    PositionEvent,
    ProxyErrorEvent,
    RateLimitEvent,
    StalenessEvent,
    TradeEvent,
    UnknownEvent,
)
from strategy_runtime.protocol.models import Candle, Quote
from strategy_runtime.strategy.ticket import Ticket
from strategy_runtime.suggestions import did_you_mean

__all__ = ["EVENT_HOOKS", "HOOKS", "Hook", "check_hooks", "check_ported", "wants_awaiting"]

Hook = Callable[..., Awaitable[None] | None]

EVENT_HOOKS: Mapping[type[Any], str] = {
    Candle: "on_candle",
    InstantClosed: "on_candles",
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

HOOKS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(EVENT_HOOKS.values(), ("event",)),
    "on_candle": ("candle",),
    "on_candles": ("candles",),
    "on_quote": ("quote",),
    "on_trade": ("trade",),
    "on_event": ("event",),
    "on_reconnect": ("gap",),
    "on_error": ("error",),
    "on_anomaly": ("description",),
    "on_start": (),
    "on_connect": (),
    "on_disconnect": (),
    "on_timer": (),
    "on_stop": (),
}
"""All hooks and their arguments; any other `on_…` in a strategy is taken for a mistake."""

_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("on_bar", "on_data", "on_kline"), "on_candle"),
    **dict.fromkeys(("on_bars", "on_slice"), "on_candles"),
    **dict.fromkeys(("on_tick", "on_trade_tick"), "on_quote"),
    **dict.fromkeys(("on_execution", "on_fill"), "on_trade"),
    "on_init": "on_start",
    "on_end": "on_stop",
}
"""Names of other engines that similarity alone would match with the wrong hook."""

_CALLED_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("init", "initialize"), "on_start"),
    **dict.fromkeys(("prenext", "next", "handle_data"), "on_candle"),
    "notify_order": "on_order",
    "notify_trade": "on_position",
}
"""Methods that other engines call. Here they can only be helpers that the class itself calls."""

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def check_hooks(owner: str, namespace: Mapping[str, object]) -> None:
    """Refuse names that look like hooks but are none, and hooks that cannot be called.

    Raises:
        TypeError: Names the class, the name, and what was probably meant.
    """
    for name, value in namespace.items():
        written = _CAPITAL.sub("_", name).lower() if isfunction(value) else name
        if written.startswith("on_") and name not in HOOKS:
            here = _ELSEWHERE.get(written)
            guess = f"; here it is {here}" if here else did_you_mean(written, HOOKS)
            hint = guess or f". The hooks are {', '.join(sorted(HOOKS))}"
            raise TypeError(
                f"{owner}.{name} is not a hook, so nothing would ever call it{hint}"
                " (a helper of your own needs a name that does not begin with "
                f"{name[: 3 if name[2] == '_' else 2]!r})"
            )
        if name in HOOKS and isfunction(value):
            if isgeneratorfunction(value) or isasyncgenfunction(value):
                raise TypeError(f"{owner}.{name} has a yield, so calling it would run nothing")
            _check_arguments(owner, name, value)


def check_ported(part: type[Any], whole: type[Any], base: type[Any]) -> None:
    """Refuse a method that another engine would call, if the strategy does not call it itself.

    Args:
        part: The class whose methods are checked: a strategy, or a mixin of it.
        whole: The strategy class.

    Raises:
        TypeError: Names the class, the method, and our hook in its place.
    """
    own = [each for each in whole.__mro__ if each not in base.__mro__]
    for name, here in _CALLED_ELSEWHERE.items():
        is_method = isfunction(vars(part).get(name))
        if is_method and not any(_names(each, name) for each in own):
            raise TypeError(
                f"{part.__name__}.{name} is not a hook, and {whole.__name__} does not call it, so "
                f"nothing would; here it is {here} (a helper that is called from elsewhere needs "
                "another name)"
            )


def _names(owner: type[Any], name: str) -> bool:
    """Whether the code of a class uses a name."""
    values = map(_behind, vars(owner).values())
    waiting = [each.__code__ for each in map(unwrap, filter(callable, values)) if isfunction(each)]
    for code in waiting:
        if name in code.co_names or name in code.co_consts:  # the latter for `getattr`
            return True
        waiting.extend(each for each in code.co_consts if iscode(each))
    return False


def _behind(value: Any) -> Any:
    """Return what a descriptor calls; any other value as it is."""
    match value:
        case property():
            return value.fget
        case classmethod():
            return value.__func__
        case cached_property() | partialmethod():
            return value.func
        case _:
            return value


def _check_arguments(owner: str, name: str, hook: Callable[..., object]) -> None:
    arguments = ("self", *HOOKS[name])
    try:
        signature(hook).bind(*arguments)
    except TypeError:
        kind = "async def" if iscoroutinefunction(hook) else "def"
        given = len(arguments) - 1
        raise TypeError(
            f"{owner}.{name} is called with {given or 'no'} argument{'' if given == 1 else 's'}: "
            f"write `{kind} {name}({', '.join(arguments)})`"
        ) from None


def wants_awaiting(result: object) -> bool:
    """Whether the result of a hook must be awaited; a ticket, which may be ignored, need not be."""
    return hasattr(result, "__await__") and not isinstance(result, Ticket)
