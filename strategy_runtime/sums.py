"""Sums of many decimals, few of which change between two reads."""

from collections.abc import Collection, Mapping
from decimal import Context, Decimal, Rounded
from functools import reduce
from itertools import chain

__all__ = ["MANY", "Sum"]

MANY = 16
"""Number of parts from which updating a sum is faster than adding all parts again."""

_ZERO = Decimal(0)
_EXACT = Context(traps=[Rounded])


class Sum:
    """Decimals by name, and their sum in insertion order.

    As long as no digit is rounded the order does not matter: a change subtracts the old value of a
    part and adds the new one. Otherwise all parts are added again. The result is the same either
    way, trailing zeros included.

    Args:
        parts: The sum takes ownership of these.

    Attributes:
        parts: Read-only for callers.
    """

    __slots__ = ("_total", "parts")

    def __init__(self, parts: dict[str, Decimal]) -> None:
        self.parts = parts
        self._total: Decimal | None = None
        """The exact total; None if unknown or not exact."""

    def update(self, changes: Mapping[str, Decimal], gone: Collection[str] = ()) -> None:
        """Change or add parts, and remove those that are gone, if present."""
        parts, total = self.parts, self._total
        if total is not None:
            total = self._differing(total, changes, gone)
        for name in gone:
            parts.pop(name, None)
        parts.update(changes)
        # A removed part may have been the only one with that many decimal places.
        if total is None or any(map(total.same_quantum, chain((_ZERO,), parts.values()))):
            self._total = total
        else:
            self._total = None

    def total(self, first: Decimal = _ZERO) -> Decimal:
        """Return the sum of `first` and all parts."""
        parts = self.parts
        if len(parts) >= MANY:
            try:
                return _EXACT.add(first, self._exact())
            except Rounded:
                pass
        return sum(parts.values(), first)

    def total_with(self, changes: Mapping[str, Decimal]) -> Decimal:
        """Return what the total would be with some parts changed."""
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
        """Return the total after a change; None if adding all is faster, or digits are lost."""
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
