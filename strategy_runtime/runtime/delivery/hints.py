"""Hints for common mistakes whose Python error does not say what to write instead."""

import re
from collections.abc import Mapping
from contextlib import suppress
from enum import EnumType
from inspect import Parameter, signature
from typing import Any

from strategy_runtime import indicators
from strategy_runtime.indicators import Indicator, Line
from strategy_runtime.protocol.models import Candle, Order
from strategy_runtime.runtime.tracebacks import message_of
from strategy_runtime.strategy import AccountView, NetPosition, Strategy, Ticket
from strategy_runtime.strategy.hooks import HOOKS
from strategy_runtime.suggestions import did_you_mean, some_of

__all__ = ["hint_for"]

_PACKAGE = "strategy_runtime."
_PARTS = ("order", "position", "trade", "account")
"""Attributes of an object that may have the missing attribute."""

_OURS = "|".join(name for name in dir(Strategy) if isinstance(getattr(Strategy, name), property))
_INDICATORS = "|".join(
    name
    for name, each in vars(indicators).items()
    if isinstance(each, type) and issubclass(each, Line)
)

_CALL = re.compile(r"(?:Strategy|IndicatorMethods)\.(\w+)\(\) (?:takes|got|missing) ")
_ARGUMENT = re.compile(r"Strategy\.(?:buy|sell)\(\) got an unexpected keyword argument '(\w+)'")

_HINTS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, str], ...] = (
    (
        TypeError,
        r"'decimal\.Decimal' and 'float'$|'float' and 'decimal\.Decimal'$",
        "prices of the market are float, your own prices, quantities and amounts are Decimal: "
        "write float(…) around the latter",
    ),
    (
        (TypeError, KeyError),
        r"(offset|tz)-naive and (offset|tz)-aware|dtype=datetime64\[\w+\] and datetime"
        r"|^datetime\.datetime\(.*utc\)$",
        "times are aware and in UTC: write datetime(2024, 1, 31, tzinfo=UTC), self.now for the "
        "present, and frame.tz_localize('UTC') where a frame of pandas has no zone",
    ),
    (
        Exception,
        r"collections\.defaultdict",
        "a family has one indicator for each symbol: write self.fast[candle.symbol]",
    ),
    (
        TypeError,
        rf"'({_INDICATORS})'",
        "the number of an indicator is its value, and the one before is previous: write "
        "self.fast[candle.symbol].value",
    ),
    (NameError, "^name 'crossover'", "here it is crossed_above(…) or crossed_below(…)"),
    (TypeError, "'NetPosition'", "the number of units is position.quantity, a Decimal"),
    (TypeError, r"Nets\.__getitem__\(\)", "write self.position(candle.symbol)"),
    (
        TypeError,
        r"'(AccountView|datetime\.datetime|list|bool)' object is not callable",
        "account, now, positions, is_flat, is_ready and the like are not methods: write them "
        "without parentheses",
    ),
    (
        TypeError,
        "list indices must be integers or slices, not str",
        "self.positions and self.history(symbol, n) are lists: self.position(symbol) is the "
        "position in a symbol, and candle.close a field of a candle",
    ),
    (
        (TypeError, AttributeError),
        r"'Candle' and '|and 'Candle'$|^'list' object has no attribute '(?i:open|high|low|close)'",
        "self.history(symbol, n) is a list of candles: take their numbers, as in [each.close for "
        "each in self.history(symbol, 20)]",
    ),
    (
        TypeError,
        r"'(Candle|Quote|Order|Trade|AccountView)' object is not subscriptable",
        "fields are attributes: write candle.close, or self.account.equity",
    ),
    (
        TypeError,
        "NoneType can't be used in 'await' expression|'NoneType' object can't be awaited",
        "None was awaited: close() and target() return it if there is nothing to do, and so does "
        "every hook that is not `async def`, such as those of Strategy itself",
    ),
    (
        AttributeError,
        "'NoneType' object has no attribute '(client_order_id|error|filled|is_settled|order)'",
        "close() and target() return None if there is nothing to do",
    ),
    (
        RuntimeError,
        r"\.run\(\) cannot be called|event loop is already running|another loop is running",
        "hooks run in an event loop: make this one an `async def`, and await the coroutine in it",
    ),
    (
        TypeError,
        r"'BoundLogger\w*' object is not callable",
        "write self.log.info('bought', price=candle.close)",
    ),
    (
        AttributeError,
        rf"property '({_OURS})' of '\w+' object has no setter",
        "the runtime has this name: choose another one for what is your own",
    ),
    (
        ValueError,
        r"cannot convert float NaN to integer|must be a number above zero, not (np\.float64\()?nan",
        "an indicator is NaN until it has seen enough candles: ask whether it is_ready",
    ),
)

