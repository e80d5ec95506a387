"""Backtests from Python: the same runs as those of the command, in notebooks and threads, too."""

import asyncio
import json
import logging
import pickle
import re
import signal
import subprocess
import sys
import traceback
from collections import deque
from contextvars import Context, ContextVar
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from decimal import getcontext, localcontext
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest

from strategy_runtime import (
    BacktestComplete,
    Candle,
    ConfigError,
    DataError,
    HookFailed,
    Quote,
    Strategy,
)
from strategy_runtime.backtesting import Results, backtest, read_data, write_results
from strategy_runtime.demo import PRICES as DEMO_PRICES
from strategy_runtime.demo.strategy import SmaCross
from strategy_runtime.report.table import render
from strategy_runtime.simulator.data.load import load_bars
from tests.cli.support import DEMO, PRICES, call, finished

RESEARCH = Path(__file__).parents[2] / "docs" / "research.md"

VARIABLE = ContextVar("variable", default="as it was")


class Buyer(Strategy):
    """Ten units from the first candle on."""

    def on_candle(self, candle: Candle) -> None:
        if self.position(candle.symbol).is_flat:
            self.buy(candle.symbol, 10)


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    (tmp_path / "prices.csv").write_text(PRICES)
    return tmp_path / "prices.csv"


def elsewhere(thing: Any) -> Any:
    """Return an object as another process gets it."""
    return pickle.loads(pickle.dumps(thing))  # noqa: S301 - nobody else has touched it


def figures(results: Results) -> dict[str, Any]:
    """Return what the command would print, without the times it took."""
    found: dict[str, Any] = json.loads(results.summary.to_json())
    return {name: value for name, value in found.items() if name not in ("wall_s", "bars_per_s")}


def test_the_run_is_that_of_the_command(tmp_path: Path) -> None:
    options = "--set fast=5 --fee-rate 0.001 --mode hedging --max-order-notional 30000"
    spans = "--from 2009-01-01 --to 2012-01-01"
    done = call(
        "backtest", DEMO, "--demo", *options.split(), *spans.split(), "--json", cwd=tmp_path
    )
    data = read_data(DEMO_PRICES, start="2009-01-01", end="2012-01-01")
    results = backtest(
        SmaCross(fast=5), data, fee_rate=0.001, mode="hedging", max_order_notional=30_000
    )
    printed = json.loads(done.stdout)
    assert results.summary.refused_orders > 0
    assert figures(results) == {name: printed[name] for name in figures(results)}


def test_data_serve_any_number_of_runs() -> None:
    data = read_data(DEMO_PRICES)
    first, other, again = (backtest(SmaCross(fast=fast), data) for fast in (5, 8, 5))
    assert figures(first) == figures(again) != figures(other)


@pytest.mark.parametrize("most_in_memory", [10**6, 0])
def test_strategies_and_data_go_to_other_processes_and_results_come_back(
    tmp_path: Path, most_in_memory: int
) -> None:
    (tmp_path / "quotes.csv").write_text(
        "timestamp,bid,ask\n"
        + "".join(f"2008-01-02T00:00:{second},{second},{second}.5\n" for second in range(10, 60))
    )
    paths = [DEMO_PRICES, tmp_path / "quotes.csv"]
    loaded = load_bars(paths, most_in_memory=most_in_memory)
    data, strategy = elsewhere((loaded, SmaCross(fast=5)))
    results = backtest(strategy, data, fee_rate=0.001)
    assert figures(results) == figures(
        backtest(SmaCross(fast=5), read_data(*paths), fee_rate=0.001)
    )
    back = elsewhere(results)
    assert (figures(back), back.trips, back.days) == (
        figures(results),
        results.trips,
        results.days,
    )
    names = [each.name for each in write_results(tmp_path / "back", back)]
    write_results(tmp_path / "results", results)
    for name in names:
        written = [(tmp_path / folder / name).read_text() for folder in ("back", "results")]
        assert written[0] == written[1]


