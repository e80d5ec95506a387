"""The steps in which a venue takes quantities and prices, and how orders are rounded to them."""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from strategy_runtime.errors import ApiError, ConfigError
from strategy_runtime.protocol.enums import Side, TrailingType
from strategy_runtime.protocol.models import Order, OrderChanges
from strategy_runtime.protocol.values import FINEST, LONG, in_digits
from strategy_runtime.suggestions import did_you_mean

__all__ = ["AS_GIVEN", "LOT_SIZE", "Rounding", "Steps", "steps_of"]

LOT_SIZE = "LOT_SIZE"
"""Code of the rejection of an order that is less than a lot."""

_ALL = "*"
_PRICES = ("limit_price", "stop_price", "stop_loss", "take_profit", "trailing_distance")
_ROUNDED_DOWN = {
    Side.BUY: ("limit_price", "stop_loss"),
    Side.SELL: ("stop_price", "take_profit"),
}
"""Which prices of an order on each side are; the others are rounded up."""
_FORMS = "write one number, such as 0.01, or one for each symbol: S:AAPL=0.01,C:BTCUSD=0.5,*=0.001"


class Steps(Struct, frozen=True):
    """A step for each symbol.

    Attributes:
        by_symbol: `*` stands for all symbols that are not named.
    """

    by_symbol: Mapping[str, Decimal] = {}

    def __bool__(self) -> bool:
        return bool(self.by_symbol)

    def of(self, symbol: str) -> Decimal | None:
        """The step in a symbol; None where there is none."""
        return self.by_symbol.get(symbol) or self.by_symbol.get(_ALL)

    @property
    def symbols(self) -> list[str]:
        """Those that are named."""
        return [symbol for symbol in self.by_symbol if symbol != _ALL]

    def __str__(self) -> str:
        if self.by_symbol.keys() == {_ALL}:
            return in_digits(self.by_symbol[_ALL])
        return ",".join(f"{symbol}={in_digits(step)}" for symbol, step in self.by_symbol.items())


class Rounding(Struct, frozen=True, kw_only=True):
    """How a run rounds its orders, so that the venue takes them.

    Attributes:
        lot_size: What quantities are multiples of.
        tick_size: What prices are multiples of.
    """

    lot_size: Steps = Steps()
    tick_size: Steps = Steps()

    def __bool__(self) -> bool:
        return bool(self.given)

    @property
    def given(self) -> dict[str, Steps]:
        """Those that are set, by their names."""
        both = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: steps for name, steps in both.items() if steps}

    def shown(self) -> dict[str, str]:
        """The steps that are set, as people write them."""
        return {name: str(steps) for name, steps in self.given.items()}

    def strangers(self, symbols: Collection[str]) -> Iterator[str]:
        """What to say of symbols that have steps and are none of those that come."""
        for name, steps in self.given.items():
            for symbol in steps.symbols:
                if symbol not in symbols:
                    yield f"{name} names {symbol}, of which nothing comes" + did_you_mean(
                        symbol, symbols
                    )

    def lots(self, symbol: str, quantity: Decimal) -> Decimal:
        """The whole lots in a quantity, which may be none."""
        lot = self.lot_size.of(symbol)
        return quantity if lot is None else _down(quantity, lot)

    def no_lot(self, symbol: str, quantity: Decimal) -> ApiError:
        """The refusal of an order in which there is none."""
        lot = in_digits(self.lot_size.of(symbol) or quantity)
        text = f"{in_digits(quantity)} of {symbol} is less than a lot, which is {lot}"
        return ApiError(0, LOT_SIZE, text, {"lot_size": lot, "asked": in_digits(quantity)})

    def changes(self, known: Order, changes: OrderChanges) -> OrderChanges:
        """Changes of an order in whole lots and ticks; the quantity may be 0.

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
        """The prices of an order in whole ticks: a limit is no worse than it was given, and a stop
        goes off no sooner.

        Args:
            side: Of the order; the legs of a bracket are on the other one.
            prices: By the fields of a request, or of changes.

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
"""No rounding: orders go out as the strategy gives them."""


def _down(number: Decimal, step: Decimal) -> Decimal:
    if not LONG.remainder(number, step):
        return number
    return LONG.multiply(LONG.divide_int(number, step), step)


def _up(number: Decimal, step: Decimal) -> Decimal:
    down = _down(number, step)
    return number if down == number else LONG.add(down, step)


def steps_of(given: object, origin: str) -> Steps:
    """Steps as people give them: a number for all symbols, or numbers by symbol; as such, or as
    text, `0.01` or `S:AAPL=0.01,*=0.5`. None and an empty text are no steps.

    Args:
        origin: How an error names what they are from.

    Raises:
        ConfigError: They are none.
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
