"""What a strategy has overlooked, as a whole run shows it: nothing fails, and nothing trades."""

from collections.abc import Iterator
from itertools import chain

from strategy_runtime.indicators import Indicator
from strategy_runtime.runtime.book import Book
from strategy_runtime.strategy import Strategy
from strategy_runtime.suggestions import did_you_mean, some_of

__all__ = ["oversights"]


def oversights(strategy: Strategy, book: Book) -> Iterator[str]:
    """What to say of a strategy that has run from the first event to the last."""
    yield from _alone(strategy)
    yield from _without_value(strategy)
    yield from _strangers(strategy, book)


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
    came = strategy._indicators.symbols
    for family in strategy._indicators.families:
        members = [family[symbol] for symbol in came if symbol in family]
        if members and not any(each.is_ready for each in members):
            kind, takes = type(members[0]), members[0].warm_up
            is_own = not kind.__module__.startswith("strategy_runtime.")
            duty = ", and has to hand each value to _set" if is_own else ""
            yield f"no {kind.__name__} had a value to the end: it takes {takes} candles{duty}"


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
