"""Base classes of indicators."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from math import nan
from numbers import Integral
from types import MethodType

from strategy_runtime.protocol.models import Candle

__all__ = ["Generated", "Indicator", "Line", "PriceIndicator", "Running", "checked_period"]

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


class Generated(Indicator):
    """An indicator whose state lives in a generator, to which each price is sent.

    Local variables are the fastest that Python has, and this runs for every bar. The generator is
    made when the first price is sent, as nothing that has one can be copied.

    Args:
        periods: `warm_up`, in periods.
    """

    __slots__ = ("_period", "_send")

    def __init__(self, period: int, periods: int = 1) -> None:
        self._period = checked_period(period)
        super().__init__(self._period * periods)
        self._send: Callable[[float], None] = self._send_first

    @abstractmethod
    def _states(self, period: int) -> Generator[None, float, None]:
        """Take in prices one by one, and set `previous` and `value` after each."""

    @property
    def _is_fed(self) -> bool:
        return not isinstance(self._send, MethodType)

    def _begin(self) -> Callable[[float], None]:
        """Make the generator, if there is none, and return what sends to it."""
        if not self._is_fed:
            states = self._states(self._period)
            next(states)
            self._send = states.send
        return self._send

    def _send_first(self, price: float) -> None:
        self._begin()(price)

    def __getstate__(self) -> object:
        """Allow copying and pickling, as part of a strategy that has not run.

        Raises:
            TypeError: It has been fed: the copy would feed the same generator.
        """
        if self._is_fed:
            raise TypeError(
                f"this {type(self).__name__} has been fed, so it cannot be copied or pickled; make "
                "a new one, and feed it the same candles"
            )
        return super().__getstate__()


class Running(Generated, PriceIndicator):
    """An indicator of closing prices whose state lives in a generator."""

    __slots__ = ()

    @property
    def feed(self) -> Callable[[float], None]:
        """What takes in a price."""
        return self._begin() if type(self).push is Running.push else self.push

    def push(self, price: float) -> None:
        """Take in a price."""
        self._send(price)
