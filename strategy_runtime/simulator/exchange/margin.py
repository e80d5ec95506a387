"""Margin: what the account can carry, and whether it can run short."""

from decimal import Decimal

from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.ledger import Holding
from strategy_runtime.simulator.market import Phase

__all__ = ["Margin"]

_ZERO = Decimal(0)


class Margin:
    """Compares equity with what positions need."""

    __slots__ = ("_is_unlevered", "_state")

    def __init__(self, state: State) -> None:
        self._state = state
        self._is_unlevered = state.options.leverage == 1

    def affords(
        self, symbol: str, holding: Holding | None, signed: Decimal, price: Decimal, fee: Decimal
    ) -> bool:
        """Return whether equity covers the margin after a fill; reducing is always allowed."""
        held = _ZERO if holding is None else holding.quantity
        after = held + signed
        if abs(after) <= abs(held):
            return True
        ledger = self._state.ledger
        equity = ledger.cash - fee - signed * price
        if self._is_unlevered and after > 0 and not ledger.has_shorts:
            return equity >= 0  # the value of the positions cancels out on both sides
        here = {each.id: each.quantity * price for each in ledger.of(symbol)}
        worth, value = self._state.valued().instead(here)
        equity += worth + signed * price
        value += (abs(after) - abs(held)) * price
        return equity * self._state.options.leverage >= value

    def equity_and_value(self) -> tuple[Decimal, Decimal]:
        """Return equity, and the gross value of all positions, at the current prices."""
        valuation = self._state.valued()
        return valuation.added_to(self._state.ledger.cash), valuation.size()

    def update_risk(self) -> None:
        """Update whether the account is at risk; interest counts from the moment it is."""
        state, ledger = self._state, self._state.ledger
        has_nothing = not (ledger.cash or ledger.holdings)
        is_at_risk = ledger.has_shorts or ledger.cash < 0 or has_nothing
        if is_at_risk is not state.is_at_risk:
            state.is_at_risk = is_at_risk
            state.charged_ns = state.now_ns + (state.phase is not Phase.INTRABAR)
