"""How far prices may go before equity has to be looked at.

What may still be lost is shared out among the positions held: while each price stays on its side of
a bound, no position has lost more than its share, and to know that takes one comparison. Something
is kept back for positions whose price goes further, and for new ones.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import inf

__all__ = ["ANYWHERE", "Band", "Held", "Leeway"]

Band = tuple[float, float]
"""Two prices between which nothing has to be done, themselves excluded."""

ANYWHERE: Band = (-inf, inf)
_NOWHERE: Band = (inf, -inf)

Held = tuple[str, float, float | Decimal | None]
"""Symbol, quantity, negative for a short position, and the price at which it is in equity, or None
where that is not known."""

_HALF = 0.5
_PORTION = 1 / 64


class Leeway:
    """What may still be lost, in floats, and what of it each position may lose.

    Attributes:
        bands: Of positions, by symbol; others may go anywhere.
        is_in_doubt: Whether it is unknown what may still be lost, so that the next price has to be
            looked at, whatever it is.
    """

    __slots__ = ("_sizes", "_spare", "bands", "is_in_doubt")

    def __init__(self) -> None:
        self.bands: dict[str, Band] = {}
        self.is_in_doubt = True
        self._sizes: dict[str, float] = {}
        self._spare = 0.0

    def share_out(self, left: float, holdings: Sequence[Held]) -> None:
        """Begin anew with what may still be lost, and with what is held."""
        self.lift()
        self._spare = left * _HALF if holdings else left
        for symbol, size, mark in holdings:
            self._sizes[symbol], self.bands[symbol] = size, _NOWHERE
            if mark is not None:
                self._bound(symbol, size, float(mark), self._spare / len(holdings))

    def doubt(self) -> None:
        """It is not known any more what may still be lost."""
        if not self.is_in_doubt:
            self.lift()
            self.is_in_doubt = True

    def lift(self) -> None:
        """Let prices go anywhere."""
        self.bands.clear()
        self._sizes.clear()
        self._spare = 0.0
        self.is_in_doubt = False

    def lets_pass(self, symbol: str, price: float) -> bool:
        """Whether a price is within its band, or the band can be made to go beyond it; False also
        in doubt.
        """
        low, high = self.bands.get(symbol, ANYWHERE)
        return not self.is_in_doubt and (low < price < high or self._stretch(symbol, price))

    def _stretch(self, symbol: str, price: float) -> bool:
        """Have a band go beyond a price, and somewhat further; False where too little is left."""
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
        """Have a position be of another size, by an execution; False where too little is left."""
        if self.is_in_doubt:
            return False
        before = self._sizes.pop(symbol, 0.0)
        spare = self._spare - fee
        if before:
            spare += self._kept_by(symbol, before, price)
            del self.bands[symbol]
        if not spare > 0.0:
            self.doubt()
            return False
        if size:
            portion = spare * _PORTION
            spare -= portion
            self._sizes[symbol] = size
            self._bound(symbol, size, price, portion)
        self._spare = spare
        return True

    def _kept_by(self, symbol: str, size: float, price: float) -> float:
        """What a position may still lose of its share, at a price; negative beyond its band."""
        low, high = self.bands[symbol]
        return (price - (low if size > 0.0 else high)) * size

    def _bound(self, symbol: str, size: float, price: float, portion: float) -> None:
        bound = price - portion / size
        self.bands[symbol] = (bound, inf) if size > 0.0 else (-inf, bound)
