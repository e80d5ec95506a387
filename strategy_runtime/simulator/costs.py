"""What an execution costs: the price it really gets, and its fee.

Slippage says how far the price moves against an order, fees what the fill is charged. `Costs` joins
them with the spread. A limit order never pays more than its limit.
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
_COSTS = (
    "fee_rate",
    "maker_fee_rate",
    "fee_per_share",
    "fee_min",
    "slippage",
    "slippage_fixed",
    "impact",
    "spread",
)


class _Fees:
    """A share of the notional, so much a unit, and a minimum."""

    __slots__ = ("_is_free", "_maker_rate", "_minimum", "_per_share", "_rate")

    def __init__(self, options: ExchangeOptions) -> None:
        maker = options.maker_fee_rate
        self._rate = options.fee_rate
        self._maker_rate = options.fee_rate if maker is None else maker
        self._per_share = options.fee_per_share
        self._minimum = options.fee_min
        self._is_free = not any((self._rate, self._maker_rate, self._per_share, self._minimum))

    def fee(self, quantity: Decimal, price: Decimal, *, is_maker: bool) -> Decimal:
        """The fee of one fill."""
        if self._is_free:
            return _ZERO
        rate = self._maker_rate if is_maker else self._rate
        charged = quantity * price * rate + quantity * self._per_share
        return max(self._minimum, charged) if self._minimum else charged


class _Slippage:
    """A fixed distance, a share of the price, and one that grows with the part of the volume."""

    __slots__ = ("_fixed", "_impact", "_share")

    def __init__(self, options: ExchangeOptions) -> None:
        self._fixed = options.slippage_fixed
        self._share = options.slippage
        self._impact = options.impact

    def against(self, quantity: Decimal, price: Decimal, volume: float) -> Decimal:
        """The distance in price units."""
        share = self._share
        if self._impact and volume > 0:
            share += self._impact * quantity / Decimal(repr(volume))
        return self._fixed + price * share


class Costs:
    """The costs of one exchange.

    Attributes:
        are_none: Whether every execution costs nothing.
    """

    __slots__ = ("_fees", "_half_spread", "_slippage", "are_none")

    def __init__(self, options: ExchangeOptions) -> None:
        self._half_spread = options.spread / 2
        self._fees = _Fees(options)
        self._slippage = _Slippage(options)
        self.are_none = not any(getattr(options, each) for each in _COSTS)

    def price(
        self, base: Decimal, side: Side, quantity: Decimal, volume: float, limit: Decimal | None
    ) -> Decimal:
        """The price paid where the market stands at `base`, never beyond `limit` nor below 0."""
        against = self._half_spread + self._slippage.against(quantity, base, volume)
        if not against:
            return base
        if side is Side.BUY:
            paid = _rounded(base + against)
            return paid if limit is None else min(paid, limit)
        paid = max(_ZERO, _rounded(base - against))
        return paid if limit is None else max(paid, limit)

    def fee(self, quantity: Decimal, price: Decimal, *, is_maker: bool = False) -> Decimal:
        """The fee of one fill in account currency."""
        return self._fees.fee(quantity, price, is_maker=is_maker)


def _rounded(price: Decimal) -> Decimal:
    """A price to ten decimals, one below 1 to ten digits; without zeros at its end or exponent."""
    exact = price.quantize(_GRAIN, context=LONG) if price >= _ONE else _DIGITS.plus(price)
    return exact.normalize() + _ZERO