def test_a_strategy_that_has_run_is_neither_copied_nor_pickled(prices: Path) -> None:
    strategy = Buyer()
    backtest(deepcopy(strategy), prices)
    backtest(strategy, prices)
    with pytest.raises(TypeError) as caught:
        pickle.dumps(strategy)
    assert str(caught.value) == (
        "this Buyer has run, so it cannot be copied or pickled; make a new one for another run, "
        "and pass on the results of this one, or what it recorded"
    )


def test_a_strategy_runs_once(prices: Path) -> None:
    buyer = Buyer()
    backtest(buyer, prices)
    with pytest.raises(
        ConfigError, match="this Buyer has already run, and would start another run"
    ):
        backtest(buyer, prices)


def test_results_print_as_the_table_of_the_command(prices: Path) -> None:
    results = backtest(Buyer(), prices)
    assert str(results) == repr(results) == render(results.summary)


def test_results_are_written_like_those_of_the_command(prices: Path) -> None:
    results = backtest(Buyer(), prices)
    written = write_results(prices.parent / "mine", results)
    assert {path.name for path in written} >= {"report.html", "result.json", "fills.csv"}
    assert json.loads((prices.parent / "mine" / "result.json").read_text())["fills"] == 1
    assert write_results(str(prices.parent / "mine"), results) == written


class Impatient(Strategy):
    """Buys the symbol with the longer bars, and quits before one of them has closed."""

    def on_candle(self, candle: Candle) -> None:
        if candle.symbol == "A" and self.now.minute == 4:
            self.buy("B", 10)
        if self.now.minute == 7:
            self.quit("enough")


class InAndOut(Strategy):
    """Opens a position at one bar, and closes it at the next."""

    def on_candle(self, candle: Candle) -> None:
        if not self.close(candle.symbol):
            self.buy(candle.symbol, 1, client_order_id=f"=({self.now:%d})")


def test_names_in_columns_are_as_they_are_though_files_have_no_formulas(prices: Path) -> None:
    results = backtest(InAndOut(), read_data(prices, symbol="=ES"))
    for name in ("fills", "orders", "trips"):
        assert set(results.table(name)["symbol"]) == {"=ES"}, name
    assert any(own.startswith("=(") for own in results.table("fills")["client_order_id"])
    write_results(prices.parent / "mine", results)
    assert ",'=ES," in (prices.parent / "mine" / "fills.csv").read_text()


def test_every_table_that_is_written_is_there_as_columns(prices: Path) -> None:
    results = backtest(InAndOut(), prices)
    written = [
        each for each in write_results(prices.parent / "mine", results) if ".csv" in each.name
    ]
    assert written
    for path in written:
        table: dict[str, Any] = results.table(path.stem)  # type: ignore[arg-type]
        assert ",".join(table) == path.read_text().partition("\n")[0]


def test_an_unknown_table_is_named(prices: Path) -> None:
    results = backtest(Buyer(), prices)
    with pytest.raises(ConfigError) as caught:
        results.table("trades")  # type: ignore[arg-type]
    assert str(caught.value) == (
        "there is no table 'trades'; there are fills, orders, trips, equity"
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sharpe", "; it is results.summary.performance.sharpe"),
        ("sharpe_ratio", "; it is results.summary.performance.sharpe"),
        ("total_return", "; it is results.summary.total_return"),
        ("fills", "; it is results.outcome.fills"),
        ("trades", "; it is results.trips, or as columns results.table('trips')"),
        ("equity_curve", "; it is results.days, or as columns results.table('equity')"),
        ("plot", "; it is the report that write_results(folder, results) writes"),
        ("max_drowdown", "; it is results.summary.max_drawdown"),
        ("nonsense", ""),
    ],
)
def test_results_point_to_what_other_engines_have_as_attributes(
    prices: Path, name: str, said: str
) -> None:
    results = backtest(Buyer(), prices)
    with pytest.raises(AttributeError) as caught:
        getattr(results, name)
    assert str(caught.value) == f"results have no {name!r}{said}"


