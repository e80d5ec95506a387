"""Splits: those that are announced, and jumps of the price that look like one nobody announced.

Prices that were not adjusted fall to a half overnight when a share becomes two. A position held
over such a night shows a loss that nobody had, unless the split is announced. A real fall hardly
ever hits a whole ratio as closely as a split does; `suspected_split` looks for jumps within three
percent of one.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from math import log

from msgspec import Struct

from strategy_runtime.clock import ns_of, rfc3339
from strategy_runtime.errors import ConfigError

__all__ = ["Split", "schedule_of", "suspected_split"]

_RATIOS = {f"{ratio}:1": float(ratio) for ratio in (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 50)} | {
    "3:2": 1.5,
    "4:3": 4 / 3,
    "5:2": 2.5,
}
_NEARNESS = 0.03
_LEAST = 1 / min(_RATIOS.values()) / (1 - _NEARNESS)
_PLACES = -10
_GRAIN = Decimal(1).scaleb(_PLACES)


class Split(Struct, frozen=True):
    """A split: `old` units become `new` ones, and prices fall accordingly.

    Attributes:
        at: The first bar that starts then or later trades in new units.
        new, old: Such as 2 and 1, or 1 and 10 for a reverse split.

    Raises:
        ConfigError: A ratio that is not above zero, or a time without a zone.
    """

    symbol: str
    at: datetime
    new: Decimal
    old: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ConfigError(f"the split of {self.symbol} at {self.at} needs a time zone")
        if self.new <= 0 or self.old <= 0:
            raise ConfigError(f"{self} is no split: both sides of a ratio are above zero")

    def __str__(self) -> str:
        return f"{self.symbol} {self.ratio} {self.since}"

    @property
    def since(self) -> str:
        """When, in UTC: the date, and the time where that is not midnight."""
        return rfc3339(ns_of(self.at)).removesuffix("T00:00:00Z")

    @property
    def ratio(self) -> str:
        """New to old, such as `2:1`."""
        return f"{self.new:f}:{self.old:f}"

    def units(self, quantity: Decimal) -> Decimal:
        """A quantity in new units; what is beyond the tenth decimal place is dropped."""
        return _cut(quantity * self.new / self.old)

    def price(self, price: Decimal) -> Decimal:
        """A price of new units."""
        return _cut(price * self.old / self.new)

    def looks_done(self, close: float, opened: float) -> bool:
        """Whether a jump from a close to the next open is nearer to none than to this split."""
        jump = log(opened / close)
        return abs(jump) < abs(jump + log(self.new / self.old))


def schedule_of(splits: Iterable[Split]) -> dict[str, deque[tuple[int, Split]]]:
    """Splits by symbol, each with its time in nanoseconds, the first one first.

    Raises:
        ConfigError: Two of one symbol at one time.
    """
    schedule: dict[str, deque[tuple[int, Split]]] = {}
    for split in sorted(splits, key=lambda each: each.at):
        ahead = schedule.setdefault(split.symbol, deque())
        if ahead and ahead[-1][1].at == split.at:
            raise ConfigError(f"{split.symbol} is split twice at {split.since}")
        ahead.append((ns_of(split.at), split))
    return schedule


def suspected_split(close: float, opened: float) -> str | None:
    """The split that the jump from a close to the next open looks like, such as `2:1`, or None."""
    if _LEAST < opened / close < 1 / _LEAST:
        return None
    for name, ratio in _RATIOS.items():
        if abs(close / opened / ratio - 1) <= _NEARNESS:
            return name
        if abs(opened / close / ratio - 1) <= _NEARNESS:
            new, _, old = name.partition(":")
            return f"{old}:{new}"
    return None


def _cut(number: Decimal) -> Decimal:
    """A number to ten decimal places, but never to nothing; whole ones may have any size."""
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= _PLACES:
        return number
    return number.quantize(_GRAIN, ROUND_DOWN) or _GRAIN.copy_sign(number)
