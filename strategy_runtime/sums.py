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

    Attributes:
        parts: To be read only.
    """

    __slots__ = ("_total", "parts")

    def __init__(self, parts: dict[str, Decimal]) -> None:
        self.parts = parts
        self._total: Decimal | None = None
        """None where it is not known, or is not exact."""

    def renew(self, changes: Mapping[str, Decimal], gone: Collection[str] = ()) -> None:
        """Take out parts, if they are there, and change or add others."""
        parts, total = self.parts, self._total
        if total is not None:
            total = self._differing(total, changes, gone)
        for name in gone:
            parts.pop(name, None)
        parts.update(changes)
        # What is no part any more may have been the only one with so many digits.
        if total is None or any(map(total.same_quantum, chain((_ZERO,), parts.values()))):
            self._total = total
        else:
            self._total = None

    def total(self, first: Decimal = _ZERO) -> Decimal:
        """What they add up to, behind another one."""
        parts = self.parts
        if len(parts) >= MANY:
            try:
                return _EXACT.add(first, self._exact())
            except Rounded:
                pass
        return sum(parts.values(), first)

    def instead(self, changes: Mapping[str, Decimal]) -> Decimal:
        """What they would add up to if some were others."""
        try:
            total = self._differing(self._exact(), changes)
        except Rounded:
            total = None
        return sum({**self.parts, **changes}.values(), _ZERO) if total is None else total

    def _exact(self) -> Decimal:
        total = self._total
        if total is None:
            total = self._total = reduce(_EXACT.add, self.parts.values(), _ZERO)
        return total

    def _differing(
        self, total: Decimal, changes: Mapping[str, Decimal], gone: Collection[str] = ()
    ) -> Decimal | None:
        """What they add up to after a change; None where that is not as quickly said."""
        parts = self.parts
        if (len(changes) + len(gone)) * MANY > len(parts):
            return None
        try:
            for name in chain(gone, changes):
                total = _EXACT.subtract(total, parts.get(name, _ZERO))
            for part in changes.values():
                total = _EXACT.add(total, part)
        except Rounded:
            return None
        return total
