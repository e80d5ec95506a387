"""Limits on the orders of a strategy, and the refusals of orders that would exceed one."""

from decimal import Decimal

from msgspec import Struct

from strategy_runtime.errors import ApiError, ConfigError
from strategy_runtime.protocol.values import in_digits

__all__ = ["NO_LIMITS", "RISK_LIMIT", "Limits", "exceeded", "option_of", "refused"]

RISK_LIMIT = "RISK_LIMIT"
"""Code of a rejection because of a limit."""


class Limits(Struct, frozen=True, kw_only=True):
    """The limits of a run; None if there is no such limit.

    Attributes:
        max_orders_per_minute: Orders and changes of orders within any sixty seconds.
        max_order_notional: Value of one order, in account currency.
        max_position_notional: Value of the position in a symbol if all resting orders on the side
            of an order were filled, in account currency.
        max_daily_loss: How far equity may fall below its value at the start of a UTC day.
    """

    max_orders_per_minute: int | None = None
    max_order_notional: Decimal | None = None
    max_position_notional: Decimal | None = None
    max_daily_loss: Decimal | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            allowed = getattr(self, name)
            if allowed is not None and allowed <= 0:
                raise ConfigError(f"{name} must be above 0, not {allowed}")

    def __bool__(self) -> bool:
        return bool(self.shown())

    def shown(self) -> dict[str, str]:
        """Return the limits that are set, by name, as text."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: in_digits(Decimal(n)) for name, n in given.items() if n is not None}


NO_LIMITS = Limits()


def exceeded(limit: str, said: str, value: Decimal, allowed: Decimal) -> ApiError:
    """Return the refusal of an order whose value would exceed a limit.

    Args:
        limit: Its field in `Limits`.
        said: What has that value, in words.
    """
    text = f"{said} {in_digits(value)}, and {option_of(limit)} allows {in_digits(allowed)}"
    return refused(limit, text, allowed, value)


def refused(
    limit: str, text: str, allowed: Decimal | None = None, asked: Decimal | None = None
) -> ApiError:
    """Return the refusal of an order because of a limit; its details are for programs."""
    numbers = {"allowed": allowed, "asked": asked}
    details = {name: in_digits(number) for name, number in numbers.items() if number is not None}
    return ApiError(0, RISK_LIMIT, text, {"limit": limit, **details})


def option_of(limit: str) -> str:
    """Return the command-line option that sets a limit."""
    return "--" + limit.replace("_", "-")
