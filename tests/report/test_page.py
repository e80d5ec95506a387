"""The page: its contents, that it runs no foreign scripts, and that it draws."""

import asyncio
import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from strategy_runtime.protocol.models import Candle
from strategy_runtime.report.page import render_page
from strategy_runtime.report.performance import DayEnd
from strategy_runtime.report.results import Results, results_of
from strategy_runtime.report.summary import RunFacts
from strategy_runtime.report.trips import RoundTrip, round_trips
from strategy_runtime.simulator.data.faults import DataFault, FaultKind
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from tests.report.support import fill, series
from tests.strategies import Scripted

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
in_a_browser = pytest.mark.skipif(not CHROMIUM, reason="no chromium on the PATH")
Hook = Callable[[Scripted, Candle], object]
CLOSES = (10, 11, 12, 13, 12, 14, 15, 14, 13, 12)


async def page(
    script: dict[int, Hook] | None = None,
    *,
    symbol: str = "S:A",
    closes: Sequence[int] = CLOSES,
    name: str = "Scripted",
    wall_s: float = 0.5,
    fault: str | None = None,
    refused: int = 0,
) -> str:
    """Render a run over ten bars, or others, that buys in the second and sells in the sixth."""
    deals: dict[int, Hook] = script or {
        1: lambda self, candle: self.buy(candle.symbol, 10),
        5: lambda self, candle: self.close(candle.symbol),
    }
    async with Scripted(deals).run_test(cash=Decimal(1000)) as pilot:
        await pilot.candles(symbol, closes=list(closes))
        faults = [DataFault(FaultKind.DUPLICATE, fault, 7, "S:A", "again")] if fault else []
        return page_of(pilot.exchange, faults=faults, name=name, wall_s=wall_s, refused=refused)


def page_of(
    exchange: Exchange,
    *,
    faults: list[DataFault],
    name: str = "Scripted",
    wall_s: float = 0.5,
    refused: int = 0,
) -> str:
    """Render the page of a run as far as it has come."""
    return render_page(
        results_so_far(exchange, faults=faults, name=name, wall_s=wall_s, refused=refused)
    )


def page_with(results: Results, days: Sequence[DayEnd], trips: Sequence[RoundTrip]) -> str:
    """Render the page with some fields of the summary replaced."""
    return render_page(replace(results, days=days, trips=trips))


def results_so_far(
    exchange: Exchange,
    *,
    faults: Sequence[DataFault] = (),
    name: str = "Scripted",
    wall_s: float = 0.5,
    refused: int = 0,
) -> Results:
    """Return the results of a run as far as it has come."""
    facts = RunFacts(
        strategy=name,
        parameters={"fast": 3},
        options=ExchangeOptions(cash=Decimal(1000)),
        faults=faults,
        wall_s=wall_s,
        refused_orders=refused,
        hook_failures=0,
    )
    return results_of(exchange.outcome(), facts)


def text_of(html: str) -> str:
    """Return roughly what a reader sees, without elements and scripts."""
    without = re.sub(r"<(script|style)[^>]*>.*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", without)))


def drawn_of(html: str) -> dict[str, Any]:
    """Return the data that the scripts draw."""
    found = re.search(r'id="run">(.*?)</script>', html)
    assert found is not None
    drawn: dict[str, Any] = json.loads(found[1])
    return drawn


