"""One order on its way to the proxy: what to do next, and what an answer, or none, means.

Free of I/O and clocks: it is told what happened and when, and says what to do. The rules:

* What was never sent is sent again, under the same id, until the deadline.
* What was answered is accepted or refused; that is final.
* What was sent and not answered, or not clearly, has an unknown fate. It is never sent blindly a
  second time: only a proxy that promises to know an id again gets the order again, eight times at
  least. Any other is asked whether it has an order with this id, and every event with the id
  settles the matter, too.
* Where an order that is sent again is refused for another reason than itself, such as a key or a
  proxy that goes down, the first one may have arrived all the same.
* An error while asking is not an answer. Only two healthy answers that the order is not there, one
  of them after the settle window, declare its fate unknown.
"""

from enum import Enum
from typing import NamedTuple

from strategy_runtime.errors import (
    AccessDenied,
    ApiError,
    FateUnknown,
    StrategyRuntimeError,
    Unreachable,
)
from strategy_runtime.protocol.models import Order, OrderHandle, OrderRequest

__all__ = ["OrderAct", "OrderStep", "Patience", "Submission"]

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 4.0
_HEALTHY_ANSWERS = 2
_LEAST_SENDS = 8
_ABOUT_THE_ORDER = (400, 409, 413, 415, 422)


class OrderAct(Enum):
    """What to do next."""

    SEND = "send"
    LOOK_UP = "look up"
    WAIT = "wait"
    DONE = "done"


class OrderStep(NamedTuple):
    """An act, and for how many seconds where it is waiting."""

    act: OrderAct
    seconds: float = 0.0


class Patience(NamedTuple):
    """How long an order may take.

    Attributes:
        deadline: Seconds in which it must have been sent.
        settle: Seconds for an order of unknown fate to show up.
        limit: Seconds after which its fate is declared unknown whatever the proxy answers.
    """

    deadline: float = 5.0
    settle: float = 10.0
    limit: float = 60.0


class Submission:
    """The state of one order's submission.

    Args:
        dedupes: The proxy knows an id again and answers with the first order.
        now: Monotonic seconds.

    Attributes:
        handle: What the proxy made of it, once accepted.
        error: Why there is none.
        sends: How often it was sent.
    """

    def __init__(
        self, request: OrderRequest, *, dedupes: bool, now: float, patience: Patience
    ) -> None:
        self.request = request
        self.handle: OrderHandle | None = None
        self.error: StrategyRuntimeError | None = None
        self.sends = 0
        self._dedupes = dedupes
        self._patience = patience
        self._began = now
        self._not_before = now
        self._pause = _FIRST_PAUSE_S
        self._unknown_since: float | None = None
        self._cause: StrategyRuntimeError | None = None
        self._absences = 0

    @property
    def is_done(self) -> bool:
        """Its fate is known, or declared unknown."""
        return self.handle is not None or self.error is not None

    def next(self, now: float) -> OrderStep:
        """What to do now."""
        if self.is_done:
            return OrderStep(OrderAct.DONE)
        if now < self._not_before:
            return OrderStep(OrderAct.WAIT, self._not_before - now)
        if self._unknown_since is None or self._dedupes:
            self.sends += 1
            return OrderStep(OrderAct.SEND)
        return OrderStep(OrderAct.LOOK_UP)

    # What happened

    def accepted(self, handle: OrderHandle) -> None:
        """The proxy has the order."""
        if not self.is_done:
            self.handle = handle

    def sighted(self, order: Order) -> None:
        """An event, or a list of orders, has the order."""
        self.accepted(
            OrderHandle(id=order.id, status=order.status, client_order_id=order.client_order_id)
        )

    def failed(self, error: StrategyRuntimeError, now: float, retry_after: float | None) -> None:
        """An attempt to send it failed.

        Args:
            error: An `ApiError` is an answer; `Unreachable` says that nothing was sent; everything
                else leaves its fate open.
            retry_after: Seconds the proxy asked to wait, where it did (429).
        """
        if self.is_done:
            return
        if isinstance(error, Unreachable):
            self._try_again(error, now, self._next_pause())
        elif retry_after is not None:
            # One that says 0 is not taken at its word: it would be asked without a pause.
            self._try_again(error, now, max(retry_after, self._next_pause()))
        elif self._is_refusal(error):
            self.error = error
        else:
            self._doubt(error, now)

    def absent(self, now: float) -> None:
        """The proxy was asked and does not have the order."""
        self._absences += 1
        self._look_again(now, is_absent=True)

    def not_told(self, now: float) -> None:
        """The proxy was asked, and did not answer or not clearly."""
        self._look_again(now)

    def _is_refusal(self, error: StrategyRuntimeError) -> bool:
        """Whether an error says that the proxy has not got the order."""
        if self._unknown_since is None:
            return isinstance(error, ApiError | AccessDenied)
        return isinstance(error, ApiError) and error.status in _ABOUT_THE_ORDER

    def _try_again(self, error: StrategyRuntimeError, now: float, pause: float) -> None:
        if self._unknown_since is not None:
            self._look_again(now, pause)
        elif now + pause - self._began >= self._patience.deadline:
            self.error = error
        else:
            self._not_before = now + pause

    def _doubt(self, error: StrategyRuntimeError, now: float) -> None:
        if self._unknown_since is None:
            self._unknown_since = now
            self._cause = error
            self._pause = _FIRST_PAUSE_S
        self._look_again(now)

    def _look_again(
        self, now: float, pause: float | None = None, *, is_absent: bool = False
    ) -> None:
        if self.is_done or self._unknown_since is None:
            return
        waited = now - self._unknown_since
        # An early absence may have been an early question, so the last word is a late one.
        has_settled = waited >= self._patience.settle and (
            self.sends >= _LEAST_SENDS
            if self._dedupes
            else is_absent and self._absences >= _HEALTHY_ANSWERS
        )
        if has_settled or waited >= self._patience.limit:
            own_id = self.request.client_order_id or ""
            self.error = FateUnknown(own_id, self.request.symbol, str(self._cause))
        else:
            self._not_before = now + (self._next_pause() if pause is None else pause)

    def _next_pause(self) -> float:
        pause = self._pause
        self._pause = min(pause * 2, _LONGEST_PAUSE_S)
        return pause
