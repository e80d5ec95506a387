"""Margin warnings, and the liquidation of an account that has run out of margin."""

from decimal import Decimal

from strategy_runtime.protocol.enums import AccountEventKind, OrderStatus
from strategy_runtime.protocol.values import decimal_of, in_digits
from strategy_runtime.simulator.exchange.acceptance import Acceptance
from strategy_runtime.simulator.exchange.execution import Execution
from strategy_runtime.simulator.exchange.margin import Margin
from strategy_runtime.simulator.exchange.news import News
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.matching import Match
from strategy_runtime.simulator.orders import RestingOrder
from strategy_runtime.simulator.outcome import LIQUIDATION

__all__ = ["Liquidation"]


class Liquidation:
    """Watches the margin of an account at risk."""

    __slots__ = ("_acceptance", "_execution", "_is_warned", "_margin", "_news", "_state")

    def __init__(
        self,
        state: State,
        news: News,
        acceptance: Acceptance,
        margin: Margin,
        execution: Execution,
    ) -> None:
        self._state = state
        self._news = news
        self._acceptance = acceptance
        self._margin = margin
        self._execution = execution
        self._is_warned = False

    def check(self) -> None:
        """Warn if the account is short of margin; liquidate it below the maintenance margin."""
        equity, value = self._margin.equity_and_value()
        options = self._state.options
        if equity <= 0 or equity < value * options.kept_margin:
            self._liquidate(equity)
        elif equity * options.leverage < value:
            if not self._is_warned:
                self._news.announce_account(AccountEventKind.MARGIN_WARNING)
            self._is_warned = True
        else:
            self.rearm_warning()

    def rearm_warning(self) -> None:
        """Warn again the next time, because the account has enough margin now."""
        self._is_warned = False

    def _liquidate(self, equity: Decimal) -> None:
        """Cancel all orders and close all positions at the current prices."""
        state, news = self._state, self._news
        news.announce_account(AccountEventKind.MARGIN_CALL)
        if state.ledger.holdings:
            news.warn(
                "LIQUIDATION",
                f"equity of {in_digits(equity)} {state.options.currency} does not cover the open "
                "positions; all were closed",
            )
        for order in state.register.open_ones():
            if isinstance(order, RestingOrder):  # all are, while an account is at risk
                self._acceptance.finish(order, OrderStatus.CANCELLED)
        for holding in list(state.ledger.holdings.values()):
            instrument = state.instruments[holding.symbol]
            order = self._acceptance.accept(holding.reduction(abs(holding.quantity)))
            instrument.volume_left = None
            price = decimal_of(instrument.price_for(order.side) or 0.0)
            self._execution.execute(instrument, order, Match(price, LIQUIDATION))
        if state.account().equity <= 0:
            state.is_bankrupt = True
            news.warn("LIQUIDATION", "the account is bankrupt; the run ends here")
