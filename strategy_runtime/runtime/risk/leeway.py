"""Price bands within which equity need not be computed.

The loss that is still allowed is divided among the open positions. While each price stays on its
side of a bound, no position has lost more than its share, which takes one comparison to check. A
reserve is kept for positions whose price moves further, and for new ones.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import inf

__all__ = ["ANYWHERE", "Band", "Held", "Leeway"]

Band = tuple[float, float]
"""Two prices between which nothing has to be done, bounds excluded."""

ANYWHERE: Band = (-inf, inf)
_NOWHERE: Band = (inf, -inf)

Held = tuple[str, float, float | Decimal | None]
"""Symbol, quantity (negative for a short position), and the price at which the position is valued
in equity, or None if that is unknown."""

_HALF = 0.5
_PORTION = 1 / 64


class Leeway:
    """The loss that is still allowed, in floats, and the share of each position.

    Attributes:
        bands: Price bands of positions, by symbol; other prices may move freely.
        is_unknown: Whether the allowed loss is unknown, so that equity has to be checked at the
            next price, whatever it is.
    """

    __slots__ = ("_sizes", "_spare", "bands", "is_unknown")

    def __init__(self) -> None:
        self.bands: dict[str, Band] = {}
        self.is_unknown = True
        self._sizes: dict[str, float] = {}
        self._spare = 0.0

    def share_out(self, left: float, holdings: Sequence[Held]) -> None:
        """Reset everything to a given allowed loss and given positions."""
        self.lift()
        self._spare = left * _HALF if holdings else left
        for symbol, size, mark in holdings:
            self._sizes[symbol], self.bands[symbol] = size, _NOWHERE
            if mark is not None:
                self._bound(symbol, size, float(mark), self._spare / len(holdings))

    def invalidate(self) -> None:
        """Mark the allowed loss as unknown."""
        if not self.is_unknown:
            self.lift()
            self.is_unknown = True

    def lift(self) -> None:
        """Remove all bands, so that prices may move freely."""
        self.bands.clear()
        self._sizes.clear()
        self._spare = 0.0
        self.is_unknown = False

    def lets_pass(self, symbol: str, price: float) -> bool:
        """Whether a price is within its band, or the band could be extended beyond it.

        False if the allowed loss is unknown.
        """
        low, high = self.bands.get(symbol, ANYWHERE)
        return not self.is_unknown and (low < price < high or self._stretch(symbol, price))

    def _stretch(self, symbol: str, price: float) -> bool:
        """Extend a band somewhat beyond a price; return False if the reserve is too small."""
        size = self._sizes.get(symbol)
        if size is None:
            return False
        lacking = -self._kept_by(symbol, size, price)
        spare = self._spare - lacking
        if not spare > 0.0:
            return False
        portion = spare * _PORTION
        self._spare = spare - portion
        self._bound(symbol, size, price, portion)
        return True

    def take_in(self, symbol: str, size: float, price: float, fee: float) -> bool:
        """Resize a position after an execution; return False if the reserve is too small."""
        if self.is_unknown:
            return False
        before = self._sizes.pop(symbol, 0.0)
        spare = self._spare - fee
        if before:
            spare += self._kept_by(symbol, before, price)
            del self.bands[symbol]
        if not spare > 0.0:
            self.invalidate()
            return False
        if size:
            portion = spare * _PORTION
            spare -= portion
            self._sizes[symbol] = size
            self._bound(symbol, size, price, portion)
        self._spare = spare
        return True

    def _kept_by(self, symbol: str, size: float, price: float) -> float:
        """Return what is left of a position's share at a price; negative beyond its band."""
        low, high = self.bands[symbol]
        return (price - (low if size > 0.0 else high)) * size

    def _bound(self, symbol: str, size: float, price: float, portion: float) -> None:
        bound = price - portion / size
        self.bands[symbol] = (bound, inf) if size > 0.0 else (-inf, bound)
