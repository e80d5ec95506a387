"""The result of a run as one page that opens anywhere: no network, no server, one file.

The page holds what two equal runs have in common: no wall time, no folder names. Everything that
came from outside is escaped, and its content security policy lets nothing run but the two scripts
it was made with.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import PurePath
from string import Template
from typing import Any

import msgspec

from strategy_runtime.clock import NANOSECONDS, ns_of, rfc3339
from strategy_runtime.protocol.values import in_digits
from strategy_runtime.report.charts import price_charts
from strategy_runtime.report.equity import ThinPoint
from strategy_runtime.report.performance import Performance
from strategy_runtime.report.results import Results
from strategy_runtime.report.summary import Summary
from strategy_runtime.report.table import day, heading, money, sent_of, warnings_of
from strategy_runtime.report.trips import RoundTrip
from strategy_runtime.simulator.outcome import Outcome

__all__ = ["render_page"]

_ASSETS = files("strategy_runtime.report") / "assets"
_LIBRARY = "lightweight_charts/lightweight-charts.standalone.production.js"
_MOST_TRIPS = 1000
_DAY = 86_400


def render_page(results: Results) -> str:
    """The whole page."""
    summary, points = results.summary, results.points
    style, script, library = _asset("page.css"), _asset("page.js"), _asset(_LIBRARY)
    title, subtitle = heading(summary)
    policy = (
        f"default-src 'none'; script-src {_hashed(library)} {_hashed(script)}; "
        f"style-src {_hashed(style)}; base-uri 'none'; form-action 'none'"
    )
    return Template(_asset("page.html")).substitute(
        policy=policy,
        title=escape(title),
        subtitle=" ".join(f"<span>{escape(part)}</span>" for part in subtitle.split("  ")),
        style=style,
        notes=_notes(warnings_of(summary)),
        figures="\n".join(_figure(*each) for each in _figures(summary)),
        fallback=_drawing(points),
        trips=_trips(results.trips),
        options=_options(summary.options),
        data=_data(summary),
        fill_hash=summary.fill_hash,
        run=_run(results.outcome, points),
        library=library,
        script=script,
    )


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _hashed(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def _run(outcome: Outcome, points: Sequence[ThinPoint]) -> str:
    """What the scripts draw, as JSON that cannot end the element it stands in.

    The candles of the prices share the intervals of the equity path.
    """
    end_ns = 0 if outcome.end is None else ns_of(outcome.end)
    grid = [begin for begin, _, _ in points]
    charts = price_charts(outcome.series, outcome.fills, grid, end_ns)
    document = {
        "intraday": any(candle[0] % _DAY for chart in charts for candle in chart.candles[:2]),
        "equity": [
            (begin // NANOSECONDS, round(equity, 2), round(depth, 6))
            for begin, equity, depth in points
        ],
        "charts": charts,
    }
    return msgspec.json.encode(document).decode().replace("<", "\\u003c")


def _figures(summary: Summary) -> list[tuple[str, str]]:
    figures: Performance = summary.performance
    return [
        ("Return", _share(summary.total_return, signed=True)),
        ("Buy and hold", _share(summary.buy_and_hold, signed=True)),
        ("Annual return", _share(figures.annual_return, signed=True)),
        ("Maximum drawdown", _share(-summary.max_drawdown)),
        ("Longest drawdown", f"{figures.longest_drawdown_days:,.0f} days"),
        ("Sharpe ratio", _ratio(figures.sharpe)),
        ("Sortino ratio", _ratio(figures.sortino)),
        ("Calmar ratio", _ratio(figures.calmar)),
        ("Annual volatility", _share(figures.annual_volatility)),
        ("Equity at the end", money(summary.equity)),
        ("Fees", money(summary.fees)),
        *([("Financing", money(summary.financing))] if summary.financing != "0" else []),
        ("Time in the market", _share(figures.exposure)),
        ("Closed positions", f"{figures.trades:,}"),
        ("With a profit", _share(figures.win_rate)),
        ("Profit factor", _ratio(figures.profit_factor)),
        ("Best position", _share(figures.best_trade, signed=True)),
        ("Worst position", _share(figures.worst_trade, signed=True)),
        ("Orders and fills", f"{summary.orders:,} / {summary.fills:,}"),
    ]


def _figure(name: str, value: str) -> str:
    return f'<dl class="figure"><dt>{escape(name)}</dt><dd>{escape(value)}</dd></dl>'


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    return f'<ul class="notes" role="note">{"".join(f"<li>{escape(n)}</li>" for n in notes)}</ul>'


def _drawing(points: Sequence[ThinPoint]) -> str:
    """The equity as a line, for where no script runs."""
    equities = [equity for _, equity, _ in points] or [0.0]
    low, high = min(equities), max(equities)
    line = " ".join(
        f"{1000 * place / max(len(equities) - 1, 1):.1f},"
        f"{290 - 280 * (equity - low) / ((high - low) or 1):.1f}"
        for place, equity in enumerate(equities)
    )
    return (
        '<svg viewBox="0 0 1000 300" preserveAspectRatio="none" role="img" '
        f'aria-label="Equity from {low:,.2f} to {high:,.2f}"><polyline points="{line}"/></svg>'
    )


def _trips(trips: Sequence[RoundTrip]) -> str:
    if not trips:
        return "<p>None.</p>"
    shown = trips[-_MOST_TRIPS:]
    left_out = len(trips) - len(shown)
    before = f"<p>The last {len(shown):,} of {len(trips):,}.</p>" if left_out else ""
    columns = (
        "Symbol",
        "Side",
        "#Quantity",
        "Opened",
        "#At",
        "Closed",
        "#At",
        "#Profit",
        "#Return",
        "Closed by",
    )
    rows = [
        (
            trip.symbol,
            "long" if trip.is_long else "short",
            in_digits(trip.quantity),
            _moment(rfc3339(trip.opened_ns)),
            _price(trip.entry_price),
            _moment(rfc3339(trip.closed_ns)),
            _price(trip.exit_price),
            money(str(trip.profit)),
            _share(trip.profit_share, signed=True),
            trip.exit_rule,
        )
        for trip in shown
    ]
    return f'{before}<div class="scroll">{_table(columns, rows)}</div>'


def _options(options: Mapping[str, Any]) -> str:
    """Those that are set."""
    rows = []
    for name, value in options.items():
        if value is None or value == []:
            continue
        text = ", ".join(value) if isinstance(value, list) else str(value)
        words = name.replace("_", " ").capitalize()
        rows.append((words, {"True": "yes", "False": "no"}.get(text, text)))
    return _table((), rows)


def _data(summary: Summary) -> str:
    sent = sent_of(summary)
    rows = [
        (
            each.symbol,
            each.timeframe,
            ", ".join(sent.get(each.symbol, "–")),
            f"{each.bars:,}",
            _moment(each.start),
            _moment(each.end),
        )
        for each in summary.data
    ]
    faults = [
        f"{PurePath(each.source).name}: {each.count} × {each.kind}" for each in summary.data_faults
    ]
    table = _table(("Symbol", "Timeframe", "Sent", "#Bars", "From", "To"), rows)
    return f'<div class="scroll">{table}</div>' + "".join(
        f"<p>{escape(fault)}</p>" for fault in faults
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a column whose name begins with # has numbers."""
    kinds = [' class="number"' if name.startswith("#") else "" for name in columns]
    head = "".join(
        f"<th{kind}>{escape(name.removeprefix('#'))}</th>"
        for name, kind in zip(columns, kinds, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{kind}>{escape(cell)}</td>"
            for cell, kind in zip(row, kinds or [""] * len(row), strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"
    )


def _moment(text: str) -> str:
    """A time for tables, in which many stand."""
    return day(text).replace("T", " ").removesuffix("Z").removesuffix(":00")


def _price(price: Decimal) -> str:
    return in_digits(price.quantize(Decimal("1e-8")))


def _share(share: float | None, *, signed: bool = False) -> str:
    if share is None:
        return "–"
    return f"{share * 100:+z.2f} %" if signed else f"{share * 100:z.2f} %"


def _ratio(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}"
