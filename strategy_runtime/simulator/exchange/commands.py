"""What a client can have done: orders given, changed and cancelled, positions closed."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.enums import OrderStatus, OrderType, Side
from strategy_runtime.protocol.models import Order, OrderChanges, OrderHandle, OrderRequest
from strategy_runtime.protocol.orders import (
    check_amount,
    invalid_request,
    invalid_value,
    validate_order_request,
)
from strategy_runtime.protocol.values import decimal_of
from strategy_runtime.simulator.changes import check_changes
from strategy_runtime.simulator.exchange.in_step import InStep
from strategy_runtime.simulator.orders import KeptOrder, PlainOrder, RestingOrder

__all__ = ["Exchange"]

_OVER = "the backtest is over"
_ZERO = Decimal(0)


class Exchange(InStep):
    """An exchange that replays market data."""

    __slots__ = ()

    def submit(self, request: OrderRequest) -> OrderHandle:
        """Accept an order; it takes part from the next phase on.

        The same `client_order_id` with the same content answers with the first order and changes
        nothing.

        Raises:
            ApiError: 400 for what cannot be an order, 422 `ORDER_REJECTED` for what the account or
                the market does not allow.
        """
        order = self.place(request)
        return OrderHandle(
            id=order.id, status=order.status, client_order_id=request.client_order_id
        )

    def place(self, request: OrderRequest) -> KeptOrder:
        """The same for somebody who looks on: the order itself instead of an answer."""
        self._keep_time()
        order = self._accept_plain(request)
        if order is not None:
            return order
        self.catch_up()
        with self._commanded():
            return self._accept_checked(request)

    def _accept_checked(self, request: OrderRequest) -> KeptOrder:
        known = self._by_client_id.get(request.client_order_id or "")
        if known is not None:
            if known.original != request:
                taken = request.client_order_id
                raise invalid_value(
                    "client_order_id", taken, f"client_order_id {taken} was used for another order"
                )
            return known
        validate_order_request(request)
        self._check_acceptable(request)
        return self._accept(request)

    def modify(self, order_id: str, changes: OrderChanges) -> Order:
        """Change a resting order in place.

        Raises:
            ApiError: 404 unknown, 409 no longer open, 400 for a change the order cannot take.
        """
        self.catch_up()
        order = self._open_order(order_id)
        check_changes(order, changes)
        with self._commanded():
            if self._change(order, changes):
                self._time_in(self._instruments[order.symbol], order)
            if order.legs:
                self._move_legs_of(order, changes)
        return order.snapshot()

    def cancel(self, order_id: str) -> Order:
        """Cancel a resting order.

        Raises:
            ApiError: 404 unknown, 409 `ORDER_NOT_MODIFIABLE` no longer open.
        """
        self.catch_up()
        order = self._open_order(order_id)
        with self._commanded():
            self._finish(order, OrderStatus.CANCELLED)
        return order.snapshot()

    def cancel_all(self, symbol: str | None = None) -> list[Order]:
        """Cancel all resting orders, of one symbol where given, in the order of acceptance.

        Once the backtest is over none can be.
        """
        if self.is_complete:
            return []
        self.catch_up()
        wanted = [order for order in self._open_ones() if symbol in (None, order.symbol)]
        return [self.cancel(order.id) for order in wanted]

    def close_position(
        self,
        position_id: str,
        quantity: Decimal | None = None,
        order_type: OrderType = OrderType.MARKET,
        limit_price: Decimal | None = None,
    ) -> OrderHandle:
        """Give a reduce-only order against a position; a quantity beyond it is clipped.

        Raises:
            ApiError: 404 `POSITION_NOT_FOUND`, and what `submit` raises.
        """
        holding = self._holding(position_id)
        held = abs(holding.quantity)
        return self.submit(
            OrderRequest(
                symbol=holding.symbol,
                side=Side.SELL if holding.quantity > 0 else Side.BUY,
                quantity=held if quantity is None else min(quantity, held),
                order_type=order_type,
                limit_price=limit_price,
                position_id=position_id,
                reduce_only=True,
            )
        )

    def close_positions(self, symbol: str | None = None) -> list[OrderHandle]:
        """Close all positions at the market, of one symbol where given."""
        wanted = [h.id for h in self._ledger.holdings.values() if symbol in (None, h.symbol)]
        return [self.close_position(position_id) for position_id in wanted]

    def protect_position(
        self, position_id: str, stop_loss: Decimal | None, take_profit: Decimal | None
    ) -> dict[str, list[Order]]:
        """Move the bracket legs of a position, or place those it lacks.

        Returns:
            The legs under `stop_loss` and `take_profit`, as far as these were given.

        Raises:
            ApiError: 404 `POSITION_NOT_FOUND`; 400 without a price, or with one not above zero.
        """
        holding = self._holding(position_id)
        wanted = [
            (name, kind, price)
            for name, kind, price in (
                ("stop_loss", OrderType.STOP, stop_loss),
                ("take_profit", OrderType.LIMIT, take_profit),
            )
            if price is not None
        ]
        if not wanted:
            raise invalid_request("give stop_loss, take_profit or both")
        for name, _, price in wanted:
            check_amount(name, price)
        self._check_market_is_open()
        moved: dict[str, list[Order]] = {}
        for name, kind, price in wanted:
            legs = self._legs_of(holding, kind)
            if not legs:
                size = abs(holding.quantity)
                legs = [self._place_leg(holding, kind, price, size, holding.id, None)]
            else:
                self._move(legs, price)
            moved[name] = [leg.snapshot() for leg in legs]
        return moved

    def _move_legs_of(self, entry: RestingOrder, changes: OrderChanges) -> None:
        """Let the legs of an entry that has filled in part follow its new prices."""
        for kind, price in (
            (OrderType.STOP, changes.stop_loss),
            (OrderType.LIMIT, changes.take_profit),
        ):
            if price is None:
                continue
            legs = [leg for leg in entry.legs if leg.order_type is kind and not leg.is_over]
            holding = self._ledger.addressed(entry.symbol, entry.position_id)
            if legs:
                self._move(legs, price)
            elif holding is not None and holding.quantity * entry.side.sign > 0:
                size = min(entry.filled, abs(holding.quantity))
                self._place_leg(holding, kind, price, size, entry.name, entry)

    def _move(self, legs: list[RestingOrder], price: Decimal) -> None:
        for leg in legs:
            self._time_in(self._instruments[leg.symbol], leg)
            is_stop = leg.order_type is OrderType.STOP
            self._change(
                leg,
                OrderChanges(
                    stop_price=price if is_stop else None,
                    limit_price=None if is_stop else price,
                ),
            )

    @contextmanager
    def _commanded(self) -> Iterator[None]:
        """Have what a command changes be seen when it is the turn of its events."""
        if self._witness is None:
            yield
            return
        self._is_commanded = True
        try:
            yield
        finally:
            self._is_commanded = False

    def _open_order(self, order_id: str) -> RestingOrder:
        order = self._order(order_id)
        if order.is_over or isinstance(order, PlainOrder):
            raise ApiError(
                409, "ORDER_NOT_MODIFIABLE", f"order is {order.status}", {"order_id": order_id}
            )
        if self.is_complete:
            raise ApiError(409, "ORDER_NOT_MODIFIABLE", _OVER, {"order_id": order_id})
        return order

    def _check_market_is_open(self) -> None:
        if self.is_complete:
            raise _rejected("MARKET_CLOSED", _OVER)

    def _check_acceptable(self, request: OrderRequest) -> None:
        instrument = self._instruments.get(request.symbol)
        if instrument is None:
            known = ", ".join(self._instruments)
            raise _rejected("INVALID_SYMBOL", f"no data for {request.symbol}; loaded are {known}")
        self._check_market_is_open()
        holding = self._ledger.addressed(request.symbol, request.position_id)
        if request.reduce_only and (
            holding is None or (holding.quantity > 0) is (request.side is Side.BUY)
        ):
            named = f"position {request.position_id}" if request.position_id else "position"
            raise _rejected(
                "REDUCE_ONLY_VIOLATED", f"there is no {named} in {request.symbol} to reduce"
            )
        if request.position_id is not None and (
            holding is None or holding.id != request.position_id
        ):
            raise _rejected(
                "POSITION_NOT_FOUND",
                f"there is no position {request.position_id} in {request.symbol}",
            )
        price = request.limit_price or request.stop_price
        if price is None and instrument.price is not None:
            price = decimal_of(instrument.price)
        if price is None or request.reduce_only:
            return
        quantity, costs = request.quantity, self._costs
        fee = _ZERO if costs.are_none else costs.fee(quantity, price)
        signed = quantity if request.side is Side.BUY else -quantity
        if not self._affordable(request.symbol, holding, signed, price, fee):
            free = self.account().margin_available
            raise _rejected(
                "INSUFFICIENT_FUNDS",
                f"{request.quantity} {request.symbol} at {price} need more than the free margin "
                f"of {free:f} {self.options.currency}",
                "INSUFFICIENT_MARGIN",
            )


def _rejected(code: str, message: str, reason: str | None = None) -> ApiError:
    details = {"reject_code": code, "reject_reason": reason or code}
    return ApiError(422, "ORDER_REJECTED", message, details)