@pytest.mark.parametrize(
    ("name", "said"), [("sharpe", "; it is summary.performance.sharpe"), ("nonsense", "")]
)
def test_a_summary_points_to_its_figures(prices: Path, name: str, said: str) -> None:
    summary = backtest(Buyer(), prices).summary
    with pytest.raises(AttributeError) as caught:
        getattr(summary, name)
    assert str(caught.value) == f"a summary has no {name!r}{said}"
    assert elsewhere(summary) == deepcopy(summary) == summary


def test_the_path_of_equity_ends_where_the_account_does_also_amid_a_bar(tmp_path: Path) -> None:
    bars = {"A": [(minute, 10) for minute in range(10)], "B": [(0, 10), (5, 12), (10, 12)]}
    for name, rows in bars.items():
        lines = [f"2024-01-02 00:{minute:02}:00,{p},{p},{p},{p}" for minute, p in rows]
        (tmp_path / f"{name}.csv").write_text("\n".join(["time,open,high,low,close", *lines]))
    results = backtest(Impatient(), tmp_path, cash=1000)
    assert results.summary.quit_reason == "enough"
    assert results.summary.equity == "980"
    assert results.days[-1].equity == results.points[-1][1] == 980.0


class Hourly(Strategy):
    """Ten units from the first candle of an hour on."""

    def on_candle(self, candle: Candle) -> None:
        if candle.timeframe == "1h" and self.position(candle.symbol).is_flat:
            self.buy(candle.symbol, 10)


def test_figures_are_of_the_time_in_which_orders_can_fill_and_not_of_coarser_bars(
    tmp_path: Path,
) -> None:
    def written(name: str, bars: int, step: timedelta) -> Path:
        first = datetime(2024, 4, 1, tzinfo=UTC) - bars * step / 2
        rows = [f"A,{first + row * step:%Y-%m-%d %H:%M},9,11,8,10" for row in range(bars)]
        (tmp_path / name).write_text("\n".join(["symbol,time,open,high,low,close", *rows]))
        return tmp_path / name

    days = written("days.csv", 400, timedelta(days=1))
    hours = written("hours.csv", 40 * 24, timedelta(hours=1))
    both = backtest(Hourly(), read_data(days, hours), subscriptions="A:candle_*").summary
    fine = backtest(Hourly(), read_data(hours)).summary
    assert (both.start, fine.start) == ("2023-09-14T00:00:00Z", "2024-03-12T00:00:00Z")
    assert (both.end, fine.end) == ("2024-10-18T00:00:00Z", "2024-04-21T00:00:00Z")
    assert both.performance == fine.performance


async def test_it_runs_where_an_event_loop_runs_already(prices: Path) -> None:
    assert backtest(Buyer(), prices).summary.fills == 1


class Ported(Strategy):
    """Has its code where other engines expect it."""

    def go_long(self) -> None:
        raise AssertionError


@pytest.mark.parametrize("is_in_loop", [False, True])
def test_context_variables_are_those_of_the_caller_and_of_one_context_in_all_hooks(
    prices: Path, is_in_loop: bool
) -> None:
    class Sees(Strategy):
        def on_start(self) -> None:
            self.seen = [str(getcontext().prec), VARIABLE.get()]
            self.token = VARIABLE.set("by on_start")

        def on_candle(self, candle: Candle) -> None:
            self.seen.append(VARIABLE.get())

        def on_stop(self) -> None:
            self.seen.append(VARIABLE.get())
            VARIABLE.reset(self.token)

    strategy = Sees()

    async def in_loop() -> None:
        backtest(strategy, prices)

    VARIABLE.set("by the caller")
    with localcontext(prec=50):
        if is_in_loop:
            asyncio.run(in_loop())
        else:
            backtest(strategy, prices)
    assert VARIABLE.get() == "by the caller"
    assert strategy.seen[:2] == ["50", "by the caller"]
    assert set(strategy.seen[2:]) == {"by on_start"}


