"""The story of an order in plain sentences: what was ordered, and how the market filled it."""

from bisect import bisect_left
from collections.abc import Callable
from itertools import chain

from strategy_runtime.clock import ns_of, rfc3339
from strategy_runtime.errors import ConfigError
from strategy_runtime.protocol.enums import OrderStatus, OrderType, Side, TrailingType
from strategy_runtime.protocol.models import Order, OrderRequest
from strategy_runtime.protocol.values import decimal_of, in_digits
from strategy_runtime.report.csv_tables import moment
from strategy_runtime.simulator.outcome import LIQUIDATION, Fill, Outcome
from strategy_runtime.suggestions import did_you_mean

__all__ = ["explain"]

_RULES = {
    "market_open": "at the open of {open}, as market orders do",
    "limit_gap_open": "at the open of {open}, which was better than the limit",
    "limit_touch_open": "at the open of {open}, which was the limit itself",
    "limit_touch": "at the limit, which lay within the bar's range of {low} to {high}",
    "stop_gap_open": "at the open of {open}, beyond the stop: the market had gapped over it",
    "stop_touch_open": "at the open of {open}, which was the stop itself",
    "stop_touch": "at the stop, which lay within the bar's range of {low} to {high}",
    "stop_limit_open": "at the open of {open}, which triggered the stop and satisfied the limit",
    "stop_limit_touch": "at the stop, which lay within the range of {low} to {high} and the limit",
    "trailing_stop_gap_open": "at the open of {open}, beyond where the stop had trailed to",
    "trailing_stop_touch_open": "at the open of {open}, where the stop had trailed to",
    "trailing_stop_touch": "where the stop had trailed to, within the range of {low} to {high}",
    LIQUIDATION: "at the last close of {last}, because the account ran out of margin",
}
_QUOTE_RULES = {
    "market_quote": "at the quote, as market orders do",
    "limit_gap_quote": "at the quote, which was better than the limit",
    "limit_touch_quote": "at the quote, which was the limit itself",
    "stop_gap_quote": "at the quote, beyond the stop: the market had gapped over it",
    "stop_touch_quote": "at the quote, which was the stop itself",
    "stop_limit_quote": "at the quote, which triggered the stop and satisfied the limit",
    "trailing_stop_gap_quote": "at the quote, beyond where the stop had trailed to",
    "trailing_stop_touch_quote": "at the quote, where the stop had trailed to",
    LIQUIDATION: "at the last quote, because the account ran out of margin",
}
_TRADE_RULES = {
    rule.replace("_quote", "_tick"): why.replace("quote", "trade")
    for rule, why in _QUOTE_RULES.items()
} | {LIQUIDATION: "at the last trade, because the account ran out of margin"}
_TICK_RULES = {"quote": ("quote", _QUOTE_RULES), "tick": ("trade", _TRADE_RULES)}
"""By the last word of a rule: what people call such a price, and the sentences of its rules."""