async def browsed(html: str, folder: Path) -> tuple[str, str]:
    """Return the page after a browser has run its scripts, and the browser's complaints."""
    path = folder / "report.html"
    path.write_text(html)
    shown = await asyncio.to_thread(
        subprocess.run,
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=5000",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    return shown.stdout, shown.stderr


async def test_of_very_many_positions_the_last_thousand_are_listed() -> None:
    def turn(strategy: Scripted, candle: Candle) -> None:
        (strategy.buy if strategy.position("S:A").is_flat else strategy.close)("S:A", 1)

    html = await page(dict.fromkeys(range(2002), turn), closes=[10] * 2003)
    assert "The last 1,000 of 1,001." in text_of(html)
    assert html.count("<td>long</td>") == 1000


async def test_it_says_what_ran_what_came_of_it_and_what_was_closed() -> None:
    shown = text_of(await page())
    assert "Scripted(fast=3)" in shown
    assert "Return +3.00 %" in shown
    assert "Closed positions 1" in shown
    assert re.search(r"S:A long 10 \S+ \S+ 11 \S+ \S+ 14 30.00 \+27.27 % market_open", shown)
    assert "Fill hash" in shown
    assert "All times are UTC." in shown


async def test_it_says_what_was_still_open_and_what_that_had_gained() -> None:
    bought = await page({0: lambda strategy, candle: strategy.buy("S:A", 10)}, closes=[10, 10, 12])
    shown = text_of(bought)
    assert "Unrealised profit 20.00" in shown
    assert "Closed positions 0" in shown
    assert "Open positions 1" in shown


async def test_equity_stands_beside_that_of_buying_and_holding() -> None:
    html = await page()
    drawn = drawn_of(html)
    assert drawn["held"] == [round(1000 * close / 10, 2) for close in CLOSES]
    assert len(drawn["held"]) == len(drawn["equity"])
    shown = text_of(html)
    assert "Strategy Buy and hold Maximum drawdown from 2024-01-02 to 2024-01-02, " in shown
    assert "Return +3.00 % +20.00 % buy and hold Annual return – Maximum drawdown" in shown
    assert 'id="held"' not in page_of(Exchange([]), faults=[])


def months_in(ends: Mapping[date, float]) -> str:
    """Return the table for days that end with these equities, of a run that started with 1000."""
    exchange = Exchange([series([10.0, 11.0])], ExchangeOptions(cash=Decimal(1000)))
    days = [DayEnd(day, equity, 0.0) for day, equity in ends.items()]
    html = page_with(results_so_far(exchange), days, [])
    return html.partition("<h2>Monthly returns, in percent</h2>")[2].partition("</section>")[0]


def test_returns_by_month_and_year_begin_where_those_before_ended() -> None:
    table = months_in(
        {
            date(2023, 12, 30): 1100.0,
            date(2023, 12, 31): 1210.0,
            date(2024, 1, 31): 1089.0,
            date(2024, 3, 1): 1089.0,
        }
    )
    year = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
    rows = "2023 +21.00 +21.00 2024 -10.00 +0.00 -10.00"
    assert text_of(table).split() == f"Year {year} Year {rows}".split()
    assert '<td class="number loss">-10.00</td><td class="number"></td>' in table
    assert '<td class="number gain">+21.00</td>' in table
    assert '<td class="number">+0.00</td>' in table, "nothing is no gain"


@pytest.mark.parametrize(
    ("days", "shown"),
    [(0, "0 days"), (0.4, "0.40 days"), (1.2, "1 day"), (1234, "1,234 days")],
)
def test_a_single_day_is_no_days_and_some_hours_are_not_nothing(days: float, shown: str) -> None:
    results = results_so_far(Exchange([series([10.0, 11.0])]))
    performance = replace(results.summary.performance, longest_drawdown_days=days)
    html = render_page(replace(results, summary=replace(results.summary, performance=performance)))
    assert f"<dt>Longest drawdown</dt><dd>{shown}</dd>" in html


def test_within_one_month_there_is_nothing_to_list_by_month() -> None:
    assert not months_in({date(2024, 1, day): 1000.0 for day in (1, 31)})
    assert not months_in({})


def test_nothing_is_gained_on_an_account_that_has_nothing() -> None:
    table = months_in({date(2024, 1, 1): -5.0, date(2024, 2, 1): -5.0})
    assert "2024 -100.50 – -100.50" in text_of(table)
    assert '<td class="number">–</td>' in table


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        ("129.18000", "129.18"),
        ("49.123456789123", "49.12345679"),
        ("1.23456789123e-8", "0.000000012345679"),
        ("1e30", f"1{'0' * 30}"),
    ],
)
def test_a_price_is_shown_to_the_digits_that_say_something(price: str, shown: str) -> None:
    (trip,) = round_trips([fill("1", price), fill("-1", price, bar=1)])
    html = page_with(results_so_far(Exchange([series([10.0, 11.0])])), [], [trip])
    assert html.count(f'<td class="number">{shown}</td>') == 2


async def test_where_not_all_symbols_are_drawn_it_says_so() -> None:
    assert "traded most" not in text_of(await page())
    many = Exchange([series([10.0, 11.0], symbol=f"S:{row}") for row in range(13)])
    assert "The 12 of 13 symbols that were traded most." in text_of(page_of(many, faults=[]))


async def test_a_run_without_trades_has_a_page_too() -> None:
    shown = text_of(await page({99: lambda self, candle: None}))
    assert "Sharpe ratio –" in shown
    assert "Closed positions None." in shown


async def test_warnings_are_shown() -> None:
    said = "7 orders refused when placed, and not in orders.csv; the strategy's log says why."
    assert said in text_of(await page(refused=7))
    assert "refused" not in text_of(await page())


async def test_options_that_are_not_set_are_left_out_and_the_others_are_in_words() -> None:
    shown = text_of(await page())
    assert "Leverage 1 Fee rate 0 Fee per share 0" in shown
    assert "Refuse splits no" in shown
    assert "None" not in shown.replace("Closed positions None.", "")


