"""The documents are true: code blocks run, links work, lists are complete."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from inspect import signature
from math import ceil, floor, isnan
from pathlib import Path
from textwrap import indent
from types import ModuleType
from typing import Any, get_args

import click
import msgspec
import pytest

import strategy_runtime
from strategy_runtime import (
    Account,
    AccountEvent,
    BacktestComplete,
    Candle,
    ConnectionEvent,
    Event,
    FinancingEvent,
    Line,
    Order,
    OrderEvent,
    OrderEventKind,
    OrderType,
    Position,
    PositionEvent,
    ProxyErrorEvent,
    Quote,
    RateLimitEvent,
    StalenessEvent,
    Strategy,
    Trade,
    TradeEvent,
    UnknownEvent,
    errors,
)
from strategy_runtime.backtesting import backtest, read_data, write_results
from strategy_runtime.demo import PRICES
from strategy_runtime.demo import strategy as demo
from strategy_runtime.demo.strategy import SmaCross
from strategy_runtime.errors import DataError
from strategy_runtime.protocol.codec import FrameDecoder
from strategy_runtime.protocol.commands import EventAck
from strategy_runtime.protocol.events import CandleFrame, QuoteFrame
from strategy_runtime.protocol.models import OrderChanges, OrderHandle, OrderRequest
from strategy_runtime.protocol.orders import validate_order_request
from strategy_runtime.protocol.rest import decode_body, parse_order_request
from strategy_runtime.protocol.server_codec import decode_client_frame
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.runtime.desk.refusals import FATE_UNKNOWN, NOT_ANSWERED
from strategy_runtime.runtime.risk.limits import RISK_LIMIT, Limits
from strategy_runtime.runtime.rounding import LOT_SIZE, Rounding
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.settings import SETTINGS
from strategy_runtime.scaffold.templates import list_templates
from strategy_runtime.simulator.data.faults import FaultKind, FaultSummary
from strategy_runtime.simulator.data.files import files_of
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.server import ProxyServer
from strategy_runtime.strategy.hooks import HOOKS
from strategy_runtime.strategy.indicator_methods import IndicatorMethods
from tests.cli.support import call, finished
from tests.proxy.tapped import TappedNetwork
from tests.simulator.server.stream_client import MINUTE, START

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    path
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("*/*.md")])
    if not path.relative_to(ROOT).parts[0].startswith(".")
]


def blocks(language: str, document: str = "README.md") -> list[str]:
    text = (ROOT / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def code_of(source: str) -> str:
    """A module without its docstring."""
    return source[source.index("from decimal") :]


def test_what_is_said_to_be_needed_of_an_object_is_what_is_read() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text()
    table = text.split("| object | needs | should have |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (\w+) \| (.*) \| (.*) \|$", table, re.MULTILINE)
    kinds: dict[str, type[msgspec.Struct]] = {
        "account": Account,
        "order": Order,
        "position": Position,
        "trade": Trade,
        "bar": Candle,
        "quote": Quote,
    }
    assert [name for name, _, _ in rows] == list(kinds)
    for name, needs, should_have in rows:
        fields = msgspec.structs.fields(kinds[name])
        required = [field.encode_name for field in fields if field.required]
        optional = {field.encode_name for field in fields if not field.required}
        assert re.findall(r"`(\w+)`", needs) == required
        assert set(re.findall(r"`(\w+)`", should_have)) <= optional


async def test_the_messages_that_are_shown_are_those_of_a_run() -> None:
    bars, quotes = BarSeries("S:AAPL", "1m", MINUTE), QuoteSeries("C:BTCUSD")
    bars.append(START, 187.15, 187.44, 186.9, 187.07, 1450300.0)
    bars.append(START + MINUTE, 187.08, 187.1, 186.61, 186.7, 982100.0)
    quotes.append(START + MINUTE, 45010.5, 45012.0)
    exchange = Exchange([bars], ExchangeOptions(fee_rate=Decimal("0.001")), quotes=[quotes])
    network = TappedNetwork()

    class Bot(Strategy):
        def on_candle(self, candle: Candle) -> None:
            if self.position(candle.symbol).is_flat:
                self.buy(candle.symbol, 10)

    async with ProxyServer(exchange, ws_port=0, rest_port=0) as server:
        endpoints = Endpoints(ws_url=server.ws_url, rest_url=server.rest_url)
        proxy = ProxyVenue(endpoints, is_live=False, transport=network)
        await Runner(Bot(), proxy, mode="backtest").run()

    def lasting(message: dict[str, Any]) -> dict[str, Any]:
        """A message without what every run has of its own."""
        names = {"session", "correlation_id"}
        if message.get("type") == "event_ack":
            names |= {"timestamp"}
        return {name: "" if name in names else value for name, value in message.items()}

    passed = [lasting(message) for message in network.passed if isinstance(message, dict)]
    shown = [json.loads(text) for text in blocks("json", "docs/protocol.md")]
    kinds = ["connection", "candle", None, None, "event_ack", "quote", "order", "trade"]
    assert [message.get("type") for message in shown] == kinds
    for message in shown:
        assert lasting(message) in passed


def test_the_messages_that_are_shown_can_be_read() -> None:
    greeting, candle, request, answer, ack, *others = [
        text.encode() for text in blocks("json", "docs/protocol.md")
    ]
    oddities: list[object] = []
    decoder = FrameDecoder(on_warnings=lambda frame, odd: oddities.append((frame, odd)))
    frames = decoder.decode([greeting, candle, *others])
    kinds = [ConnectionEvent, CandleFrame, QuoteFrame, OrderEvent, TradeEvent]
    assert [type(frame) for frame in frames] == kinds
    assert oddities == []
    validate_order_request(parse_order_request(request))
    assert decode_body(answer, OrderHandle, "POST /orders").client_order_id == "Bot-bt-1"
    assert decode_client_frame(ack) == msgspec.json.decode(ack, type=EventAck)


def test_what_an_order_may_ask_for_is_what_the_page_says() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text()
    section = text.split("## What an order may ask for")[1].split("**What a proxy")[0]
    always, table = section.split("and these fields only")
    named = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    listed = re.findall(r"`(\w+)`", f"{always} {' '.join(named)}")
    never = {"hidden", "display_quantity", "margin_mode", "leverage"}
    fields = set(OrderRequest.__struct_fields__) - never
    assert set(listed) == fields, "docs/protocol.md, What an order may ask for"
    changed = re.findall(r"names only what changes:(.*?)\.", text, re.DOTALL)[0]
    assert set(re.findall(r"`(\w+)`", changed)) == set(OrderChanges.__struct_fields__)


def test_the_readme_the_example_and_the_demonstration_show_the_same_strategy() -> None:
    shown = blocks("python")[0]
    assert shown == code_of(Path(demo.__file__).read_text())
    assert shown == code_of((ROOT / "examples" / "sma_cross.py").read_text())


def test_the_strategy_of_the_readme_is_short() -> None:
    lines = [line for line in blocks("python")[0].splitlines() if line.strip()]
    assert len([line for line in lines if not line.startswith(("from", "import"))]) <= 20


async def test_the_test_of_the_readme_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    bot = ModuleType("bot")
    exec(blocks("python")[0], bot.__dict__)  # noqa: S102
    monkeypatch.setitem(sys.modules, "bot", bot)
    namespace: dict[str, object] = {}
    exec(blocks("python")[1], namespace)  # noqa: S102
    test = namespace["test_buys_the_cross_and_sells_the_reverse"]
    assert callable(test)
    await test()


def test_the_test_of_the_readme_passes_with_the_settings_it_names(tmp_path: Path) -> None:
    (settings,) = blocks("toml")
    (tmp_path / "pyproject.toml").write_text(settings)
    for name, source in zip(["bot.py", "test_bot.py"], blocks("python"), strict=True):
        (tmp_path / name).write_text(source)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_indicator_that_is_shown_averages_by_volume() -> None:
    namespace: dict[str, Any] = {}
    (source,) = [text for text in blocks("python", "docs/strategies.md") if "class Vwap" in text]
    exec(source, namespace)  # noqa: S102
    average, found = namespace["Vwap"](2), []
    for close, volume in [(10, 1), (20, 3), (30, 1), (40, 0), (50, 0)]:
        start = datetime(2024, 3, 4, tzinfo=UTC)
        average.update(Candle("S:A", "1d", start, close, close, close, close, volume))
        found.append(average.value)
    assert found[1:] == [17.5, 22.5, 30, 30]
    assert isnan(found[0])
    assert average.warm_up == 2


async def test_the_strategy_with_a_state_counts_losses() -> None:
    namespace: dict[str, Any] = {}
    (source,) = [text for text in blocks("python", "docs/strategies.md") if "Careful" in text]
    exec(source, namespace)  # noqa: S102
    strategy = namespace["Careful"](state=namespace["Memory"]({"S:AAPL": 2}))
    async with strategy.run_test() as pilot:
        await pilot.candles("S:AAPL", closes=[50])
        strategy.buy("S:AAPL", 10)
        await pilot.candles("S:AAPL", closes=[40, 30])
        strategy.close("S:AAPL")
        await pilot.candles("S:AAPL", closes=[20, 10])
    assert strategy.state.losses == {"S:AAPL": 3}


async def test_the_strategy_of_two_symbols_compares_candles_of_one_instant() -> None:
    (source,) = [text for text in blocks("python", "docs/strategies.md") if "class Pair" in text]
    namespace: dict[str, Any] = {}
    exec(source, namespace)  # noqa: S102
    async with namespace["Pair"]().run_test(timeframe="1d") as pilot:
        await pilot.candles_of({"S:AAPL": [10, 10], "S:MSFT": [9, 9]})
        await pilot.candles("S:AAPL", closes=[20, 20])
        assert pilot.orders == []
        await pilot.candles_of({"S:AAPL": [20], "S:MSFT": [11]})
        assert pilot.orders == []
        await pilot.candles_of({"S:AAPL": [20, 20], "S:MSFT": [9, 9]})
        assert pilot.position("S:AAPL").is_short
        assert pilot.position("S:MSFT").is_long


async def test_the_strategy_with_signals_from_outside_follows_the_latest() -> None:
    (source,) = [text for text in blocks("python", "docs/strategies.md") if "class Follows" in text]
    namespace: dict[str, Any] = {}
    exec(source, namespace)  # noqa: S102
    strategy = namespace["Follows"]()
    async with strategy.run_test() as pilot:
        await pilot.candles("S:AAPL", closes=[50])
        strategy.signals.put(("S:AAPL", 0.2))
        strategy.follow()
        await pilot.candles("S:AAPL", closes=[50, 50])
        assert pilot.position("S:AAPL").quantity == 400
        strategy.signals.put(("S:AAPL", 0))
        strategy.follow()
        await pilot.candles("S:AAPL", closes=[50, 50])
        assert pilot.position("S:AAPL").is_flat


def test_a_timer_after_a_gap_orders_for_the_open_that_is_said(tmp_path: Path) -> None:
    """The docs on strategies: that of Monday 00:00 fires when Monday's bar has ended."""

    class Weekly(Strategy):
        def on_start(self) -> None:
            self.every("1w", self.order)

        def order(self) -> None:
            self.seen = self.now, self.last("X")
            self.buy("X", 1)

        def on_candle(self, candle: Candle) -> None:
            pass

    days = ["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"]  # the eighth is a Monday
    rows = "".join(f"{day},{day[-1]},{day[-1]},{day[-1]},{day[-1]}\n" for day in days)
    (tmp_path / "X.csv").write_text("date,open,high,low,close\n" + rows)
    strategy = Weekly()
    (fill,) = backtest(strategy, str(tmp_path / "X.csv")).outcome.fills
    assert strategy.seen == (datetime(2024, 1, 8, tzinfo=UTC), 5)
    assert fill.price == 9


