"""How a run stands, in words and numbers that anybody can read."""

from decimal import Decimal
from typing import Self

from msgspec import Struct

from strategy_runtime.protocol.models import Order
from strategy_runtime.runtime.book.order_states import name_of
from strategy_runtime.strategy.desk import Mode
from strategy_runtime.strategy.views import NetPosition, RiskState

__all__ = ["OrderStatusLine", "PositionStatus", "RunStatus"]


class PositionStatus(Struct, frozen=True):
    """A position that is open; short ones have a negative quantity."""

    symbol: str
    quantity: str
    average_entry_price: str
    unrealized_pnl: str

    @classmethod
    def of(cls, net: NetPosition) -> Self:
        """The status of a position."""
        return cls(
            net.symbol,
            _text(net.quantity),
            _text(net.average_entry_price),
            _text(net.unrealized_pnl),
        )


class OrderStatusLine(Struct, frozen=True):
    """An order that is open; external where another than the strategy gave it."""

    client_order_id: str
    symbol: str
    side: str
    type: str
    quantity: str
    filled_quantity: str
    status: str
    external: bool = False

    @classmethod
    def of(cls, order: Order) -> Self:
        """The status of an order."""
        return cls(
            name_of(order),
            order.symbol,
            order.side.value,
            order.order_type.value,
            _text(order.quantity),
            _text(order.filled_quantity),
            order.status.value,
            order.external,
        )


class RunStatus(Struct, frozen=True, kw_only=True):
    """How a run stands.

    Attributes:
        connected: The event stream is up.
        reconciled: Orders and positions have been read since it came up.
        risk_state: Which orders are let through.
        halted_symbols: In these no orders are sent, since the fate of one is not known.
        failures: Hooks that failed.
        rejections: Requests refused without anybody awaiting them.
        queued: Orders given and not yet answered.
        last_event: Kind of the last event.
        last_event_at: When it happened by its own account, RFC 3339.
        equity: Decimal text, with `currency`.
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
