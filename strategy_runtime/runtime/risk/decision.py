"""The check of orders against the risk limits of a run.

It neither sends nor waits, and depends only on limits, book, order and time. An order that only
reduces a position is never too large, but counts towards the orders per minute. Cancels do not
count.
"""

from collections import deque
from collections.abc import Callable, Container, Iterable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Self

from msgspec.structs import replace

from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.enums import OrderType, Side
from strategy_runtime.protocol.models import Order, OrderRequest
from strategy_runtime.protocol.values import decimal_of, in_digits
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.book.order_states import name_of
from strategy_runtime.runtime.risk.daily_loss import DailyLoss, Days
from strategy_runtime.runtime.risk.limits import Limits, exceeded, option_of, refused

__all__ = ["Risk"]

_MINUTE_S = 60.0
_ZERO = Decimal(0)
_FEW = 64
_HUGE = 1e15  # from here on floats have no fractions to round up
# Looking up an Enum member is five times slower than a global.
_BUY, _MARKET = Side.BUY, OrderType.MARKET


class _Asked(NamedTuple):
    """The data of an order that the check needs."""

    key: str
    symbol: str
    side: Side
    remaining_quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    is_filled_now: bool
    only_closes: bool

    @classmethod
    def of(cls, order: Order | OrderRequest) -> Self:
        if isinstance(order, OrderRequest):
            key, remaining = order.client_order_id or "", order.quantity
            only_closes = order.reduce_only
        else:
            key, remaining = name_of(order), order.remaining_quantity
            only_closes = _only_closes(order)
        return cls(
            key,
            order.symbol,
            order.side,
            remaining,
            order.limit_price,
            order.stop_price,
            order.order_type is OrderType.MARKET,
            only_closes,
        )


class _Change(NamedTuple):
    """An order with pending changes.

    Attributes:
        most: The order with the largest quantity and prices before or after any of them.
        last: The order after the last of them.
    """

    most: Order
    last: Order


