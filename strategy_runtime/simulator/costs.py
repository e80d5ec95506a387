"""What an execution costs: the price it really gets, and its fee.

Slippage and half the spread move the price against the order. A limit order never pays more than
its limit. The fee is charged in cash on every fill.
"""

from decimal import Decimal

from strategy_runtime.protocol.enums import Side
from strategy_runtime.simulator.options import ExchangeOptions

__all__ = ["Costs"]


class Costs:
    """The cost model of one exchange."""

    __slots__ = ("_free", "_half_spread", "_minimum", "_per_share", "_rate", "_slippage")

    def __init__(self, options: ExchangeOptions) -> None:
        self._half_spread = options.spread / 2
        self._slippage = options.slippage
        self._rate = options.fee_rate
        self._per_share = options.fee_per_share
        self._minimum = options.fee_min
        self._free = not (self._rate or self._per_share or self._minimum)

    def price(self, base: Decimal, side: Side, limit: Decimal | None) -> Decimal:
        """The price paid where the market stands at `base`, never beyond `limit`."""
        against = self._half_spread + base * self._slippage
        if not against:
            return base
        if side is Side.BUY:
            paid = base + against
            return paid if limit is None else min(paid, limit)
        paid = base - against
        return paid if limit is None else max(paid, limit)

    def fee(self, quantity: Decimal, price: Decimal) -> Decimal:
        """The fee of one fill in account currency."""
        if self._free:
            return Decimal(0)
        return max(self._minimum, quantity * price * self._rate + quantity * self._per_share)