def test_only_the_starts_of_daily_bars_find_the_first_one_of_every_month() -> None:
    class Monthly(Strategy):
        def on_start(self) -> None:
            self.firsts: list[datetime] = []
            self.after_ends: list[datetime] = []
            self.before: Candle | None = None

        def on_candle(self, candle: Candle) -> None:
            if self.before is not None:
                if self.before.timestamp.month != candle.timestamp.month:
                    self.firsts.append(candle.timestamp)
                if self.before.end.month != candle.end.month:
                    self.after_ends.append(candle.timestamp)
            self.before = candle

    monthly = Monthly()
    backtest(monthly, PRICES, subscriptions="S:AAPL:candle")
    assert max(each.day for each in monthly.firsts) <= 4
    assert {each.day > 27 for each in monthly.after_ends} == {True, False}


def test_on_candle_gets_the_candles_of_both_timeframes_of_a_symbol() -> None:
    class Both(Strategy):
        def on_start(self) -> None:
            self.timeframes: list[str] = []
            self.of_weeks = self.sma(2, timeframe="1w")

        def on_candle(self, candle: Candle) -> None:
            self.timeframes.append(candle.timeframe)

    both = Both()
    data = read_data(PRICES, start="2012-01-09", end="2012-01-21")  # Martin Luther King Day
    backtest(both, data, subscriptions="S:AAPL:candle_1d,S:AAPL:candle_1w")
    assert both.timeframes == ["1d"] * 5 + ["1w"] + ["1d"] * 4 + ["1w"]
    assert both.of_weeks["S:AAPL"].is_ready


