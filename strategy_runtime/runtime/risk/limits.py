"""Limits on what a strategy may order, and what is said where an order would exceed one."""

from decimal import Decimal

from msgspec import Struct

from strategy_runtime.errors import ApiError, ConfigError
from strategy_runtime.protocol.values import in_digits

__all__ = ["NO_LIMITS", "RISK_LIMIT", "Limits", "exceeded", "option_of", "refused"]

RISK_LIMIT = "RISK_LIMIT"
"""Code of a rejection that a limit caused."""


class Limits(Struct, frozen=True, kw_only=True):
    """What a run may not exceed; None where there is no such limit.

    Attributes:
        max_orders_per_minute: Orders and changes of orders within any sixty seconds.
        max_order_notional: Value of one order, in account currency.
        max_position_notional: Value of what is held in a symbol and would be if all that rests on
            that side were filled, in account currency.
        max_daily_loss: What equity may fall below its value at the start of a UTC day.
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
        """The limits that are set, as people write them."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: in_digits(Decimal(n)) for name, n in given.items() if n is not None}


NO_LIMITS = Limits()


def exceeded(limit: str, said: str, value: Decimal, allowed: Decimal) -> ApiError:
    """The refusal of an order that would exceed a limit by its value.

    Args:
        limit: Its field in `Limits`.
        said: What has that value, in words.
    """
    text = f"{said} {in_digits(value)}, and {option_of(limit)} allows {in_digits(allowed)}"
    return refused(limit, text, allowed, value)


def refused(
    limit: str, text: str, allowed: Decimal | None = None, asked: Decimal | None = None
) -> ApiError:
    """The refusal of an order because of a limit; its details are for programs."""
    numbers = {"allowed": allowed, "asked": asked}
    details = {name: in_digits(number) for name, number in numbers.items() if number is not None}
    return ApiError(0, RISK_LIMIT, text, {"limit": limit, **details})


def option_of(limit: str) -> str:
    """The option that sets a limit."""
    return "--" + limit.replace("_", "-")