async def test_it_says_what_of_the_data_was_sent() -> None:
    assert re.search(r"S:A 1m 1m 10 \S+ \S+", text_of(await page()))


async def test_equal_runs_have_equal_pages_wherever_and_however_fast_they_ran() -> None:
    first = await page(wall_s=0.5, fault="/data/here/a.csv")
    assert first == await page(wall_s=9.5, fault="/data/there/a.csv")
    assert "a.csv: 1 × duplicate" in text_of(first)


def test_notes_name_the_files_of_the_data_but_not_where_they_are() -> None:
    bars = series([10.0, 11.0])
    bars.sources = {0: "data/a.csv", 1: "/other/data/a.csv"}
    results = results_so_far(Exchange([bars]))
    warnings = ["looks like a split, /other/data/a.csv line 7", "data/a.csv line 8"]
    html = render_page(replace(results, summary=replace(results.summary, warnings=warnings)))
    assert "WARNING: looks like a split, a.csv line 7" in text_of(html)
    assert "WARNING: a.csv line 8" in text_of(html)


async def test_what_came_from_outside_is_escaped() -> None:
    evil = "S:</script><img src=x onerror=alert(1)>"
    html = await page(symbol=evil, name="<b>Bot</b>", fault="<i>.csv")
    assert "<img" not in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert evil in text_of(html)


async def test_nothing_is_fetched_and_nothing_runs_but_the_two_scripts() -> None:
    html = await page()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    scripts = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    hashes = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts
    ]
    assert re.findall(r"sha256-([^']+)'", policy[1].partition("style-src")[0]) == hashes
    assert not re.search(r"<(link|img|iframe|script[^>]+src)", html)


def test_the_chart_library_is_the_published_one_and_has_its_licence() -> None:
    folder = files("strategy_runtime.report") / "assets" / "lightweight_charts"
    library = (folder / "lightweight-charts.standalone.production.js").read_bytes()
    assert b"Lightweight Charts\xe2\x84\xa2 v5.2.1" in library[:200]
    # Of dist/lightweight-charts.standalone.production.js in the npm package.
    assert hashlib.sha256(library).hexdigest() == (
        "e21cc5caa0226ef30bd8549c50b9ef926615f2a4ee6b4e486353477a55f598cf"
    )
    assert "Apache License" in (folder / "LICENSE").read_text()


async def test_equity_has_a_point_wherever_there_is_a_price_also_while_nothing_is_held() -> None:
    drawn = drawn_of(await page())
    times = [time for time, *_ in drawn["charts"][0]["candles"]]
    assert [time for time, *_ in drawn["equity"]] == times
    assert [equity for _, equity, _ in drawn["equity"]] == [
        *(1000.0, 1000.0, 1010.0, 1020.0, 1010.0, 1030.0, 1030.0, 1030.0, 1030.0, 1030.0)
    ]


async def test_a_long_run_is_cut_down_to_what_a_chart_can_show() -> None:
    html = await page(closes=[10 + row % 9 for row in range(5000)])
    drawn = drawn_of(html)
    (chart,) = drawn["charts"]
    assert (chart["bars"], len(chart["candles"]), len(drawn["equity"])) == (3, 1667, 1667)


@in_a_browser
@pytest.mark.parametrize(
    ("trades", "closes"), [(True, CLOSES), (False, CLOSES), (False, CLOSES[:1])]
)
async def test_a_browser_draws_it_without_a_complaint(
    tmp_path: Path, trades: bool, closes: Sequence[int]
) -> None:
    html = await page(None if trades else {99: lambda self, candle: None}, closes=closes)
    shown, complaints = await browsed(html, tmp_path)
    assert "CONSOLE" not in complaints
    for place in ("equity", "prices"):
        chart = shown.partition(f'id="{place}"')[2].partition("</section>")[0]
        assert "<canvas" in chart
        assert "<svg" not in chart
    assert '<option value="0">S:A</option>' in shown


@in_a_browser
async def test_controls_of_charts_are_hidden_without_scripts(
    tmp_path: Path,
) -> None:
    html = await page()
    assert len(re.findall(r'class="[^"]*drawn" hidden', html)) == 3
    shown, _ = await browsed(html, tmp_path)
    assert len(re.findall(r'class="[^"]*drawn"', shown)) == 3
    assert 'drawn" hidden' not in shown


@in_a_browser
async def test_a_run_that_was_stopped_before_its_first_bar_is_drawn_too(tmp_path: Path) -> None:
    exchange = Exchange([series([10.0, 11.0])])
    html = page_of(exchange, faults=[])
    shown, complaints = await browsed(html, tmp_path)
    assert "CONSOLE" not in complaints
    assert "Stopped before the end of the data" in shown


