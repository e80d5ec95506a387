"""Orders as the exchange keeps them: mutable, with their prices as floats beside the decimals."""

from collections.abc import Collection, Iterator, Mapping
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
from strategy_runtime.protocol.models import Order, OrderRequest
from strategy_runtime.protocol.values import decimal_of
from strategy_runtime.simulator.outcome import ORDER, Fill
from strategy_runtime.simulator.splits import Split

__all__ = ["NEVER", "KeptOrder", "PlainOrder", "RestingOrder", "Snapshots"]

_ZERO = Decimal(0)
NEVER = 2**63
"""A row after every bar."""


class RestingOrder(Struct, eq=False, gc=False):
    """One order from acceptance to its end.

    Attributes:
        original: The request as accepted.
        request: The request with all later changes.
        order_type: Its type now: a triggered STOP_LIMIT becomes a LIMIT, any other triggered stop a
            MARKET order.
        name: The client's id, else the exchange's; its legs are named after it.
        open_from: The first instant at whose open it can fill.
        limit, stop: Its prices as floats; meaningful only if the type has them.
        is_over: True once it has ended.
        is_fresh: True until it has met an open since it was accepted or changed; but see
            `slept_before`.
        slept_before: Row of the next bar when it went to sleep without having met any open; from
            the open of a later bar on it no longer counts as fresh.
        waits_for_open: True while it skips the range of the bar in progress.
        day: UTC day of the first open it met; None before that.
        is_plain: True for a plain market order, see `plain`.
        parent_id: Id of the entry whose bracket leg it is.
        is_leg: True for the leg of a bracket.
        legs: Its own bracket legs.
        bracket: For a leg, the id of its bracket, of whose legs at most one may fill; else None.
        peak: For a trailing stop, the best price it has followed; None before the first.
        delay: Bars it is still in transit.
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
    _announced: "RestingOrder | None" = None

    @classmethod
    def of(
        cls, request: OrderRequest, sequence: int, now_ns: int, *, is_plain: bool = False
    ) -> Self:
        """Return the order for a request that is accepted now."""
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
        """Set the float prices from the decimal ones."""
        if self.request.limit_price is not None:
            self.limit = float(self.request.limit_price)
        if self.stop_price is not None:
            self.stop = float(self.stop_price)

    @property
    def remaining(self) -> Decimal:
        """Quantity not filled yet."""
        return self.request.quantity - self.filled

    @property
    def terms(self) -> tuple[Decimal | None, ...]:
        """Quantity and prices, which decide when and how much it fills; prices of legs do not."""
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
        """True for IOC and FOK orders, which live for one bar only."""
        time_in_force = self.request.time_in_force
        return time_in_force is TimeInForce.IOC or time_in_force is TimeInForce.FOK

    @property
    def tie(self) -> tuple[str | None, str | None] | None:
        """Its bracket and OCO group, of whose orders at most one may fill; None without either."""
        bracket, group = self.bracket, self.request.oco_group_id
        return None if bracket is group is None else (bracket, group)

    def is_limit_within(self, low: float, high: float) -> bool:
        """Return whether its limit allows any price from `low` to `high`."""
        return low <= self.limit if self.side is Side.BUY else high >= self.limit

    def is_stop_within(self, low: float, high: float) -> bool:
        """Return whether any price from `low` to `high` triggers its stop."""
        return high >= self.stop if self.side is Side.BUY else low <= self.stop

    def trigger(self) -> None:
        """Trigger a stop: a stop-limit is a limit order from the next bar on, any other stop a
        market order.
        """
        if self.order_type is OrderType.STOP_LIMIT:
            self.order_type = OrderType.LIMIT
            self.waits_for_open = True
        elif self.order_type is OrderType.STOP or self.order_type is OrderType.TRAILING_STOP:
            self.order_type = OrderType.MARKET

    def trail(self, extreme: float) -> None:
        """Move a trailing stop after the market reached `extreme`; it never moves back."""
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

    def changed_by(self, changes: Mapping[str, Decimal]) -> OrderRequest | None:
        """Return the request with checked changes; None if they would leave the order as it is."""
        request = replace(self.request, **changes)
        is_stop_there = changes.get("stop_price", self.stop_price) == self.stop_price
        return None if is_stop_there and request == self.request else request

    def change(self, request: OrderRequest, changes: Mapping[str, Decimal], now_ns: int) -> None:
        """Apply a modification, of which `request` is the result."""
        self.request = request
        if "stop_price" in changes:
            self.stop_price = changes["stop_price"]
        if "trailing_distance" in changes and self.peak is not None:
            self._follow_peak(self.peak)
        self.read_prices()
        self.touch(now_ns)

    def split(self, split: Split, now_ns: int) -> None:
        """Restate the remaining quantity and every price in new units; filled quantity stays."""
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
        """Record an execution."""
        self.filled += quantity
        self.average_numerator += quantity * price
        self.is_over = self.filled >= self.request.quantity
        self.status = OrderStatus.FILLED if self.is_over else OrderStatus.PARTIALLY_FILLED
        if self.order_type is OrderType.STOP or self.order_type is OrderType.TRAILING_STOP:
            self.trigger()
        self.updated_ns = now_ns
        self._snapshot = None

    def fill_whole(self, fill: Fill) -> None:
        """Record the single execution of a market order that fills in full."""
        self.fill(fill.quantity, fill.price, fill.time_ns)
        self.position_id = fill.position_id

    def end(
        self, status: OrderStatus, now_ns: int, reject_reason: RejectReason | None = None
    ) -> None:
        """End the order in a status other than FILLED."""
        self.status = status
        self.is_over = True
        self.reject_reason = reject_reason
        self.touch(now_ns)

    def keep_announced(self) -> None:
        """Keep a copy as last announced, before a change."""
        if self._announced is None:
            self._announced = copy(self)

    def mark_announced(self) -> None:
        """Mark it as announced as it is now; a trailing stop later moves unannounced."""
        self._announced = None
        if self.request.order_type is OrderType.TRAILING_STOP:
            self._announced = copy(self)

    def announced(self) -> Order:
        """Return the order as last announced."""
        return (self._announced or self).snapshot()

    def touch(self, now_ns: int) -> None:
        """Record that the order changed."""
        self.updated_ns = now_ns
        self._snapshot = None

    def snapshot(self) -> Order:
        """Return the order as a model, made once per change."""
        if self._snapshot is None:
            self._snapshot = self.new_snapshot()
        return self._snapshot

    def new_snapshot(self) -> Order:
        """Return the order as a new model, which is not kept."""
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
    """A plain order (see `plain`) that does not rest: it waits for the next open or bar, has
    filled, or was cancelled.

    Most orders are of this kind, so it stores nothing that can be derived.

    Attributes:
        request: The request as accepted.
        fill: Its only fill, of the whole quantity; None before.
        is_over: Whether it has filled or was cancelled.
        withdrawn_ns: When it was cancelled.
        has_waited: Whether it has met a bar that did not reach its price.
    """

    request: OrderRequest
    sequence: int
    created_ns: int
    fill: Fill | None = None
    is_over: bool = False
    withdrawn_ns: int = 0
    has_waited: bool = False

    def fill_whole(self, fill: Fill) -> None:
        """Record its execution."""
        self.fill = fill
        self.is_over = True

    def withdraw(self, now_ns: int) -> None:
        """Cancel it."""
        self.withdrawn_ns = now_ns
        self.is_over = True

    def mark_announced(self) -> None:
        """Do nothing: what changes it is announced at once."""

    def at_rest(self) -> RestingOrder:
        """Return its resting form, in the same state."""
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
        """The request as accepted."""
        return self.request

    @property
    def id(self) -> str:
        """The exchange's id."""
        return f"{ORDER}{self.sequence}"

    @property
    def name(self) -> str:
        """The client's id, else the exchange's."""
        return self.request.client_order_id or self.id

    @property
    def symbol(self) -> str:
        """The symbol of the request."""
        return self.request.symbol

    @property
    def side(self) -> Side:
        """The side of the request."""
        return self.request.side

    @property
    def status(self) -> OrderStatus:
        """OPEN, FILLED or CANCELLED."""
        if not self.is_over:
            return OrderStatus.OPEN
        return OrderStatus.CANCELLED if self.fill is None else OrderStatus.FILLED

    @property
    def updated_ns(self) -> int:
        """When it last changed."""
        if self.fill is not None:
            return self.fill.time_ns
        return self.withdrawn_ns if self.is_over else self.created_ns

    def new_snapshot(self) -> Order:
        """Return the order as a new model, which is not kept."""
        return self.at_rest().new_snapshot()

    snapshot = announced = new_snapshot


KeptOrder: TypeAlias = RestingOrder | PlainOrder
"""An order as the register keeps it, from acceptance to the end of the run."""


class Snapshots(Collection[Order]):
    """Orders as models, each made during iteration and not kept."""

    def __init__(self, orders: Collection[KeptOrder]) -> None:
        self._orders = orders

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[Order]:
        return (order.new_snapshot() for order in self._orders)

    def __contains__(self, order: object) -> bool:
        return any(each == order for each in self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Snapshots) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]
