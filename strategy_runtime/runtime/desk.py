"""The trading desk: turns a strategy's verbs into requests, and sends them in order.

A verb only notes the request and gives back a ticket. Requests leave one at a time in the order
they were given: when the hook returns, or earlier when a ticket is awaited. So in a backtest ids
and fills never depend on how fast anything answers. Live they do not wait for a slow hook: they
leave as soon as it gives way to the event loop.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import NamedTuple

from strategy_runtime.clock import monotonic
from strategy_runtime.errors import (
    ApiError,
    FateUnknown,
    OrderRejected,
    StrategyRuntimeError,
    WouldDeadlock,
)
from strategy_runtime.ids import counted
from strategy_runtime.protocol.enums import OrderType, Side, TimeInForce, TrailingType
from strategy_runtime.protocol.models import Candle, Order, OrderChanges, OrderRequest
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.clock import RunClock
from strategy_runtime.runtime.observer import Observer
from strategy_runtime.runtime.sizing import exact, magnitude, size_of
from strategy_runtime.runtime.timers import Timers
from strategy_runtime.runtime.venue import Venue
from strategy_runtime.strategy.desk import Mode, Number, OrderReference, TimerFunction
from strategy_runtime.strategy.ticket import Ticket
from strategy_runtime.strategy.views import AccountView, NetPosition

__all__ = ["FATE_UNKNOWN", "TradingDesk"]

_ZERO = Decimal(0)
_ASK_AGAIN_AFTER_S = 30.0
_NOT_ANSWERED = "NOT_ANSWERED"
FATE_UNKNOWN = "FATE_UNKNOWN"
"""Code of a rejection that is none: the order may be there."""
_Send = Callable[[], Awaitable[None]]


class Doubt(NamedTuple):
    """An order that was sent and may have arrived.

    Attributes:
        since: Monotonic seconds.
    """

    symbol: str
    since: float


class TradingDesk:
    """Implements the strategy's desk on a venue.

    Attributes:
        hook_task: The task that runs a hook at this moment, or None.
        is_closed: True once no new orders are taken (cancelling is always allowed).
        unsettled: Tickets given out and not yet accounted for by `settle`.
        doubtful: Orders whose fate is not known, by client order id. Nothing more is sent in their
            symbols until it is.
        anomalies: What the order states do not allow, in words, for the runtime to tell and clear.
    """

    def __init__(
        self,
        venue: Venue,
        book: Book,
        clock: RunClock,
        timers: Timers,
        *,
        prefix: str,
        mode: Mode,
        observer: Observer | None = None,
    ) -> None:
        self.hook_task: asyncio.Task[object] | None = None
        self.is_closed = False
        self._venue = venue
        self._book = book
        self._clock = clock
        self._timers = timers
        self._mode: Mode = mode
        self._observer = observer
        self._next_id = counted(f"{prefix}-")
        self._waiting: deque[tuple[Ticket, _Send]] = deque()
        self.unsettled: list[Ticket] = []
        self.doubtful: dict[str, Doubt] = {}
        self.anomalies: list[str] = []
        self._one_at_a_time = asyncio.Lock()
        self._sender: asyncio.Task[None] | None = None
        self._fill_waiters: dict[str, asyncio.Event] = {}

    # Sending

    async def settle(self) -> list[OrderRejected]:
        """Send what waits, in order; gives back the refusals that nobody awaited."""
        while self._waiting or self._one_at_a_time.locked():
            await self._send_next()
        settled = [ticket for ticket in self.unsettled if ticket.is_settled]
        self.unsettled[:] = [ticket for ticket in self.unsettled if not ticket.is_settled]
        return [t.error for t in settled if t.error is not None and not t.awaited]

    async def _send_next(self) -> None:
        async with self._one_at_a_time:
            if not self._waiting:
                return
            ticket, send = self._waiting.popleft()
            began = 0.0 if self._observer is None else monotonic()
            try:
                await send()
                ticket.settle()
            except ApiError as refusal:
                ticket.settle(
                    OrderRejected(
                        refusal.code,
                        refusal.message,
                        client_order_id=ticket.client_order_id,
                        symbol=ticket.symbol,
                        details=refusal.details if isinstance(refusal.details, dict) else None,
                    )
                )
            except FateUnknown as doubt:
                self.doubtful[ticket.client_order_id] = Doubt(ticket.symbol, monotonic())
                self.anomalies.append(
                    f"{doubt}; no more orders in {ticket.symbol} until it is known"
                )
                ticket.settle(_failed(ticket, FATE_UNKNOWN, doubt))
            except StrategyRuntimeError as trouble:
                ticket.settle(_failed(ticket, _NOT_ANSWERED, trouble))
            if ticket.verb == "submit" and ticket.error and ticket.error.code != FATE_UNKNOWN:
                self._book.refuse(ticket.client_order_id)
            if self._observer is not None:
                outcome = _outcome_of(ticket)
                self._observer.request_settled(ticket.verb, outcome, monotonic() - began)

    async def _send_until(self, ticket: Ticket) -> None:
        while not ticket.is_settled:
            await self._send_next()

    async def _send_all(self) -> None:
        while self._waiting:
            await self._send_next()
        self._sender = None

    def _note(self, verb: str, symbol: str, client_order_id: str, send: _Send) -> Ticket:
        ticket = Ticket(
            verb,
            symbol,
            client_order_id,
            order=lambda: self._known(client_order_id),
            send=self._send_until,
            wait_for_fill=self._wait_for_fill,
        )
        self._waiting.append((ticket, send))
        self.unsettled.append(ticket)
        if self._mode == "live" and self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(
                self._send_all(), name="strategy-runtime orders"
            )
        return ticket

    async def _wait_for_fill(self, ticket: Ticket) -> None:
        if self._mode == "backtest" or asyncio.current_task() is self.hook_task:
            raise WouldDeadlock(
                f"a hook waits for the fill of {ticket.client_order_id}, but no event is delivered "
                "before the hook has returned; leave the ticket and act in on_order or on_trade"
            )
        if self._known(ticket.client_order_id).is_open:
            event = self._fill_waiters.setdefault(ticket.client_order_id, asyncio.Event())
            await event.wait()

    def order_seen(self, client_order_id: str | None) -> None:
        """An event has an order: there is no doubt about it any more."""
        if self.doubtful:
            self.doubtful.pop(client_order_id or "", None)

    async def clear_doubts(self, symbol: str | None = None) -> None:
        """Ask what became of orders whose fate is not known, of one symbol where given.

        Raises:
            StrategyRuntimeError: The venue did not answer: what was not known still is not.
        """
        for own_id, doubt in list(self.doubtful.items()):
            if symbol not in (None, doubt.symbol):
                continue
            found = await self._venue.orders(client_order_id=own_id)
            if found:
                self._book.adopt(found[0])
                verdict = f"arrived and is {found[0].status}"
            else:
                self._book.refuse(own_id)
                verdict = "never arrived"
            self.anomalies.append(
                f"{doubt.symbol} {own_id} {verdict}; orders in {doubt.symbol} are sent again"
            )
            self.doubtful.pop(own_id, None)

    async def _settle_doubts(self, symbol: str) -> None:
        """Let an order in a symbol pass only when no earlier one in it is in doubt.

        Raises:
            ApiError: One is.
        """
        since = [doubt.since for doubt in self.doubtful.values() if doubt.symbol == symbol]
        if not since:
            return
        if monotonic() - max(since) >= _ASK_AGAIN_AFTER_S:
            with suppress(StrategyRuntimeError):
                await self.clear_doubts(symbol)
                return
        raise ApiError(
            0,
            "SYMBOL_HALTED",
            f"the fate of an earlier order in {symbol} is not known, so no more are sent in it",
        )

    def order_ended(self, client_order_id: str | None) -> None:
        """Wake those who wait for an order to end."""
        waiter = self._fill_waiters.pop(client_order_id or "", None)
        if waiter is not None:
            waiter.set()

    # Verbs

    def order(
        self,
        side: Side,
        symbol: str,
        quantity: Number | None,
        *,
        limit: Number | None = None,
        stop: Number | None = None,
        trailing: Number | None = None,
        trailing_percent: Number | None = None,
        fraction: Number | None = None,
        notional: Number | None = None,
        risk: Number | None = None,
        stop_loss: Number | None = None,
        take_profit: Number | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        post_only: bool = False,
        reduce_only: bool = False,
        oco_group: str | None = None,
        client_order_id: str | None = None,
        position_id: str | None = None,
    ) -> Ticket:
        """See `Strategy.buy`."""
        limit_price, stop_price = exact("limit", limit), exact("stop", stop)
        loss_price = exact("stop_loss", stop_loss)
        order_type = _type_of(limit, stop, trailing, trailing_percent)
        distance = exact("trailing", trailing) or exact("trailing_percent", trailing_percent)
        last = self._book.last.get(symbol)
        size = size_of(
            symbol,
            quantity,
            fraction=fraction,
            notional=notional,
            risk=risk,
            equity=self._equity,
            price=limit_price or stop_price or (None if last is None else Decimal(repr(last))),
            stop_loss=loss_price,
        )
        request = OrderRequest(
            symbol=symbol,
            side=side,
            quantity=size,
            order_type=order_type,
            limit_price=limit_price,
            stop_price=stop_price,
            trailing_distance=distance,
            trailing_type=None
            if distance is None
            else TrailingType.PERCENT
            if trailing is None
            else TrailingType.ABSOLUTE,
            stop_loss=loss_price,
            take_profit=exact("take_profit", take_profit),
            position_id=position_id,
            reduce_only=reduce_only,
            post_only=post_only,
            client_order_id=client_order_id or self._next_id(),
            oco_group_id=oco_group,
            time_in_force=TimeInForce(time_in_force),
        )
        return self._submit(request)

    def _submit(self, request: OrderRequest) -> Ticket:
        own_id = request.client_order_id or ""
        if self._book.order(own_id) is not None:
            raise ValueError(f"client_order_id {own_id!r} has been used in this run")
        self._book.expect(request, own_id)

        async def send() -> None:
            if self.is_closed:
                raise ApiError(0, "STOPPING", "the run is being stopped; no new orders are sent")
            if self.doubtful:
                await self._settle_doubts(request.symbol)
            handle = await self._venue.submit(request)
            self._book.accept(own_id, handle.id, handle.status)

        return self._note("submit", request.symbol, own_id, send)

    def modify(
        self,
        order: OrderReference,
        *,
        quantity: Number | None,
        limit: Number | None,
        stop: Number | None,
        stop_loss: Number | None,
        take_profit: Number | None,
    ) -> Ticket:
        """See `Strategy.modify`."""
        known = self._referred(order)
        key = known.client_order_id or known.id
        changes = OrderChanges(
            quantity=exact("quantity", quantity),
            limit_price=exact("limit", limit),
            stop_price=exact("stop", stop),
            stop_loss=exact("stop_loss", stop_loss),
            take_profit=exact("take_profit", take_profit),
        )

        async def send() -> None:
            await self._venue.modify(self._known(key).id, changes)

        return self._note("modify", known.symbol, key, send)

    def cancel(self, order: OrderReference) -> Ticket:
        """See `Strategy.cancel`."""
        known = self._referred(order)
        key = known.client_order_id or known.id

        async def send() -> None:
            await self._venue.cancel(self._known(key).id)

        return self._note("cancel", known.symbol, key, send)

    def cancel_all(self, symbol: str | None) -> list[Ticket]:
        """See `Strategy.cancel_all`."""
        return [self.cancel(order) for order in self._book.orders(symbol)]

    def close(self, symbol: str, quantity: Number | None) -> Ticket | None:
        """See `Strategy.close`."""
        position = self._book.position(symbol)
        parts = self._book.parts_of(symbol)
        if position.is_flat and len(parts) < 2:
            return None
        if len(parts) > 1 and quantity is None:
            tickets = [self._close_part(part.id, part.signed_quantity, symbol) for part in parts]
            return tickets[-1]
        size = position.quantity
        if quantity is not None:
            size = (exact("quantity", quantity) or _ZERO) * (1 if position.is_long else -1)
        return self._close_part(parts[0].id if len(parts) == 1 else None, size, symbol)

    def _close_part(self, position_id: str | None, size: Decimal, symbol: str) -> Ticket:
        return self.order(
            Side.SELL if size > 0 else Side.BUY,
            symbol,
            abs(size),
            reduce_only=True,
            position_id=position_id,
        )

    def close_all(self) -> list[Ticket]:
        """See `Strategy.close_all`."""
        tickets = (self.close(position.symbol, None) for position in self._book.positions)
        return [ticket for ticket in tickets if ticket is not None]

    def target(
        self,
        symbol: str,
        *,
        quantity: Number | None,
        fraction: Number | None,
        notional: Number | None,
    ) -> Ticket | None:
        """See `Strategy.target`."""
        given = [value for value in (quantity, fraction, notional) if value is not None]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of quantity, fraction and notional as the target of {symbol}"
            )
        last = self._book.last.get(symbol)
        wanted = _ZERO
        if given[0]:
            wanted = size_of(
                symbol,
                magnitude(quantity),
                fraction=magnitude(fraction),
                notional=magnitude(notional),
                risk=None,
                equity=self._equity,
                price=None if last is None else Decimal(repr(last)),
                stop_loss=None,
            )
        difference = (wanted if given[0] > 0 else -wanted) - self._book.position(symbol).quantity
        if not difference:
            return None
        return self.order(Side.BUY if difference > 0 else Side.SELL, symbol, abs(difference))

    # Views

    @property
    def now(self) -> datetime:
        """See `Strategy.now`."""
        return self._clock.now

    @property
    def mode(self) -> Mode:
        """See `Strategy.mode`."""
        return self._mode

    def position(self, symbol: str) -> NetPosition:
        """See `Strategy.position`."""
        return self._book.position(symbol)

    @property
    def positions(self) -> list[NetPosition]:
        """See `Strategy.positions`."""
        return self._book.positions

    def orders(self, symbol: str | None) -> list[Order]:
        """See `Strategy.orders`."""
        return self._book.orders(symbol)

    @property
    def account(self) -> AccountView:
        """See `Strategy.account`."""
        return self._book.account

    def last(self, symbol: str) -> float | None:
        """See `Strategy.last`."""
        return self._book.last.get(symbol)

    def history(self, symbol: str, count: int) -> list[Candle]:
        """See `Strategy.history`."""
        return self._book.history(symbol, count)

    def every(self, interval: str, function: TimerFunction) -> None:
        """See `Strategy.every`."""
        self._timers.every(interval, function)

    def at(self, time_of_day: str, function: TimerFunction, tz: tzinfo | str) -> None:
        """See `Strategy.at`."""
        self._timers.at(time_of_day, function, tz)

    def _equity(self) -> Decimal:
        return self._book.account.equity

    def _known(self, key: str) -> Order:
        order = self._book.order(key)
        if order is None:
            raise ValueError(f"no order {key!r} in this run")
        return order

    def _referred(self, order: OrderReference) -> Order:
        if isinstance(order, Ticket):
            return self._known(order.client_order_id)
        if isinstance(order, Order):
            return self._known(order.client_order_id or order.id)
        return self._known(order)


def _type_of(
    limit: Number | None,
    stop: Number | None,
    trailing: Number | None,
    trailing_percent: Number | None,
) -> OrderType:
    if trailing is not None or trailing_percent is not None:
        if trailing is not None and trailing_percent is not None:
            raise ValueError("give trailing= (price units) or trailing_percent=, not both")
        if limit is not None or stop is not None:
            raise ValueError("a trailing stop takes neither limit= nor stop=")
        return OrderType.TRAILING_STOP
    if stop is not None:
        return OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    return OrderType.MARKET if limit is None else OrderType.LIMIT


def _outcome_of(ticket: Ticket) -> str:
    if ticket.error is None:
        return "accepted"
    return "unanswered" if ticket.error.code in (_NOT_ANSWERED, FATE_UNKNOWN) else "refused"


def _failed(ticket: Ticket, code: str, trouble: StrategyRuntimeError) -> OrderRejected:
    return OrderRejected(
        code,
        str(trouble),
        client_order_id=ticket.client_order_id,
        symbol=ticket.symbol,
    )
