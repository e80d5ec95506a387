"""Indicators: fed with every candle before the strategy's hook sees it, one a symbol.

Write your own by subclassing `PriceIndicator` (fed with closes) or `Indicator` (fed with whole
candles) and calling `_set` with each new value::

    class Momentum(PriceIndicator):
        def __init__(self, period: int) -> None:
            super().__init__(warm_up=period + 1)
            self._closes: deque[float] = deque(maxlen=period + 1)

        def push(self, price: float) -> None:
            self._closes.append(price)
            if len(self._closes) == self._closes.maxlen:
                self._set(price - self._closes[0])

and make a family of it in `on_start`: `self.momentum = self.indicator(lambda: Momentum(10))`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import fsum, nan
from typing import Any, Generic, NamedTuple, TypeVar

from strategy_runtime.protocol.models import Candle

__all__ = [
    "Ema",
    "Family",
    "Indicator",
    "Indicators",
    "PriceIndicator",
    "Sma",
    "crossed_above",
    "crossed_below",
]


class Indicator(ABC):
    """A number that follows the candles of one symbol.

    Attributes:
        value: The latest; NaN until the indicator is warm, so that every comparison is False.
        previous: The one before.
        warm_up: How many candles it takes to be ready; a live run fetches as many beforehand.
    """

    __slots__ = ("previous", "value", "warm_up")

    def __init__(self, warm_up: int = 0) -> None:
        self.value = nan
        self.previous = nan
        self.warm_up = warm_up

    @property
    def is_ready(self) -> bool:
        """True once it has seen enough candles to have a value."""
        return self.value == self.value  # NaN alone differs from itself

    @abstractmethod
    def update(self, candle: Candle) -> None:
        """Take in a closed candle."""

    def _set(self, value: float) -> None:
        self.previous = self.value
        self.value = value

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.value!r}>"


class PriceIndicator(Indicator):
    """An indicator of closing prices alone."""

    __slots__ = ()

    def update(self, candle: Candle) -> None:
        """Take in a closed candle."""
        self.push(candle.close)

    @abstractmethod
    def push(self, price: float) -> None:
        """Take in a price."""


IndicatorType = TypeVar("IndicatorType", bound=Indicator)


class Family(dict[str, IndicatorType], Generic[IndicatorType]):
    """One indicator a symbol, made when the symbol is first seen or asked for.

    Attributes:
        timeframe: Of the candles it is fed with; None for those of the timeframe that arrives first
            for a symbol, which is the finest.
    """

    __slots__ = ("_make", "timeframe")

    def __init__(self, make: Callable[[], IndicatorType], timeframe: str | None = None) -> None:
        super().__init__()
        self._make = make
        self.timeframe = timeframe

    @property
    def warm_up(self) -> int:
        """How many candles its members take to be ready."""
        return self._make().warm_up

    def __missing__(self, symbol: str) -> IndicatorType:
        indicator = self[symbol] = self._make()
        return indicator


class Feeds(NamedTuple):
    """What to call for each candle of one symbol and timeframe: with its close, and with itself."""

    timeframe: str
    pushes: list[Callable[[float], None]]
    updates: list[Callable[[Candle], None]]


class Indicators:
    """All families of one strategy, and what they want to be fed, by symbol.

    Attributes:
        feeds: For candles of the timeframe that came first, by symbol; filled by `feeds_of`,
            emptied when a family is added.
    """

    def __init__(self) -> None:
        self.feeds: dict[str, Feeds] = {}
        self._others: dict[tuple[str, str], Feeds] = {}
        self._first: dict[str, str] = {}
        self._families: list[Family[Any]] = []

    def add(self, family: Family[Any]) -> None:
        """Feed a family from the next candle on."""
        self._families.append(family)
        self.feeds.clear()
        self._others.clear()

    @property
    def warm_up(self) -> int:
        """How many candles the slowest of them takes to be ready."""
        return max((family.warm_up for family in self._families), default=0)

    def feeds_of(self, candle: Candle) -> Feeds:
        """What to call for candles of a symbol in the timeframe that came first for it."""
        symbol = candle.symbol
        first = self._first.setdefault(symbol, candle.timeframe)
        feeds = self.feeds[symbol] = self._made(symbol, first, (None, first))
        return feeds

    def other_feeds_of(self, candle: Candle) -> Feeds:
        """What to call for candles of a symbol in another timeframe."""
        key = candle.symbol, candle.timeframe
        feeds = self._others.get(key)
        if feeds is None:
            feeds = self._others[key] = self._made(*key, (candle.timeframe,))
        return feeds

    def _made(self, symbol: str, timeframe: str, wanted: tuple[str | None, ...]) -> Feeds:
        members = [family[symbol] for family in self._families if family.timeframe in wanted]
        return Feeds(
            timeframe,
            [each.push for each in members if isinstance(each, PriceIndicator)],
            [each.update for each in members if not isinstance(each, PriceIndicator)],
        )


def _checked(period: int) -> int:
    if period < 1:
        raise ValueError(f"the period of an average must be at least 1, not {period}")
    return period


class Sma(PriceIndicator):
    """Simple moving average: the mean of the last `period` prices."""

    __slots__ = ("_next", "_period", "_seen", "_total", "_window")

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self._period = _checked(period)
        self._window = [0.0] * period
        self._next = 0
        self._seen = 0
        self._total = 0.0

    def push(self, price: float) -> None:
        """Take in a price."""
        window, index = self._window, self._next
        total = self._total + price - window[index]
        window[index] = price
        index += 1
        if index == self._period:
            index = 0
            # A running sum gathers rounding errors; once a window it is summed anew.
            total = fsum(window)
            self._seen = 1
        self._next = index
        self._total = total
        self.previous = self.value
        if self._seen:
            self.value = total / self._period


class Ema(PriceIndicator):
    """Exponential moving average with weight `2 / (period + 1)`, seeded with the simple average."""

    __slots__ = ("_left", "_period", "_total", "_weight")

    def __init__(self, period: int) -> None:
        super().__init__(period)
        self._period = _checked(period)
        self._weight = 2 / (period + 1)
        self._left = period
        self._total = 0.0

    def push(self, price: float) -> None:
        """Take in a price."""
        value = self.value
        self.previous = value
        if not self._left:
            self.value = value + self._weight * (price - value)
            return
        self._left -= 1
        self._total += price
        if not self._left:
            self.value = self._total / self._period


_NUMBERS = (int, float)


def crossed_above(one: Indicator, other: Indicator | float) -> bool:
    """Whether `one` has just risen above `other`: it was not above it a candle ago, and is now."""
    if isinstance(other, _NUMBERS):
        return one.value > other and one.previous <= other
    return one.value > other.value and one.previous <= other.previous


def crossed_below(one: Indicator, other: Indicator | float) -> bool:
    """Whether `one` has just fallen below `other`: it was not below it a candle ago, and is now."""
    if isinstance(other, _NUMBERS):
        return one.value < other and one.previous >= other
    return one.value < other.value and one.previous >= other.previous
