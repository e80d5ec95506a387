"""Likely mistakes of a strategy that a complete run reveals, although nothing failed."""

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
    """Yield a warning for each likely mistake of a strategy that has run to the last event.

    Args:
        traded: The symbols in which its orders were filled.
    """
    yield from _standalone(strategy)
    yield from _without_value(strategy)
    yield from _without_prices(strategy, book)
    yield from _without_prefix(strategy, book, traded)
    if not traded:
        yield from _out_of_reach(strategy)


def _standalone(strategy: Strategy) -> Iterator[str]:
    """Yield warnings of indicators outside of families without a value: nothing fed them."""
    of_families = {id(each) for each in chain(*map(dict.values, strategy._indicators.families))}
    holders = (vars(strategy), *map(vars, type(strategy).__mro__))
    for name, value in chain(*(holder.items() for holder in holders)):
        if isinstance(value, Indicator) and not value.is_ready and id(value) not in of_families:
            kind = type(value).__name__
            yield (
                f"{name} is a single {kind} that never had a value, since nothing feeds it: make "
                f"it with self.indicator(lambda: {kind}(…)) in on_start, and write "
                f"self.{name}[candle.symbol]"
            )


def _without_value(strategy: Strategy) -> Iterator[str]:
    """Yield warnings of families in which no indicator ever had a value."""
    came, missed = strategy._indicators.symbols, strategy._indicators.unmet_timeframes
    for family, timeframe in zip(strategy._indicators.families, missed, strict=True):
        members = [family[symbol] for symbol in came if symbol in family]
        if members and not any(each.is_ready for each in members):
            kind, takes = type(members[0]), members[0].warm_up
            is_own = not kind.__module__.startswith("strategy_runtime.")
            duty = ", and has to pass each value to _set" if is_own else ""
            why = f"it takes {takes} candles{duty}"
            if timeframe:
                why = f"it follows candles of {timeframe}, and none came; subscribe to them, too"
            yield f"no {kind.__name__} ever had a value: {why}"


def _without_prices(strategy: Strategy, book: Book) -> Iterator[str]:
    """Yield a warning of symbols that the strategy asked for but that had no prices."""
    asked: set[object] = {*chain(book.nets, *strategy._indicators.families)}
    unknown = sorted(each for each in asked - book.last.keys() if isinstance(each, str))
    if unknown and book.last:
        came = sorted(book.last)
        hint = did_you_mean(unknown[0], came) or f"; there are prices of {some_of(came)}"
        yield (
            f"there are no prices of {some_of(unknown)}, although position, last, history or an "
            f"indicator was asked for{hint}"
        )


def _without_prefix(strategy: Strategy, book: Book, traded: Container[str]) -> Iterator[str]:
    """Yield warnings of symbols that the strategy names without prefix, as in comparisons."""
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
    """Yield the code objects of a strategy's own methods."""
    for kind in type(strategy).__mro__:
        if kind is Strategy:
            return
        codes = (getattr(member, "__code__", None) for member in vars(kind).values())
        yield from (code for code in codes if code is not None)


def _texts(values: Iterable[object]) -> Iterator[str]:
    """Yield the strings among values, including those in collections and in code."""
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, CodeType):
            yield from _texts(value.co_consts)
        elif isinstance(value, list | tuple | set | frozenset | dict):
            yield from _texts(value)
