"""The interface behind the verbs and views of a strategy while it runs.

The runtime implements it. A strategy knows nothing else of the runtime, so the same class runs in
a test, a backtest and live.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any, Literal, Protocol, cast

from strategy_runtime.protocol.enums import Side, TimeInForce
from strategy_runtime.protocol.models import Candle, Order
from strategy_runtime.strategy.ticket import Ticket
from strategy_runtime.strategy.timer import Timer
from strategy_runtime.strategy.views import AccountView, NetPosition, RiskState

__all__ = ["Desk", "Mode", "Number", "OrderReference", "TimerFunction", "no_desk"]

Mode = Literal["backtest", "live"]
Number = Decimal | float | int
"""A price or quantity as users give it; a float means the decimal number that it prints as."""

OrderReference = Ticket | Order | str
"""A ticket, an order, or a client order id."""

TimerFunction = Callable[[], Awaitable[None] | None]


class Desk(Protocol):
    """Verbs and views, as `Strategy` documents them."""

    @property
    def now(self) -> datetime: ...

    @property
    def mode(self) -> Mode: ...

    def order(
        self,
        side: Side,
        symbol: str,
        quantity: Number | None,
        limit: Number | None,
        stop: Number | None,
        trailing: Number | None,
        trailing_percent: Number | None,
        fraction: Number | None,
        notional: Number | None,
        risk: Number | None,
        stop_loss: Number | None,
        take_profit: Number | None,
        time_in_force: TimeInForce,
        post_only: bool,
        reduce_only: bool,
        oco_group: str | None,
        client_order_id: str | None,
    ) -> Ticket: ...

    def modify(
        self,
        order: OrderReference,
        *,
        quantity: Number | None,
        limit: Number | None,
        stop: Number | None,
        trailing: Number | None,
        stop_loss: Number | None,
        take_profit: Number | None,
    ) -> Ticket: ...

    def cancel(self, order: OrderReference) -> Ticket: ...

    def cancel_all(self, symbol: str | None) -> list[Ticket]: ...

    def close(self, symbol: str, quantity: Number | None) -> Ticket | None: ...

    def close_all(self) -> list[Ticket]: ...

    def target(
        self,
        symbol: str,
        *,
        quantity: Number | None,
        fraction: Number | None,
        notional: Number | None,
    ) -> Ticket | None: ...

    def quit(self, reason: str) -> None: ...

    @property
    def risk_state(self) -> RiskState: ...

    def position(self, symbol: str) -> NetPosition: ...

    @property
    def positions(self) -> list[NetPosition]: ...

    def orders(self, symbol: str | None, *, external: bool) -> list[Order]: ...

    @property
    def account(self) -> AccountView: ...

    def last(self, symbol: str) -> float | None: ...

    def history(self, symbol: str, count: int) -> list[Candle]: ...

    def every(self, interval: str, function: TimerFunction) -> Timer: ...

    def at(self, time_of_day: str, function: TimerFunction, tz: tzinfo | str) -> Timer: ...


class _NoDesk:
    def __init__(self, strategy: str) -> None:
        self._strategy = strategy

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # optional methods that copy and pickle look for
            raise AttributeError(name)
        raise RuntimeError(
            f"{self._strategy} is not running: verbs and views work inside hooks, from on_start on"
        )


def no_desk(strategy: str) -> Desk:
    """Return a desk for a strategy that is not running: every use of it fails."""
    return cast(Desk, _NoDesk(strategy))
