"""The table printed at the end of a run: plain text, for any terminal and any log."""

from collections.abc import Iterable
from decimal import Decimal
from functools import partial

from strategy_runtime.report.equity_path import FallDates
from strategy_runtime.report.performance import Benchmark
from strategy_runtime.report.summary import OrderSummary, Summary

__all__ = [
    "day",
    "heading",
    "money",
    "number_of",
    "ratio",
    "render",
    "sent_of",
    "share",
    "warnings_of",
]

_SHOWN = 5


def render(summary: Summary) -> str:
    """Return a heading, one line per figure, then warnings and notes, with a final line feed."""
    lines = [*heading(summary), ""]
    rows = _rows(summary)
    left = max(len(label) for label, _ in rows)
    right = max(len(text) for _, text in rows)
    lines += [f"  {label:<{left}}  {text:>{right}}" for label, text in rows]
    notes = [*warnings_of(summary), *_notes(summary)]
    if notes:
        lines += ["", *notes]
    return "\n".join(lines) + "\n"


def heading(summary: Summary) -> tuple[str, str]:
    """Return two lines: the strategy with its parameters, and the data."""
    values = ", ".join(f"{name}={value}" for name, value in summary.parameters.items())
    name = summary.strategy or "Strategy over the network"
    loaded = [(each.symbol, each.timeframe) for each in summary.data]
    period = f"{day(summary.start)} to {day(summary.end)}"
    what = f"{_symbols(loaded)}  {_timeframes(loaded)}{_sent(summary, loaded)}  {period}"
    return f"{name}({values})" if values else name, what


def _sent(summary: Summary, loaded: list[tuple[str, str]]) -> str:
    """Say which data were sent, if not all that were loaded."""
    sent = [(symbol, name) for symbol, names in sent_of(summary).items() for name in names]
    if set(sent) == set(loaded):
        return ""
    if not sent:
        return " (sent: nothing)"
    if {symbol for symbol, _ in sent} == {symbol for symbol, _ in loaded}:
        return f" (sent: {_timeframes(sent)})"
    return f" (sent: {_symbols(sent)} {_timeframes(sent)})"


def sent_of(summary: Summary) -> dict[str, list[str]]:
    """Return by symbol what was sent: timeframes of candles, and `quote`."""
    sent: dict[str, list[str]] = {}
    for subscription in summary.sent:
        symbol, _, event = subscription.rpartition(":")
        sent.setdefault(symbol, []).append(event.removeprefix("candle_"))
    return sent


def _symbols(of: Iterable[tuple[str, str]]) -> str:
    symbols = list(dict.fromkeys(symbol for symbol, _ in of))
    return ", ".join(symbols) if len(symbols) <= _SHOWN else f"{len(symbols)} symbols"


def _timeframes(of: Iterable[tuple[str, str]]) -> str:
    return ", ".join(dict.fromkeys(timeframe for _, timeframe in of))


def _rows(summary: Summary) -> list[tuple[str, str]]:
    amount = partial(money, decimals=summary.decimals)
    return [
        ("Return", share(summary.total_return, signed=True)),
        ("Sharpe ratio", ratio(summary.performance.sharpe)),
        ("Maximum drawdown", share(-summary.max_drawdown)),
        *_dates(summary.max_drawdown_dates),
        ("Buy and hold", share(summary.buy_and_hold, signed=True)),
        *_of_holding(summary.benchmark),
        ("Equity at the start", amount(summary.start_equity)),
        ("Equity at the end", amount(summary.equity)),
        ("Realised profit", amount(summary.realized_pnl)),
        ("Unrealised profit", amount(summary.unrealized_pnl)),
        ("Fees", amount(summary.fees)),
        *([("Financing", amount(summary.financing))] if summary.financing != "0" else []),
        ("Cash", amount(summary.cash)),
        ("Orders", f"{summary.orders:,}"),
        *([("Refused orders", f"{refused:,}")] if (refused := summary.refused_orders) else []),
        ("Fills", f"{summary.fills:,}"),
        ("Closed positions", f"{summary.performance.trades:,}"),
        ("Win rate", share(summary.performance.win_rate)),
        ("Profit factor", ratio(summary.performance.profit_factor)),
        ("Open positions", f"{len(summary.positions):,}"),
        ("Bars", f"{summary.bars:,}") if summary.bars else ("Events", f"{summary.events:,}"),
        *([("Hook failures", f"{failures:,}")] if (failures := summary.hook_failures) else []),
        ("Time", f"{summary.wall_s:.2f} s"),
        *([("Bars a second", f"{summary.bars_per_s:,.0f}")] if summary.bars else []),
        ("Fill hash", summary.fill_hash[:16]),
    ]


