"""Orders as the exchange keeps them: mutable, with their prices as floats beside the decimals."""

from collections.abc import Collection, Iterator
from copy import copy
from decimal import Decimal
from typing import Self, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from strategy_runtime.clock import utc
from strategy_runtime.protocol.enums import (
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
    TimeInForce,
    TrailingType,
)
from strategy_runtime.protocol.models import Order, OrderChanges, OrderRequest
from strategy_runtime.protocol.values import decimal_of
from strategy_runtime.simulator.outcome import ORDER, Fill
from strategy_runtime.simulator.splits import Split

__all__ = ["NEVER", "KeptOrder", "PlainOrder", "RestingOrder", "Snapshots"]

_ZERO = Decimal(0)
NEVER = 2**63
"""Behind every bar."""


class RestingOrder(Struct, eq=False, gc=False):
    """One order from acceptance to its end.

    Attributes:
        original: As accepted.
        request: The same with the changes made since.
        order_type: What it is now: a triggered STOP_LIMIT has become a LIMIT, any other stop that
            has filled in part a MARKET order.
        name: The client's id, else its own; what its legs are named after.
        open_from: The first instant at whose opens it takes part.
        limit, stop: Its prices as floats; meaningful only where the type has them.
        is_over: True once nothing can happen to it any more.
        is_fresh: True until it has met an open since it was accepted or changed, or is known to
            have passed one: see `slept_before`.
        slept_before: The bar that was to come when it went to sleep without having met any open; at
            the opens of later ones it is fresh no more.
        waits_for_open: True while it sits out the range of the bar in progress.
        day: UTC day of the first bar that opened on it; None before that.
        is_plain: A market order with nothing to it, see `plain`.
        parent_id: Id of the entry whose bracket leg it is.
        is_leg: True for the leg of a bracket.
        legs: Its own bracket legs.
        bracket: Of a leg: what it shares with the legs of which at most one may fill, else None.
        peak: Of a trailing stop: the best price it has followed, None before the first.
        delay: Bars it is still under way before it takes part.
    """

    original: OrderRequest
    request: OrderRequest
    id: str
    name: str
    sequence: int
    symbol: str
    side: Side
    order_type: OrderType
    position_id: str | None
    stop_price: Decimal | None
    created_ns: int
    updated_ns: int
    open_from: int
    is_plain: bool = False
    parent_id: str | None = None
    is_leg: bool = False
    limit: float = 0.0
    stop: float = 0.0
    status: OrderStatus = OrderStatus.OPEN
    is_over: bool = False
    filled: Decimal = _ZERO
    average_numerator: Decimal = _ZERO
    day: int | None = None
    is_fresh: bool = True
    slept_before: int = NEVER
    waits_for_open: bool = False
    reject_reason: RejectReason | None = None
    legs: "tuple[RestingOrder, ...]" = ()
    bracket: str | None = None
    delay: int = 0
    peak: float | None = None
    _snapshot: Order | None = None
    _told: "RestingOrder | None" = None

    @classmethod
    def of(
        cls, request: OrderRequest, sequence: int, now_ns: int, *, is_plain: bool = False
    ) -> Self:
        """The order a request has become that is accepted now."""
        order_id = f"{ORDER}{sequence}"
        return cls(
            request,
            request,
            order_id,
            request.client_order_id or order_id,
            sequence,
            request.symbol,
            request.side,
            request.order_type,
            request.position_id,
            request.stop_price,
            now_ns,
            now_ns,
            now_ns,
            is_plain,
        )

    def read_prices(self) -> None:
        """Take over the prices of the request as floats."""
        if self.request.limit_price is not None:
            self.limit = float(self.request.limit_price)
        if self.stop_price is not None:
            self.stop = float(self.stop_price)

    @property
    def remaining(self) -> Decimal:
        """What is not filled yet."""
        return self.request.quantity - self.filled

    @property
    def terms(self) -> tuple[Decimal | None, ...]:
        """What decides when it fills, and how much of it; the prices of its legs do not."""
        request = self.request
        return (
            request.quantity,
            request.limit_price,
            request.stop_price,
            request.trailing_distance,
        )

    @property
    def _trails_by_percent(self) -> bool:
        return self.request.trailing_type is TrailingType.PERCENT

    @property
    def is_immediate(self) -> bool:
        """True for orders that live for one bar only."""
        return self.request.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)

    @property
    def tie(self) -> tuple[str | None, str | None] | None:
        """What it has in common with others of which at most one may fill; None without such."""
        bracket, group = self.bracket, self.request.oco_group_id
        return None if bracket is group is None else (bracket, group)

    def is_limit_within(self, low: float, high: float) -> bool:
        """Whether its limit allows any of the prices between two."""
        return low <= self.limit if self.side is Side.BUY else high >= self.limit

    def is_stop_within(self, low: float, high: float) -> bool:
        """Whether any of the prices between two triggers its stop."""
        return high >= self.stop if self.side is Side.BUY else low <= self.stop

    def trigger(self) -> None:
        """The market has come to it: a stop-limit order is a limit order from the next bar on, what
        is left of any other stop a market order.
        """
        if self.order_type is OrderType.STOP_LIMIT:
            self.order_type = OrderType.LIMIT
            self.waits_for_open = True
        elif self.order_type is OrderType.STOP or self.order_type is OrderType.TRAILING_STOP:
            self.order_type = OrderType.MARKET

    def trail(self, extreme: float) -> None:
        """Move a trailing stop after the market reached `extreme`; it only moves in favour."""
        peak = self.peak
        if peak is None or ((extreme > peak) if self.side is Side.SELL else (extreme < peak)):
            self.peak = extreme
            self._follow_peak(extreme)

    def _follow_peak(self, extreme: float) -> None:
        distance = self.request.trailing_distance or _ZERO
        peak = decimal_of(extreme)
        if self._trails_by_percent:
            distance = peak * distance / 100
        self.stop_price = peak - distance if self.side is Side.SELL else peak + distance
        self.stop = float(self.stop_price)
        self._snapshot = None

    def is_as(self, changes: OrderChanges) -> bool:
        """Whether it already is what a modification would make of it."""
        is_stop_there = changes.stop_price in (None, self.stop_price)
        return is_stop_there and replace(self.request, **changes.given) == self.request

    def change(self, changes: OrderChanges, now_ns: int) -> None:
        """Apply a modification that has been checked."""
        self.request = replace(self.request, **changes.given)
        if changes.stop_price is not None:
            self.stop_price = changes.stop_price
        if changes.trailing_distance is not None and self.peak is not None:
            self._follow_peak(self.peak)
        self.read_prices()
        self.touch(now_ns)

    def split(self, split: Split, now_ns: int) -> None:
        """Restate what is left, and every price, in new units; what has filled stays as it is."""
        request = self.request
        prices = {
            name: split.price(price)
            for name in ("limit_price", "stop_price", "stop_loss", "take_profit")
            if (price := getattr(request, name)) is not None
        }
        if request.trailing_distance is not None and not self._trails_by_percent:
            prices["trailing_distance"] = split.price(request.trailing_distance)
        quantity = self.filled + split.units(self.remaining)
        self.request = replace(request, quantity=quantity, **prices)
        self.stop_price = self.request.stop_price
        if self.peak is not None:
            self.peak = float(split.price(decimal_of(self.peak)))
            self._follow_peak(self.peak)
        self.read_prices()
        self.touch(now_ns)

    def fill(self, quantity: Decimal, price: Decimal, now_ns: int) -> None:
        """Enter an execution."""
        self.filled += quantity
        self.average_numerator += quantity * price
        self.is_over = self.filled >= self.request.quantity
        self.status = OrderStatus.FILLED if self.is_over else OrderStatus.PARTIALLY_FILLED
        if self.order_type is OrderType.STOP or self.order_type is OrderType.TRAILING_STOP:
            self.trigger()
        self.updated_ns = now_ns
        self._snapshot = None

    def fill_whole(self, fill: Fill) -> None:
        """Enter the one execution of a market order, of everything."""
        self.fill(fill.quantity, fill.price, fill.time_ns)
        self.position_id = fill.position_id

    def end(
        self, status: OrderStatus, now_ns: int, reject_reason: RejectReason | None = None
    ) -> None:
        """Put the order into a terminal state other than FILLED."""
        self.status = status
        self.is_over = True
        self.reject_reason = reject_reason
        self.touch(now_ns)

    def keep_told(self) -> None:
        """Keep what others have been told so far, ahead of a change."""
        if self._told is None:
            self._told = copy(self)

    def tell(self) -> None:
        """Others are told of it as it is now; a trailing stop then moves on without a word."""
        self._told = None
        if self.request.order_type is OrderType.TRAILING_STOP:
            self._told = copy(self)

    def told(self) -> Order:
        """The order as its last event had it."""
        return (self._told or self).snapshot()

    def touch(self, now_ns: int) -> None:
        """Note that the order changed."""
        self.updated_ns = now_ns
        self._snapshot = None

    def snapshot(self) -> Order:
        """The order as others see it now."""
        if self._snapshot is None:
            self._snapshot = self.seen()
        return self._snapshot

    def seen(self) -> Order:
        """The same, made and not kept."""
        request = self.request
        return Order(
            id=self.id,
            symbol=self.symbol,
            side=self.side,
            status=self.status,
            order_type=request.order_type,
            quantity=request.quantity,
            filled_quantity=self.filled,
            remaining_quantity=self.remaining,
            time_in_force=request.time_in_force,
            created_at=utc(self.created_ns),
            updated_at=utc(self.updated_ns),
            client_order_id=request.client_order_id,
            limit_price=request.limit_price,
            stop_price=self.stop_price,
            stop_loss=request.stop_loss,
            take_profit=request.take_profit,
            trailing_distance=request.trailing_distance,
            trailing_type=request.trailing_type,
            average_fill_price=self.average_numerator / self.filled if self.filled else None,
            reject_reason=self.reject_reason,
            position_id=self.position_id,
            parent_order_id=self.parent_id,
            reduce_only=request.reduce_only,
            post_only=request.post_only,
            oco_group_id=request.oco_group_id,
        )