_ELSEWHERE: Mapping[type[Any], Mapping[str, str]] = {
    Strategy: {
        **dict.fromkeys(("data", "datas"), "candle, and before it self.history(symbol, n)"),
        **dict.fromkeys(("I", "ta"), "self.sma(…), self.indicator(…) and the like, in on_start"),
        **dict.fromkeys(("broker", "fetchbalance", "portfolio", "wallets"), "self.account"),
        **dict.fromkeys(("p", "params"), "the parameter's own name, as in self.fast"),
        **dict.fromkeys(("clock", "currenttime", "currenttimestamp", "time"), "self.now"),
        **dict.fromkeys(
            ("fetchohlcv", "fetchticker"), "self.history(symbol, n) and self.last(symbol)"
        ),
        **dict.fromkeys(("fetchopenorders", "getopenorders", "openorders"), "self.orders(symbol)"),
        "cache": "self.position(symbol), self.orders(symbol) and self.history(symbol, n)",
        "symbol": "candle.symbol",
        "cash": "self.account.margin_available",
        **dict.fromkeys(("ordertargetpercent", "setholdings"), "self.target(symbol, fraction=…)"),
        "ordertargetvalue": "self.target(symbol, notional=…)",
        "ordertarget": "self.target(symbol, quantity=…)",
        **dict.fromkeys(
            (
                *("createlimitorder", "createmarketorder", "createorder", "limitorder", "order"),
                *("marketorder", "orderfactory", "placeorder", "stoporder", "submitorder"),
            ),
            "self.buy(…) and self.sell(…)",
        ),
        **dict.fromkeys(("bracketorder", "buybracket"), "self.buy(…, stop_loss=…, take_profit=…)"),
        "sellbracket": "self.sell(…, stop_loss=…, take_profit=…)",
        **dict.fromkeys(
            ("addtimer", "schedule", "schedulefunction", "settimer"),
            "self.every(…) and self.at(…)",
        ),
        "getposition": "self.position(symbol)",
        **dict.fromkeys(
            ("trades", "closedtrades"),
            "self.position(symbol) while it is open, on_position when it closes, and results.trips "
            "after the run",
        ),
        **dict.fromkeys(("closeposition", "liquidate"), "self.close(symbol)"),
        **dict.fromkeys(("closeallpositions", "flatten"), "self.close_all()"),
        **dict.fromkeys(
            ("subscribe", "subscribebars", "subscribequoteticks"), "the option --subscriptions"
        ),
        "consolidate": "a coarser candle, as in --subscriptions S:AAPL:candle_1h",
        **dict.fromkeys(("setwarmup", "warmup"), "done by the runtime, for all indicators"),
        **dict.fromkeys(
            ("debug", "info", "warning"), "self.log.info('bought', price=candle.close)"
        ),
    },
    NetPosition: {
        "close": "self.close(symbol)",
        "size": "quantity",
        "price": "average_entry_price",
        "pl": "unrealized_pnl",
    },
    AccountView: {"cash": "margin_available"},
    Order: {"cancel": "self.cancel(order)"},
    Ticket: {"cancel": "self.cancel(ticket)"},
    Candle: dict.fromkeys(("date", "datetime", "time"), "timestamp, the start of the bar"),
}
"""Names that such an object has in other engines, and what to write here.

Those of more than one letter stand without capitals and underscores.
"""

_ARGUMENTS: Mapping[str, str] = {
    "size": "fraction=0.1 for a tenth of equity, or a quantity in units",
    "sl": "stop_loss=",
    "tp": "take_profit=",
    **dict.fromkeys(("price", "exectype"), "limit= or stop="),
}
"""Arguments of orders in other engines, and what to write here."""


def hint_for(error: BaseException | None) -> str:
    """Return what to write instead, or an empty text if unknown."""
    if isinstance(error, AttributeError) and isinstance(error.name, str):
        found = _of_attribute(error.obj, error.name)
        if found:
            return found
    said = message_of(error)
    called = _CALL.search(said)
    if isinstance(error, TypeError) and called and hasattr(Strategy, called[1]):
        argument = _ARGUMENT.match(said)
        here = _ARGUMENTS.get(argument[1]) if argument else None
        return (f"here it is {here}; " if here else "") + _of_call(called[1])
    return next(
        (hint for kind, text, hint in _HINTS if isinstance(error, kind) and re.search(text, said)),
        "",
    )


def _of_attribute(owner: object, name: str) -> str:
    """Return what to write in place of an attribute that an object of ours does not have."""
    if isinstance(owner, EnumType) and owner.__module__.startswith(_PACKAGE):
        return f"{owner.__name__} has {some_of([*owner.__members__])}"
    kind = type(owner)
    is_strategy = isinstance(owner, Strategy)
    if not (is_strategy or isinstance(owner, Indicator) or kind.__module__.startswith(_PACKAGE)):
        return ""
    for part in _PARTS:
        with suppress(Exception):
            if hasattr(getattr(owner, part), name):
                return f"it is {'self' if is_strategy else ''}.{part}.{name}"
    spelt = name if len(name) == 1 else name.replace("_", "").lower()
    for each, names in _ELSEWHERE.items():
        if isinstance(owner, each) and spelt in names:
            return f"here it is {names[spelt]}"
    public = [each for each in dir(owner) if not each.startswith("_")]
    if name in public:
        return ""
    # A hook is hardly ever what is missing, since it is not called by the strategy.
    alike = [each for each in public if each not in HOOKS or name.startswith("on")]
    guess = did_you_mean(name, alike).removeprefix("; ")
    return guess if guess or is_strategy else f"{kind.__name__} has {some_of(public, 40)}"


def _of_call(verb: str) -> str:
    """Return which arguments a method of Strategy takes."""
    parameters = [*signature(getattr(Strategy, verb)).parameters.values()][1:]
    named = [each.name for each in parameters if each.kind is Parameter.KEYWORD_ONLY]
    plain = [each.name for each in parameters if each.kind is not Parameter.KEYWORD_ONLY]
    by_name = f"by name {', '.join(named)}" if named else ""
    return f"{verb}() takes {'; '.join(filter(None, (', '.join(plain), by_name))) or 'nothing'}"