def shown_in_pieces() -> str:
    """Make a strategy from the fragments of docs/strategies.md that are not whole classes."""
    found = blocks("python", "docs/strategies.md")
    pieces = [piece for piece in found if "class " not in piece]
    parameter, *acts, timers = (indent(piece, "    ") for piece in pieces)
    return f"""
from decimal import Decimal
from typing import Annotated, ClassVar

from msgspec import Meta

from strategy_runtime import Candle, Strategy, crossed_below


class Shown(Strategy):
    lookback: ClassVar[int] = 100
{parameter}
    floor: Decimal = Decimal(90_000)

    def on_start(self) -> None:
        self.looks, self.evenings, self.weeks = 0, 0, 0
        self.averages: list[float] = []
        self.closes, self.bands = self.sma(1), self.bollinger(20, 2)
{indent(timers, "    ")}
    def look(self) -> None:
        self.looks += 1

    def go_home(self) -> None:
        self.evenings += 1

    def choose(self) -> None:
        self.weeks += 1

    def on_candle(self, candle: Candle) -> None:
        symbol, break_even = candle.symbol, candle.low
{indent("".join(acts), "    ")}
        self.averages.append(sum(closes) / len(closes))
"""


def test_the_pieces_that_are_shown_make_a_strategy() -> None:
    namespace: dict[str, Any] = {}
    exec(shown_in_pieces(), namespace)  # noqa: S102
    strategy = namespace["Shown"]()
    results = backtest(strategy, read_data(PRICES, start="2012-01-01"))
    legs = [order for order in results.outcome.orders if order.parent_order_id]
    assert results.summary.fills > 0
    assert {leg.order_type for leg in legs} == {OrderType.LIMIT}
    assert strategy.looks > 100 * strategy.evenings > 0
    assert 48 < strategy.weeks < 54
    assert len(strategy.averages) == results.summary.bars


