"""Round trips: from a position's first fill to the one that closed it."""

from collections.abc import Iterable
from decimal import Decimal

from strategy_runtime.protocol.enums import Side
from strategy_runtime.protocol.short_repr import ShortRepr
from strategy_runtime.protocol.values import LONG
from strategy_runtime.simulator.outcome import Adjustment, Fill

__all__ = ["RoundTrip", "round_trips", "time_held"]

_ZERO = Decimal(0)
_GRAIN = Decimal("1e-10")


class RoundTrip(ShortRepr, frozen=True, kw_only=True):
    """A closed position.

    Attributes:
        is_long: Whether it was long rather than short.
        quantity: Sum of all entries, in units after splits.
        entry_price, exit_price: Averages, weighted by quantity.
        fees: Fees of all its fills and for borrowing its shares. If a fill closed one position and
            opened another, each has its share by quantity.
        profit: After fees.
        exit_rule: Fill rule of the fill that closed it.
    """

    symbol: str
    is_long: bool
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    opened_ns: int
    closed_ns: int
    fees: Decimal
    profit: Decimal
    exit_rule: str

    @property
    def profit_share(self) -> float:
        """Profit as a share of the value of the entries; 0 if that was 0."""
        worth = self.quantity * self.entry_price
        return float(self.profit / worth) if worth else 0.0


class _Open:
    """A position that is still open."""

    __slots__ = ("entered", "exited", "fees", "is_long", "opened_ns", "paid", "received", "symbol")

    def __init__(self, fill: Fill, quantity: Decimal, fee: Decimal) -> None:
        self.symbol = fill.symbol
        self.is_long = fill.side is Side.BUY
        self.opened_ns = fill.time_ns
        self.entered = quantity
        self.paid = quantity * fill.price
        self.exited = self.received = _ZERO
        self.fees = fee

    def adjust(self, change: Adjustment) -> None:
        """Apply a split or a charge."""
        self.fees -= change.cash
        left = self.entered - self.exited
        if change.units:
            after = left + (change.units if self.is_long else -change.units)
            self.exited = (self.exited * after / left).quantize(_GRAIN, context=LONG)
            self.entered = self.exited + after

    def close(self, fill: Fill) -> RoundTrip:
        """Return the round trip, now that the last unit has been closed."""
        gained = self.received - self.paid
        return RoundTrip(
            symbol=self.symbol,
            is_long=self.is_long,
            quantity=self.entered,
            entry_price=self.paid / self.entered,
            exit_price=self.received / self.exited,
            opened_ns=self.opened_ns,
            closed_ns=fill.time_ns,
            fees=self.fees,
            profit=(gained if self.is_long else -gained) - self.fees,
            exit_rule=fill.rule,
        )


def round_trips(bookings: Iterable[Fill | Adjustment], *, hedging: bool = False) -> list[RoundTrip]:
    """Return the closed positions, in the order in which they closed.

    Args:
        bookings: Fills and adjustments, in order.
        hedging: Keep positions of one symbol apart; otherwise its fills are netted.
    """
    trips: list[RoundTrip] = []
    underway: dict[str, _Open] = {}
    for fill in bookings:
        key = fill.position_id if hedging else fill.symbol
        position = underway.get(key)
        if isinstance(fill, Adjustment):
            # Interest on cash has the currency as its symbol, which may also be that of an asset.
            if position is not None and fill.position_id:
                position.adjust(fill)
            continue
        left, fee = fill.quantity, fill.fee
        if position is not None and position.is_long is not (fill.side is Side.BUY):
            held = position.entered - position.exited
            taken = left if left < held else held
            share = fee if taken == left else fee * taken / fill.quantity
            position.exited += taken
            position.received += taken * fill.price
            position.fees += share
            left -= taken
            fee -= share
            if taken == held:
                trips.append(underway.pop(key).close(fill))
                position = None
        if left:
            if position is None:
                underway[key] = _Open(fill, left, fee)
            else:
                position.entered += left
                position.paid += left * fill.price
                position.fees += fee
    return trips


def time_held(bookings: Iterable[Fill | Adjustment], end_ns: int, *, hedging: bool = False) -> int:
    """Return for how many nanoseconds, up to `end_ns`, at least one position was open."""
    held: dict[str, Decimal] = {}
    total = since = 0
    for each in bookings:
        if not each.units:
            continue
        key = each.position_id if hedging else each.symbol
        if not held:
            since = each.time_ns
        held[key] = held.get(key, _ZERO) + each.units
        if not held[key]:
            del held[key]
            if not held:
                total += each.time_ns - since
    return total + (end_ns - since if held else 0)