def explain(
    outcome: Outcome, name: str, was_refused: Callable[[str], bool] = lambda _: False
) -> str:
    """Return the story of one order.

    Args:
        name: Its id or client order id.
        was_refused: Whether an order with an id was refused; refused orders are not in the outcome.

    Raises:
        ConfigError: There is no such order in the run.
    """
    # One pass: each order is made when it is read, and there may be a million.
    meant = [each for each in outcome.orders if name in (each.id, each.client_order_id)]
    if not meant and was_refused(name):
        raise ConfigError(
            f"order {name!r} was refused when it was placed, so it has no story; the log says why, "
            "every time with LOG_LEVEL=debug"
        )
    if not meant:
        ids = chain.from_iterable((each.id, each.client_order_id) for each in outcome.orders)
        hint, count = did_you_mean(name, filter(None, ids)), len(outcome.orders)
        raise ConfigError(f"there was no order {name!r} among {count} in this run{hint}")
    order = next((each for each in meant if each.id == name), meant[-1])
    others = [
        each
        for each in outcome.orders
        if each.parent_order_id == order.id or each.id == order.parent_order_id
    ]
    parent = next((each for each in others if each.id == order.parent_order_id), None)
    legs = [each for each in others if each.parent_order_id == order.id]
    originals = outcome.originals
    given, became = _description(originals.get(order.id, order)), _description(order)
    unit = _price_unit(order.symbol, outcome)
    sentences = [_beginning(order, given, parent, unit)]
    if became != given:
        sentences.append(f"Later it was changed, in the end to {became}.")
    fills = [fill for fill in outcome.fills if fill.order_id == order.id]
    sentences += _history(order, outcome)
    sentences.append(_ending(order, fills, outcome, unit))
    if legs:
        listed = " and ".join(f"{leg.id} ({_kind(originals.get(leg.id, leg))})" for leg in legs)
        sentences.append(f"Its fill placed {listed} to close the position again.")
    title = f"Order {order.id}" + (f", {order.client_order_id}" if order.client_order_id else "")
    return "\n".join([title, *(f"  {sentence}" for sentence in sentences)]) + "\n"


def _history(order: Order, outcome: Outcome) -> list[str]:
    """Return a sentence for each fill and each split of an order, in the order they happened."""
    happened = [
        ((index, 1), _filled(fill, outcome))
        for index, fill in enumerate(outcome.fills)
        if fill.order_id == order.id
    ]
    happened += [
        ((each.fills_before, 0), f"At {rfc3339(each.time_ns)} a {each.what} restated it.")
        for each in outcome.adjustments
        if order.id in each.restated
    ]
    return [sentence for _, sentence in sorted(happened)]


def _kind(order: Order | OrderRequest) -> str:
    name = order.order_type.value.replace("_", "-").lower()
    if order.order_type is OrderType.TRAILING_STOP and order.trailing_distance is not None:
        unit = " %" if order.trailing_type is TrailingType.PERCENT else ""
        return f"{name} at a distance of {in_digits(order.trailing_distance)}{unit}"
    prices = [
        f"{word} {in_digits(price)}"
        for word, price in (("stop", order.stop_price), ("limit", order.limit_price))
        if price is not None
    ]
    return f"{name} order, {', '.join(prices)}" if prices else f"{name} order"


def _description(order: Order | OrderRequest) -> str:
    verb = "buy" if order.side is Side.BUY else "sell"
    return f"{verb} {in_digits(order.quantity)} {order.symbol} by a {_kind(order)}"


def _beginning(order: Order, what: str, parent: Order | None, unit: str) -> str:
    when = moment(order.created_at)
    if parent is not None:
        return f"It was placed at {when} when {parent.id} had filled, to {what}."
    return f"It was accepted at {when}, to {what}, good {_lifetime(order, unit)}."


def _lifetime(order: Order, unit: str) -> str:
    return {
        "GTC": "until cancelled",
        "DAY": "for the day",
        "IOC": f"for one {unit}",
        "FOK": f"for one {unit}, as a whole",
    }[order.time_in_force.value]


def _price_unit(symbol: str, outcome: Outcome) -> str:
    """Return what the orders in a symbol fill at: `bar`, `quote` or `trade`."""
    marks = next(each for each in outcome.marks if each.symbol == symbol)
    return _TICK_RULES[marks.timeframe][0] if marks.timeframe in _TICK_RULES else "bar"


def _filled(fill: Fill, outcome: Outcome) -> str:
    base, fee = fill.base_price, fill.fee
    worse = f" ({in_digits(base)} before spread and slippage)" if fill.price != base else ""
    paid = f", for a fee of {in_digits(fee)}" if fee else ""
    return (
        f"At {rfc3339(fill.time_ns)} {in_digits(fill.quantity)} filled at {in_digits(fill.price)}"
        f"{worse}{paid}: {_why(fill, outcome)}."
    )


