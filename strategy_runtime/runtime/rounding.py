"""Lot and tick sizes of a venue, and how orders are rounded to them."""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from strategy_runtime.errors import ApiError, ConfigError
from strategy_runtime.protocol.enums import Side, TrailingType
from strategy_runtime.protocol.models import Order, OrderChanges
from strategy_runtime.protocol.values import FINEST, LONG, in_digits
from strategy_runtime.suggestions import did_you_mean, some_of

__all__ = ["AS_GIVEN", "LOT_SIZE", "Rounding", "Steps", "steps_of"]

LOT_SIZE = "LOT_SIZE"
"""Rejection code of an order smaller than one lot."""

_ALL = "*"
_FEW = 5
_PRICES = ("limit_price", "stop_price", "stop_loss", "take_profit", "trailing_distance")
_ROUNDED_DOWN = {
    Side.BUY: ("limit_price", "stop_loss"),
    Side.SELL: ("stop_price", "take_profit"),
}
"""The prices of an order that are rounded down, by side; the others are rounded up."""
_FORMS = "write one number, such as 0.01, or one for each symbol: S:AAPL=0.01,C:BTCUSD=0.5,*=0.001"


class Steps(Struct, frozen=True):
    """The lot or tick size of each symbol.

    Attributes:
        by_symbol: `*` stands for all symbols that are not named.
    """

    by_symbol: Mapping[str, Decimal] = {}

    def __bool__(self) -> bool:
        return bool(self.by_symbol)

    def of(self, symbol: str) -> Decimal | None:
        """Return the step of a symbol, or None if it has none."""
        return self.by_symbol.get(symbol) or self.by_symbol.get(_ALL)

    @property
    def symbols(self) -> list[str]:
        """The symbols that are named."""
        return [symbol for symbol in self.by_symbol if symbol != _ALL]

    def __str__(self) -> str:
        if self.by_symbol.keys() == {_ALL}:
            return in_digits(self.by_symbol[_ALL])
        return ",".join(f"{symbol}={in_digits(step)}" for symbol, step in self.by_symbol.items())


class Rounding(Struct, frozen=True, kw_only=True):
    """Rounds the orders of a run so that the venue accepts them.

    Attributes:
        lot_size: Quantities are multiples of it.
        tick_size: Prices are multiples of it.
    """

    lot_size: Steps = Steps()
    tick_size: Steps = Steps()

    def __bool__(self) -> bool:
        return bool(self.given)

    @property
    def given(self) -> dict[str, Steps]:
        """The sizes that are set, by name."""
        both = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: steps for name, steps in both.items() if steps}

    def shown(self) -> dict[str, str]:
        """Return the sizes that are set, by name, as text."""
        return {name: str(steps) for name, steps in self.given.items()}

    def unknown_symbols(self, symbols: Collection[str]) -> Iterator[str]:
        """Return warnings about symbols that have a size but are not among `symbols`."""
        for name, steps in self.given.items():
            unknown = [symbol for symbol in steps.symbols if symbol not in symbols]
            if len(unknown) > _FEW:  # rather a list of a whole market than misspelt
                count = f"{name} names {len(unknown):,} symbols for which no data comes"
                yield f"{count}: {some_of(unknown, _FEW)}"
                continue
            for symbol in unknown:
                hint = did_you_mean(symbol, symbols)
                yield f"{name} names {symbol}, for which no data comes{hint}"

    def lots(self, symbol: str, quantity: Decimal) -> Decimal:
        """Round a quantity down to whole lots; the result may be 0."""
        lot = self.lot_size.of(symbol)
        return quantity if lot is None else _down(quantity, lot)

    def no_lot(self, symbol: str, quantity: Decimal) -> ApiError:
        """Return the refusal of an order that is smaller than one lot."""
        lot = in_digits(self.lot_size.of(symbol) or quantity)
        text = f"{in_digits(quantity)} of {symbol} is less than a lot, which is {lot}"
        return ApiError(0, LOT_SIZE, text, {"lot_size": lot, "asked": in_digits(quantity)})

    def changes(self, known: Order, changes: OrderChanges) -> OrderChanges:
        """Round changes of an order to whole lots and ticks; the quantity may become 0.

        Raises:
            ValueError: A price is less than a tick.
        """
        given = {**asdict(changes), "trailing_type": known.trailing_type}
        rounded = self.prices(known.symbol, known.side, given)
        del rounded["trailing_type"]
        if changes.quantity is not None:
            rounded["quantity"] = self.lots(known.symbol, changes.quantity)
        return OrderChanges(**rounded)

    def prices(self, symbol: str, side: Side, prices: Mapping[str, Any]) -> dict[str, Any]:
        """Round the prices of an order to whole ticks.

        A limit never gets worse, and a stop never triggers sooner.

        Args:
            side: Side of the order; the legs of a bracket are on the other one.
            prices: By field name of a request, or of changes.

        Raises:
            ValueError: A price is less than a tick.
        """
        tick, rounded = self.tick_size.of(symbol), dict(prices)
        if tick is None:
            return rounded
        for name in _PRICES:
            price = prices.get(name)
            if price is None or (
                name == "trailing_distance" and prices["trailing_type"] is TrailingType.PERCENT
            ):
                continue
            rounded[name] = (_down if name in _ROUNDED_DOWN[side] else _up)(price, tick)
            if not rounded[name]:
                said = name.removesuffix("_price").removesuffix("_distance")
                raise ValueError(
                    f"{said}={in_digits(price)} of {symbol} is less than one tick of "
                    f"{in_digits(tick)}"
                )
        return rounded


AS_GIVEN = Rounding()
"""No rounding: orders are sent as the strategy placed them."""


def _down(number: Decimal, step: Decimal) -> Decimal:
    if not LONG.remainder(number, step):
        return number
    return LONG.multiply(LONG.divide_int(number, step), step)


def _up(number: Decimal, step: Decimal) -> Decimal:
    down = _down(number, step)
    return number if down == number else LONG.add(down, step)


def steps_of(given: object, origin: str) -> Steps:
    """Parse steps: a number for all symbols, a mapping of symbols to numbers, or text.

    The text is `0.01` or `S:AAPL=0.01,*=0.5`. None and an empty text mean no steps.

    Args:
        origin: Where they come from, for error messages.

    Raises:
        ConfigError: They are not valid.
    """
    if isinstance(given, Mapping):
        entries = [*given.items()]
    elif isinstance(given, str):
        entries = [*_entries(given)]
    else:
        entries = [] if given is None else [(_ALL, given)]
    steps: dict[str, Decimal] = {}
    for symbol, value in entries:
        if not isinstance(symbol, str) or not symbol or symbol in steps:
            said = "twice" if symbol in steps else "in the place of a symbol"
            raise ConfigError(f"{origin} has {symbol!r} {said}; {_FORMS}")
        steps[symbol] = _step(value, origin)
    return Steps(steps)


def _entries(text: str) -> Iterator[tuple[str, str]]:
    for entry in filter(None, map(str.strip, text.split(","))):
        symbol, is_named, step = entry.rpartition("=")
        yield (symbol.strip() if is_named else _ALL), step.strip()


def _step(value: object, origin: str) -> Decimal:
    try:
        step = Decimal(str(value))
    except InvalidOperation:
        step = Decimal("NaN")
    if isinstance(value, bool) or not (step.is_finite() and step >= FINEST):
        raise ConfigError(f"{origin}: {value!r} is no step above zero; {_FORMS}")
    return step
