"""What becomes of a request that the venue has not accepted: codes, and what its ticket says."""

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
"""Code of what is raised like a rejection and is none: the order may have arrived."""

NOT_ANSWERED = "NOT_ANSWERED"
"""Code where no answer came: an order was not sent, a change or a cancel may have been."""


def halted(why: str) -> ApiError:
    """Nothing is sent in a symbol for a while."""
    return ApiError(0, "SYMBOL_HALTED", f"{why}, so no more are sent in it")


def stopping(said: str) -> ApiError:
    """Nothing is sent because the run ends."""
    return ApiError(0, "STOPPING", said)


async def refuse(refusal: ApiError) -> None:
    """Take the place of a request that is not sent."""
    raise refusal


def refused(ticket: Ticket, refusal: ApiError) -> OrderRejected:
    """What a ticket says of a refusal."""
    return OrderRejected(
        refusal.code,
        refusal.message,
        client_order_id=ticket.client_order_id,
        symbol=ticket.symbol,
        details=refusal.details if isinstance(refusal.details, dict) else None,
    )


def failed(ticket: Ticket, code: str, trouble: StrategyRuntimeError) -> OrderRejected:
    """What a ticket says where there was no answer."""
    return OrderRejected(
        code,
        str(trouble),
        client_order_id=ticket.client_order_id,
        symbol=ticket.symbol,
    )


def outcome_of(ticket: Ticket) -> RequestOutcome:
    """What observers are told of a ticket that is settled."""
    if ticket.error is None:
        return "accepted"
    return "unanswered" if ticket.error.code in (NOT_ANSWERED, FATE_UNKNOWN) else "refused"
