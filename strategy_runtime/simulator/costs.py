"""The costs of an execution: its price after slippage and spread, and its fee.

The price moves against an order by half the spread and by slippage: a fixed distance, a share of
the price, and a share that grows with the part of the bar's volume that the order takes. The fee
is a share of the notional plus an amount per unit, or the minimum fee if that is more.
"""

from decimal import Context, Decimal

from strategy_runtime.protocol.enums import Side
from strategy_runtime.protocol.values import LONG
from strategy_runtime.simulator.options import ExchangeOptions

__all__ = ["Costs"]

_ZERO = Decimal(0)
_ONE = Decimal(1)
_GRAIN = Decimal("1e-10")
_DIGITS = Context(prec=10)


class Costs:
    """The costs of one exchange.

    Attributes:
        are_none: Whether executions cost nothing.
    """

    __slots__ = (
        "_half_spread",
        "_impact",
        "_is_free",
        "_least_fee",
        "_maker_rate",
        "_per_share",
        "_rate",
        "_slippage",
        "_slippage_fixed",
        "are_none",
    )

    def __init__(self, options: ExchangeOptions) -> None:
        maker_rate = options.maker_fee_rate
        self._rate = options.fee_rate
        self._maker_rate = options.fee_rate if maker_rate is None else maker_rate
        self._per_share = options.fee_per_share
        self._least_fee = options.fee_min
        self._half_spread = options.spread / 2
        self._slippage_fixed = options.slippage_fixed
        self._slippage = options.slippage
        self._impact = options.impact
        self._is_free = not any((self._rate, self._maker_rate, self._per_share, self._least_fee))
        moves = (self._half_spread, self._slippage_fixed, self._slippage, self._impact)
        self.are_none = self._is_free and not any(moves)

    def price(
        self, base: Decimal, side: Side, quantity: Decimal, volume: float, limit: Decimal | None
    ) -> Decimal:
        """Return the price paid when the market is at `base`, never beyond `limit` or below 0."""
        share = self._slippage
        if self._impact and volume > 0:
            share += self._impact * quantity / Decimal(repr(volume))
        against = self._half_spread + (self._slippage_fixed + base * share)
        if not against:
            return base
        if side is Side.BUY:
            paid = _rounded(base + against)
            return paid if limit is None else min(paid, limit)
        paid = max(_ZERO, _rounded(base - against))
        return paid if limit is None else max(paid, limit)

    def fee(self, quantity: Decimal, price: Decimal, *, is_maker: bool = False) -> Decimal:
        """Return the fee of one fill in account currency."""
        if self._is_free:
            return _ZERO
        rate = self._maker_rate if is_maker else self._rate
        charged = quantity * price * rate + quantity * self._per_share
        return max(self._least_fee, charged) if self._least_fee else charged


def _rounded(price: Decimal) -> Decimal:
    """Round a price to ten decimals, below 1 to ten digits, without trailing zeros or exponent."""
    exact = price.quantize(_GRAIN, context=LONG) if price >= _ONE else _DIGITS.plus(price)
    return exact.normalize() + _ZERO
