"""Sums of many decimals, few of which change from one time somebody asks to the next."""

from collections.abc import Collection, Mapping
from decimal import Context, Decimal, Rounded
from functools import reduce
from itertools import chain

__all__ = ["MANY", "Sum"]

MANY = 16
"""Parts from which on it is quicker to take out of a sum what has changed than to add all anew."""

_ZERO = Decimal(0)
_EXACT = Context(traps=[Rounded])


class Sum:
    """Decimals by name, and what they add up to, one behind the other in the order they came in.

    Where no digit is lost the order does not matter, so what a part was is taken out and what it is
    put in. Where one is, all parts are added anew. Nobody can tell which: the sum has the same
    digits, and the same zeros behind them.

    Args:
        parts: These are the sum's own from now on.
    """

    __slots__ = ("_parts", "_total")

    def __init__(self, parts: dict[str, Decimal]) -> None:
        self._parts = parts
        self._total: Decimal | None = None
        """None where it is not known, or is not exact."""

    def renew(self, changes: Mapping[str, Decimal], gone: Collection[str] = ()) -> None:
        """Take out parts, if they are there, and change or add others."""
        total, parts = self._differing(changes, gone), self._parts
        for name in gone:
            parts.pop(name, None)
        parts.update(changes)
        # What is no part any more may have been the only one with so many digits.
        if total is not None and any(map(total.same_quantum, chain((_ZERO,), parts.values()))):
            self._total = total
        else:
            self._total = None

    def total(self) -> Decimal:
        """What they add up to; 0 where there are none."""
        if self._total is None:
            parts = self._parts.values()
            if len(parts) < MANY:
                return sum(parts, _ZERO)
            try:
                self._total = reduce(_EXACT.add, parts, _ZERO)
            except Rounded:
                return sum(parts, _ZERO)
        return self._total

    def instead(self, parts: Mapping[str, Decimal]) -> Decimal:
        """What they would add up to with others in their places."""
        total = self._differing(parts, ())
        return sum({**self._parts, **parts}.values(), _ZERO) if total is None else total

    def _differing(self, changes: Mapping[str, Decimal], gone: Collection[str]) -> Decimal | None:
        """What they add up to after a change; None where that is not as quickly said."""
        total, parts = self._total, self._parts
        if total is None or (len(changes) + len(gone)) * MANY > len(parts):
            return None
        try:
            for name in chain(gone, changes):
                total = _EXACT.subtract(total, parts.get(name, _ZERO))
            for part in changes.values():
                total = _EXACT.add(total, part)
        except Rounded:
            return None
        return total
