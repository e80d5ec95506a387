"""How the simulated exchange treats orders and money."""

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from strategy_runtime.errors import ConfigError
from strategy_runtime.protocol.enums import PositionMode

__all__ = ["Children", "ExchangeOptions"]

Children = Literal["same_bar", "next_bar"]


class ExchangeOptions(Struct, frozen=True, kw_only=True):
    """Account, costs and conventions of a run; all costs are zero by default.

    Attributes:
        cash: Starting cash.
        currency: Of the account and all prices.
        fee_rate: Fee as a share of the notional, `0.001` for ten basis points.
        fee_per_share: Fee a unit.
        fee_min: Least fee of a fill.
        slippage: Share of the price by which market and stop orders fill worse.
        spread: Distance of ask and bid in price units; market and stop orders pay half of it.
        children: Whether the bracket legs of an entry filled at the open take part in that same
            bar's range (`same_bar`) or only from the next open on (`next_bar`).
        mode: One net position a symbol.
    """

    cash: Decimal = Decimal(100_000)
    currency: str = "USD"
    fee_rate: Decimal = Decimal(0)
    fee_per_share: Decimal = Decimal(0)
    fee_min: Decimal = Decimal(0)
    slippage: Decimal = Decimal(0)
    spread: Decimal = Decimal(0)
    children: Children = "same_bar"
    mode: PositionMode = PositionMode.NETTING

    def __post_init__(self) -> None:
        if self.mode is not PositionMode.NETTING:
            raise ConfigError(
                f"position mode {self.mode.lower()!r} is not supported; use 'netting'"
            )
        if self.cash <= 0:
            raise ConfigError(f"starting cash must be positive, not {self.cash}")
        for name in ("fee_per_share", "fee_min", "slippage", "spread"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be negative: {getattr(self, name)}")
