"""State machine of one order's submission: what to do next, and what each response means.

It has no I/O and no clock: it is told what happened and when, and returns what to do. The rules:

* An order that was never sent is sent again, with the same id, until the deadline.
* A response that accepts or refuses the order is final.
* An order that was sent without a clear response has an unknown fate, and is not resent blindly:
  only a proxy that promises to deduplicate ids receives it again, at least eight times. Any other
  proxy is asked whether it has an order with this id. An event with the id settles it, too.
* If a resent order is refused for a reason other than the order itself, such as the key or a
  shutdown, the first one may still have arrived.
* A failed look-up proves nothing. The fate is declared unknown only after two look-ups that did not
  find the order, one of them after the settle time.
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
    """What to do, and the seconds to wait."""

    act: OrderAct
    seconds: float = 0.0


class Patience(NamedTuple):
    """How long an order may take.

    Attributes:
        deadline: Seconds in which it must be sent.
        settle: Seconds for an order of unknown fate to appear.
        limit: Seconds after which its fate is declared unknown whatever the proxy responds.
    """

    deadline: float = 5.0
    settle: float = 10.0
    limit: float = 60.0


class Submission:
    """The state of one order's submission.

    Args:
        dedupes: Whether the proxy recognises a repeated id and returns the first order.
        now: Monotonic seconds.

    Attributes:
        handle: Handle of the order, once accepted.
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
        """Whether its fate is known, or declared unknown."""
        return self.handle is not None or self.error is not None

    def next(self, now: float) -> OrderStep:
        """Return what to do now."""
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
        """The proxy accepted the order."""
        if not self.is_done:
            self.handle = handle

    def order_seen(self, order: Order) -> None:
        """The order appeared in an event or a list of orders."""
        self.accepted(
            OrderHandle(id=order.id, status=order.status, client_order_id=order.client_order_id)
        )

    def failed(self, error: StrategyRuntimeError, now: float, retry_after: float | None) -> None:
        """An attempt to send it failed.

        Args:
            error: An `ApiError` is a response; `Unreachable` means that nothing was sent; anything
                else leaves the fate open.
            retry_after: Seconds that the proxy asked to wait (429), or None.
        """
        if self.is_done:
            return
        if isinstance(error, Unreachable):
            self._try_again(error, now, self._next_pause())
        elif retry_after is not None:
            # A delay of 0 would mean retries without a pause.
            self._try_again(error, now, max(retry_after, self._next_pause()))
        elif self._is_refusal(error):
            self.error = error
        else:
            self._mark_unknown(error, now)

    def not_found(self, now: float) -> None:
        """A look-up did not find the order."""
        self._absences += 1
        self._schedule_next(now, is_absent=True)

    def lookup_failed(self, now: float) -> None:
        """A look-up failed, or had no clear response."""
        self._schedule_next(now)

    def _is_refusal(self, error: StrategyRuntimeError) -> bool:
        """Whether an error means that the proxy does not have the order."""
        if self._unknown_since is None:
            return isinstance(error, ApiError | AccessDenied)
        return isinstance(error, ApiError) and error.status in _ABOUT_THE_ORDER

    def _try_again(self, error: StrategyRuntimeError, now: float, pause: float) -> None:
        if self._unknown_since is not None:
            self._schedule_next(now, pause)
        elif now + pause - self._began >= self._patience.deadline:
            self.error = error
        else:
            self._not_before = now + pause

    def _mark_unknown(self, error: StrategyRuntimeError, now: float) -> None:
        if self._unknown_since is None:
            self._unknown_since = now
            self._cause = error
            self._pause = _FIRST_PAUSE_S
        self._schedule_next(now)

    def _schedule_next(
        self, now: float, pause: float | None = None, *, is_absent: bool = False
    ) -> None:
        if self.is_done or self._unknown_since is None:
            return
        waited = now - self._unknown_since
        # An early look-up may have come before the order arrived, so a late one decides.
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
