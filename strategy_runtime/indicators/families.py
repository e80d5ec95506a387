"""Families of indicators, one indicator per symbol, and how they are fed."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, NamedTuple, TypeAlias, TypeVar

from strategy_runtime.indicators.base import Indicator, PriceIndicator
from strategy_runtime.protocol.models import Candle
from strategy_runtime.protocol.timeframes import Timeframe, parse_timeframe

__all__ = ["Family", "Feeds", "Indicators"]

_MOST_LATE = 100
"""Families that may be made after the first candle; more means a hook makes one at each candle."""

IndicatorType = TypeVar("IndicatorType", bound=Indicator)

Family: TypeAlias = defaultdict[str, IndicatorType]
"""One indicator per symbol, made when the symbol is first seen or looked up.

Strategies look symbols up at every bar, and a class of our own would take twice as long.
"""


class _Fed(NamedTuple):
    members: defaultdict[str, Any]
    make: Callable[[], Indicator]
    timeframe: Timeframe | None


class Feeds(NamedTuple):
    """The functions to call for each candle of one symbol and timeframe.

    Attributes:
        pushes: Take its close.
        updates: Take the candle itself.
    """

    timeframe: str
    pushes: list[Callable[[float], None]]
    updates: list[Callable[[Candle], None]]


class Indicators:
    """All families of one strategy, and the functions that feed them.

    Attributes:
        feeds: By symbol, the feeds for the timeframe that came first. `feeds_of` fills it, and
            adding a family empties it.
        fed_in_runs: By symbol, what takes the closes of candles that are delivered in runs. The
            dispatcher of runs fills it, and adding a family empties it.
        when_added: Called when a family is added; for the runtime.
    """

    def __init__(self) -> None:
        self.feeds: dict[str, Feeds] = {}
        self.fed_in_runs: dict[str, list[Callable[[float], None]]] = {}
        self.when_added: Callable[[], None] = _do_nothing
        self._others: dict[tuple[str, str], Feeds] = {}
        self._first: dict[str, str] = {}
        self._families: list[_Fed] = []
        self._late = 0

    def add(
        self, make: Callable[[], IndicatorType], timeframe: str | None
    ) -> Family[IndicatorType]:
        """Add a family of indicators, fed from the next candle on.

        Args:
            timeframe: Timeframe of the candles that feed it; None for the one that arrives first
                for a symbol, which is the finest.

        Raises:
            TimeframeError: `timeframe` is invalid.
            TypeError: `make` does not return a new indicator at each call.
            RuntimeError: Too many families are made after the first candle, as by a hook.
        """
        self._late += bool(self._first)
        if self._late > _MOST_LATE:
            raise RuntimeError(
                f"{_MOST_LATE} families of indicators were made after the first candle: make them "
                "in on_start, because one that is made at each candle starts again each time"
            )
        _check_maker(make)
        length = None if timeframe is None else parse_timeframe(timeframe)
        family = Family[IndicatorType](make)
        self._families.append(_Fed(family, make, length))
        self.feeds.clear()
        self.fed_in_runs.clear()
        self._others.clear()
        self.when_added()
        return family

    @property
    def warm_up(self) -> int:
        """The longest `warm_up` of all families."""
        return max((family.make().warm_up for family in self._families), default=0)

    @property
    def families(self) -> list[Family[Any]]:
        """All families, in the order in which they were made."""
        return [family.members for family in self._families]

    @property
    def symbols(self) -> list[str]:
        """The symbols for which candles have come."""
        return [*self._first]

    @property
    def unmet_timeframes(self) -> list[str]:
        """For each family its timeframe, if no candle of it has come; else an empty string."""
        texts = {*self._first.values(), *(text for _, text in self._others)}
        came = [parse_timeframe(text) for text in texts]
        return [
            length.text
            if (length := family.timeframe) and not any(map(length.is_as_long_as, came))
            else ""
            for family in self._families
        ]

    @property
    def unmet_subscriptions(self) -> list[str]:
        """Subscriptions that would bring candles of the missing timeframes."""
        unmet = dict.fromkeys(filter(None, self.unmet_timeframes))
        return [f"{symbol}:candle_{text}" for symbol in self._first for text in unmet]

    @property
    def wrong_key(self) -> str:
        """The type of a key that is not a symbol, such as `Candle`; empty if there is none."""
        keys: Iterable[object] = chain.from_iterable(each.members for each in self._families)
        return next((type(key).__name__ for key in keys if not isinstance(key, str)), "")

    def feeds_of(self, candle: Candle) -> Feeds:
        """Return the feeds for candles of a symbol in the timeframe that came first for it."""
        symbol = candle.symbol
        first = self._first.setdefault(symbol, candle.timeframe)
        feeds = self.feeds[symbol] = self._make_feeds(symbol, first, is_first=True)
        return feeds

    def other_feeds_of(self, candle: Candle) -> Feeds:
        """Return the feeds for candles of a symbol in another timeframe."""
        key = candle.symbol, candle.timeframe
        feeds = self._others.get(key)
        if feeds is None:
            feeds = self._others[key] = self._make_feeds(*key, is_first=False)
        return feeds

    def _make_feeds(self, symbol: str, timeframe: str, *, is_first: bool) -> Feeds:
        length = parse_timeframe(timeframe)
        fed = [
            family.members
            for family in self._families
            if (is_first if family.timeframe is None else family.timeframe.is_as_long_as(length))
        ]
        members = [each[symbol] for each in fed]
        return Feeds(
            timeframe,
            [each.feed for each in members if isinstance(each, PriceIndicator)],
            [each.update for each in members if not isinstance(each, PriceIndicator)],
        )


def _check_maker(make: object) -> None:
    """Refuse what does not make a new indicator at each call, while the caller is on the stack.

    Raises:
        TypeError: Says what to write instead.
    """
    if isinstance(make, Indicator):
        name = type(make).__name__
        raise TypeError(
            f"an indicator is made for each symbol: write indicator(lambda: {name}(…)), not "
            f"indicator({name}(…))"
        )
    if not callable(make):
        raise TypeError(
            "a family needs a function that makes an indicator, such as lambda: Momentum(60), "
            f"not {make!r}"
        )
    made = make()
    name = type(made).__name__
    if not isinstance(made, Indicator):
        raise TypeError(
            f"a family is made of indicators, not of {name}: wrap it in a subclass of Indicator "
            "that passes each new value to _set"
        )
    if make() is made:
        raise TypeError(
            f"each symbol needs an indicator of its own, and all would have the same {name}: "
            f"make it in the function, as in lambda: {name}(…)"
        )
    if not hasattr(made, "warm_up"):
        raise TypeError(f"{name}.__init__ does not call super().__init__(warm_up=…)")


def _do_nothing() -> None:
    """The default of `when_added`; unlike a lambda, it can be pickled."""
