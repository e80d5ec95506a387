"""Checks of commands: why an order is not accepted, or not changed."""

from decimal import Decimal

from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.enums import OrderType, PositionMode, Side
from strategy_runtime.protocol.models import OrderChanges, OrderRequest
from strategy_runtime.protocol.orders import (
    check_amount,
    check_distance,
    invalid_request,
    invalid_value,
    validate_order_request,
)
from strategy_runtime.protocol.values import decimal_of, in_digits
from strategy_runtime.simulator.exchange.margin import Margin
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.market import Phase
from strategy_runtime.simulator.orders import KeptOrder, PlainOrder, RestingOrder
from strategy_runtime.suggestions import some_of

__all__ = ["Admission", "check_changes"]

_OVER = "the backtest is over"
_LEGS = ("stop_loss", "take_profit")
# Looking up an enum member takes five times as long as a module name.
_BUY, _END, _MARKET = Side.BUY, Phase.END, OrderType.MARKET


class Admission:
    """Checks whether the exchange can carry out a command."""

    __slots__ = ("_margin", "_state")

    def __init__(self, state: State, margin: Margin) -> None:
        self._state = state
        self._margin = margin

    def given_before(self, request: OrderRequest) -> KeptOrder | None:
        """Return the order accepted earlier for the same request and client's id; else None.

        Raises:
            ApiError: 400 `INVALID_VALUE` if the id was used for another request.
        """
        own_id = request.client_order_id
        known = self._state.register.by_client_id.get(own_id or "")
        if known is not None and known.original != request:
            raise invalid_value(
                "client_order_id", own_id, f"client_order_id {own_id} was used for another order"
            )
        return known

    def check(self, request: OrderRequest) -> None:
        """Check that an order can be accepted.

        Raises:
            ApiError: 400 for an invalid order, 422 `ORDER_REJECTED` for one that the account or the
                market does not allow.
        """
        validate_order_request(request)
        state = self._state
        instrument = state.instruments.get(request.symbol)
        if instrument is None:
            known = some_of([*state.instruments]) or "none yet"
            raise _rejected("INVALID_SYMBOL", f"no data for {request.symbol}; loaded are {known}")
        self.check_market_is_open()
        holding = state.ledger.addressed(request.symbol, request.position_id)
        if request.reduce_only and (
            holding is None or (holding.quantity > 0) is (request.side is _BUY)
        ):
            named = f"position {request.position_id}" if request.position_id else "position"
            why = f"there is no {named} in {request.symbol} to reduce"
            if state.options.mode is PositionMode.HEDGING and not request.position_id:
                why = (
                    f"on a hedging account an order that only reduces has to name the position in "
                    f"{request.symbol} (position_id), as those of close() do"
                )
            raise _rejected("REDUCE_ONLY_VIOLATED", why)
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
        quantity = request.quantity
        fee = state.costs.fee(quantity, price)
        signed = quantity if request.side is _BUY else -quantity
        if not self._margin.affords(request.symbol, holding, signed, price, fee):
            free = state.account().margin_available
            charged = f", with a fee of {in_digits(fee)}," if fee else ""
            raise _rejected(
                "INSUFFICIENT_FUNDS",
                f"{in_digits(quantity)} {request.symbol} at {in_digits(price)}{charged} need more "
                f"than the free margin of {in_digits(free)} {state.options.currency}"
                + ("; what is being closed frees margin once it has filled" * self._is_closing()),
                "INSUFFICIENT_MARGIN",
            )

    def _is_closing(self) -> bool:
        """Whether a market order that reduces a position has still to fill."""
        requests = (each.request for each in self._state.register.open_ones())
        return any(each.reduce_only and each.order_type is _MARKET for each in requests)

    def check_market_is_open(self) -> None:
        """Check that orders can still be placed.

        Raises:
            ApiError: 422 `ORDER_REJECTED`, once the backtest is over.
        """
        if self._state.phase is _END:
            raise _rejected("MARKET_CLOSED", _OVER)

    def open_order(self, order_id: str) -> RestingOrder:
        """Return an order that can still be changed or cancelled.

        Raises:
            ApiError: 404 unknown, 409 `ORDER_NOT_MODIFIABLE` no longer open.
        """
        return self.still_open(self._state.register.get(order_id))

    def still_open(self, order: KeptOrder) -> RestingOrder:
        """Return the order itself, if it can still be changed or cancelled.

        Raises:
            ApiError: 409 `ORDER_NOT_MODIFIABLE`.
        """
        if order.is_over or isinstance(order, PlainOrder):
            raise _not_modifiable(order.id, f"order is {order.status}")
        if self._state.phase is _END:
            raise _not_modifiable(order.id, _OVER)
        return order


def check_changes(order: RestingOrder, changes: OrderChanges) -> dict[str, Decimal]:
    """Check that changes apply to an order, and return those that are given, by field.

    Raises:
        ApiError: 400 `INVALID_REQUEST` without any change, `INVALID_VALUE` for one that does not
            apply.
    """
    given = changes.given
    if not given:
        raise invalid_request("nothing to change; name at least one field")
    for name, value in given.items():
        why_not = _why_not(order, name)
        if why_not:
            raise invalid_value(name, value, f"{name} {why_not}")
        check_amount(name, value)
    if changes.quantity is not None and changes.quantity <= order.filled:
        raise invalid_value(
            "quantity",
            changes.quantity,
            f"quantity must stay above the {order.filled:f} already filled",
        )
    check_distance(order.request.trailing_type, changes.trailing_distance)
    return given


def _why_not(order: RestingOrder, name: str) -> str:
    """Return why a field of an order cannot be changed; empty if it can."""
    request = order.request
    if name in _LEGS:
        return "does not apply to an order that reduces a position" if request.reduce_only else ""
    if getattr(request, name) is None:
        return f"does not apply to {request.order_type}"
    if name in ("stop_price", "trailing_distance") and order.order_type is not request.order_type:
        return f"has been triggered; what is left is a {order.order_type} order"
    return ""


def _not_modifiable(order_id: str, message: str) -> ApiError:
    return ApiError(409, "ORDER_NOT_MODIFIABLE", message, {"order_id": order_id})


def _rejected(code: str, message: str, reason: str | None = None) -> ApiError:
    details = {"reject_code": code, "reject_reason": reason or code}
    return ApiError(422, "ORDER_REJECTED", message, details)
