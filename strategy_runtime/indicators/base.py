"""Base classes of indicators."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from math import nan
from numbers import Integral

from strategy_runtime.protocol.models import Candle

__all__ = ["Indicator", "Line", "PriceIndicator", "Running", "checked_period"]

_LONGEST = 1_000_000


class Line:
    """A number that changes from candle to candle.

    Attributes:
        value: The latest value; NaN before there is one, so that every comparison is False.
        previous: The value before it.
    """

    __slots__ = ("previous", "value")

    def __init__(self) -> None:
        self.value = nan
        self.previous = nan

    @property
    def is_ready(self) -> bool:
        """Whether it has a value yet."""
        return self.value == self.value  # NaN alone differs from itself

    def _set(self, value: float) -> None:
        self.previous = self.value
        self.value = value

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.value!r}>"


class Indicator(Line, ABC):
    """A line that follows the candles of one symbol.

    Attributes:
        warm_up: Number of candles after which the first ones no longer matter; a live run fetches
            that many before its first event.
    """

    __slots__ = ("warm_up",)

    def __init__(self, warm_up: int = 0) -> None:
        super().__init__()
        self.warm_up = warm_up

    @abstractmethod
    def update(self, candle: Candle) -> None:
        """Take in a closed candle."""


class PriceIndicator(Indicator):
    """An indicator that uses only closing prices."""

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


def checked_period(period: int) -> int:
    """Return a number of candles.

    Raises:
        ValueError: It is not a whole number, or out of range.
    """
    if not isinstance(period, Integral) or isinstance(period, bool) or not 1 <= period <= _LONGEST:
        raise ValueError(
            f"a period in candles must be a whole number from 1 to {_LONGEST}, not {period!r}"
        )
    return int(period)


class Running(PriceIndicator):
    """An indicator whose state lives in a generator, to which each price is sent.

    Local variables are the fastest that Python has, and this runs for every bar.

    Args:
        periods: `warm_up`, in periods.
    """

    __slots__ = ("_send",)

    def __init__(self, period: int, periods: int = 1) -> None:
        size = checked_period(period)
        super().__init__(size * periods)
        states = self._states(size)
        next(states)
        self._send = states.send

    @abstractmethod
    def _states(self, period: int) -> Generator[None, float, None]:
        """Take in prices one by one, and set `previous` and `value` after each."""

    @property
    def feed(self) -> Callable[[float], None]:
        """What takes in a price."""
        return self._send if type(self).push is Running.push else self.push

    def push(self, price: float) -> None:
        """Take in a price."""
        self._send(price)
