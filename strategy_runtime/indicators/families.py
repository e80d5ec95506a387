"""One indicator a symbol, and what each of them is to be fed."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, NamedTuple, TypeAlias, TypeVar

from strategy_runtime.indicators.base import Indicator, PriceIndicator
from strategy_runtime.protocol.models import Candle
from strategy_runtime.protocol.timeframes import Timeframe, parse_timeframe

__all__ = ["Family", "Feeds", "Indicators"]

_MOST_LATE = 100
"""Families that may be made after the first candle: more are made by a slip, one at each candle."""

IndicatorType = TypeVar("IndicatorType", bound=Indicator)

Family: TypeAlias = defaultdict[str, IndicatorType]
"""One indicator a symbol, made when the symbol is first seen or asked for.

It is asked at every bar, and a class of our own would answer in twice the time.
"""


class _Fed(NamedTuple):
    members: defaultdict[str, Any]
    make: Callable[[], Indicator]
    timeframe: Timeframe | None


class Feeds(NamedTuple):
    """What to call for each candle of one symbol and timeframe: with its close, and with itself."""

    timeframe: str
    pushes: list[Callable[[float], None]]
    updates: list[Callable[[Candle], None]]


class Indicators:
    """All families of one strategy, and what they want to be fed, by symbol.

    Attributes:
        feeds: What to call for candles of the timeframe that came first, by symbol. `feeds_of`
            fills it, and a family that is added empties it.
        fed_in_runs: What to call with the closes of a symbol whose candles come in runs. Whoever
            takes the runs fills it, and a family that is added empties it.
        when_added: Called when a family is added; for the runtime.
    """

    def __init__(self) -> None:
        self.feeds: dict[str, Feeds] = {}
        self.fed_in_runs: dict[str, list[Callable[[float], None]]] = {}
        self.when_added: Callable[[], None] = _nobody_asks
        self._others: dict[tuple[str, str], Feeds] = {}
        self._first: dict[str, str] = {}
        self._families: list[_Fed] = []
        self._late = 0

    def add(
        self, make: Callable[[], IndicatorType], timeframe: str | None
    ) -> Family[IndicatorType]:
        """A family of indicators, fed from the next candle on.

        Args:
            timeframe: Of the candles it is fed with; None for those of the timeframe that arrives
                first for a symbol, which is the finest.

        Raises:
            TimeframeError: `timeframe` is none.
            TypeError: `make` is not a function that makes an indicator at each call.
            RuntimeError: Families are made again and again, as in a hook.
        """
        self._late += bool(self._first)
        if self._late > _MOST_LATE:
            raise RuntimeError(
                f"{_MOST_LATE} families of indicators were made after the first candle: make them "
                "in on_start, because one that is made at each candle begins anew each time"
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
        """How many candles the slowest of them takes to be ready."""
        return max((family.make().warm_up for family in self._families), default=0)

    @property
    def families(self) -> list[Family[Any]]:
        """All of them, in the order in which they were made."""
        return [family.members for family in self._families]

    @property
    def symbols(self) -> list[str]:
        """The symbols of which candles came."""
        return [*self._first]

    @property
    def missed(self) -> list[str]:
        """The timeframe that each family follows, where no candle of it has come; else empty."""
        texts = {*self._first.values(), *(text for _, text in self._others)}
        came = [parse_timeframe(text) for text in texts]
        return [
            length.text
            if (length := family.timeframe) and not any(map(length.is_as_long_as, came))
            else ""
            for family in self._families
        ]

    @property
    def starved(self) -> list[str]:
        """Subscriptions that families wait for, of whose timeframe no candle has come."""
        missed = dict.fromkeys(filter(None, self.missed))
        return [f"{symbol}:candle_{text}" for symbol in self._first for text in missed]

    @property
    def misused(self) -> str:
        """What families were asked for that is no symbol, such as `Candle`; empty where nothing."""
        keys: Iterable[object] = chain.from_iterable(each.members for each in self._families)
        return next((type(key).__name__ for key in keys if not isinstance(key, str)), "")

    def feeds_of(self, candle: Candle) -> Feeds:
        """What to call for candles of a symbol in the timeframe that came first for it."""
        symbol = candle.symbol
        first = self._first.setdefault(symbol, candle.timeframe)
        feeds = self.feeds[symbol] = self._made(symbol, first, is_first=True)
        return feeds

    def other_feeds_of(self, candle: Candle) -> Feeds:
        """What to call for candles of a symbol in another timeframe."""
        key = candle.symbol, candle.timeframe
        feeds = self._others.get(key)
        if feeds is None:
            feeds = self._others[key] = self._made(*key, is_first=False)
        return feeds

    def _made(self, symbol: str, timeframe: str, *, is_first: bool) -> Feeds:
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
    """Refuse what does not make a new indicator at each call, here where it was asked for.

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
            f"a family is made of indicators, and no {name}: wrap it in a subclass of Indicator "
            "that hands each new value to _set"
        )
    if make() is made:
        raise TypeError(
            f"each symbol needs an indicator of its own, and all would have the same {name}: "
            f"make it in the function, as in lambda: {name}(…)"
        )
    if not hasattr(made, "warm_up"):
        raise TypeError(f"{name}.__init__ does not call super().__init__(warm_up=…)")


def _nobody_asks() -> None:
    """What is called when a family is added, where nobody wants to know; it can be pickled."""