@in_a_browser
async def test_on_paper_the_charts_are_pictures_in_the_colours_of_paper(tmp_path: Path) -> None:
    html = re.sub(r"<meta http-equiv[^>]*>", "", await page())
    printing = """<script>
const shown = () => document.querySelectorAll(".paper .picture").length;
const told = [shown()];
dispatchEvent(new Event("beforeprint"));
told.push(shown());
dispatchEvent(new Event("afterprint"));
told.push(shown());
document.body.dataset.told = told;
</script>"""
    shown, complaints = await browsed(html + printing, tmp_path)
    assert "CONSOLE" not in complaints
    assert 'data-told="0,2,0"' in shown


@in_a_browser
async def test_a_wheel_over_a_chart_scrolls_the_page_unless_it_is_to_zoom(tmp_path: Path) -> None:
    html = re.sub(r"<meta http-equiv[^>]*>", "", await page())
    turning = """<script>
const taken = (how) => {
  const turn = new WheelEvent("wheel", { bubbles: true, cancelable: true, ...how });
  return !document.querySelector("#equity canvas").dispatchEvent(turn);
};
const turns = [{ deltaY: 90 }, { deltaY: 90, ctrlKey: true }, { deltaX: 90 }];
document.body.dataset.taken = turns.map(taken);
</script>"""
    shown, complaints = await browsed(html + turning, tmp_path)
    assert "CONSOLE" not in complaints
    assert 'data-taken="false,true,true"' in shown


@in_a_browser
async def test_long_names_make_the_page_no_wider_than_a_phone(tmp_path: Path) -> None:
    results = results_so_far(Exchange([series([10.0, 11.0], symbol="NASDAQ:" + "LONG" * 30)]))
    summary = replace(
        results.summary,
        warnings=["looks like a split, " + "folder/" * 30 + "a.csv line 7"],
        options=results.summary.options | {"splits": ["S:A 2:1 2024-01-02"] * 9},
    )
    html = re.sub(r"<meta http-equiv[^>]*>", "", render_page(replace(results, summary=summary)))
    narrow = "<style>html { width: 20rem }</style>"
    measuring = """<script>
const { scrollWidth, clientWidth, dataset } = document.body;
dataset.over = scrollWidth - clientWidth;
</script>"""
    shown, _ = await browsed(html + narrow + measuring, tmp_path)
    told = re.search(r'data-over="(-?\d+)"', shown)
    assert told is not None
    assert int(told[1]) <= 0


LISTENER = """<script>
const { createChart } = LightweightCharts;
const charts = [];
window.LightweightCharts = {
  ...LightweightCharts,
  createChart: (...all) => charts[charts.push(createChart(...all)) - 1],
};
</script>"""
TELLER = """<script>
setTimeout(() => { document.body.style.width = "WIDTHpx"; }, 500);
setTimeout(() => {
  const scales = charts.map((chart) => chart.timeScale());
  const seen = scales.map((scale) => scale.getVisibleLogicalRange());
  document.body.dataset.seen = JSON.stringify(seen);
}, 1500);
</script>"""


@in_a_browser
@pytest.mark.parametrize("width", [380, 1400])
async def test_both_charts_show_all_of_a_long_run_however_narrow_the_window_becomes(
    tmp_path: Path, width: int
) -> None:
    often: dict[int, Hook] = {
        row: lambda self, candle: self.target(candle.symbol, quantity=10 * (candle.close % 2))
        for row in range(1999)
    }
    html = await page(often, closes=[10 + row % 9 for row in range(2000)])
    before, script, after = re.sub(r"<meta http-equiv[^>]*>", "", html).rpartition("<script>")
    teller = TELLER.replace("WIDTH", str(width))
    shown, complaints = await browsed(before + LISTENER + script + after + teller, tmp_path)
    assert "CONSOLE" not in complaints
    told = re.search(r'data-seen="([^"]*)"', shown)
    assert told is not None
    equity, prices = json.loads(unescape(told[1]))
    assert equity == prices
    assert equity["from"] < 0
    assert equity["to"] > 1999


@in_a_browser
async def test_buying_and_holding_can_be_taken_off_the_chart(tmp_path: Path) -> None:
    html = re.sub(r"<meta http-equiv[^>]*>", "", await page(closes=[10, 500, 1000, 900, 800]))
    within_reach = html.replace("const held = ", "const held = window.held_line = ", 1)
    assert within_reach != html
    looking = """<script>
const told = [held_line.options().visible];
for (const _ of [1, 2]) {
  document.getElementById("held").click();
  told.push(held_line.options().visible);
}
document.body.dataset.shown = told;
</script>"""
    shown, complaints = await browsed(within_reach + looking, tmp_path)
    assert "CONSOLE" not in complaints
    assert 'data-shown="true,false,true"' in shown
