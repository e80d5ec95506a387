"""The account: cash, positions at average cost, realised profit, fees, interest. All exact.

A position keeps its cost, not its average price: a reduction takes out its share of the cost, so
that realised and unrealised profit add up to the change of equity to the last digit however often
an average cannot be written exactly.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from strategy_runtime.protocol.enums import PositionMode

__all__ = ["Booking", "Holding", "Ledger"]

_ZERO = Decimal(0)
_NONE: dict[str, "Holding"] = {}
_GRAIN = Decimal("1e-12")  # coarse enough for every later sum to be exact


class Holding:
    """One open position.

    Attributes:
        id: Of the position it is now; a new one each time it is opened or flipped.
        quantity: Signed.
        cost: What the open quantity cost, signed like it.
        realized: Profit realised since this position was opened, before fees.
        opened_ns: When it was opened.
        updated_ns: When it last changed.
    """

    __slots__ = ("cost", "id", "opened_ns", "quantity", "realized", "symbol", "updated_ns")

    def __init__(self, symbol: str, id: str, now_ns: int) -> None:
        self.symbol = symbol
        self.id = id
        self.quantity = _ZERO
        self.cost = _ZERO
        self.realized = _ZERO
        self.opened_ns = now_ns
        self.updated_ns = now_ns

    @property
    def average_price(self) -> Decimal:
        """Quantity-weighted average of the entry prices; 0 when flat."""
        return self.cost / self.quantity if self.quantity else _ZERO

    def split(self, quantity: Decimal, now_ns: int) -> None:
        """Have another quantity for the same cost."""
        self.quantity = quantity
        self.updated_ns = now_ns

    def unrealized(self, mark: Decimal) -> Decimal:
        """Open profit at a price."""
        return self.quantity * mark - self.cost


class Booking:
    """What one fill did: it closed a position, changed or opened one, or both (a flip).

    Attributes:
        has_opened: True where `current` did not exist before.
    """

    __slots__ = ("closed", "current", "has_opened")

    def __init__(self, closed: Holding | None, current: Holding | None, has_opened: bool) -> None:
        self.closed = closed
        self.current = current
        self.has_opened = has_opened


class Ledger:
    """Cash and positions of one account.

    Attributes:
        cash: Starting cash less purchases plus sales less fees and interest.
        realized: Realised profit before fees.
        fees: Fees charged.
        financing: Interest charged.
        holdings: Open positions by id, the longest-standing first.
    """

    __slots__ = (
        "_by_symbol",
        "_is_netting",
        "_position_id",
        "_shorts",
        "cash",
        "fees",
        "financing",
        "holdings",
        "realized",
        "start_cash",
    )

    def __init__(self, cash: Decimal, mode: PositionMode, position_id: Callable[[], str]) -> None:
        self.start_cash = cash
        self.cash = cash
        self.realized = _ZERO
        self.fees = _ZERO
        self.financing = _ZERO
        self.holdings: dict[str, Holding] = {}
        self._by_symbol: dict[str, dict[str, Holding]] = {}
        self._shorts: set[str] = set()
        self._is_netting = mode is PositionMode.NETTING
        self._position_id = position_id

    def quantity(self, symbol: str) -> Decimal:
        """Signed quantity held in a symbol, all its positions together."""
        return sum((each.quantity for each in self.of(symbol)), _ZERO)

    def of(self, symbol: str) -> list[Holding]:
        """The open positions in a symbol; at most one where they are netted."""
        return list(self._by_symbol.get(symbol, _NONE).values())

    @property
    def has_shorts(self) -> bool:
        """Whether any position is short."""
        return bool(self._shorts)

    def addressed(self, symbol: str, position_id: str | None) -> Holding | None:
        """The position an order is about: the only one where they are netted, else as named."""
        if self._is_netting:
            return next(iter(self._by_symbol.get(symbol, _NONE).values()), None)
        holding = self.holdings.get(position_id or "")
        return holding if holding is not None and holding.symbol == symbol else None

    def book(
        self,
        symbol: str,
        signed: Decimal,
        price: Decimal,
        fee: Decimal,
        now_ns: int,
        position_id: str | None = None,
    ) -> Booking:
        """Enter a fill of `signed` units at `price`.

        A fill beyond the opposite position closes it at the fill price and opens the rest at the
        fill price.
        """
        self.cash -= signed * price + fee
        self.fees += fee
        holding = self.addressed(symbol, position_id)
        closed: Holding | None = None
        if holding is not None and (holding.quantity > 0) != (signed > 0):
            reduced = min(abs(signed), abs(holding.quantity))
            self._reduce(holding, reduced, price, now_ns)
            signed += reduced if signed < 0 else -reduced
            if not holding.quantity:
                closed = holding
                self._forget(holding)
                holding = None
        has_opened = False
        if signed:
            if holding is None:
                has_opened = True
                holding = Holding(symbol, self._position_id(), now_ns)
                self._keep(holding, is_short=signed < 0)
            holding.quantity += signed
            holding.cost += signed * price
            holding.updated_ns = now_ns
        return Booking(closed, holding, has_opened)

    def _keep(self, holding: Holding, *, is_short: bool) -> None:
        self.holdings[holding.id] = holding
        self._by_symbol.setdefault(holding.symbol, {})[holding.id] = holding
        if is_short:
            self._shorts.add(holding.id)

    def _forget(self, holding: Holding) -> None:
        del self.holdings[holding.id], self._by_symbol[holding.symbol][holding.id]
        self._shorts.discard(holding.id)

    def charge(self, amount: Decimal) -> None:
        """Take interest from cash."""
        self.cash -= amount
        self.financing += amount

    def _reduce(self, holding: Holding, units: Decimal, price: Decimal, now_ns: int) -> None:
        whole = units == abs(holding.quantity)
        share = holding.cost * units / abs(holding.quantity)
        taken = holding.cost if whole else share.quantize(_GRAIN)
        signed = units if holding.quantity > 0 else -units
        profit = signed * price - taken
        holding.quantity -= signed
        holding.cost -= taken
        holding.realized += profit
        holding.updated_ns = now_ns
        self.realized += profit

    def marked(self, mark: Callable[[str], Decimal]) -> Iterator[tuple[Holding, Decimal]]:
        """Each open position with the price it stands at."""
        for holding in self.holdings.values():
            yield holding, mark(holding.symbol)