def _why(fill: Fill, outcome: Outcome) -> str:
    """Return the fill rule in words, with the place in the data that triggered it."""
    ending = _rule_ending(fill, outcome)
    if ending in _TICK_RULES:
        kind, rules = _TICK_RULES[ending]
        return f"{rules[fill.rule]} ({fill.rule}; {kind} of {rfc3339(fill.bar_ns)})"
    series = next(each for each in outcome.series if each.symbol == fill.symbol)
    row = bisect_left(series.starts, fill.bar_ns)
    names = ("open", "high", "low")
    columns = (series.opens, series.highs, series.lows)
    prices = {
        name: in_digits(decimal_of(column[row]))
        for name, column in zip(names, columns, strict=True)
    }
    place = series.where(row)
    line = f", {place}" if place else ""
    why = _RULES[fill.rule].format(**prices, last=in_digits(fill.base_price))
    return f"{why} ({fill.rule}; bar of {rfc3339(fill.bar_ns)}{line})"


def _rule_ending(fill: Fill, outcome: Outcome) -> str:
    """Return the last word of a fill's rule; of a liquidation, that of the entry's rule."""
    return next(
        each.rule.rpartition("_")[2]
        for each in reversed(outcome.fills[: fill.number])
        if each.symbol == fill.symbol and each.rule != LIQUIDATION
    )


def _ending(order: Order, fills: list[Fill], outcome: Outcome, unit: str) -> str:
    when = moment(order.updated_at)
    if order.status is OrderStatus.FILLED:
        return "With that it was complete."
    if order.status is OrderStatus.REJECTED:
        reason = (order.reject_reason or "UNKNOWN").replace("_", " ").lower()
        return f"At {when} it was rejected: {reason}."
    if order.status is OrderStatus.EXPIRED:
        return f"At {when} it expired: the first {unit} of another day had come."
    if order.status is OrderStatus.CANCELLED:
        return f"At {when} it was cancelled{_cause(order, outcome, unit)}."
    waited = "The rest" if fills else "It"
    return f"{waited} was still waiting when the run ended at {moment(outcome.end)}."


def _cause(order: Order, outcome: Outcome, unit: str) -> str:
    """Return why an order was cancelled, as inferred from what else happened at that time."""
    # Quotes have nanoseconds, the times of orders only microseconds.
    at = None if order.updated_at is None else ns_of(order.updated_at)
    fills = [fill for fill in outcome.fills if fill.time_ns - fill.time_ns % 1000 == at]
    if any(fill.rule == LIQUIDATION for fill in fills):
        return " because the account ran out of margin"
    together = {fill.order_id for fill in fills}
    own = next((fill for fill in reversed(fills) if fill.order_id == order.id), None)
    if order.reduce_only and own is not None and _has_closed(own, outcome):
        return " because it had closed the position"
    for other in outcome.orders:
        was_rejected = other.status is OrderStatus.REJECTED and other.updated_at == order.updated_at
        if other.id == order.id or not (was_rejected or other.id in together):
            continue
        same_bracket = (
            order.parent_order_id is not None and other.parent_order_id == order.parent_order_id
        )
        same_group = order.oco_group_id is not None and other.oco_group_id == order.oco_group_id
        if same_bracket or same_group:
            return f" because {other.id} {'was rejected' if was_rejected else 'had filled'}"
        if was_rejected:
            continue
        if order.reduce_only and other.symbol == order.symbol and other.side is order.side:
            return f" because {other.id} had closed the position"
    if order.time_in_force.value in ("IOC", "FOK"):
        return f" because it was good for one {unit}"
    left = order.remaining_quantity
    return " by the strategy" + (
        f", with {in_digits(left)} unfilled" if left < order.quantity else ""
    )


def _has_closed(fill: Fill, outcome: Outcome) -> bool:
    """Whether a fill closed the position that it reduced."""
    later = outcome.fills[fill.number :]
    return all(each.position_id != fill.position_id for each in later) and all(
        each.id != fill.position_id for each in outcome.positions
    )
