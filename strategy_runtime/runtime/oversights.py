"""What a strategy has overlooked, as a whole run shows it: nothing fails, and nothing trades."""

from collections.abc import Collection, Container, Iterable, Iterator
from itertools import chain
from types import CodeType

from strategy_runtime.indicators import Highest, Indicator, Lowest
from strategy_runtime.runtime.book import Book
from strategy_runtime.strategy import Strategy
from strategy_runtime.suggestions import did_you_mean, some_of

__all__ = ["oversights"]

_EXTREMES = (Highest, Lowest)


def oversights(strategy: Strategy, book: Book, traded: Collection[str]) -> Iterator[str]:
    """What to say of a strategy that has run from the first event to the last.

    Args:
        traded: The symbols in which its orders have filled.
    """
    yield from _alone(strategy)
    yield from _without_value(strategy)
    yield from _strangers(strategy, book)
    yield from _without_prefix(strategy, book, traded)
    if not traded:
        yield from _out_of_reach(strategy)


def _alone(strategy: Strategy) -> Iterator[str]:
    """Indicators of no family that have no value: nobody has fed them."""
    of_families = {id(each) for each in chain(*map(dict.values, strategy._indicators.families))}
    holders = (vars(strategy), *map(vars, type(strategy).__mro__))
    for name, value in chain(*(holder.items() for holder in holders)):
        if isinstance(value, Indicator) and not value.is_ready and id(value) not in of_families:
            kind = type(value).__name__
            yield (
                f"{name} is a single {kind} that had no value to the end: what "
                f"self.indicator(lambda: {kind}(…)) gives in on_start is fed, and has one for each "
                f"symbol, as in self.{name}[candle.symbol]"
            )


def _without_value(strategy: Strategy) -> Iterator[str]:
    """Families of which no indicator had seen enough, or none says what it has seen."""
    came, missed = strategy._indicators.symbols, strategy._indicators.missed
    for family, timeframe in zip(strategy._indicators.families, missed, strict=True):
        members = [family[symbol] for symbol in came if symbol in family]
        if members and not any(each.is_ready for each in members):
            kind, takes = type(members[0]), members[0].warm_up
            is_own = not kind.__module__.startswith("strategy_runtime.")
            duty = ", and has to hand each value to _set" if is_own else ""
            why = f"it takes {takes} candles{duty}"
            if timeframe:
                why = f"it follows candles of {timeframe}, and none came; subscribe to them, too"
            yield f"no {kind.__name__} had a value to the end: {why}"


def _strangers(strategy: Strategy, book: Book) -> Iterator[str]:
    """Symbols that were asked for, and of which nothing came."""
    asked: set[object] = {*chain(book.nets, *strategy._indicators.families)}
    strangers = sorted(each for each in asked - book.last.keys() if isinstance(each, str))
    if strangers and book.last:
        came = sorted(book.last)
        hint = did_you_mean(strangers[0], came) or f"; prices came of {some_of(came)}"
        yield (
            f"no price came of {some_of(strangers)}, for which position, last, history or an "
            f"indicator was asked{hint}"
        )


def _without_prefix(strategy: Strategy, book: Book, traded: Container[str]) -> Iterator[str]:
    """Symbols that the strategy names without their prefix, as to compare a candle's with them."""
    named = {*_texts([*strategy.parameter_values.values(), *_codes(strategy)])}
    for symbol in sorted(book.last):
        _, colon, name = symbol.rpartition(":")
        if colon and name in named and symbol not in named and symbol not in traded:
            yield (
                f"nothing was traded in {symbol}, which {type(strategy).__name__} calls {name!r}: "
                f"where it compares symbols, write {symbol!r}"
            )


def _out_of_reach(strategy: Strategy) -> Iterator[str]:
    """Extremes that no close can be beyond, because the candle in hand is among them."""
    members = chain(*map(dict.values, strategy._indicators.families))
    for kind in sorted({type(each).__name__ for each in members if type(each) in _EXTREMES}):
        yield (
            f"nothing was traded: no close is beyond the value of a {kind}, which includes the "
            "candle in hand; compare with its .previous"
        )


def _codes(strategy: Strategy) -> Iterator[CodeType]:
    """The code of a strategy's own methods."""
    for kind in type(strategy).__mro__:
        if kind is Strategy:
            return
        codes = (getattr(member, "__code__", None) for member in vars(kind).values())
        yield from (code for code in codes if code is not None)


def _texts(values: Iterable[object]) -> Iterator[str]:
    """The texts among values, in collections and in code as well."""
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, CodeType):
            yield from _texts(value.co_consts)
        elif isinstance(value, list | tuple | set | frozenset | dict):
            yield from _texts(value)