class PlainOrder(Struct, eq=False, gc=False):
    """A plain order (see `plain`) that rests nowhere: it waits for the next open or bar, has
    filled, or was withdrawn.

    There are more of these than of all others, so nothing is kept that can be found out.

    Attributes:
        request: As accepted.
        fill: Its only one, of everything; None before.
        is_over: Whether it has filled, or was withdrawn.
        withdrawn_ns: When it was.
        is_told: Whether others have been told of it as it is now.
        has_waited: Whether it has met a bar that did not come to its price.
    """

    request: OrderRequest
    sequence: int
    created_ns: int
    fill: Fill | None = None
    is_over: bool = False
    withdrawn_ns: int = 0
    is_told: bool = False
    has_waited: bool = False

    def fill_whole(self, fill: Fill) -> None:
        """Enter its execution."""
        self.fill = fill
        self.is_over = True

    def withdraw(self, now_ns: int) -> None:
        """End it unfilled."""
        self.withdrawn_ns = now_ns
        self.is_over, self.is_told = True, False

    def tell(self) -> None:
        """Others are told of it as it is now."""
        self.is_told = True

    def at_rest(self) -> RestingOrder:
        """The same as an order that rests, or did so."""
        order = self._accepted()
        if self.fill is not None:
            order.fill_whole(self.fill)
        elif self.is_over:
            order.end(OrderStatus.CANCELLED, self.withdrawn_ns)
        return order

    def _accepted(self) -> RestingOrder:
        is_plain = self.request.order_type is OrderType.MARKET
        order = RestingOrder.of(self.request, self.sequence, self.created_ns, is_plain=is_plain)
        order.read_prices()
        return order

    @property
    def original(self) -> OrderRequest:
        """As accepted."""
        return self.request

    @property
    def id(self) -> str:
        """The exchange's."""
        return f"{ORDER}{self.sequence}"

    @property
    def name(self) -> str:
        """The client's id, else its own."""
        return self.request.client_order_id or self.id

    @property
    def symbol(self) -> str:
        """As in the request."""
        return self.request.symbol

    @property
    def side(self) -> Side:
        """As in the request."""
        return self.request.side

    @property
    def status(self) -> OrderStatus:
        """Open, filled, or cancelled."""
        if not self.is_over:
            return OrderStatus.OPEN
        return OrderStatus.CANCELLED if self.fill is None else OrderStatus.FILLED

    @property
    def updated_ns(self) -> int:
        """When it last changed."""
        if self.fill is not None:
            return self.fill.time_ns
        return self.withdrawn_ns if self.is_over else self.created_ns

    def seen(self) -> Order:
        """The order as others see it now."""
        return self.at_rest().seen()

    snapshot = seen

    def told(self) -> Order:
        """The order as its last event had it."""
        is_behind = self.is_over and self.fill is None and not self.is_told
        return (self._accepted() if is_behind else self.at_rest()).seen()


KeptOrder: TypeAlias = RestingOrder | PlainOrder
"""An order from its acceptance on, for as long as the exchange runs."""


class Snapshots(Collection[Order]):
    """Orders as others see them, each made when it is come to, and not kept."""

    def __init__(self, orders: Collection[KeptOrder]) -> None:
        self._orders = orders

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[Order]:
        return (order.seen() for order in self._orders)

    def __contains__(self, order: object) -> bool:
        return any(each == order for each in self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Snapshots) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]
