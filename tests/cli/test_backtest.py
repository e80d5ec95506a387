"""`strategy-backtest`: output, files and exit codes."""

import json
import re
from pathlib import Path

import pytest

from strategy_runtime.report.files import files_in
from strategy_runtime.simulator.data import load
from tests.cli.conftest import Invoke
from tests.cli.support import BUYER, DEMO, PRICES, call

WRITTEN = [each.name for each in files_in(Path())]


# What it prints


def test_the_demo_shows_numbers_writes_files_and_says_what_next(tmp_path: Path) -> None:
    done = call("backtest", "--demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "SmaCross(fast=10, slow=30, stake=0.40)"
    assert lines[1] == "S:AAPL, S:MSFT  1d  2008-01-02 to 2013-01-01"
    rows = [line.split() for line in lines]
    assert ["Bars", "2,518"] in rows
    assert ["Win", "rate", "35.71", "%"] in rows
    folder = Path("results/SmaCross")
    written = " ".join(str(folder / n) for n in WRITTEN)
    assert f"Written: {written}" in lines
    assert f"Report: {(tmp_path / folder / 'report.html').resolve().as_uri()}" in lines
    assert (tmp_path / folder / "fills.csv").read_text().startswith("time,bar,symbol,side,")
    assert [line for line in lines[-6:] if line.startswith("  ")] == [
        "  strategy-backtest --demo --set fast=5 --set slow=20",
        "  strategy-proxy --demo",
        f"  strategy-run {DEMO}",
    ]


def test_each_of_the_next_commands_is_accepted(tmp_path: Path) -> None:
    said = call("backtest", "--demo", cwd=tmp_path).stdout
    for line in said.splitlines()[-6:]:
        if line.startswith("  strategy-"):
            name, *arguments = line.split()
            done = call(name.removeprefix("strategy-"), *arguments, "--help", cwd=tmp_path)
            assert done.returncode == 0, line


def test_orders_that_never_filled_are_named(bot: Path, invoke: Invoke) -> None:
    (bot / "late.py").write_text(
        "from strategy_runtime import Strategy\n"
        "class Late(Strategy):\n"
        "    def on_candle(self, candle):\n"
        "        if candle.close == 118: self.buy(candle.symbol, 7)\n"
    )
    done = invoke("backtest", "late", "--data", "prices.csv")
    assert done.exit_code == 0, done.output
    assert (
        "1 order was still open at the end:\n"
        "  BUY 7 prices MARKET (ord-1, Late-bt-1, placed 2024-03-08T00:00:00Z)\n" in done.stdout
    )


def test_an_order_that_filled_in_part_is_not_said_to_be_unfilled(bot: Path, invoke: Invoke) -> None:
    (bot / "large.py").write_text(
        "from strategy_runtime import Strategy\n"
        "class Large(Strategy):\n"
        "    def on_candle(self, candle):\n"
        "        if not self.orders(): self.buy(candle.symbol, 700)\n"
    )
    share = ("--max-volume-share", "0.1")
    done = invoke("backtest", "large", "--data", "prices.csv", *share)
    assert done.exit_code == 0, done.output
    assert "1 order was still open at the end:\n" in done.stdout
    assert re.search(r"  BUY 700 prices MARKET \(.*Z, [1-6]00 filled\)\n", done.stdout)


def test_data_that_the_memory_does_not_hold(
    bot: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(load, "load_bars", short)
    done = invoke("backtest", "bot:Buyer", "--data", "prices.csv")
    assert (done.exit_code, done.stdout) == (74, "")
    assert done.stderr == (
        "Error: there is not enough memory; give the process more, or less data\n"
    )


def test_faults_of_the_data_are_named(bot: Path, invoke: Invoke) -> None:
    (bot / "prices.csv").write_text(PRICES + "2024-03-07,97,120,96,118,1000\n")
    done = invoke("backtest", "bot", "--data", "prices.csv")
    assert done.exit_code == 0
    assert done.stderr.startswith(
        "Data: prices.csv: 1 x duplicate; the first: prices.csv line 6: duplicate row of prices"
    )
    refused = invoke("backtest", "bot", "--data", "prices.csv", "--strict")
    assert refused.exit_code == 74
    assert "Error: 1 fault in the data (strict)" in refused.stderr


def test_financing_is_shown_where_it_was_charged(bot: Path, invoke: Invoke) -> None:
    (bot / "short.py").write_text(BUYER.replace("self.buy(", "self.sell("))
    plain = invoke("backtest", "short", "--data", "prices.csv")
    assert "Financing" not in plain.stdout
    done = invoke("backtest", "short", "--data", "prices.csv", "--borrow-rate", "0.365")
    assert done.exit_code == 0, done.output
    assert any(line.split() == ["Financing", "3.24"] for line in done.stdout.splitlines())


def test_announced_splits_change_what_is_held(bot: Path, invoke: Invoke) -> None:
    (bot / "splits.csv").write_text("symbol,date,ratio\nprices,2024-03-07,2:1\n")
    command = ("backtest", "bot", "--data", "prices.csv", "--json", "--splits", "splits.csv")
    done = invoke(*command)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert [position["quantity"] for position in document["positions"]] == ["20"]
    assert document["options"]["splits"] == ["prices 2:1 2024-03-07"]
    (bot / "splits.csv").write_text("symbol,date,ratio\nprices,2024-03-07,much\n")
    refused = invoke(*command)
    assert refused.exit_code == 74
    assert "Error: splits.csv line 2: 'much' is no ratio of new units to old ones" in refused.stderr


# --json, --out, --fills


FIELDS = (
    "schema strategy parameters bars events fills orders start end cash equity start_equity return "
    "max_drawdown max_drawdown_dates buy_and_hold benchmark performance fees financing "
    "realized_pnl unrealized_pnl positions open_orders fill_hash wall_s bars_per_s data sent "
    "data_faults complete quit_reason bankrupt warnings rejected_orders refused_orders "
    "hook_failures options"
).split()


def test_json_is_the_only_thing_on_stdout_even_where_the_strategy_prints(tmp_path: Path) -> None:
    chatty = BUYER + '        print("hello")\n        self.log.info("logged")\n'
    (tmp_path / "bot.py").write_text(chatty)
    (tmp_path / "prices.csv").write_text(PRICES)
    done = call("backtest", "bot:Buyer", "--data", "prices.csv", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert list(document) == FIELDS
    assert done.stderr.count("hello") == 4
    assert done.stderr.count("logged") == 4
    assert not (tmp_path / "results").exists()


def test_what_the_document_says(bot: Path, invoke: Invoke) -> None:
    account = ("--cash", "10000", "--currency", "EUR", "--fee-per-share", "0.01")
    options = (*account, "--set", "quantity=20")
    done = invoke("backtest", "bot", "--data", "prices.csv", "--json", *options)
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    # Decided on the close of 5 March's bar at the latest; the first fill is 5 March's open, 106.
    expected = {
        "schema": 1,
        "strategy": "Buyer",
        "parameters": {"quantity": 20},
        "bars": 4,
        "fills": 1,
        "orders": 1,
        "start": "2024-03-04T00:00:00Z",
        "end": "2024-03-08T00:00:00Z",
        "start_equity": "10000",
        "cash": "7879.8",
        "equity": "10239.8",
        "return": pytest.approx(0.02398),
        "fees": "0.2",
        "realized_pnl": "0",
        "unrealized_pnl": "240",
        "open_orders": [],
        "complete": True,
        "quit_reason": None,
        "bankrupt": False,
        "warnings": [],
        "rejected_orders": 0,
    }
    assert {name: document[name] for name in expected} == expected
    peak, trough = 10000 - 2120 - 0.2 + 20 * 110, 10000 - 2120 - 0.2 + 20 * 96
    assert document["max_drawdown"] == pytest.approx((peak - trough) / peak)
    assert document["positions"] == [
        {
            "symbol": "prices",
            "quantity": "20",
            "average_entry_price": "106",
            "current_price": "118",
            "unrealized_pnl": "240",
        }
    ]
    assert document["data"] == [
        {
            "symbol": "prices",
            "timeframe": "1d",
            "source": "prices.csv",
            "bars": 4,
            "start": "2024-03-04T00:00:00Z",
            "end": "2024-03-08T00:00:00Z",
        }
    ]
    assert document["options"]["fee_per_share"] == "0.01"
    assert document["options"]["currency"] == "EUR"


def test_the_fills_file_alone_is_written_where_it_is_asked_for(bot: Path, invoke: Invoke) -> None:
    done = invoke("backtest", "bot", "--data", "prices.csv", "--fills", "deep/fills.csv")
    assert done.exit_code == 0, done.stderr
    assert (bot / "deep/fills.csv").read_text() == (
        "time,bar,symbol,side,quantity,price,fee,order_id,client_order_id,rule\n"
        "2024-03-05T00:00:00Z,2024-03-05T00:00:00Z,prices,BUY,10,106,0,ord-1,Buyer-bt-1,"
        "market_open\n"
    )
    assert not (bot / "results").exists()


def test_out_holds_what_json_prints(bot: Path, invoke: Invoke) -> None:
    done = invoke("backtest", "bot", "--data", "prices.csv", "--out", "here", "--json")
    assert done.exit_code == 0, done.stderr
    assert (bot / "here/result.json").read_text() == done.stdout
    assert sorted(each.name for each in (bot / "here").iterdir()) == sorted(WRITTEN)


def test_open_shows_the_report_in_the_browser(bot: Path) -> None:
    browser = bot / "browser.sh"
    browser.write_text('#!/bin/sh\nprintf %s "$1" > shown\n')
    browser.chmod(0o755)
    done = call(
        "backtest",
        *("bot", "--data", "prices.csv", "--json", "--open"),
        cwd=bot,
        env={"BROWSER": f"{browser} %s"},
    )
    assert done.returncode == 0, done.stderr
    page = bot / "results/Buyer/report.html"
    assert (bot / "shown").read_text() == page.resolve().as_uri()
    assert page.read_text().startswith("<!doctype html>")
    assert json.loads(done.stdout)["strategy"] == "Buyer"


def test_open_without_a_browser_says_so_and_does_no_harm(bot: Path) -> None:
    done = call(
        "backtest",
        *("bot", "--data", "prices.csv", "--open"),
        cwd=bot,
        env={"BROWSER": "/nowhere/to/be/found", "PATH": "/nowhere"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "There is no browser to open it with.\n"
    assert "Report: file:///" in done.stdout


def test_a_place_that_cannot_be_written_is_an_error_only_where_it_was_asked_for(
    bot: Path, invoke: Invoke
) -> None:
    (bot / "results").write_text("a file in the way")
    unasked = invoke("backtest", "bot", "--data", "prices.csv")
    assert unasked.exit_code == 0
    assert "Equity at the end" in unasked.stdout
    assert (
        "The results could not be kept: cannot write results/Buyer/fills.csv: results is not a "
        "folder\n" in unasked.stderr
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--out", "prices.csv/x"], "prices.csv/x/fills.csv: prices.csv is not a folder"),
        (["--out", "/dev/null"], "/dev/null/fills.csv: /dev/null is not a folder"),
        (["--out", "taken"], "taken/result.json: it is a folder"),
        (["--out", "n" * 300], f"{'n' * 300}/fills.csv: File name too long"),
        (["--fills", "prices.csv/x"], "prices.csv/x: prices.csv is not a folder"),
        (["--json", "--fills", "bot.py/x/y"], "bot.py/x/y: bot.py is not a folder"),
    ],
)
@pytest.mark.parametrize("name", ["backtest", "proxy"])
def test_a_place_that_cannot_be_written_is_found_before_the_run(
    bot: Path, invoke: Invoke, name: str, options: list[str], text: str
) -> None:
    (bot / "taken/result.json").mkdir(parents=True)
    strategy = ["bot"] if name == "backtest" else []
    # There are no data to read: the error comes before that.
    done = invoke(name, *strategy, "--data", "nowhere.csv", *options)
    assert (done.exit_code, done.stdout) == (74, "")
    assert done.stderr == f"Error: cannot write {text}\n"


def test_looking_at_a_place_leaves_nothing_there(bot: Path, invoke: Invoke) -> None:
    options = ("--out", "here/there", "--fills", "fills/of.csv")
    assert invoke("backtest", "bot", "--data", "nowhere.csv", *options).exit_code == 74
    assert not (bot / "here").exists()
    assert not (bot / "fills").exists()


# What must not be overlooked


ELSEWHERE = BUYER.replace("self.buy(candle.symbol,", 'self.buy("S:NONE",')
CAUTIOUS = """
from strategy_runtime import OrderRejected, Strategy


class Cautious(Strategy):
    async def on_candle(self, candle):
        try:
            await self.buy("S:NONE", 1)
        except OrderRejected:
            pass
"""


@pytest.mark.parametrize(
    ("source", "options"),
    [(ELSEWHERE, []), (CAUTIOUS, []), (BUYER, ["--max-order-notional", "5"])],
    ids=["symbol not loaded", "refusal caught", "limit on risk"],
)
def test_orders_that_were_refused_are_counted(
    bot: Path, invoke: Invoke, source: str, options: list[str]
) -> None:
    (bot / "bot.py").write_text(source)
    done = invoke("backtest", "bot", "--data", "prices.csv", "--out", "here", *options)
    assert done.exit_code == 0, done.output
    assert ["Orders", "0"] in (shown := [line.split() for line in done.stdout.splitlines()])
    assert ["Refused", "orders", "4"] in shown
    assert (
        "4 orders refused when placed, and not in orders.csv; the strategy's log says why."
        in done.stdout
    )
    document = json.loads((bot / "here/result.json").read_text())
    assert (document["orders"], document["refused_orders"]) == (0, 4)
    assert document["hook_failures"] == 0


def test_hooks_that_failed_are_counted(bot: Path, invoke: Invoke) -> None:
    (bot / "bot.py").write_text(BUYER + "        raise ValueError(candle.close)\n")
    arguments = ("bot", "--data", "prices.csv", "--on-error", "continue", "--out", "here")
    done = invoke("backtest", *arguments)
    assert done.exit_code == 0, done.output
    assert "4 hook calls failed, and the run went on; the log has the errors." in done.stdout
    assert json.loads((bot / "here/result.json").read_text())["hook_failures"] == 4


def test_a_strategy_that_ends_the_run_is_shown_with_its_reason(bot: Path, invoke: Invoke) -> None:
    (bot / "bot.py").write_text(BUYER + '        self.quit("<once> was enough")\n')
    done = invoke("backtest", "bot", "--data", "prices.csv", "--out", "here", "--verify")
    assert done.exit_code == 0, done.output
    assert "The strategy ended the run at 2024-03-05T00:00:00Z: <once> was enough\n" in done.stdout
    assert "Stopped before the end of the data" not in done.stdout
    document = json.loads((bot / "here/result.json").read_text())
    assert (document["quit_reason"], document["complete"]) == ("<once> was enough", False)
    assert (document["bars"], document["orders"], document["fills"]) == (1, 1, 0)
    assert "&lt;once&gt; was enough" in (bot / "here/report.html").read_text()


MINUTES = "timestamp,open,high,low,close,volume\n" + "".join(
    f"2024-03-04T10:{minute:02}:00Z,100,110,90,105,1000\n" for minute in range(30)
)


def test_files_that_may_be_parts_of_one_symbol_are_told(bot: Path, invoke: Invoke) -> None:
    header, *rows = MINUTES.splitlines(keepends=True)
    for month in range(3):
        part = rows[10 * month : 10 * month + 10]
        (bot / f"XY-1m-{month}.csv").write_text(header + "".join(part))
    files = [part for month in range(3) for part in ("--data", f"XY-1m-{month}.csv")]
    done = invoke("backtest", "bot", "--out", "here", *files)
    assert (
        "Data: 3 files are read as 3 symbols, which they are named after; if they are parts of one "
        "symbol, name it: --symbol XY\n"
    ) in done.stderr
    assert "for 3 symbols" not in invoke("backtest", "bot", *files, "--symbol", "XY").stderr
    (bot / "XY-1m-1.csv").write_text(MINUTES)
    assert "for 3 symbols" not in invoke("backtest", "bot", *files).stderr


@pytest.mark.parametrize(
    ("options", "sent", "said"),
    [
        ([], ["X:candle_1m"], "X  1m  2024"),
        (["--timeframe", "5m"], ["X:candle_5m"], "X  1m (sent: 5m)  2024"),
        (["--columns", "date,open,high,low,close"], ["X:candle_1m"], "X  1m  2024"),
        (
            ["--subscriptions", "X:candle_15m,X:candle_5m"],
            ["X:candle_5m", "X:candle_15m"],
            "X  1m (sent: 5m, 15m)  2024",
        ),
    ],
)
def test_what_was_sent_is_told(
    bot: Path, invoke: Invoke, options: list[str], sent: list[str], said: str
) -> None:
    (bot / "X.csv").write_text(MINUTES)
    done = invoke("backtest", "bot", "--data", "X.csv", "--out", "here", *options)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[1].startswith(said)
    assert json.loads((bot / "here/result.json").read_text())["sent"] == sent


def test_bars_of_two_lengths_are_one_symbol(bot: Path, invoke: Invoke) -> None:
    (bot / "X.csv").write_text(MINUTES)
    (bot / "days.csv").write_text("symbol," + "X,".join(PRICES.splitlines(keepends=True)))
    done = invoke("backtest", "bot", "--data", "X.csv", "--data", "days.csv")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[1].startswith("X  1m, 1d (sent: 1m)  2024")


# Where data and strategy come from


def test_data_in_the_folder_data_is_found(bot: Path, invoke: Invoke) -> None:
    (bot / "data").mkdir()
    (bot / "prices.csv").rename(bot / "data" / "S_X.csv")
    done = invoke("backtest", "bot.py:Buyer", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["data"][0]["symbol"] == "S_X"


def test_without_data_it_says_what_to_give(bot: Path, invoke: Invoke) -> None:
    done = invoke("backtest", "bot")
    assert done.exit_code == 2
    assert done.stderr == (
        "Error: no market data: give --data FILE, or put files into a folder named data here; "
        "strategy-backtest --demo brings its own\n"
    )


def test_data_from_the_standard_input(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BUYER)
    arguments = ("bot", "--data", "-", "--symbol", "S:X", "--json")
    done = call("backtest", *arguments, cwd=tmp_path, stdin=PRICES)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"][0]["symbol"] == "S:X"


def test_a_part_of_the_data_is_chosen_by_time(bot: Path, invoke: Invoke) -> None:
    window = ("--from", "2024-03-05", "--to", "2024-03-07T00:00:00Z")
    done = invoke("backtest", "bot", "--data", "prices.csv", "--json", *window)
    document = json.loads(done.stdout)
    assert (document["bars"], document["start"], document["end"]) == (
        2,
        "2024-03-05T00:00:00Z",
        "2024-03-07T00:00:00Z",
    )


def test_ones_own_strategy_on_the_bundled_prices(bot: Path, invoke: Invoke) -> None:
    done = invoke("backtest", "bot", "--demo")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.endswith(
        "\nNext, the same over the network. The exchange, in one terminal:\n"
        "  strategy-proxy --demo\nThe strategy, in another:\n  strategy-run bot\n"
    )


def test_the_next_commands_make_the_same_run(bot: Path, invoke: Invoke) -> None:
    exchange = "--from 2012-01-01 --strict --fee-rate 0.001 --latency 1 --mode hedging"
    limits = "--max-order-notional 30000 --on-error continue"
    wanted = f"--set quantity=2 {exchange} {limits} --fills fills.csv --verify"
    done = invoke("backtest", "bot", "--demo", *wanted.split())
    assert done.exit_code == 0, done.stderr
    assert done.stdout.endswith(
        "\nNext, the same over the network. The exchange, in one terminal:\n"
        f"  strategy-proxy --demo {exchange}\n"
        f"The strategy, in another:\n  strategy-run bot --set quantity=2 {limits}\n"
    )


def test_other_averages_are_proposed_to_those_who_have_chosen_none(
    tmp_path: Path, invoke: Invoke
) -> None:
    places = "--out", str(tmp_path)
    assert "Next, other averages:\n" in invoke("backtest", "--demo", *places).stdout
    done = invoke("backtest", "--demo", "--set", "fast=5", *places)
    assert "Next, the same over the network." in done.stdout
    assert done.stdout.endswith("SmaCross --set fast=5\n")


def test_the_next_commands_can_be_typed_where_paths_have_blanks(
    bot: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bot / "my bot.py").write_text(BUYER)
    monkeypatch.setattr("sys.argv", ["my venv/bin/strategy-backtest"])
    done = invoke("backtest", "my bot.py", "--demo")
    assert done.stdout.endswith(
        "  'my venv/bin/strategy-proxy' --demo\n"
        "The strategy, in another:\n  'my venv/bin/strategy-run' 'my bot.py'\n"
    )


def test_a_parameter_from_the_environment(bot: Path, invoke: Invoke) -> None:
    arguments = ("backtest", "bot", "--data", "prices.csv", "--json")
    done = invoke(*arguments, env={"PARAM_QUANTITY": "3"})
    assert json.loads(done.stdout)["parameters"] == {"quantity": 3}
    done = invoke(*arguments, "--set", "quantity=4", env={"PARAM_QUANTITY": "3"})
    assert json.loads(done.stdout)["parameters"] == {"quantity": 4}


# What it refuses


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 2, "Error: name a strategy, such as bot:SmaCross, or try --demo\n"),
        (["", "--demo"], 2, "Error: '' does not name a strategy; write module:Class, such as"),
        (["bto", "--demo"], 2, "; did you mean 'bot'?\n"),
        (["bot:Buyr", "--demo"], 2, "bot.py) has no 'Buyr'; did you mean 'Buyer'?\n"),
        (
            ["bot", "--demo", "--set", "quantty=1"],
            2,
            "Error: Buyer has no parameter 'quantty'; did you mean 'quantity'?\n",
        ),
        (
            ["bot", "--demo", "--set", "quantity=x"],
            2,
            "Error: Buyer.quantity = 'x': must be a whole number\n",
        ),
        (["bot", "--demo", "--set", "quantity"], 2, "'quantity' is not NAME=VALUE\n"),
        (
            ["bot", "--demo", "--data", "prices.csv"],
            2,
            "Error: --demo brings its own prices; leave out --data or --demo\n",
        ),
        (["bot", "--demo", "--cash", "0"], 2, "Error: --cash must be above 0, not 0\n"),
        (["bot", "--demo", "--currency", ""], 2, "--currency must be the name of one, such as USD"),
        (
            ["bot", "--demo", "--cash", "1e27"],
            2,
            "Error: --cash must be at least 0.00000001 and at most 1,000,000,000,000,000, "
            "not 1E+27\n",
        ),
        (["bot", "--demo", "--cash", "1e400"], 2, "000,000, not 1E+400\n"),
        (["bot", "--demo", "--cash", "1e-400"], 2, "Error: --cash must be at least 0.00000001 "),
        (["bot", "--demo", "--cash", "lots"], 2, "'lots' is not a number.\n"),
        (["bot", "--demo", "--fee-rate", "nan"], 2, "'nan' is not a number.\n"),
        (["bot", "--demo", "--spread", "-1"], 2, "Error: --spread must not be negative: -1\n"),
        (
            ["bot", "--demo", "--leverage", "0.5"],
            2,
            "Error: --leverage must be at least 1, not 0.5\n",
        ),
        (
            ["bot", "--demo", "--fee-rate", "-1"],
            2,
            "Error: --fee-rate must be at least -0.01 and below 1, not -1; it is a share: 0.001 is "
            "ten basis points\n",
        ),
        (
            ["bot", "--demo", "--max-volume-share", "2"],
            2,
            "Error: --max-volume-share must be above 0 and at most 1, not 2\n",
        ),
        (
            ["bot", "--demo", "--maintenance-margin", "2"],
            2,
            "Error: --maintenance-margin must be between 0 and 1 / leverage, not 2\n",
        ),
        (
            ["bot", "--demo", "--subscriptions", "S:AAPL:quote"],
            2,
            "Error: --subscriptions matches nothing that was loaded: there are no quotes of "
            "S:AAPL; loaded are S:AAPL:candle, S:MSFT:candle\n",
        ),
        (["bot", "--demo", "--timeframe", "5min"], 2, "Error: --timeframe: '5min' is not a timefr"),
        (
            ["bot", "--demo", "--from", "2012-02-01", "--to", "2012-01-01"],
            2,
            "Error: --to 2012-01-01 is not after --from 2012-02-01\n",
        ),
        (["bot", "--demo", "--from", "2020"], 2, "Error: --from: '2020' is a year; write it as 20"),
        (["bot", "--demo", "--from", "yesterday"], 2, "Error: --from: 'yesterday' is no time; "),
        (["bot", "--demo", "--tz", "Mars/Base"], 2, "Error: --tz: 'Mars/Base' is no time zone; "),
        (["bot", "--data", "price.csv"], 74, "price.csv does not exist; did you mean 'prices.csv'"),
    ],
)
def test_the_error_for_a_mistake_on_the_command_line(
    bot: Path, invoke: Invoke, arguments: list[str], code: int, text: str
) -> None:
    done = invoke("backtest", *arguments)
    assert text in done.stderr
    assert (done.exit_code, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr


def test_subscriptions_without_data_are_reported_before_the_run(bot: Path, invoke: Invoke) -> None:
    wanted = "S:AAPL:candle,S:AAPL:quote,S:APL:candle,S:AAPL:order,*:option_greeks"
    done = invoke("backtest", "bot", "--demo", "--json", env={"SUBSCRIPTIONS": wanted})
    assert done.exit_code == 0
    assert done.stderr == (
        "SUBSCRIPTIONS: nothing will come of S:AAPL:quote: there are no quotes of S:AAPL\n"
        "SUBSCRIPTIONS: nothing will come of S:APL:candle: S:APL was not loaded; did you mean "
        "'S:AAPL'?\n"
        "SUBSCRIPTIONS: nothing will come of *:option_greeks: there are no option_greeks of "
        "S:AAPL, S:MSFT\n"
    )


REPEAT = "; write --data before each file (--data a.csv --data b.csv), or give their folder\n"
BESIDE = "; no strategy belongs here: start strategy-run beside this command\n"


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("backtest", ["bot", "--data", "a.csv", "b.csv"], f"argument b.csv{REPEAT}"),
        ("backtest", ["--data", "a.csv", "b.csv", "bot"], f"argument bot{REPEAT}"),
        (
            "backtest",
            ["bot", "--data", "a.csv", *["b.csv"] * 5],
            f"arguments b.csv b.csv b.csv and 2 more{REPEAT}",
        ),
        ("backtest", ["bot", "bot.py", "--data", "a.csv"], "argument bot.py\n"),
        ("backtest", ["bot", "n" * 300, "--data", "a.csv"], f"argument {'n' * 300}\n"),
        ("backtest", ["bot", "other", "--demo"], "argument other\n"),
        ("backtest", ["bot", "a.csv"], f"argument a.csv{REPEAT}"),
        ("proxy", ["--data", "a.csv", "b.csv"], f"argument b.csv{REPEAT}"),
        ("proxy", ["a.csv"], f"argument a.csv{REPEAT}"),
        ("proxy", ["bot:Buyer", "--data", "a.csv"], f"argument bot:Buyer{BESIDE}"),
        ("proxy", ["bot.py", "--data", "a.csv"], f"argument bot.py{BESIDE}"),
    ],
)
def test_what_it_says_to_an_argument_too_many(
    bot: Path, invoke: Invoke, name: str, arguments: list[str], text: str
) -> None:
    for copy in ("a.csv", "b.csv"):
        (bot / copy).write_text(PRICES)
    done = invoke(name, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"Error: unexpected {text}" in done.stderr


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--data", ""], "'--data' / '-d': an empty path; is the variable that it comes from set?"),
        (["--demo", "--out", ""], "'--out': an empty path; is the variable that it comes from"),
        (["--demo", "--fills", ""], "'--fills': an empty path; is the variable that it comes"),
        (["--demo", "--splits", ""], "'--splits': an empty path; is the variable that it com"),
        (
            ["--demo", "--fills", "-"],
            "'--fills': '-' is no file; name one, or print the results to stdout with --json\n",
        ),
        (
            ["--demo", "--out", "-"],
            "'--out': '-' is no folder; name one, or print the results to stdout with --json\n",
        ),
    ],
)
@pytest.mark.parametrize("name", ["backtest", "proxy"])
def test_a_path_that_is_none_is_refused(
    bot: Path, invoke: Invoke, name: str, options: list[str], text: str
) -> None:
    before = sorted(bot.iterdir())
    done = invoke(name, *(["bot"] if name == "backtest" else []), *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"Error: Invalid value for {text}" in done.stderr
    assert sorted(bot.iterdir()) == before


QUOTES = "timestamp,bid,ask\n2024-03-04T00:00:00Z,10,11\n2024-03-04T00:00:10Z,10,11\n"


@pytest.mark.parametrize(
    ("hooks", "prices", "subscriptions", "warnings"),
    [
        (["on_quote"], PRICES, "", ["on_quote was never called: no quotes were sent"]),
        (
            ["on_candle"],
            QUOTES,
            "",
            [
                "on_candle was never called: the data have quotes only; follow them with on_quote "
                "(--timeframe makes no candles of quotes)"
            ],
        ),
        (["on_quote", "on_order"], QUOTES, "", []),
        (["on_candle", "on_quote"], PRICES, "", []),
        (["on_quote", "on_event"], PRICES, "", []),
        (["on_candle"], PRICES, "*:candle_1d", []),
        (
            ["on_order"],
            PRICES,
            "",
            [
                "Deaf has no hook for prices, no timer, and placed no order; what it does at each "
                "bar goes into `def on_candle(self, candle)`"
            ],
        ),
    ],
)
def test_a_strategy_that_was_told_no_price_is_warned_of(
    bot: Path,
    invoke: Invoke,
    hooks: list[str],
    prices: str,
    subscriptions: str,
    warnings: list[str],
) -> None:
    methods = "".join(f"    def {hook}(self, event): ...\n" for hook in hooks)
    (bot / "deaf.py").write_text(
        f"from strategy_runtime import Strategy\nclass Deaf(Strategy):\n{methods}"
    )
    (bot / "prices.csv").write_text(prices)
    arguments = ("backtest", "deaf", "--data", "prices.csv", "--subscriptions", subscriptions)
    assert json.loads(invoke(*arguments, "--json").stdout)["warnings"] == warnings
    for warning in warnings:
        assert f"WARNING: {warning}" in invoke(*arguments).stdout


# When the strategy fails


def test_a_failing_hook_is_shown_from_the_users_code_on(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BUYER + "        self.helper(candle)\n" + FAILING)
    (tmp_path / "prices.csv").write_text(PRICES)
    done = call("backtest", "bot", "--data", "prices.csv", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (70, "")
    # Python versions underline different parts, and name the division differently.
    said = re.sub(r"^ +[~^]+\n", "", done.stderr, flags=re.MULTILINE)
    assert said.replace("float division", "division") == (
        "Stopped after 3 of 4 bars; no results.\n\n"
        "Traceback (most recent call last):\n"
        f'  File "{tmp_path}/bot.py", line 11, in on_candle\n'
        "    self.helper(candle)\n"
        f'  File "{tmp_path}/bot.py", line 15, in helper\n'
        "    return 1 / (candle.close - 96)\n"
        "ZeroDivisionError: division by zero\n\n"
        "Error: on_candle failed at candle prices 2024-03-06T00:00:00Z (prices.csv line 4)\n"
    )
    assert not (tmp_path / "results").exists()


FAILING = """

    def helper(self, candle: Candle) -> float:
        return 1 / (candle.close - 96)
"""


def test_the_run_goes_on_where_that_is_wanted(bot: Path, invoke: Invoke) -> None:
    (bot / "bot.py").write_text(BUYER + "        self.helper(candle)\n" + FAILING)
    done = invoke("backtest", "bot", "--data", "prices.csv", "--on-error", "continue", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["bars"] == 4
    assert "ZeroDivisionError" in done.stderr


def test_an_error_in_the_users_module_is_shown_from_there_on(bot: Path, invoke: Invoke) -> None:
    (bot / "broken.py").write_text("import json\n\njson.loads('{')\n")
    done = invoke("backtest", "broken:Bot", "--demo")
    assert done.exit_code == 70
    first, second, *_ = done.stderr.splitlines()
    assert first == "Traceback (most recent call last):"
    assert second == f'  File "{bot}/broken.py", line 3, in <module>'
    assert done.stderr.endswith("Error: JSONDecodeError while broken:Bot was imported\n")


def test_a_module_that_exits_is_an_error_in_it(bot: Path, invoke: Invoke) -> None:
    (bot / "leaves.py").write_text("import sys\n\nsys.exit(0)\n")
    done = invoke("backtest", "leaves:Bot", "--demo")
    assert done.exit_code == 70
    assert done.stderr.splitlines()[1] == f'  File "{bot}/leaves.py", line 3, in <module>'
    assert done.stderr.endswith("Error: SystemExit while leaves:Bot was imported\n")


def test_a_misspelt_hook_is_shown_where_it_stands(bot: Path, invoke: Invoke) -> None:
    (bot / "slip.py").write_text(
        "from strategy_runtime import Strategy\n"
        "class Slip(Strategy):\n"
        "    def on_candel(self, candle): ...\n"
    )
    done = invoke("backtest", "slip", "--demo")
    assert done.exit_code == 70
    assert f'File "{bot}/slip.py", line 2' in done.stderr
    assert "did you mean 'on_candle'" in done.stderr


def test_a_syntax_error_is_shown_without_frames_of_ours(bot: Path, invoke: Invoke) -> None:
    (bot / "typo.py").write_text("class Bot(:\n")
    done = invoke("backtest", "typo", "--demo")
    assert done.exit_code == 70
    assert done.stderr.startswith(f'  File "{bot}/typo.py", line 1\n')


# --verify


def test_verify_finds_a_second_run_that_trades_alike(bot: Path, invoke: Invoke) -> None:
    done = invoke("backtest", "bot", "--data", "prices.csv", "--verify", "--json")
    assert done.exit_code == 0
    assert "Verified: a second run traded alike (1 fills).\n" in done.stderr


def test_verify_finds_one_that_does_not(bot: Path, invoke: Invoke) -> None:
    (bot / "bot.py").write_text(
        "from strategy_runtime import Strategy\n"
        "class Buyer(Strategy):\n"
        "    _count = iter((1, 2, 3, 4, 5, 6, 7, 8))\n"
        "    def on_candle(self, candle):\n"
        "        self.buy(candle.symbol, next(Buyer._count))\n"
    )
    done = invoke("backtest", "bot", "--data", "prices.csv", "--verify", "--json")
    assert done.exit_code == 70
    assert (
        "Error: a second run traded differently, from fill 1 on: BUY 1 prices at 106 in "
        "2024-03-05T00:00:00Z first, then BUY 5 prices at 106 in 2024-03-05T00:00:00Z;"
        in done.stderr
    )


@pytest.mark.parametrize("logs", ["", '        self.log.info("logged")\n'])
def test_lines_of_the_log_say_what_time_it_is_in_the_backtest(tmp_path: Path, logs: str) -> None:
    refused = BUYER.replace("self.buy(candle.symbol,", 'self.buy("S:NO",')
    (tmp_path / "bot.py").write_text(refused + logs)
    (tmp_path / "prices.csv").write_text(PRICES)
    done = call("backtest", "bot", "--data", "prices.csv", cwd=tmp_path)
    lines = [line for line in done.stderr.splitlines() if "order refused" in line]
    days = [line.split("time=2024-03-0")[1][:1] for line in lines]
    assert days == ["5", "6", "7", "8"], done.stderr


def test_what_a_timer_logs_says_what_time_it_is_for_the_timer(bot: Path) -> None:
    (bot / "timed.py").write_text(
        "from strategy_runtime import Strategy\n"
        "class Timed(Strategy):\n"
        "    def on_start(self):\n"
        "        self.at('15:55', self.go_home)\n"
        "    def go_home(self):\n"
        "        self.buy('S:NONE', 1)\n"
        "    def on_candle(self, candle):\n"
        "        pass\n"
    )
    done = call("backtest", "timed", "--data", "prices.csv", cwd=bot)
    assert done.stderr.startswith("WARNING time=2024-03-05T15:55:00Z order refused: S:NONE Timed-")


def test_an_order_that_was_refused_is_no_stranger_to_explain(bot: Path, invoke: Invoke) -> None:
    (bot / "bot.py").write_text(ELSEWHERE)
    done = invoke("backtest", "bot", "--data", "prices.csv", "--explain", "Buyer-bt-1")
    assert done.exit_code == 2
    assert done.stderr.endswith(
        "Error: order 'Buyer-bt-1' was refused when it was placed, so it has no story; the log "
        "says why, every time with LOG_LEVEL=debug\n"
    )


LOUD = BUYER.replace("self.buy(candle.symbol,", 'self.buy("S:NONE",') + (
    '        self.log.warning("heard")\n'
    "        if candle.close == 118: print('the end', self.mode, flush=True)\n"
)


@pytest.mark.parametrize(("level", "times"), [("info", 1), ("debug", 2)])
@pytest.mark.parametrize("form", ["console", "json"])
def test_verify_logs_the_first_run_only_unless_all_is_wanted(
    tmp_path: Path, level: str, times: int, form: str
) -> None:
    (tmp_path / "bot.py").write_text(LOUD)
    (tmp_path / "prices.csv").write_text(PRICES)
    done = call(
        *("backtest", "bot", "--data", "prices.csv", "--verify"),
        cwd=tmp_path,
        env={"LOG_LEVEL": level, "LOG_FORMAT": form},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the end backtest") == 2
    assert done.stderr.count("order refused") == 4 * times
    assert done.stderr.count("heard") == 4 * times
    assert done.stderr.endswith("Verified: a second run traded alike (0 fills).\n")