def test_the_type_checker_has_nothing_to_say_of_what_is_shown(tmp_path: Path) -> None:
    modules = {
        "bot": blocks("python")[0],
        "test_bot": blocks("python")[1],
        "pieces": shown_in_pieces(),
        "research": "\n".join(blocks("python", "docs/research.md")),
    }
    for piece in blocks("python", "docs/strategies.md"):
        if whole := re.search(r"^class (\w+)\((?:Strategy|Indicator)", piece, re.MULTILINE):
            modules[whole[1].lower()] = piece
    assert len(modules) == 8
    for name, source in modules.items():
        (tmp_path / f"{name}.py").write_text(source)
    settings = f"[mypy]\nstrict = true\nmypy_path = {ROOT}\ncache_dir = {ROOT / '.mypy_cache'}\n"
    (tmp_path / "mypy.ini").write_text(settings)
    done = finished([sys.executable, "-m", "mypy", "."], cwd=tmp_path)
    assert "no issues found in 8 source files" in done.stdout, done.stdout


@pytest.mark.parametrize("document", ["README.md", "docs/research.md"])
def test_the_commands_that_are_shown_work(document: str, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(blocks("python")[0])
    (tmp_path / "prices.csv").write_bytes(Path(PRICES).read_bytes())
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shown = [
        block
        for block in blocks("sh", document)
        if block.startswith(("strategy-backtest", "strategy-sweep", "strategy-new"))
    ]
    assert shown
    for block in shown:
        done = finished(["sh", "-e", "-c", block], cwd=tmp_path, env={"PATH": path})
        assert done.returncode == 0, done.stderr


def test_the_file_of_prices_that_is_shown_is_read(tmp_path: Path) -> None:
    (shown,) = blocks("csv")
    (tmp_path / "AAPL.csv").write_text(shown)
    (read,) = backtest(SmaCross(), tmp_path / "AAPL.csv").summary.data
    assert (read.symbol, read.timeframe, read.bars) == ("AAPL", "1m", 2)


def test_the_demonstration_prints_what_the_readme_shows(tmp_path: Path) -> None:
    (shown,) = blocks("text")
    done = subprocess.run(
        [sys.executable, "-m", "strategy_runtime.cli.backtest", "--demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith(shown), done.stdout + done.stderr


def test_the_page_of_the_commands_and_the_help_say_the_same_of_timeframe() -> None:
    (setting,) = [each for each in SETTINGS if each.name == "timeframe"]
    meaning = "the " + setting.help[0].lower() + setting.help[1:].removesuffix(".")
    row = f"| `TIMEFRAME` | {meaning} | `{setting.default}` |"
    assert row in (ROOT / "docs" / "commands.md").read_text().splitlines()


@pytest.mark.parametrize("kind", [Limits, Rounding])
def test_every_limit_and_step_is_listed_and_offered_to_new_projects(kind: type[Any]) -> None:
    page = (ROOT / "docs/commands.md").read_text()
    rows = re.findall(r"^\| `(--[\w-]+ [A-Z]+)` \| `(\w+)` \| \w", page, re.MULTILINE)
    example = (ROOT / "templates/project/.env.example.jinja").read_text()
    settings = {setting.name: setting for setting in SETTINGS}
    for name in kind.__struct_fields__:
        assert name in settings, "strategy_runtime/runtime/settings/table.py"
        setting = settings[name]
        option, variable = f"{setting.flag} {setting.metavar}", setting.variables[0]
        assert (option, variable) in rows, "docs/commands.md"
        assert f"\n#{variable}=" in example, ".env.example of the template"


def test_every_template_is_listed() -> None:
    page = (ROOT / "docs/containers.md").read_text()
    (table,) = re.findall(r"^\| template \|.*\n((?:^\|.*\n)+)", page, re.MULTILINE)
    names = {each.name for each in list_templates(ROOT / "templates")}
    assert set(re.findall(r"^\| `([\w-]+)`", table, re.MULTILINE)) == names, "docs/containers.md"
    counted = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight"][len(names)]
    said = " ".join((ROOT / "docs/strategies.md").read_text().split())
    assert f"`strategy-new --list` shows {counted} to start from" in said, "docs/strategies.md"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_variables_that_are_named_are_settings(document: Path) -> None:
    known = {variable for setting in SETTINGS for variable in setting.variables}
    named = set(re.findall(r"\b(?:OPS|PROXY|STRATEGY)_[A-Z_]*[A-Z]\b", document.read_text()))
    misspelt = {"STRATEGY_MAX_DAILY_LOS"}  # as an example of what is refused
    assert {name.removesuffix("_FILE") for name in named} - misspelt <= known


def test_the_readme_has_the_speeds_of_the_last_results() -> None:
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text()
    row = r"^\| (\w+) \| [\d.]+ \| [\d.]+ \| ([\d.]+) \| ([\d.]+) \| [\d.]+ \| [\d,]+ \| [\d,]+ \|$"
    rows = re.findall(row, results, re.MULTILINE)
    of_bare = [float(bare) for engine, bare, _ in rows if engine == "ours"]
    of_ours = [float(ours) for engine, _, ours in rows if engine not in ("bare", "ours")]
    assert (len(of_bare), len(of_ours)) == (2, 8)
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert (
        f"{int(min(of_ours))} to {int(max(of_ours))} times as fast in process as in four" in readme
    )
    assert (floor(min(of_bare)), ceil(max(of_bare))) == (2, 3)
    assert "two to three times as slow as a bare loop" in readme


def anchors(document: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text.lower(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(document: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        if "://" not in target:
            path, _, heading = target.partition("#")
            page = document.parent / path if path else document
            assert page.exists(), target
            assert not heading or heading in anchors(page), target


CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def test_the_places_where_a_change_goes_exist() -> None:
    (table,) = re.findall(
        r"^## Where a change goes\n(.*?)^## ", CONTRIBUTING, re.MULTILINE | re.DOTALL
    )
    named = re.findall(r"`([\w/.-]+)`", table)
    assert len(named) > 30
    package = ROOT / "strategy_runtime"
    assert [
        name for name in named if not ((package / name).exists() or (ROOT / name).exists())
    ] == []


def test_the_layers_that_are_shown_are_those_that_are_checked() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = [each["layers"] for each in settings["contracts"] if each["id"] == "layers"]
    rows = re.findall(r"^\| (\d) \| (.*?) \|", CONTRIBUTING, re.MULTILINE)
    assert [number for number, _ in rows] == ["6", "5", "4", "3", "2", "1"]
    shown = [part for _, row in rows for part in row.split(", then ")]
    names = [set(re.findall(r"`(\w+)`", part)) for part in shown]
    assert names == [set(re.findall(r"\w+", layer)) for layer in layers]


# The fill rules: each has a test of its own.

RULES = ROOT / "docs" / "fill-rules.md"
TESTS = dict(re.findall(r"^\[(\w+)\]: (\S+)$", RULES.read_text(), re.MULTILINE))


def rules() -> list[str]:
    """Return list items and table rows, from the first section on."""
    text = re.sub(r"^\[\w+\]: .*$", "", RULES.read_text(), flags=re.MULTILINE)
    found: list[str] = []
    for block in re.split(r"\n\s*\n", text[text.index("\n## ") :]):
        if block.lstrip().startswith("|"):
            found += block.strip().splitlines()[2:]
        elif not block.lstrip().startswith("#"):
            for rule in re.split(r"^\* ", block, flags=re.MULTILINE):
                found += re.split(r"(?<=\.)\s+(?=[A-Z])", rule.strip())
    return [sentence for sentence in found if sentence]


@pytest.mark.parametrize("sentence", rules())
def test_each_fill_rule_names_a_test(sentence: str) -> None:
    named = re.findall(r"\]\[(\w+)\]", sentence)
    assert named, f"no test is named by: {sentence}"
    assert set(named) <= set(TESTS)


@pytest.mark.parametrize("target", TESTS.values())
def test_the_test_of_a_fill_rule_exists(target: str) -> None:
    path, _, name = target.partition("#")
    source = (RULES.parent / path).read_text()
    assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), target


def test_no_two_fill_rules_share_a_test() -> None:
    named = re.findall(r"\]\[(\w+)\]", "\n".join(rules()))
    assert sorted(named) == sorted(TESTS)
    assert len(set(TESTS.values())) == len(TESTS) > 100


def test_the_indicators_that_are_listed_can_be_made_and_have_the_lines_that_are_named() -> None:
    row = re.compile(r"^\| (`self\.\w+\(.*) \| [^;|]+(?:; (.*) )?\|$", re.MULTILINE)
    listed = row.findall((ROOT / "docs/strategies.md").read_text())
    made = set()
    for calls, lines in listed:
        for name, arguments in re.findall(r"`self\.(\w+)\(([^)]*)\)`", calls):
            made.add(name)
            family = getattr(Strategy(), name)(*ast.literal_eval(f"({arguments},)"))
            for line in re.findall(r"`(\w+)`", lines):
                assert isinstance(getattr(family["S:X"], line), Line), (name, line)
    methods = {name for name in vars(IndicatorMethods) if not name.startswith("_")}
    assert made == methods - {"indicator"}, "docs/strategies.md, Indicators"


HOOKS_ARE_GIVEN = {
    "candle": Candle,
    "quote": Quote,
    "event of on_order": OrderEvent,
    "trade": Trade,
    "event of on_position": PositionEvent,
    "event of on_account": AccountEvent,
    "event of on_connection": ConnectionEvent,
    "event of on_rate_limit": RateLimitEvent,
    "event of on_proxy_error": ProxyErrorEvent,
    "event of on_staleness": StalenessEvent,
    "event of on_financing": FinancingEvent,
    "event of on_unknown": UnknownEvent,
}


def test_every_hook_is_listed_with_its_arguments() -> None:
    text = (ROOT / "docs/strategies.md").read_text()
    (table,) = re.findall(r"^\| hook \| called \|\n(.*?)\n\n", text, re.MULTILINE | re.DOTALL)
    listed = dict(re.findall(r"`(on_\w+)\((\w*)\)`", table))
    assert listed == {name: ", ".join(given) for name, given in HOOKS.items()}, "docs/strategies.md"


def test_what_every_event_has_is_said() -> None:
    others = {TradeEvent, BacktestComplete}  # a hook is given the trade itself; the end has nothing
    missing = {*get_args(Event)} - {*HOOKS_ARE_GIVEN.values()} - others
    assert not missing, "say in docs/strategies.md, What hooks are given, and in HOOKS_ARE_GIVEN"


@pytest.mark.parametrize("argument", HOOKS_ARE_GIVEN)
def test_what_hooks_are_given_has_what_is_said(argument: str) -> None:
    rows = (ROOT / "docs/strategies.md").read_text().splitlines()
    cells = [row.split(" | ") for row in rows if row.startswith("| `") and " | " in row]
    (said,) = [what for name, what in cells if name[2:].replace("`", "") == argument]
    thing: Any = HOOKS_ARE_GIVEN[argument]
    for name in re.findall(r"`(\w+)`", said):
        if name in strategy_runtime.__all__:
            continue
        assert hasattr(thing, name), f"{thing.__name__}.{name}"
        thing = {"order": Order, "position": Position, "account": Account}.get(name, thing)


async def test_a_fill_comes_to_the_hooks_in_the_order_that_is_said() -> None:
    said = (ROOT / "docs/strategies.md").read_text()
    (names,) = re.findall(r"a fill comes to (.*?), in this order", said, re.DOTALL)
    told: list[tuple[str, bool]] = []

    class Listens(Strategy):
        def on_candle(self, candle: Candle) -> None:
            if self.position(candle.symbol).is_flat:
                self.buy(candle.symbol, 1)

        def on_order(self, event: OrderEvent) -> None:
            if event.event is OrderEventKind.ORDER_FILLED:
                told.append(("on_order", self.position(event.order.symbol).is_long))

        def on_trade(self, trade: Trade) -> None:
            told.append(("on_trade", self.position(trade.symbol).is_long))

        def on_account(self, event: AccountEvent) -> None:
            told.append(("on_account", bool(self.positions)))

        def on_position(self, event: PositionEvent) -> None:
            told.append(("on_position", self.position(event.position.symbol).is_long))

    async with Listens().run_test() as pilot:
        await pilot.candles("S:A", closes=[10, 10, 10])
    assert told == [(name, True) for name in re.findall(r"on_\w+", names)]


def test_what_stands_here_for_names_of_other_engines_exists() -> None:
    page = (ROOT / "docs/peers.md").read_text()
    here = [row.split(" | ")[1] for row in re.findall(r"^\| `.* \|$", page, re.MULTILINE)]
    of_strategies = {name for cell in here for name in re.findall(r"self\.(\w+)", cell)}
    assert {"account", "buy", "close", "position", "target"} <= of_strategies
    assert [name for name in of_strategies if not hasattr(Strategy, name)] == []
    arguments = {name for cell in here for name in re.findall(r"`(\w+)=", cell)}
    assert {"fee_rate", "stop_loss"} <= arguments
    assert arguments <= {*signature(Strategy.buy).parameters, *ExchangeOptions.__struct_fields__}


def test_every_verb_and_view_is_shown() -> None:
    said = (ROOT / "docs/strategies.md").read_text()
    for_commands = {"from_text", "parameters"}
    names = {name for name in dir(Strategy) if name[0] != "_"} - HOOKS.keys() - for_commands
    missing = [name for name in sorted(names) if not re.search(rf"(self\.|`){name}\b", said)]
    assert not missing, "docs/strategies.md"


def test_every_argument_of_an_order_is_explained() -> None:
    said = (ROOT / "docs/strategies.md").read_text()
    for name in list(signature(Strategy.buy).parameters)[2:]:
        assert re.search(rf"`{name}(=|`)", said), f"docs/strategies.md lacks {name}"


def test_the_codes_of_refusals_are_those_of_the_runtime() -> None:
    text = (ROOT / "docs/strategies.md").read_text()
    (table,) = re.findall(r"^\| code \| why \|\n(.*?)\n\n", text, re.MULTILINE | re.DOTALL)
    code = "".join(path.read_text() for path in (ROOT / "strategy_runtime/runtime").rglob("*.py"))
    said = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    given = re.findall(r'ApiError\(\s*0,\s*"(\w+)"', code)
    assert said == {*given, RISK_LIMIT, LOT_SIZE, FATE_UNKNOWN, NOT_ANSWERED}


def test_the_endings_of_data_files_are_those_that_are_listed(tmp_path: Path) -> None:
    (tmp_path / "X.xlsx").touch()
    with pytest.raises(DataError) as refusal:
        files_of([tmp_path / "X.xlsx"])
    read = re.findall(r"\.[a-z]\w+", str(refusal.value).partition(", which are ")[2])
    text = (ROOT / "docs/commands.md").read_text()
    said = text[text.index("## Data files") : text.index("Save other files")]
    assert set(re.findall(r"`(\.\w+)`", said)) == {*read}, "docs/commands.md, Data files"


def rows_below(heading: str) -> dict[str, str]:
    """Return the rows of the first table below a heading of docs/commands.md, by the code in their
    first cell.
    """
    text = (ROOT / "docs/commands.md").read_text()
    (table,) = re.findall(rf"^{heading}\n[^|]*?((?:^\|.*\n)+)", text, re.MULTILINE)
    cells = [row.strip("| ").split(" | ", 1) for row in table.splitlines()[2:]]
    return {name: what for names, what in cells for name in re.findall(r"`([\w.]+)`", names)}


def test_the_exit_codes_of_errors_and_commands_are_listed() -> None:
    text = (ROOT / "docs/commands.md").read_text()
    (table,) = re.findall(r"^## Exit codes\n\n((?:^\|.*\n)+)", text, re.MULTILINE)
    listed = set(re.findall(r"\d+", " ".join(re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE))))
    named = [getattr(errors, name) for name in errors.__all__ if name[0].isupper()]
    kinds: list[Any] = [each for each in named if isinstance(each, type)]
    given = {str(kind.exit_code) for kind in kinds}
    for name in ("backtest", "sweep", "proxy", "run", "new"):
        command: click.Command = import_module(f"strategy_runtime.cli.{name}").main
        _, _, said = (command.epilog or "").partition("Exit codes: ")
        assert said, name
        given |= set(re.findall(r"\b\d+\b", said))
    assert given <= listed, "docs/commands.md, Exit codes"


def test_the_fields_of_a_result_are_those_that_are_listed() -> None:
    result = json.loads(backtest(SmaCross(), PRICES).summary.to_json())
    listed = rows_below("## Results")
    assert set(listed) == {*result, "performance"}, "docs/commands.md, Results"
    assert list(rows_below("### Figures")) == list(result["performance"]), (
        "docs/commands.md, Figures"
    )
    for name in ("positions", "open_orders", "data"):
        assert set(result[name][0]) <= set(re.findall(r"`(\w+)`", listed[name])), name
    named = re.findall(r"`([\w ]+)`", listed["data_faults"])
    assert set(named) == {*FaultSummary.__struct_fields__, *FaultKind}


def test_the_columns_of_the_tables_are_those_that_are_listed(tmp_path: Path) -> None:
    write_results(tmp_path, backtest(SmaCross(), PRICES))
    listed = rows_below("### Tables")
    written = {path.name for path in tmp_path.glob("*.csv")}
    assert set(listed) == written, "docs/commands.md, Tables"
    for name, what in listed.items():
        header = (tmp_path / name).read_text().partition("\n")[0]
        assert re.findall(r"`(\w+)`", what) == header.split(","), name


def test_what_a_sweep_gives_is_what_is_listed(tmp_path: Path) -> None:
    text = (ROOT / "docs/commands.md").read_text()
    said = text[text.index("### Several runs") : text.index("### The proxy")]
    of_csv, of_json = (re.findall(r"`(\w+)`", part) for part in said.split("`--json`"))
    sweep = "--demo", "--set", "fast=5,6", "--out", tmp_path
    document = json.loads(call("sweep", *sweep, "--json", cwd=tmp_path).stdout)
    assert set(document) <= set(of_json)
    header = (tmp_path / "sweep.csv").read_text().partition("\n")[0].split(",")
    figures = set(document["runs"][0]["performance"])
    assert [name for name in header[1:] if name not in figures] == of_csv


def test_the_requests_that_are_listed_are_those_that_are_made() -> None:
    text = (ROOT / "docs/protocol.md").read_text()
    listed = set(re.findall(r"`[A-Z]+ (/[\w/{}]+)`", text[: text.index("## Acknowledgements")]))
    proxy = ROOT / "strategy_runtime" / "proxy"
    code = "".join((proxy / name).read_text() for name in ("resources.py", "order_entry.py"))
    made = {
        path.replace("segment(order_id)", "id").replace("segment(symbol)", "symbol")
        for path in re.findall(r'"(/[a-z][\w/{}()]*)"', code)
    }
    assert listed == made
