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
from collections import defaultdict
from collections.abc import Callable, Generator
from math import fsum, nan
from numbers import Integral
from typing import Any, NamedTuple, TypeAlias, TypeVar

from strategy_runtime.protocol.models import Candle
from strategy_runtime.protocol.timeframes import Timeframe, parse_timeframe

__all__ = [
    "Ema",
    "Family",
    "Indicator",
    "Indicators",
    "PriceIndicator",
    "Sma",
    "checked_period",
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

    @property
    def feed(self) -> Callable[[float], None]:
        """What takes in a price."""
        return self.push

    def update(self, candle: Candle) -> None:
        """Take in a closed candle."""
        self.push(candle.close)

    @abstractmethod
    def push(self, price: float) -> None:
        """Take in a price."""


_LONGEST = 1_000_000
_SUMMED_ANEW = 1024  # prices, at least, behind which a running sum is rid of its rounding errors

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
        feeds: For candles of the timeframe that came first, by symbol; filled by `feeds_of`,
            emptied when a family is added.
        fed_in_runs: What is to be called with the closes of a symbol where its candles come in
            runs, filled by whoever takes these, emptied likewise.
        when_added: Called when a family is added; for the runtime.
    """

    def __init__(self) -> None:
        self.feeds: dict[str, Feeds] = {}
        self._others: dict[tuple[str, str], Feeds] = {}
        self._first: dict[str, str] = {}
        self._families: list[_Fed] = []
        self.fed_in_runs: dict[str, list[Callable[[float], None]]] = {}
        self.when_added: Callable[[], None] = lambda: None

    def add(
        self, make: Callable[[], IndicatorType], timeframe: str | None
    ) -> Family[IndicatorType]:
        """A family of indicators, fed from the next candle on.

        Args:
            timeframe: Of the candles it is fed with; None for those of the timeframe that arrives
                first for a symbol, which is the finest.

        Raises:
            TimeframeError: `timeframe` is none.
        """
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
    def starved(self) -> list[str]:
        """Subscriptions that families wait for, of whose timeframe no candle has come."""
        texts = {*self._first.values(), *(text for _, text in self._others)}
        came = [parse_timeframe(text) for text in texts]
        missing = {
            family.timeframe.text: None
            for family in self._families
            if family.timeframe is not None and not any(map(family.timeframe.is_as_long_as, came))
        }
        return [f"{symbol}:candle_{text}" for symbol in self._first for text in missing]

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


def checked_period(period: int) -> int:
    """The period of an average, if it can be one.

    Raises:
        ValueError: It cannot.
    """
    if not isinstance(period, Integral) or not 1 <= period <= _LONGEST:
        raise ValueError(
            f"the period of an average must be a whole number from 1 to {_LONGEST}, not {period!r}"
        )
    return int(period)


class _Running(PriceIndicator):
    """An indicator whose state lives in a generator, to which each price is sent.

    Reading and writing local names is what Python does fastest, and this is done for every bar.
    """

    __slots__ = ("_send",)

    def __init__(self, period: int) -> None:
        super().__init__(checked_period(period))
        states = self._states(period)
        next(states)
        self._send = states.send

    @abstractmethod
    def _states(self, period: int) -> Generator[None, float, None]:
        """Take in one price after the other, and set `previous` and `value` by each."""

    @property
    def feed(self) -> Callable[[float], None]:
        """What takes in a price."""
        return self._send if type(self).push is _Running.push else self.push

    def push(self, price: float) -> None:
        """Take in a price."""
        self._send(price)


class Sma(_Running):
    """Simple moving average: the mean of the last `period` prices."""

    __slots__ = ()

    def _states(self, period: int) -> Generator[None, float, None]:
        window: list[float] = []
        for _ in range(period):
            window.append((yield))
        size, places, windows = float(period), range(period), 1 + _SUMMED_ANEW // period
        total = fsum(window)
        self.value = value = total / size
        while True:
            for _ in range(windows):
                for place in places:
                    price = yield
                    total = total + (price - window[place])  # in a flat market nothing changes
                    window[place] = price
                    self.previous = value
                    self.value = value = total / size
            total = fsum(window)


class Ema(_Running):
    """Exponential moving average with weight `2 / (period + 1)`, seeded with the simple average."""

    __slots__ = ()

    def _states(self, period: int) -> Generator[None, float, None]:
        weight = 2 / (period + 1)
        total = 0.0
        for _ in range(period):
            total += yield
        self.value = value = total / period
        while True:
            price = yield
            self.previous = value
            value = value + weight * (price - value)
            self.value = value


def crossed_above(one: Indicator, other: Indicator | float) -> bool:
    """Whether `one` has just risen above `other`: it was not above it a candle ago, and is now."""
    try:
        # A comparison of floats is quick where an `if` stands before it.
        if one.value > other.value:  # type: ignore[union-attr]
            return one.previous <= other.previous  # type: ignore[union-attr]
        return False
    except AttributeError:
        return one.value > other and one.previous <= other  # type: ignore[operator]


def crossed_below(one: Indicator, other: Indicator | float) -> bool:
    """Whether `one` has just fallen below `other`: it was not below it a candle ago, and is now."""
    try:
        if one.value < other.value:  # type: ignore[union-attr]
            return one.previous >= other.previous  # type: ignore[union-attr]
        return False
    except AttributeError:
        return one.value < other and one.previous >= other  # type: ignore[operator]