def _of_holding(benchmark: Benchmark | None) -> list[tuple[str, str]]:
    if benchmark is None:
        return []
    fall = share(-benchmark.max_drawdown)
    return [("  Sharpe ratio", ratio(benchmark.sharpe)), ("  Maximum drawdown", fall)]


def _dates(fall: FallDates | None) -> list[tuple[str, str]]:
    if fall is None:
        return []
    recovery = "-" if fall.recovery is None else str(fall.recovery)
    return [("  Peak", str(fall.peak)), ("  Trough", str(fall.trough)), ("  Recovery", recovery)]


def warnings_of(summary: Summary) -> list[str]:
    """Return what must not be overlooked, one sentence each."""
    notes = []
    if summary.bankrupt:
        notes.append(f"BANKRUPT: the account ran out of equity at {summary.end}.")
    notes += [f"WARNING: {text}" for text in summary.warnings]
    if summary.quit_reason is not None:
        notes.append(f"The strategy ended the run at {summary.end}: {summary.quit_reason}")
    elif not summary.complete:
        notes.append(f"Stopped before the end of the data, at {summary.end}.")
    if summary.refused_orders:
        notes.append(
            f"{number_of(summary.refused_orders, 'order')} refused when placed, and not in "
            "orders.csv; the strategy's log says why."
        )
    if summary.hook_failures:
        notes.append(
            f"{number_of(summary.hook_failures, 'hook call')} failed, and the run went on; the log "
            "has the errors."
        )
    if summary.rejected_orders:
        notes.append(
            f"{number_of(summary.rejected_orders, 'order')} rejected after acceptance; see the "
            "status in orders.csv."
        )
    return notes


def _notes(summary: Summary) -> list[str]:
    notes = []
    waiting = summary.open_orders
    if waiting:
        verb = "was" if len(waiting) == 1 else "were"
        notes.append(f"{number_of(len(waiting), 'order')} {verb} still open at the end:")
        notes += [f"  {_order(each)}" for each in waiting[:_SHOWN]]
        if len(waiting) > _SHOWN:
            notes.append(f"  and {len(waiting) - _SHOWN} more")
    return notes


def _order(order: OrderSummary) -> str:
    prices = "".join(
        f" {name} {price}"
        for name, price in (("limit", order.limit_price), ("stop", order.stop_price))
        if price is not None
    )
    own = f", {order.client_order_id}" if order.client_order_id else ""
    filled = f", {order.filled_quantity} filled" if order.filled_quantity != "0" else ""
    return (
        f"{order.side} {order.quantity} {order.symbol} {order.type}{prices} "
        f"({order.order_id}{own}, placed {order.created}{filled})"
    )


def ratio(value: float | None, *, nothing: str = "-") -> str:
    """Format a figure without a unit, with thousands separated; a dash if there is none."""
    return nothing if value is None else f"{value:z,.2f}"


def share(value: float | None, *, signed: bool = False, nothing: str = "-") -> str:
    """Format a share in percent, with thousands separated; a dash if there is none."""
    if value is None:
        return nothing
    return f"{value * 100:+z,.2f} %" if signed else f"{value * 100:z,.2f} %"


def money(text: str, decimals: int) -> str:
    """Format an amount, with thousands separated."""
    return f"{Decimal(text):z,.{decimals}f}"


def day(text: str) -> str:
    """Shorten a time to its date if it is midnight; a dash if there is none."""
    return text.removesuffix("T00:00:00Z") if text else "-"


def number_of(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural if needed."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