@pytest.mark.parametrize("is_in_loop", [False, True])
def test_twenty_refused_orders_are_told_with_their_times(
    caplog: pytest.LogCaptureFixture, *, is_in_loop: bool
) -> None:
    class Stubborn(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.buy(candle.symbol, fraction=10)

    def run() -> None:
        backtest(Stubborn(), DEMO_PRICES, subscriptions="S:AAPL:candle")

    async def in_loop() -> None:
        run()

    asyncio.run(in_loop()) if is_in_loop else run()
    first, *others, left_out, advice = [each.getMessage() for each in caplog.records]
    assert first.startswith("2008-01-03T00:00:00Z order refused: S:AAPL Stubborn-bt-1: ORDER_REJ")
    assert len(others) == 19
    assert left_out.startswith("1,239 more lines like this were left out: order refused: S:AAPL ")
    assert advice == 'logging.getLogger("strategy_runtime").setLevel("DEBUG") shows all of them'


def test_lines_of_another_run_are_left_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    class Small(Strategy):
        def on_start(self) -> None:
            log = logging.getLogger("strategy_runtime")
            for _ in range(30):
                Context().run(log.warning, "of another")

    backtest(Small(), DEMO_PRICES)
    assert [each.getMessage() for each in caplog.records] == ["of another"] * 30


def test_a_strategy_without_hooks_is_told_of(prices: Path) -> None:
    (warning,) = backtest(Ported(), prices).summary.warnings
    assert warning.startswith("Ported has no hooks, so it was never called; ")


@pytest.mark.parametrize(
    "last_line", ["cell()", "asyncio.new_event_loop().run_until_complete(async_cell())"]
)
def test_ctrl_c_ends_a_run_at_once(tmp_path: Path, last_line: str) -> None:
    script = f"""
import asyncio, signal, threading, time
from strategy_runtime import Strategy
from strategy_runtime.backtesting import backtest, read_data
from strategy_runtime.demo import PRICES

# Whoever started the tests may have them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Slow(Strategy):
    def on_start(self):
        self.seen = 0

    def on_candle(self, candle):
        self.seen += 1
        if self.seen == 1:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        time.sleep(0.01)

def cell():
    strategy, data = Slow(), read_data(PRICES)
    try:
        backtest(strategy, data)
    finally:
        print(strategy.seen < sum(map(len, data.series)))

async def async_cell():
    cell()

{last_line}
"""
    done = finished([sys.executable, "-c", script], cwd=tmp_path)
    assert done.stdout == "True\n"
    assert done.returncode == -signal.SIGINT


NOTEBOOK = """
import asyncio, signal, threading
from strategy_runtime import Strategy
from strategy_runtime.backtesting import backtest
from strategy_runtime.demo import PRICES

signal.signal(signal.SIGINT, signal.default_int_handler)
{classes}
async def cell():
    backtest({strategy}(), PRICES)

asyncio.new_event_loop().run_until_complete(cell())
"""


def in_notebook(classes: str, strategy: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A backtest of one of some strategies where an event loop is running."""
    script = NOTEBOOK.format(classes=classes, strategy=strategy)
    return finished([sys.executable, "-c", script], cwd=folder)


@pytest.mark.parametrize(
    ("hook", "endless"),
    [
        ("def on_candle", "while True: pass"),
        ("async def on_candle", "await asyncio.Event().wait()"),
    ],
)
def test_ctrl_c_ends_an_endless_hook_in_a_notebook(tmp_path: Path, hook: str, endless: str) -> None:
    script = f"""
class Hangs(Strategy):
    {hook}(self, candle):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        {endless}
"""
    done = in_notebook(script, "Hangs", tmp_path)
    assert done.returncode == -signal.SIGINT
    assert done.stderr.endswith("KeyboardInterrupt\n")


def test_ctrl_c_is_handed_on_each_time(tmp_path: Path) -> None:
    script = """
class Stubborn(Strategy):
    def on_candle(self, candle):
        for _ in range(2):
            try:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                while True: pass
            except KeyboardInterrupt:
                print("heard", flush=True)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        while True: pass
"""
    done = in_notebook(script, "Stubborn", tmp_path)
    assert done.stdout == "heard\nheard\n"
    assert done.returncode == -signal.SIGINT


def test_ctrl_c_ends_in_a_notebook_a_run_within_a_run(tmp_path: Path) -> None:
    script = """
class Inner(Strategy):
    def on_candle(self, candle):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        while True: pass

    def on_stop(self):
        print("inner stopped")

class Outer(Strategy):
    def on_candle(self, candle):
        backtest(Inner(), PRICES)

    def on_stop(self):
        print("outer stopped")
"""
    done = in_notebook(script, "Outer", tmp_path)
    assert done.stdout == "inner stopped\nouter stopped\n"
    assert done.returncode == -signal.SIGINT


def test_ctrl_c_while_an_order_is_sent_ends_the_run(tmp_path: Path) -> None:
    script = """
import signal
from strategy_runtime import Strategy
from strategy_runtime.backtesting import backtest
from strategy_runtime.demo import PRICES
from strategy_runtime.simulator.exchange import Exchange

signal.signal(signal.SIGINT, signal.default_int_handler)

def place(self, request):
    signal.raise_signal(signal.SIGINT)

Exchange.submit = Exchange.place = place

class Buys(Strategy):
    def on_candle(self, candle):
        self.ticket = self.buy(candle.symbol, 1)

    def on_stop(self):
        print("stopped")

strategy = Buys()
try:
    backtest(strategy, PRICES)
finally:
    print(strategy.ticket.error.code)
"""
    done = finished([sys.executable, "-c", script], cwd=tmp_path)
    assert done.stdout == "stopped\nNOT_ANSWERED\n"
    assert done.returncode == -signal.SIGINT


class Quits(Buyer):
    """Quits after the end of the run."""

    def on_complete(self, event: BacktestComplete) -> None:
        self.quit("over")

    def on_stop(self) -> None:
        self.quit("stopped")


def test_a_run_that_is_over_cannot_be_ended(prices: Path) -> None:
    summary = backtest(Quits(), prices).summary
    assert (summary.complete, summary.quit_reason) == (True, None)


def test_a_run_is_made_again_from_what_its_document_says(tmp_path: Path) -> None:
    options: dict[str, Any] = {"fee_rate": 0.001, "mode": "hedging", "max_order_notional": 45_000}
    splits = ["S:AAPL 2:1 2010-04-15"]
    weekly = read_data(DEMO_PRICES, timeframe="1w")
    data = read_data(DEMO_PRICES)
    results = backtest(SmaCross(fast=5), weekly, splits=splits, **options)
    write_results(tmp_path, results)
    document = json.loads((tmp_path / "result.json").read_text())
    strategy, sent = SmaCross(**document["parameters"]), ",".join(document["sent"])
    again = backtest(strategy, data, subscriptions=sent, **document["options"])
    assert figures(again) == figures(results)
    without = backtest(SmaCross(fast=5), weekly, **options)
    assert again.summary.fill_hash != without.summary.fill_hash


class Divides(Strategy):
    """Fails at the second candle."""

    def on_candle(self, candle: Candle) -> None:
        _ = 1 / (candle.close - 110)


def test_a_failing_hook_ends_the_run_with_its_error(prices: Path) -> None:
    with pytest.raises(HookFailed, match="on_candle failed at candle prices 2024-03-05") as caught:
        backtest(Divides(), prices)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert backtest(Divides(), prices, on_error="continue").summary.hook_failures == 1


@pytest.mark.parametrize("is_in_loop", [False, True])
def test_a_debugger_that_is_called_for_a_failure_begins_in_the_hook(
    prices: Path, is_in_loop: bool
) -> None:
    async def cell() -> None:
        backtest(Divides(), prices)

    with pytest.raises(HookFailed) as caught:
        asyncio.run(cell()) if is_in_loop else backtest(Divides(), prices)
    assert caught.traceback[-1].name == "on_candle"
    shown = "".join(traceback.format_exception(caught.value))
    assert "delivery" not in shown
    assert "no running event loop" not in shown


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fee_rte": 1}, "there is no option 'fee_rte'; did you mean 'fee_rate'"),
        ({"commission": 1}, "there is no option 'commission'; here it is fee_rate"),
        ({"init_cash": 1}, "there is no option 'init_cash'; here it is cash"),
        ({"margin": 0.5}, "; here it is leverage, one divided by it: leverage=2 for a margin of"),
        ({"hedging": True}, "there is no option 'hedging'; here it is mode='hedging'"),
        ({"trade_on_close": True}, "; what is decided at a close fills at the next open"),
        ({"exclusive_orders": True}, "; orders add up, and target(symbol, fraction=…) turns a"),
        ({"finalize_trades": True}, "; positions that are open at the end are valued at the last"),
        ({"maximize": "SQN"}, "there is no option 'maximize'; sweep(…, by=…) names the figure"),
        ({"constraint": min}, "; give sweep() a list of the wanted sets, such as [{'fast': 5, "),
        (
            {"start": 1},
            "there is no option 'start'; give it to read_data(…, start=…), and run over",
        ),
        ({"fast": 1}, "there is no option 'fast'; there are cash, currency, leverage"),
        ({"fast": 1}, "(a parameter of the strategy is given to its class)"),
        ({"cash": "much"}, "cash = 'much': must be a number"),
        ({"cash": float("nan")}, "cash = nan: must be a finite number"),
        ({"cash": -1}, "cash must be above 0, not -1"),
        ({"mode": "hedged"}, "mode = 'HEDGED': must be one of NETTING, HEDGING"),
        ({"latency": 1.5}, "latency = 1.5: must be a whole number"),
        ({"max_daily_loss": 0}, "max_daily_loss must be above 0, not 0"),
        ({"subscriptions": "prices"}, "subscriptions entry 1, 'prices', has no event"),
        ({"subscriptions": "price:candle"}, "subscriptions matches nothing that was loaded: price"),
        (
            {"subscriptions": "prices:trades"},
            "subscriptions matches nothing that was loaded: events about orders, trades, positions "
            "and the account come in any case; loaded are ",
        ),
    ],
)
def test_an_option_that_cannot_be_one_is_named(
    prices: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises((ConfigError, TypeError), match=re.escape(said)):
        backtest(Buyer(), prices, **options)


def test_of_many_symbols_a_message_names_some(tmp_path: Path) -> None:
    rows = [f"2024-03-0{day},S{number},10,10,10,10" for day in (4, 5) for number in range(50)]
    path = tmp_path / "many.csv"
    path.write_text("\n".join(["date,symbol,open,high,low,close", *rows]))
    wanted = ",".join(f"X:{number}:candle" for number in range(50))
    with pytest.raises(ConfigError) as caught:
        backtest(Buyer(), path, subscriptions=wanted)
    missing, _, loaded = str(caught.value).rpartition("; ")
    assert missing.endswith("; X:19 was not loaded and 30 more")
    assert loaded.startswith("loaded are S0:candle, S1:candle, ")
    assert loaded.endswith(", S19:candle and 30 more")


def test_an_object_that_is_no_strategy_or_no_data_is_refused(prices: Path) -> None:
    with pytest.raises(TypeError, match=r"Buyer is a class; give an object of it: backtest\(Buyer"):
        backtest(Buyer, prices)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"paths and data frames, one after the other, .* no list$"):
        backtest(Buyer(), [prices])  # type: ignore[arg-type]
    with pytest.raises(
        TypeError, match=r"backtest\(\) runs an object of your strategy, and no str"
    ):
        backtest("Buyer", prices)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"subscriptions are a text such as 'S:AAPL.*, and no list"):
        backtest(Buyer(), prices, subscriptions=["prices:candle"])  # type: ignore[arg-type]


def test_a_subscription_of_which_nothing_came_is_told_of(prices: Path) -> None:
    results = backtest(Buyer(), prices, subscriptions="prices:candle,prices:quote")
    assert results.summary.warnings == [
        "nothing came of prices:quote: there are no quotes of prices"
    ]


def test_of_many_subscriptions_of_which_nothing_came_the_first_are_told(prices: Path) -> None:
    """Such as those of a whole index, of which few symbols were loaded."""
    wanted = "prices:candle," + ",".join(f"price{number}:candle" for number in range(500))
    *first, last = backtest(Buyer(), prices, subscriptions=wanted).summary.warnings
    assert len(first) == 20
    assert first[0] == (
        "nothing came of price0:candle: price0 was not loaded; did you mean 'prices'?"
    )
    assert last == "nothing came of 480 more subscriptions"


class Learns(Strategy):
    """Changes its own parameters during the run."""

    seen: dict[str, float] = {}  # noqa: RUF012
    closes: deque[float] = deque(maxlen=2)  # noqa: RUF012
    zone: Any = "UTC"

    def on_candle(self, candle: Candle) -> None:
        self.seen[candle.symbol] = candle.close
        self.closes.append(candle.close)


def test_the_results_have_the_parameters_that_the_run_began_with(prices: Path) -> None:
    results = backtest(Learns(seen={"A": 1.5}, zone=ZoneInfo("Europe/Rome")), prices)
    assert json.loads(results.summary.to_json())["parameters"] == {
        "seen": {"A": 1.5},
        "closes": "deque([], maxlen=2)",
        "zone": "zoneinfo.ZoneInfo(key='Europe/Rome')",
    }


class Follows(Strategy):
    """Counts quotes."""

    def on_quote(self, quote: Quote) -> None:
        pass


def test_a_strategy_that_was_told_no_price_is_told_of(prices: Path) -> None:
    warnings = backtest(Follows(), prices).summary.warnings
    assert warnings == ["on_quote was never called: no quotes were sent"]


@pytest.mark.parametrize(
    "start",
    [
        "2024-03-05",
        "2024-03-05T00:00:00-05:00",
        date(2024, 3, 5),
        datetime(2024, 3, 5),  # noqa: DTZ001
        datetime(2024, 3, 5, 5, tzinfo=UTC),
    ],
)
def test_a_span_begins_where_it_is_told_to(prices: Path, start: date | str) -> None:
    data = read_data(prices, tz="America/New_York", start=start, end="2024-03-07")
    assert [list(each.closes) for each in data.series] == [[110.0, 96.0]]


def test_columns_without_names_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "X.csv").write_text("2024-03-04,1,4,1,2\n2024-03-05,2,4,1,3\n")
    data = read_data(tmp_path / "X.csv", columns=["date", "open", "high", "low", "close"])
    assert [list(each.closes) for each in data.series] == [[2, 3]]


def test_dates_of_the_call_are_like_those_of_the_file(tmp_path: Path) -> None:
    rows = "".join(f"0{day}/03/2024,1,9,1,{day}\n" for day in (4, 5, 6))
    (tmp_path / "X.csv").write_text("date,open,high,low,close\n" + rows)
    data = read_data(tmp_path / "X.csv", dates="dmy", start="05/03/2024")
    assert [list(each.closes) for each in data.series] == [[5, 6]]


def test_invalid_arguments_of_data_are_refused(prices: Path) -> None:
    with pytest.raises(ConfigError, match="name a file or a folder"):
        read_data()
    with pytest.raises(ConfigError, match="name a file or a folder"):
        read_data("")
    with pytest.raises(TypeError, match=r"one after the other, as in read_data\('a.* and no list$"):
        read_data([prices])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="start: write a date, a datetime or a text, not 2024"):
        read_data(prices, start=2024)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="is no time zone"):
        read_data(prices, tz=UTC)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="end: 'soon' is no time"):
        read_data(prices, end="soon")
    with pytest.raises(ConfigError, match="'Mars' is no time zone"):
        read_data(prices, tz="Mars", end="2024-03-07")
    with pytest.raises(ConfigError, match=r"columns is a list of names: \['date', 'open'\]"):
        read_data(prices, columns="date,open")
    with pytest.raises(ConfigError, match="dates is 'dmy' or 'mdy', not 'DMY'"):
        read_data(prices, dates="DMY")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="decimals is 'point' or 'comma', not ','"):
        read_data(prices, decimals=",")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (
            "2024-03-04,1,4,1,2",
            "left to right: columns=['timestamp', 'open', 'high', 'low', 'close', 'volume']; quot",
        ),
        ("date,close\n2024-03-04,1", ": columns=['date', 'price'] and timeframe='1d'"),
        ("date,price\n03/04/2024,1", "dates='mdy' (month first) or dates='dmy' (day first), or"),
        ("date,open,high,low,close\n2024-03-04,1,4,1,2", "; say which with timeframe="),
    ],
)
def test_options_in_messages_are_written_as_arguments(
    tmp_path: Path, text: str, advice: str
) -> None:
    (tmp_path / "X.csv").write_text(text)
    with pytest.raises(DataError, match=re.escape(advice)):
        read_data(tmp_path / "X.csv")


def test_candles_are_as_long_as_they_were_read(prices: Path) -> None:
    data = read_data(prices, timeframe="1w")
    assert backtest(Buyer(), data).summary.sent == ["prices:candle_1w"]


def test_the_blocks_of_the_document_run(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", RESEARCH.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "research.py").write_text("\n".join(blocks))
    done = finished([sys.executable, "-W", "error", "research.py"], cwd=tmp_path)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.startswith("SmaCross(fast=5, slow=30, stake=0.40)")
    assert re.search(r"^2012: {'fast': \d+, 'slow': \d+} [+-]\d+\.\d%$", done.stdout, re.MULTILINE)


class Fader(Strategy):
    """Follows an average, or else remembers candles, or neither."""

    average: bool = False

    def on_start(self) -> None:
        if self.average:
            self.mean = self.sma(2)

    def on_candle(self, candle: Candle) -> None:
        pass


class Rememberer(Fader):
    lookback: ClassVar[int] = 2


@pytest.mark.parametrize("strategy", [Fader(average=True), Rememberer()])
def test_a_split_amid_prices_that_are_remembered_is_warned_of(strategy: Fader) -> None:
    data = read_data(DEMO_PRICES)
    splits = ["S:AAPL 2:1 2010-04-15", "S:MSFT 2:1 2007-01-02", "S:MSFT 2:1 2019-01-02"]
    (warning,) = backtest(strategy, data, splits=splits).summary.warnings
    assert warning == (
        "indicators and history keep the prices of before a split (S:AAPL 2:1 2010-04-15) and are "
        "wrong until these are past; use adjusted prices, without splits"
    )


def test_a_split_is_not_warned_of_where_no_price_is_remembered() -> None:
    data = read_data(DEMO_PRICES)
    assert backtest(Fader(), data, splits=["S:AAPL 2:1 2010-04-15"]).summary.warnings == []
    past = ["S:AAPL 2:1 2001-04-16"]
    assert backtest(Fader(average=True), data, splits=past).summary.warnings == []
