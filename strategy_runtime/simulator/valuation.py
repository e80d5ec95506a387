"""What the positions of an account are worth, each at its price."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from operator import attrgetter, sub

from strategy_runtime.simulator.ledger import Holding

__all__ = ["Valuation"]

_ZERO = Decimal(0)

_cost = attrgetter("cost")


class Valuation:
    """The worth of each position at the prices of one moment.

    The sums are taken anew whenever they are asked for, in the order of the positions. So they are
    the same to the last digit, whichever positions have been renewed since.

    Args:
        holdings: The positions by id, which may change; then `renew` is to be called.
        mark: The price a symbol stands at.
    """

    __slots__ = ("_holdings", "_mark", "_worths")

    def __init__(self, holdings: Mapping[str, Holding], mark: Callable[[str], Decimal]) -> None:
        self._holdings = holdings
        self._mark = mark
        self._worths = {key: each.quantity * mark(each.symbol) for key, each in holdings.items()}

    def renew(self, holdings: Iterable[Holding], closed: Holding | None) -> None:
        """Take over what has become of some positions, and of one that has been closed."""
        if closed is not None:
            self._worths.pop(closed.id, None)
        for holding in holdings:
            self._worths[holding.id] = holding.quantity * self._mark(holding.symbol)

    def profit(self) -> Decimal:
        """What all of them have gained since they were opened."""
        costs = map(_cost, self._holdings.values())
        return sum(map(sub, self._worths.values(), costs), _ZERO)

    def added_to(self, cash: Decimal) -> Decimal:
        """Cash and all of them."""
        return sum(self._worths.values(), cash)

    def size(self) -> Decimal:
        """What all of them are worth without their signs."""
        return sum(map(abs, self._worths.values()), _ZERO)

    def instead(self, worths: Mapping[str, Decimal]) -> tuple[Decimal, Decimal]:
        """What all of them are worth with their signs and without, some as given by their ids."""
        together = {**self._worths, **worths}.values()
        return sum(together, _ZERO), sum(map(abs, together), _ZERO)
