"""A trading desk that enforces the risk limits of the run."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace

from strategy_runtime.clock import now
from strategy_runtime.protocol.events import CandleRun
from strategy_runtime.protocol.models import Candle, Order, OrderChanges, OrderRequest
from strategy_runtime.protocol.witness import Witness
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.book.order_states import name_of
from strategy_runtime.runtime.clock import RunClock
from strategy_runtime.runtime.desk import TradingDesk
from strategy_runtime.runtime.desk.refusals import FATE_UNKNOWN, NOT_ANSWERED
from strategy_runtime.runtime.observer import Handler
from strategy_runtime.runtime.risk.daily_loss import Days, LossWitness
from strategy_runtime.runtime.risk.decision import Risk
from strategy_runtime.runtime.risk.limits import Limits
from strategy_runtime.runtime.rounding import AS_GIVEN, Rounding
from strategy_runtime.runtime.venue import Venue
from strategy_runtime.strategy.ticket import Ticket
from strategy_runtime.strategy.views import RiskState

__all__ = ["LimitedDesk", "desk_for"]


class LimitedDesk(TradingDesk):
    """Checks orders when they are placed, and refuses the tickets of those that exceed a limit.

    Orders count from when they are placed, so a decision never depends on the speed of answers. It
    is based on the book.

    Args:
        limits: At least one is set.
        days: See `DailyLoss`.
        others: Further arguments of `TradingDesk`.
    """

    def __init__(
        self,
        venue: Venue,
        book: Book,
        clock: RunClock,
        *others: Any,
        limits: Limits,
        days: Days | None = None,
        **options: Any,
    ) -> None:
        super().__init__(venue, book, clock, *others, **options)
        self._compares_changes = True
        present = now if self.mode == "live" else None
        self._risk = Risk(limits, book, clock.seconds, self._cancelled, days, present)

    @property
    def risk_state(self) -> RiskState:
        """See `Strategy.risk_state`."""
        state = super().risk_state
        if state is RiskState.ACTIVE and self._risk.is_reducing:
            return RiskState.REDUCING
        return state

    def checking_handlers(self, table: Mapping[type[Any], Handler]) -> dict[type[Any], Handler]:
        """See `TradingDesk.checking_handlers`."""
        loss = self._risk.daily_loss
        return {} if loss is None else loss.checking_handlers(table)

    def checked(self, run: CandleRun, candles: Iterator[Candle]) -> Iterable[Iterable[Candle]]:
        """See `TradingDesk.checked`."""
        loss = self._risk.daily_loss
        return super().checked(run, candles) if loss is None else loss.checked(run, candles)

    @property
    def _witness(self) -> Witness:
        loss = self._risk.daily_loss
        return self._book if loss is None else LossWitness(self._book, loss)

    def _submit(self, request: OrderRequest, own_id: str) -> Ticket:
        refusal = None if self.is_winding_down else self._risk.refusal_of(request)
        if refusal is None:
            return super()._submit(request, own_id)
        return self._turn_away(request, own_id, refusal)

    def _modify(self, known: Order, changes: OrderChanges) -> Ticket:
        expected = self._risk.expected(known)
        size = changes.quantity or expected.quantity
        changed = replace(
            known,
            quantity=size,
            remaining_quantity=size - known.filled_quantity,
            limit_price=changes.limit_price or expected.limit_price,
            stop_price=changes.stop_price or expected.stop_price,
        )
        refusal = self._risk.refusal_of_change(known, changed)
        if refusal is None:
            return super()._modify(known, changes)
        return self._issue_refused("modify", known.symbol, name_of(known), refusal, known)

    def _account_for(self, ticket: Ticket, began: float) -> None:
        error = ticket.error
        if ticket.verb == "modify" and error and error.code not in (FATE_UNKNOWN, NOT_ANSWERED):
            self._risk.forget(ticket.client_order_id)
        super()._account_for(ticket, began)


def desk_for(
    limits: Limits, rounding: Rounding = AS_GIVEN, days: Days | None = None
) -> Callable[..., TradingDesk]:
    """Return the factory of a run's desk, which has limits only if any are set."""
    if not limits:
        return partial(TradingDesk, rounding=rounding)
    return partial(LimitedDesk, rounding=rounding, limits=limits, days=days)
