"""Stock splits: announced ones, and price jumps that look like an unannounced one.

Unadjusted prices halve overnight when one share becomes two. A position held over that night shows
a loss that nobody made, unless the split is announced. Real falls hardly ever come as close to a
whole ratio as splits do; `suspected_split` looks for jumps within three percent of one.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from math import log

from msgspec import Struct

from strategy_runtime.clock import ns_of, rfc3339
from strategy_runtime.errors import ConfigError
from strategy_runtime.protocol.values import decimal_of, in_digits

__all__ = ["Split", "jump_of", "schedule_of", "suspected_split", "suspicion_of"]

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
    """A split: `old` units become `new` units, and prices change accordingly.

    Attributes:
        at: The first bar that starts at this time or later trades in new units.
        new, old: The ratio, such as 2 and 1, or 1 and 10 for a reverse split.

    Raises:
        ConfigError: The ratio is not above zero, or the time has no zone.
    """

    symbol: str
    at: datetime
    new: Decimal
    old: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ConfigError(f"the split of {self.symbol} at {self.at} needs a time zone")
        if self.new <= 0 or self.old <= 0:
            raise ConfigError(f"{self} is no split: both sides of the ratio must be above zero")

    def __str__(self) -> str:
        return f"{self.symbol} {self.ratio} {self.since}"

    @property
    def since(self) -> str:
        """When, in UTC: the date, and the time unless it is midnight."""
        return rfc3339(ns_of(self.at)).removesuffix("T00:00:00Z")

    @property
    def ratio(self) -> str:
        """New to old, such as `2:1`."""
        return f"{self.new:f}:{self.old:f}"

    def units(self, quantity: Decimal) -> Decimal:
        """Return a quantity in new units, cut to ten decimals."""
        return _cut(quantity * self.new / self.old)

    def price(self, price: Decimal) -> Decimal:
        """Return a price per new unit, cut to ten decimals."""
        return _cut(price * self.old / self.new)

    def looks_done(self, close: float, opened: float) -> bool:
        """Return whether prices look adjusted: the jump is closer to none than to the split."""
        jump = log(opened / close)
        return abs(jump) < abs(jump + log(self.new / self.old))


def schedule_of(splits: Iterable[Split]) -> dict[str, deque[tuple[int, Split]]]:
    """Return splits by symbol in order of time, each with its time in nanoseconds.

    Raises:
        ConfigError: A symbol has two splits at one time.
    """
    schedule: dict[str, deque[tuple[int, Split]]] = {}
    for split in sorted(splits, key=lambda each: each.at):
        ahead = schedule.setdefault(split.symbol, deque())
        if ahead and ahead[-1][1].at == split.at:
            raise ConfigError(f"{split.symbol} is split twice at {split.since}")
        ahead.append((ns_of(split.at), split))
    return schedule


def suspected_split(close: float, opened: float) -> str | None:
    """Return the split, such as `2:1`, that a jump from close to open looks like, or None."""
    if _LEAST < opened / close < 1 / _LEAST:
        return None
    for name, ratio in _RATIOS.items():
        if abs(close / opened / ratio - 1) <= _NEARNESS:
            return name
        if abs(opened / close / ratio - 1) <= _NEARNESS:
            new, _, old = name.partition(":")
            return f"{old}:{new}"
    return None


def jump_of(close: float, opened: float) -> str:
    """The jump from a close to the next open, in words."""
    before, after = in_digits(decimal_of(close)), in_digits(decimal_of(opened))
    return f"from {before} to {after} overnight"


def suspicion_of(jump: str, split: str, at_ns: int, place: str) -> str:
    """What to say of a jump that looks like a split nobody announced.

    Args:
        jump: Of what, and from where to where.
        place: Where it is in the files; empty where it is in none.
    """
    where = f", {place}" if place else ""
    return (
        f"{jump}: it looks like a {split} split at {rfc3339(at_ns)} that the prices are not "
        f"adjusted for{where}; the run takes it for a real move: use adjusted prices"
    )


def _cut(number: Decimal) -> Decimal:
    """Cut a number to ten decimal places, but never to zero; whole numbers may have any size."""
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= _PLACES:
        return number
    return number.quantize(_GRAIN, ROUND_DOWN) or _GRAIN.copy_sign(number)
