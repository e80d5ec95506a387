"""Brackets: the stop-loss and take-profit orders that protect a filled entry."""

from decimal import Decimal
from itertools import count

from strategy_runtime.protocol.enums import OrderType
from strategy_runtime.protocol.models import OrderChanges
from strategy_runtime.simulator.exchange.acceptance import Acceptance
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.ledger import Holding
from strategy_runtime.simulator.orders import RestingOrder

__all__ = ["Brackets"]

_SUFFIX = {OrderType.STOP: "sl", OrderType.LIMIT: "tp"}


class Brackets:
    """Places and moves the legs of brackets."""

    __slots__ = ("_acceptance", "_state")

    def __init__(self, state: State, acceptance: Acceptance) -> None:
        self._state = state
        self._acceptance = acceptance

    def protect(self, entry: RestingOrder, filled: Decimal, *, at_open: bool) -> None:
        """Protect what an entry has just filled: grow the legs it has, or place new ones.

        Args:
            at_open: Whether it filled at an open, so that the range of that bar still follows.
        """
        holding = self._state.ledger.addressed(entry.symbol, entry.position_id)
        if holding is None or holding.quantity * entry.side.sign < 0:
            return
        quantity = min(filled, abs(holding.quantity))
        legs = [leg for leg in entry.legs if not leg.is_over]
        for leg in legs:
            self._acceptance.change(leg, {"quantity": leg.request.quantity + quantity})
        if legs:
            return
        for kind, price in (
            (OrderType.STOP, entry.request.stop_loss),
            (OrderType.LIMIT, entry.request.take_profit),
        ):
            if price is not None:
                leg = self._place_for(entry, holding, kind, price, quantity)
                leg.waits_for_open = not at_open or self._state.options.children == "next_bar"

    def follow(self, entry: RestingOrder, changes: OrderChanges) -> None:
        """Move the legs of a partly filled entry to its new prices, placing those it lacks."""
        for kind, price in (
            (OrderType.STOP, changes.stop_loss),
            (OrderType.LIMIT, changes.take_profit),
        ):
            if price is None:
                continue
            legs = [leg for leg in entry.legs if leg.request.order_type is kind and not leg.is_over]
            holding = self._state.ledger.addressed(entry.symbol, entry.position_id)
            if legs:
                self._move(legs, price)
            elif holding is not None and holding.quantity * entry.side.sign > 0:
                size = min(entry.filled, abs(holding.quantity))
                self._place_for(entry, holding, kind, price, size)

    def cover(self, holding: Holding, kind: OrderType, price: Decimal) -> list[RestingOrder]:
        """Move the legs of one kind that protect a position, or place the one it lacks."""
        legs = self._legs_of(holding, kind)
        if legs:
            self._move(legs, price)
            return legs
        leg = self._place(holding, kind, price, abs(holding.quantity), holding.id, None)
        self._state.register.tie(leg, self._bracket_of(holding))
        return [leg]

    def _place_for(
        self,
        entry: RestingOrder,
        holding: Holding,
        kind: OrderType,
        price: Decimal,
        quantity: Decimal,
    ) -> RestingOrder:
        leg = self._place(holding, kind, price, quantity, entry.name, entry)
        self._state.register.tie(leg, entry.legs[0].bracket if entry.legs else None)
        entry.legs += (leg,)
        return leg

    def _place(
        self,
        holding: Holding,
        kind: OrderType,
        price: Decimal,
        quantity: Decimal,
        name: str,
        entry: RestingOrder | None,
    ) -> RestingOrder:
        known, suffix = self._state.register.by_client_id, _SUFFIX[kind]
        names = (f"{name}-{suffix}" + (f"-{n}" if n else "") for n in count())
        return self._acceptance.accept(
            holding.reduction(
                quantity,
                kind,
                stop_price=price if kind is OrderType.STOP else None,
                limit_price=price if kind is OrderType.LIMIT else None,
                client_order_id=next(each for each in names if each not in known),
            ),
            is_leg=True,
            parent=entry,
        )

    def _move(self, legs: list[RestingOrder], price: Decimal) -> None:
        for leg in legs:
            if leg.order_type is not leg.request.order_type:
                continue  # a stop that has been triggered
            field = "stop_price" if leg.order_type is OrderType.STOP else "limit_price"
            self._acceptance.move(leg, {field: price})

    def _bracket_of(self, holding: Holding) -> str | None:
        """Return the bracket of the legs that protect a position, for a further leg to join."""
        legs = self._state.instruments[holding.symbol].resting.reducing.values()
        for order in legs:
            if order.bracket is not None and order.position_id == holding.id:
                return order.bracket
        return None

    def _legs_of(self, holding: Holding, kind: OrderType) -> list[RestingOrder]:
        """Return the resting legs of one kind that protect a position."""
        return [
            order
            for order in self._state.instruments[holding.symbol].resting.reducing.values()
            if order.is_leg
            and order.request.order_type is kind
            and self._state.ledger.addressed(holding.symbol, order.position_id) is holding
        ]
