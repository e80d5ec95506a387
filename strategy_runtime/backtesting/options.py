"""Options of a run, given as keyword arguments in Python."""

from collections.abc import Iterable, Mapping
from inspect import signature
from typing import Any

from msgspec.structs import fields

from strategy_runtime.backtesting.reading import read_data
from strategy_runtime.runtime.risk.limits import Limits
from strategy_runtime.runtime.rounding import Rounding, steps_of
from strategy_runtime.simulator.data.split_reader import splits_of
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.strategy.parameters import Parameter
from strategy_runtime.suggestions import did_you_mean

__all__ = ["options_from"]

_CASH = "capital", "capital_base", "init_cash", "initial_capital", "initial_cash"
_ON_CLOSE = "trade_on_close", "cheat_on_close"
_ELSEWHERE = {
    **dict.fromkeys(("commission", "fee", "fees"), "here it is fee_rate"),
    **dict.fromkeys(_CASH, "here it is cash"),
    "margin": "here it is leverage, one divided by it: leverage=2 for a margin of 0.5",
    "hedging": "here it is mode='hedging'",
    **dict.fromkeys(_ON_CLOSE, "what is decided at a close fills at the next open"),
    "exclusive_orders": "orders add up, and target(symbol, fraction=…) turns a position",
    "finalize_trades": "positions that are open at the end are valued at the last price",
    "maximize": "sweep(…, by=…) names the figure to rank by",
    "constraint": "give sweep() a list of the wanted sets, such as [{'fast': 5, 'slow': 30}, …]",
}
"""What to do in place of some options of other engines."""


def _hint_for(name: str, known: Iterable[str]) -> str:
    if name in _ELSEWHERE:
        return f"; {_ELSEWHERE[name]}"
    if name in signature(read_data).parameters:
        return f"; give it to read_data(…, {name}=…), and run over the data that it returns"
    return did_you_mean(name, known) or (
        f"; there are {', '.join(known)} (a parameter of the strategy is given to its class)"
    )


def options_from(given: Mapping[str, Any]) -> tuple[ExchangeOptions, Limits, Rounding]:
    """Split keyword arguments into exchange options, risk limits and rounding of orders.

    Raises:
        TypeError: A name is unknown.
        ConfigError: A value is invalid.
    """
    kinds = ExchangeOptions, Limits, Rounding
    known = {field.name: field for kind in kinds for field in fields(kind)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        field = known.get(name)
        if field is None:
            raise TypeError(f"there is no option {name!r}{_hint_for(name, known)}")
        if name == "splits":
            values[name] = splits_of(value)
        elif name in Rounding.__struct_fields__:
            values[name] = steps_of(value, name)
        else:
            option = Parameter("backtest", name, field.type, field.default, required=False)
            is_mode = name == "mode" and isinstance(value, str)
            values[name] = option.convert(value.upper() if is_mode else value)
    options, limits, rounding = (
        {name: values[name] for name in kind.__struct_fields__ if name in values} for kind in kinds
    )
    return ExchangeOptions(**options), Limits(**limits), Rounding(**rounding)
