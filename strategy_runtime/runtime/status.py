"""The status of a run, as plain text and numbers."""

from decimal import Decimal
from typing import Self

from msgspec import Struct

from strategy_runtime.protocol.models import Order
from strategy_runtime.runtime.book.order_states import name_of
from strategy_runtime.strategy.desk import Mode
from strategy_runtime.strategy.views import NetPosition, RiskState

__all__ = ["OrderStatusLine", "PositionStatus", "RunStatus"]


class PositionStatus(Struct, frozen=True):
    """An open position; a short one has a negative quantity."""

    symbol: str
    quantity: str
    average_entry_price: str
    unrealized_pnl: str

    @classmethod
    def of(cls, net: NetPosition) -> Self:
        """Return the status of a position."""
        return cls(
            net.symbol,
            _text(net.quantity),
            _text(net.average_entry_price),
            _text(net.unrealized_pnl),
        )


class OrderStatusLine(Struct, frozen=True):
    """An open order; external if the strategy did not place it. Prices it lacks are None."""

    client_order_id: str
    symbol: str
    side: str
    type: str
    quantity: str
    filled_quantity: str
    status: str
    external: bool = False
    limit_price: str | None = None
    stop_price: str | None = None

    @classmethod
    def of(cls, order: Order) -> Self:
        """Return the status of an order."""
        return cls(
            name_of(order),
            order.symbol,
            order.side.value,
            order.order_type.value,
            _text(order.quantity),
            _text(order.filled_quantity),
            order.status.value,
            order.external,
            None if order.limit_price is None else _text(order.limit_price),
            None if order.stop_price is None else _text(order.stop_price),
        )


class RunStatus(Struct, frozen=True, kw_only=True):
    """The status of a run.

    Attributes:
        connected: The event stream is up.
        reconciled: Orders and positions have been read since it came up.
        risk_state: Which orders are allowed.
        halted_symbols: Symbols in which no orders are sent, since the fate of one is unknown.
        failures: Number of hook calls that failed.
        rejections: Number of refused requests that nobody awaited.
        queued: Number of requests not yet answered.
        last_event: Kind of the last event.
        last_event_at: Its timestamp, RFC 3339.
        equity: Decimal text, in `currency`.
    """

    strategy: str
    run_id: str
    mode: Mode
    connected: bool
    reconciled: bool
    risk_state: RiskState
    halted_symbols: list[str]
    complete: bool
    failures: int
    rejections: int
    queued: int
    last_event: str | None
    last_event_at: str | None
    equity: str
    currency: str
    positions: list[PositionStatus]
    open_orders: list[OrderStatusLine]


def _text(number: Decimal) -> str:
    return format(number, "f")
