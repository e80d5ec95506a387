"""Options of the simulated exchange: account, costs and fill conventions."""

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from strategy_runtime.errors import ConfigError
from strategy_runtime.protocol.enums import PositionMode
from strategy_runtime.simulator.splits import Split

__all__ = ["Children", "ExchangeOptions"]

Children = Literal["same_bar", "next_bar"]

# Within these limits, prices and quantities fit into the digits that amounts are computed with.
_LEAST_CASH, _MOST_CASH = Decimal("0.00000001"), Decimal(10**15)
_REBATE = Decimal("-0.01")
"""Real venues pay about a hundredth of this."""

_NOT_NEGATIVE = (
    "fee_per_share fee_min slippage_fixed impact spread borrow_rate financing_rate"
).split()
_SHARES = {"fee_rate": _REBATE, "maker_fee_rate": _REBATE, "slippage": Decimal(0)}
"""The minimum of each. A share of 1 or more must be meant as percent or basis points."""


class ExchangeOptions(Struct, frozen=True, kw_only=True):
    """Account, costs and conventions of a run; all costs are zero by default.

    Attributes:
        cash: Starting cash.
        currency: Currency of the account and all prices.
        leverage: How many times its equity the account may hold; 1 borrows nothing.
        maintenance_margin: Share of the positions' value below which equity leads to liquidation.
            By default half of the margin that opening them takes. Without leverage it is 0: only an
            account without equity is liquidated.
        fee_rate: Fee as a share of the notional, `0.001` for ten basis points; negative, at least
            `-0.01`, if the venue pays.
        maker_fee_rate: The same for limit orders that had rested; None charges them `fee_rate`.
        fee_per_share: Fee per unit.
        fee_min: Minimum fee of a fill.
        slippage: Share of the price by which orders fill worse, but never beyond a limit.
        slippage_fixed: The same in price units.
        impact: Share of the price by which an order as large as the bar's volume fills worse.
        spread: Ask minus bid in price units; orders pay half, but never beyond a limit.
        borrow_rate: Annual fee on the value of short positions, charged at each midnight (UTC).
        financing_rate: Annual interest on cash below zero, charged likewise.
        max_volume_share: Share of a bar's volume that orders may take; a volume of 0 is unknown
            and limits nothing. None fills in full.
        latency: Bars an order is in transit before it can fill.
        splits: Splits the data are not adjusted for: they change positions and resting orders.
        refuse_splits: End the run with an error if a position is held over a price jump that looks
            like a split the data are not adjusted for; else only warn.
        children: Whether the bracket legs of an entry filled at the open can fill in that same
            bar's range (`same_bar`) or only from the next open on (`next_bar`).
        mode: One net position per symbol, or (`HEDGING`) one per entry.
    """

    cash: Decimal = Decimal(100_000)
    currency: str = "USD"
    leverage: Decimal = Decimal(1)
    maintenance_margin: Decimal | None = None
    fee_rate: Decimal = Decimal(0)
    maker_fee_rate: Decimal | None = None
    fee_per_share: Decimal = Decimal(0)
    fee_min: Decimal = Decimal(0)
    slippage: Decimal = Decimal(0)
    slippage_fixed: Decimal = Decimal(0)
    impact: Decimal = Decimal(0)
    spread: Decimal = Decimal(0)
    borrow_rate: Decimal = Decimal(0)
    financing_rate: Decimal = Decimal(0)
    max_volume_share: Decimal | None = None
    latency: int = 0
    splits: tuple[Split, ...] = ()
    refuse_splits: bool = False
    children: Children = "same_bar"
    mode: PositionMode = PositionMode.NETTING

    def __post_init__(self) -> None:
        if not self.currency.strip():
            raise ConfigError("currency must be the name of one, such as USD")
        if self.cash <= 0:
            raise ConfigError(f"cash must be above 0, not {self.cash}")
        if not _LEAST_CASH <= self.cash <= _MOST_CASH:
            raise ConfigError(
                f"cash must be at least {_LEAST_CASH:f} and at most {_MOST_CASH:,f}, "
                f"not {self.cash}"
            )
        if self.leverage < 1:
            raise ConfigError(f"leverage must be at least 1, not {self.leverage}")
        if self.latency < 0:
            raise ConfigError(f"latency must not be negative: {self.latency}")
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be negative: {getattr(self, name)}")
        for name, least in _SHARES.items():
            share = getattr(self, name)
            if share is not None and not least <= share < 1:
                raise ConfigError(
                    f"{name} must be at least {least} and below 1, not {share}; it is a share: "
                    "0.001 is ten basis points"
                )
        if self.max_volume_share is not None and not 0 < self.max_volume_share <= 1:
            raise ConfigError(
                f"max_volume_share must be above 0 and at most 1, not {self.max_volume_share}"
            )
        margin = self.maintenance_margin
        if margin is not None and not 0 <= margin <= 1 / self.leverage:
            raise ConfigError(
                f"maintenance_margin must be between 0 and 1 / leverage, not {margin}"
            )

    @property
    def is_simple(self) -> bool:
        """Whether orders have no latency, nothing is borrowed and positions are netted."""
        return self.leverage == 1 and not self.latency and self.mode is PositionMode.NETTING

    @property
    def kept_margin(self) -> Decimal:
        """The maintenance margin, or its default if it is not given."""
        if self.maintenance_margin is not None:
            return self.maintenance_margin
        return 1 / self.leverage / 2 if self.leverage > 1 else Decimal(0)
