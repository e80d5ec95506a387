"""Errors of requests that the venue has not accepted: their codes and texts."""

from strategy_runtime.errors import ApiError, OrderRejected, StrategyRuntimeError
from strategy_runtime.runtime.observer import RequestOutcome
from strategy_runtime.strategy.ticket import Ticket

__all__ = [
    "FATE_UNKNOWN",
    "NOT_ANSWERED",
    "failed",
    "halted",
    "outcome_of",
    "refuse",
    "refused",
    "stopping",
]

FATE_UNKNOWN = "FATE_UNKNOWN"
"""Code of an error that is raised like a rejection, although the order may have arrived."""

NOT_ANSWERED = "NOT_ANSWERED"
"""Code if no answer came: an order was not sent, but a change or cancel may have been."""


def halted(why: str) -> ApiError:
    """Return the refusal of a request in a symbol in which nothing is sent for a while."""
    return ApiError(0, "SYMBOL_HALTED", f"{why}, so no more are sent in it")


def stopping(said: str) -> ApiError:
    """Return the refusal of a request because the run ends."""
    return ApiError(0, "STOPPING", said)


async def refuse(refusal: ApiError) -> None:
    """Raise a refusal, in place of a request that is not sent."""
    raise refusal


def refused(ticket: Ticket, refusal: ApiError) -> OrderRejected:
    """Return the error of a ticket whose request was refused."""
    return OrderRejected(
        refusal.code,
        refusal.message,
        client_order_id=ticket.client_order_id,
        symbol=ticket.symbol,
        verb=ticket.verb,
        details=refusal.details if isinstance(refusal.details, dict) else None,
    )


def failed(ticket: Ticket, code: str, trouble: StrategyRuntimeError) -> OrderRejected:
    """Return the error of a ticket whose request was not answered."""
    return OrderRejected(
        code,
        str(trouble),
        client_order_id=ticket.client_order_id,
        symbol=ticket.symbol,
        verb=ticket.verb,
    )


def outcome_of(ticket: Ticket) -> RequestOutcome:
    """Return the outcome of a settled ticket, for observers."""
    if ticket.error is None:
        return "accepted"
    return "unanswered" if ticket.error.code in (NOT_ANSWERED, FATE_UNKNOWN) else "refused"
