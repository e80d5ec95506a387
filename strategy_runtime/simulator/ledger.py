"""The account: cash, positions at average cost, realised profit, fees and interest, all exact.

A position keeps its cost, not its average price, and a reduction takes out its share of the cost.
So realised and unrealised profit add up to the change of equity to the last digit, even if averages
cannot be written exactly.
"""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from strategy_runtime.protocol.enums import OrderType, PositionMode, Side
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.protocol.values import LONG

__all__ = ["Booking", "Holding", "Ledger"]

_ZERO = Decimal(0)
_GRAIN = Decimal("1e-12")  # coarse enough for every later sum to be exact


class Holding(Struct, eq=False, gc=False):
    """One open position.

    Attributes:
        id: Id of the position; a flip opens a new position with a new id.
        quantity: Open quantity, negative for a short position.
        cost: Cost of the open quantity, signed like it.
        opened_ns: When it was opened.
        updated_ns: When it last changed.
        realized_pnl: Profit realised since it was opened, before fees.
        before_close: Quantity and cost just before it was closed; None while it is open.
    """

    symbol: str
    id: str
    quantity: Decimal
    cost: Decimal
    opened_ns: int
    updated_ns: int
    realized_pnl: Decimal = _ZERO
    before_close: tuple[Decimal, Decimal] | None = None

    @property
    def signed_quantity(self) -> Decimal:
        """Open quantity, negative for a short position."""
        return self.quantity

    @property
    def average_entry_price(self) -> Decimal:
        """Quantity-weighted average of the entry prices; 0 when flat."""
        return self.cost / self.quantity if self.quantity else _ZERO

    def reduction(
        self,
        quantity: Decimal,
        kind: OrderType = OrderType.MARKET,
        *,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        client_order_id: str | None = None,
    ) -> OrderRequest:
        """Return the request of a reduce-only order for so many units of the position."""
        return OrderRequest(
            symbol=self.symbol,
            side=Side.SELL if self.quantity > 0 else Side.BUY,
            quantity=quantity,
            order_type=kind,
            limit_price=limit_price,
            stop_price=stop_price,
            client_order_id=client_order_id,
            position_id=self.id,
            reduce_only=True,
        )

    def split(self, quantity: Decimal, now_ns: int) -> None:
        """Set the quantity after a split; the cost stays."""
        self.quantity = quantity
        self.updated_ns = now_ns

    def unrealized(self, mark: Decimal) -> Decimal:
        """Return the unrealised profit at a price."""
        return self.quantity * mark - self.cost


Booking = tuple[Holding | None, Holding | None, bool, Decimal]
"""Effect of one fill: the position it closed, the one it opened or changed, whether it opened that
one, and the profit it realised, before fees. A flip has all of these."""


class Ledger:
    """Cash and positions of one account.

    Attributes:
        cash: Starting cash plus sales, less purchases, fees and interest.
        realized: Realised profit before fees.
        fees: Fees charged.
        financing: Interest charged.
        holdings: Open positions by id, oldest first.
        net: Open positions by symbol, on a netting account.
    """

    __slots__ = (
        "_hedged",
        "_is_netting",
        "_position_id",
        "_shorts",
        "cash",
        "fees",
        "financing",
        "holdings",
        "net",
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
        self.net: dict[str, Holding] = {}
        self._hedged: defaultdict[str, dict[str, Holding]] = defaultdict(dict)
        """Open positions by symbol and id, on a hedging account."""
        self._shorts: set[str] = set()
        self._is_netting = mode is PositionMode.NETTING
        self._position_id = position_id

    def of(self, symbol: str) -> tuple[Holding, ...]:
        """Return the open positions in a symbol; at most one on a netting account."""
        if self._is_netting:
            holding = self.net.get(symbol)
            return () if holding is None else (holding,)
        return tuple(self._hedged[symbol].values())

    @property
    def balance(self) -> Decimal:
        """Starting cash plus realised profit, less fees and interest."""
        return self.start_cash + self.realized - self.fees - self.financing

    @property
    def has_shorts(self) -> bool:
        """Whether any position is short."""
        return bool(self._shorts)

    def addressed(self, symbol: str, position_id: str | None) -> Holding | None:
        """Return the position of an order: the symbol's net one, or when hedging the named one."""
        if self._is_netting:
            return self.net.get(symbol)
        holding = self.holdings.get(position_id or "")
        return holding if holding is not None and holding.symbol == symbol else None

    def book(
        self,
        symbol: str,
        signed: Decimal,
        price: Decimal,
        value: Decimal,
        fee: Decimal,
        now_ns: int,
        position_id: str | None = None,
    ) -> Booking:
        """Book a fill of `signed` units at `price`; `value` is their product.

        A fill larger than the opposite position closes it and opens the rest, both at the fill
        price.
        """
        self.cash -= value + fee if fee else value
        if fee:
            self.fees += fee
        holding = self.net.get(symbol) if self._is_netting else self.addressed(symbol, position_id)
        if holding is None:
            return None, self._open(symbol, signed, value, now_ns), True, _ZERO
        held = holding.quantity
        if (held > 0) is (signed > 0):
            holding.quantity = held + signed
            holding.cost += value
            holding.updated_ns = now_ns
            return None, holding, False, _ZERO
        after = held + signed
        if not after:
            return holding, None, False, self._close(holding, -value, now_ns)
        if (after > 0) is (held > 0):
            taken = _share_of_cost(holding, abs(signed))
            profit = -value - taken
            holding.quantity = after
            holding.cost -= taken
            self._realize(holding, profit, now_ns)
            return None, holding, False, profit
        profit = self._close(holding, held * price, now_ns)
        return holding, self._open(symbol, after, after * price, now_ns), True, profit

    def _open(self, symbol: str, signed: Decimal, cost: Decimal, now_ns: int) -> Holding:
        holding = Holding(symbol, self._position_id(), signed, cost, now_ns, now_ns)
        self.holdings[holding.id] = self.net[symbol] = holding
        if not self._is_netting:
            self._hedged[symbol][holding.id] = holding
        if signed < 0:
            self._shorts.add(holding.id)
        return holding

    def _close(self, holding: Holding, proceeds: Decimal, now_ns: int) -> Decimal:
        """Close a position and return the profit."""
        profit = proceeds - holding.cost
        holding.before_close = holding.quantity, holding.cost
        holding.quantity = holding.cost = _ZERO
        self._realize(holding, profit, now_ns)
        del self.holdings[holding.id]
        self.net.pop(holding.symbol, None)
        if not self._is_netting:
            del self._hedged[holding.symbol][holding.id]
        self._shorts.discard(holding.id)
        return profit

    def _realize(self, holding: Holding, profit: Decimal, now_ns: int) -> None:
        holding.realized_pnl += profit
        holding.updated_ns = now_ns
        self.realized += profit

    def charge(self, amount: Decimal) -> None:
        """Deduct interest from cash."""
        self.cash -= amount
        self.financing += amount


def _share_of_cost(holding: Holding, quantity: Decimal) -> Decimal:
    """Return the cost of so many units of a position, at its average price.

    If the average is exact, as after a single entry, so is the share, and the rest keeps that
    average to the last digit: for coins at 0.00000015, rounding to the grain would show.
    """
    cost, held = holding.cost, abs(holding.quantity)
    average = cost / held
    if LONG.multiply(average, held) == cost:
        return average * quantity
    return (cost * quantity / held).quantize(_GRAIN, context=LONG)