class Risk:
    """Checks the orders of one run against its limits.

    Args:
        seconds: The time of the run; only differences matter.
        cancelled: Ids of orders whose cancel was answered; the book may not have it yet.
        days, present: See `DailyLoss`.

    Attributes:
        daily_loss: Tracks the daily loss of the run; None if it has no such limit.
    """

    def __init__(
        self,
        limits: Limits,
        book: Book,
        seconds: Callable[[], float],
        cancelled: Container[str] = (),
        days: Days | None = None,
        present: Callable[[], datetime] | None = None,
    ) -> None:
        self.daily_loss: DailyLoss | None = None
        if limits.max_daily_loss is not None:
            self.daily_loss = DailyLoss(limits.max_daily_loss, book, seconds, days, present)
        self._limits = limits
        self._book = book
        self._seconds = seconds
        self._cancelled = cancelled
        self._judges_size = bool(replace(limits, max_orders_per_minute=None))
        self._most, self._most_held = limits.max_order_notional, limits.max_position_notional
        self._judges_value = self._most is not None or self._most_held is not None
        self._changes: dict[str, _Change] = {}
        self._most_changes = _FEW
        """If there are more, those of ended orders are removed."""
        self._recent: deque[float] = deque(maxlen=limits.max_orders_per_minute or 0)

    @property
    def is_reducing(self) -> bool:
        """Whether only orders that reduce a position are allowed."""
        return self.daily_loss is not None and self.daily_loss.is_reached

    def refusal_of(self, order: Order | OrderRequest) -> ApiError | None:
        """Return why an order must not be sent, or None if it may; then it counts as sent.

        Args:
            order: It may be in the book already.
        """
        refusal = self._refusal_of_size(order) if self._judges_size else None
        return refusal or self._refusal_of_rate()

    def refusal_of_change(self, order: Order, changed: Order) -> ApiError | None:
        """Return why a change of an order must not be sent, or None if it may.

        It then counts as sent, and the order as changed, until the book has the change or `forget`
        is called.
        """
        change = self._change_of(order)
        before, most = order, changed
        if change is not None:
            before, most = change.last, _larger(changed, change.most)
        is_judged = self._judges_size and _grows(before, changed)
        refusal = self._refusal_of_size(most) if is_judged else None
        refusal = refusal or self._refusal_of_rate()
        if refusal is None and (is_judged or change is not None):
            self._note_change(_Change(most, changed))
        return refusal

    def expected(self, order: Order) -> Order:
        """Return an order as it will be after its pending changes."""
        change = self._change_of(order)
        return order if change is None else change.last

    def _change_of(self, order: Order) -> _Change | None:
        """Return the pending changes of an order; None if the book has the last of them."""
        key = name_of(order)
        change = self._changes.get(key)
        if change is not None and not _differ(change.last, order):
            self.forget(key)
            return None
        return change

    def _note_change(self, change: _Change) -> None:
        if len(self._changes) > self._most_changes:
            under_way = ((key, self._book.order(key)) for key in self._changes)
            ended = [key for key, known in under_way if known is None or not known.is_open]
            for key in ended:
                self.forget(key)
            self._most_changes = 2 * len(self._changes) + _FEW
        self._changes[name_of(change.last)] = change

    def forget(self, key: str) -> None:
        """Forget the changes of an order, since one was not made.

        Args:
            key: Client order id of the order, or the venue's id if it has none.
        """
        self._changes.pop(key, None)

    def _reduces(self, order: _Asked) -> bool:
        """Whether an order can only reduce a position, whatever else is filled.

        A resting order is not one: it would remain after the position has been closed otherwise.
        """
        if order.only_closes:
            return True
        room = -self._held_for(order) - order.remaining_quantity
        return order.is_filled_now and room >= 0 and _sum_of(self._resting(order)) <= room

    def _refusal_of_size(self, order: Order | OrderRequest) -> ApiError | None:
        loss = self.daily_loss
        if loss is not None:
            loss.check_if_due()
        lost = "" if loss is None else loss.reached
        if not lost and self._is_plainly_small(order):
            return None
        return self._refusal_of(_Asked.of(order), lost)

    def _is_plainly_small(self, order: Order | OrderRequest) -> bool:
        """Whether a market order is clearly small enough, without the exact calculation.

        It is valued at the next whole number above the last price.
        """
        if not self._judges_value:
            return True
        is_plain = order.order_type is _MARKET and order.limit_price is order.stop_price is None
        key, symbol, size = order.client_order_id, order.symbol, order.quantity
        last = self._book.last.get(symbol)
        if not is_plain or not key or last is None or not 0 <= last < _HUGE:
            return False
        ceiling = int(last) + 1
        if self._most is not None and size * ceiling > self._most:
            return False
        if self._most_held is None:
            return True
        if self._book.has_open(symbol, key):
            return False
        held = self._book.nets[symbol].quantity
        if held and (held > 0) is (order.side is _BUY):
            size += abs(held)
        return size * ceiling <= self._most_held

    def _refusal_of(self, order: _Asked, lost: str) -> ApiError | None:
        limits, symbol = self._limits, order.symbol
        if self._reduces(order):
            return None
        if lost:
            said = f"only orders that reduce a position are sent: {lost}"
            return refused("max_daily_loss", said, limits.max_daily_loss)
        price = self._price_of(order)
        allowed = limits.max_order_notional
        if price is None:
            limit = "max_position_notional" if allowed is None else "max_order_notional"
            return refused(
                limit,
                f"an order in {symbol} cannot be valued for {option_of(limit)} before its first "
                "price; wait for one, or give limit=",
            )
        value = order.remaining_quantity * price
        if allowed is not None and value > allowed:
            size = f"{in_digits(order.remaining_quantity)} {symbol} at {in_digits(price)}"
            return exceeded("max_order_notional", f"{size} is worth", value, allowed)
        allowed = limits.max_position_notional
        if allowed is not None:
            value += self._value_beside(order, self._resting(order))
            if value > allowed:
                said = f"with what is held and rests, {symbol} would be worth"
                return exceeded("max_position_notional", said, value, allowed)
        return None

    def _refusal_of_rate(self) -> ApiError | None:
        recent, allowed = self._recent, self._limits.max_orders_per_minute
        if allowed is None:
            return None
        seconds = self._seconds()
        if len(recent) == allowed and seconds - recent[0] < _MINUTE_S:
            return exceeded(
                "max_orders_per_minute",
                "orders and changes within a minute would be",
                Decimal(allowed + 1),
                Decimal(allowed),
            )
        recent.append(seconds)
        return None

    def _resting(self, order: _Asked) -> list[Order]:
        """Return other open orders on the same side, external ones included, with their changes."""
        return [
            self._about_to_be(other) if self._changes else other
            for other in self._book.orders(order.symbol, beside=order.key)
            if other.side is order.side and other.id not in self._cancelled
        ]

    def _about_to_be(self, order: Order) -> Order:
        """Return an order with the largest values before and after its pending changes."""
        change = self._change_of(order)
        return order if change is None else _larger(order, change.most)

    def _held_for(self, order: _Asked) -> Decimal:
        """Return the position, positive if it is on the side of an order."""
        return order.side.sign * self._book.position(order.symbol).quantity

    def _value_beside(self, order: _Asked, resting: list[Order]) -> Decimal:
        """Return the value of the position and of the resting orders that would add to it.

        A position on the other side makes room for an order that is filled now, as far as no
        resting order can close it before.
        """
        held = self._held_for(order)
        if held < 0:
            room = -held - _sum_of(filter(_only_closes, resting))
            held = -max(room, _ZERO) if order.is_filled_now else _ZERO
        net = self._book.position(order.symbol)
        price = net.average_entry_price if net.last is None else decimal_of(net.last)
        building = (self._value_of(other) for other in resting if not _only_closes(other))
        return held * price + sum(building, _ZERO)

    def _price_of(self, order: _Asked | Order) -> Decimal | None:
        """Return the highest price at which an order is likely to fill; None if unknown."""
        if order.limit_price is not None and order.side is Side.BUY:
            return order.limit_price
        own, last = order.limit_price or order.stop_price, self._book.last.get(order.symbol)
        if last is None:
            return own
        return max(own or _ZERO, decimal_of(last))

    def _value_of(self, order: Order) -> Decimal:
        return order.remaining_quantity * (self._price_of(order) or _ZERO)


def _grows(before: Order, after: Order) -> bool:
    """Whether a change does more than reduce the quantity or change the bracket legs."""
    return after.quantity > before.quantity or _differ(
        before, replace(after, quantity=before.quantity)
    )


def _differ(one: Order, other: Order) -> bool:
    return (one.quantity, one.limit_price, one.stop_price) != (
        other.quantity,
        other.limit_price,
        other.stop_price,
    )


def _larger(order: Order, other: Order) -> Order:
    """Return an order with the larger of its own and another's quantity and prices."""
    quantity = max(order.quantity, other.quantity)
    return replace(
        order,
        quantity=quantity,
        remaining_quantity=quantity - order.filled_quantity,
        limit_price=_higher(order.limit_price, other.limit_price),
        stop_price=_higher(order.stop_price, other.stop_price),
    )


def _higher(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return max((price for price in (one, other) if price is not None), default=None)


def _only_closes(order: Order) -> bool:
    return order.reduce_only or order.parent_order_id is not None


def _sum_of(orders: Iterable[Order]) -> Decimal:
    return sum((order.remaining_quantity for order in orders), _ZERO)
