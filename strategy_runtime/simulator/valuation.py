"""The value of an account's positions."""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from operator import attrgetter, sub

from strategy_runtime.simulator.ledger import Holding
from strategy_runtime.sums import MANY, Sum

__all__ = ["Valuation"]

_ZERO = Decimal(0)

_cost = attrgetter("cost")


class Valuation:
    """The value of each position at the prices of one moment.

    Sums add the positions in their order, so that they are the same to the last digit whichever
    positions have been renewed.

    Args:
        holdings: The positions by id; call `renew` after they change.
        mark: Returns the current price of a symbol.
    """

    __slots__ = ("_gains", "_holdings", "_mark", "_sizes", "_worths")

    def __init__(self, holdings: Mapping[str, Holding], mark: Callable[[str], Decimal]) -> None:
        self._holdings = holdings
        self._mark = mark
        self._worths = Sum(
            {key: each.quantity * mark(each.symbol) for key, each in holdings.items()}
        )
        self._gains: Sum | None = None
        self._sizes: Sum | None = None

    def renew(self, holdings: Collection[Holding], closed: Holding | None) -> None:
        """Take over changed positions, and drop one that has been closed."""
        gone = () if closed is None else (closed.id,)
        worths = {each.id: each.quantity * self._mark(each.symbol) for each in holdings}
        self._worths.update(worths, gone)
        if self._gains is not None:
            gains = {each.id: worths[each.id] - each.cost for each in holdings}
            self._gains.update(gains, gone)
        if self._sizes is not None:
            self._sizes.update({key: abs(worth) for key, worth in worths.items()}, gone)

    def profit(self) -> Decimal:
        """Return the unrealised profit of all positions."""
        if self._gains is None:
            worths = self._worths.parts
            gains = map(sub, worths.values(), map(_cost, self._holdings.values()))
            if len(worths) < MANY:
                return sum(gains, _ZERO)
            self._gains = Sum(dict(zip(worths, gains, strict=True)))
        return self._gains.total()

    def added_to(self, cash: Decimal) -> Decimal:
        """Return cash plus the value of all positions."""
        return self._worths.total(cash)

    def size(self) -> Decimal:
        """Return the gross value of all positions, long and short."""
        worths = self._worths.parts
        if len(worths) < MANY:
            return sum(map(abs, worths.values()), _ZERO)
        return self._by_size().total()

    def instead(self, worths: Mapping[str, Decimal]) -> tuple[Decimal, Decimal]:
        """Return net and gross value, with some positions valued as given by their ids."""
        known = self._worths.parts
        if len(known) < MANY:
            together = {**known, **worths}.values()
            return sum(together, _ZERO), sum(map(abs, together), _ZERO)
        sizes = {key: abs(worth) for key, worth in worths.items()}
        return self._worths.total_with(worths), self._by_size().total_with(sizes)

    def _by_size(self) -> Sum:
        if self._sizes is None:
            self._sizes = Sum({key: abs(worth) for key, worth in self._worths.parts.items()})
        return self._sizes
