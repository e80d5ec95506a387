"""The report of a run as one HTML file that needs neither a network nor a server.

Equal runs give equal pages, so there are no wall times and no folder names in it. All input is
escaped, and the content security policy allows only the two scripts that the page was made with.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial, reduce
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import PurePath
from string import Template
from typing import Any, TypeVar

import msgspec

from strategy_runtime.clock import NANOSECONDS, rfc3339
from strategy_runtime.protocol.values import in_digits
from strategy_runtime.report.charts import PriceChart, price_charts
from strategy_runtime.report.equity_path import ThinPoint
from strategy_runtime.report.performance import DayEnd, Performance
from strategy_runtime.report.results import Results
from strategy_runtime.report.summary import Summary
from strategy_runtime.report.table import day, heading, money, ratio, sent_of, share, warnings_of
from strategy_runtime.report.trips import RoundTrip
from strategy_runtime.simulator.outcome import Outcome

__all__ = ["render_page"]

_ASSETS = files("strategy_runtime.report") / "assets"
_LIBRARY = "lightweight_charts/lightweight-charts.standalone.production.js"
_MOST_TRIPS = 1000
_DAY = 86_400
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

_Span = TypeVar("_Span")

_share, _ratio = partial(share, nothing="–"), partial(ratio, nothing="–")


def render_page(results: Results) -> str:
    """Return the whole page."""
    summary, outcome, points = results.summary, results.outcome, results.points
    style, script, library = _asset("page.css"), _asset("page.js"), _asset(_LIBRARY)
    title, subtitle = heading(summary)
    charts, held = _charts(outcome, points), _figures_of_holding(summary)
    policy = (
        f"default-src 'none'; script-src {_hashed(library)} {_hashed(script)}; "
        f"style-src {_hashed(style)}; base-uri 'none'; form-action 'none'"
    )
    return Template(_asset("page.html")).substitute(
        policy=policy,
        title=escape(title),
        subtitle=" ".join(f"<span>{escape(part)}</span>" for part in subtitle.split("  ")),
        style=style,
        notes=_notes(_without_folders(warnings_of(summary), outcome)),
        figures="\n".join(
            _figure(name, value, held.get(name)) for name, value in _figures(summary)
        ),
        legend=_legend(summary),
        fallback=_svg(points),
        months=_months(float(outcome.start_equity), results.days),
        trips=_trips(results.trips, summary.decimals),
        options=_options(summary.options),
        data=_data(summary),
        fill_hash=summary.fill_hash,
        left_out=_chart_note(len(charts), len(outcome.series)),
        run=_run(points, results.buy_and_hold, charts, summary.decimals),
        library=library,
        script=script,
    )


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _hashed(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def _charts(outcome: Outcome, points: Iterable[ThinPoint]) -> list[PriceChart]:
    """Return price charts whose candles have the same intervals as the equity path."""
    begins = [begin for begin, _, _ in points]
    return price_charts(outcome.series, outcome.fills, begins, outcome.end_ns)


def _chart_note(charts: int, symbols: int) -> str:
    if charts == symbols:
        return ""
    return f"The {charts} of {symbols:,} symbols that were traded most."


def _run(
    points: Iterable[ThinPoint], held: Iterable[float], charts: Sequence[PriceChart], decimals: int
) -> str:
    """Return the data of the charts, as JSON that cannot close the script element around it."""
    document = {
        "intraday": any(candle[0] % _DAY for chart in charts for candle in chart.candles[:2]),
        "decimals": decimals,
        "equity": [
            (begin // NANOSECONDS, round(equity, decimals), round(depth, 6))
            for begin, equity, depth in points
        ],
        "held": [round(equity, decimals) for equity in held],
        "charts": charts,
    }
    return msgspec.json.encode(document).decode().replace("<", "\\u003c")


def _figures(summary: Summary) -> list[tuple[str, str]]:
    figures: Performance = summary.performance
    amount = partial(money, decimals=summary.decimals)
    return [
        ("Return", _share(summary.total_return, signed=True)),
        ("Annual return", _share(figures.annual_return, signed=True)),
        ("Maximum drawdown", _share(-summary.max_drawdown)),
        ("Longest drawdown", _days(figures.longest_drawdown_days)),
        ("Sharpe ratio", _ratio(figures.sharpe)),
        ("Sortino ratio", _ratio(figures.sortino)),
        ("Calmar ratio", _ratio(figures.calmar)),
        ("Annual volatility", _share(figures.annual_volatility)),
        ("Equity at the end", amount(summary.equity)),
        ("Unrealised profit", amount(summary.unrealized_pnl)),
        ("Fees", amount(summary.fees)),
        *([("Financing", amount(summary.financing))] if summary.financing != "0" else []),
        ("Time in the market", _share(figures.exposure)),
        ("Closed positions", f"{figures.trades:,}"),
        ("Win rate", _share(figures.win_rate)),
        ("Profit factor", _ratio(figures.profit_factor)),
        ("Best position", _share(figures.best_trade, signed=True)),
        ("Worst position", _share(figures.worst_trade, signed=True)),
        ("Open positions", f"{len(summary.positions):,}"),
        ("Orders and fills", f"{summary.orders:,} / {summary.fills:,}"),
    ]


def _days(days: float) -> str:
    """Format a number of days: rounded, but with two decimals below one day."""
    text = f"{days:,.2f}" if 0 < days < 1 else f"{days:,.0f}"
    return "1 day" if text == "1" else f"{text} days"


def _figures_of_holding(summary: Summary) -> dict[str, str]:
    """Return by name the figures that buying and holding has, too."""
    benchmark = summary.benchmark
    if benchmark is None:
        return {}
    figures = {
        "Return": share(summary.buy_and_hold, signed=True, nothing=""),
        "Annual return": share(benchmark.annual_return, signed=True, nothing=""),
        "Maximum drawdown": share(-benchmark.max_drawdown),
        "Sharpe ratio": ratio(benchmark.sharpe, nothing=""),
        "Annual volatility": share(benchmark.annual_volatility, nothing=""),
    }
    return {name: figure for name, figure in figures.items() if figure}


def _figure(name: str, value: str, held: str | None) -> str:
    beside = "" if held is None else f'<dd class="held">{escape(held)} buy and hold</dd>'
    return f'<dl class="figure"><dt>{escape(name)}</dt><dd>{escape(value)}</dd>{beside}</dl>'


def _without_folders(notes: Iterable[str], outcome: Outcome) -> list[str]:
    """Shorten the paths of data files in notes to file names."""
    files_read = {file for each in outcome.series for file in each.sources.values()}
    # The longest first: data/a.csv may also be the end of another path.
    longest_first = sorted(files_read, key=len, reverse=True)
    return [
        reduce(lambda text, file: text.replace(file, PurePath(file).name), longest_first, note)
        for note in notes
    ]


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<aside class="notes" aria-label="Notes"><ul>{listed}</ul></aside>'


def _legend(summary: Summary) -> str:
    """Return the legend of the equity chart, with the dates of the maximum drawdown."""
    keys = ""
    if summary.buy_and_hold is not None:
        keys = (
            '<span class="key">Strategy</span> <label class="key held drawn" hidden>Buy and hold '
            '<input type="checkbox" id="held" checked></label> '
        )
    fall = summary.max_drawdown_dates
    if fall is None:
        return keys
    end = "not recovered" if fall.recovery is None else f"recovered on {fall.recovery}"
    return (
        f'{keys}<span class="quiet">Maximum drawdown from {fall.peak} to {fall.trough}, '
        f"{end}</span>"
    )


def _svg(points: Sequence[ThinPoint]) -> str:
    """Draw the equity as a line, for readers without scripts."""
    equities = [equity for _, equity, _ in points] or [0.0]
    low, high = min(equities), max(equities)
    line = " ".join(
        f"{1000 * place / max(len(equities) - 1, 1):.1f},"
        f"{290 - 280 * (equity - low) / ((high - low) or 1):.1f}"
        for place, equity in enumerate(equities)
    )
    return (
        '<svg viewBox="0 0 1000 300" preserveAspectRatio="none" aria-hidden="true">'
        f'<polyline points="{line}"/></svg>'
    )


def _months(start_equity: float, days: Iterable[DayEnd]) -> str:
    """Return a table of monthly returns, one row per year; empty for a run within one month."""
    ends = {(day.date.year, day.date.month): day.equity for day in days}
    if len(ends) < 2:
        return ""
    gains = _gains(start_equity, ends)
    years = {year: equity for (year, _), equity in ends.items()}
    rows = [
        (
            str(year),
            *(
                _percent(gains[year, month]) if (year, month) in gains else ""
                for month in range(1, 13)
            ),
            _percent(gain),
        )
        for year, gain in _gains(start_equity, years).items()
    ]
    columns = ("Year", *(f"±{month}" for month in _MONTHS), "±Year")
    return (
        "<section>\n<h2>Monthly returns, in percent</h2>\n"
        f"{_scroll('Monthly returns', _table(columns, rows))}\n</section>"
    )


def _gains(start_equity: float, ends: Mapping[_Span, float]) -> dict[_Span, float | None]:
    """Return the return of each month or year, from the equity at its end."""
    gains: dict[_Span, float | None] = {}
    before = start_equity
    for span, equity in ends.items():
        gains[span] = equity / before - 1 if before > 0 else None
        before = equity
    return gains


def _trips(trips: Sequence[RoundTrip], decimals: int) -> str:
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
        "±Return",
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
            money(str(trip.profit), decimals),
            _share(trip.profit_share, signed=True),
            trip.exit_rule,
        )
        for trip in shown
    ]
    return before + _scroll("Closed positions", _table(columns, rows))


def _options(options: Mapping[str, Any]) -> str:
    """Return a table of the options that are set."""
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
    return _scroll("Data", table) + "".join(f"<p>{escape(fault)}</p>" for fault in faults)


def _scroll(name: str, table: str) -> str:
    """Put a table into a region of its own, which can also be scrolled with the keyboard."""
    return f'<div class="scroll" role="region" aria-label="{name}" tabindex="0">{table}</div>'


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; # before the name of a column means numbers, ± gains and losses."""
    kinds = [name[0] if name[0] in "#±" else "" for name in columns]
    head = "".join(
        f'<th scope="col"{_class_of(kind)}>{escape(name.removeprefix(kind))}</th>'
        for name, kind in zip(columns, kinds, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_class_of(kind, cell)}>{escape(cell)}</td>"
            for cell, kind in zip(row, kinds or [""] * len(row), strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"
    )


def _class_of(kind: str, cell: str = "") -> str:
    if not kind:
        return ""
    is_nothing = not cell.strip("+0. %")
    sign = "" if kind != "±" or is_nothing else {"+": " gain", "-": " loss"}.get(cell[:1], "")
    return f' class="number{sign}"'


def _moment(text: str) -> str:
    """Shorten a time for a table."""
    return day(text).replace("T", " ").removesuffix("Z").removesuffix(":00")


def _price(price: Decimal) -> str:
    """Format a price with eight decimals, or with eight digits if it is tiny."""
    places = max(8, 7 - price.adjusted())
    return in_digits(Decimal(f"{price:.{places}f}"))


def _percent(gain: float | None) -> str:
    """Format a gain or loss without the sign %, for a table whose heading has it."""
    return _share(gain, signed=True).removesuffix(" %")
