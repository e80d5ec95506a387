"""Hints for common mistakes whose Python error does not say what to write instead."""

import re
from contextlib import suppress
from enum import EnumType
from inspect import Parameter, signature

from strategy_runtime import indicators
from strategy_runtime.indicators import Indicator, Line
from strategy_runtime.runtime.delivery.other_engines import ARGUMENTS, NAMES
from strategy_runtime.runtime.tracebacks import message_of
from strategy_runtime.strategy import Strategy
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
        here = ARGUMENTS.get(argument[1]) if argument else None
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
    for each, names in NAMES.items():
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
