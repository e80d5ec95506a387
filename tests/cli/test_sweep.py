"""`strategy-sweep`: its runs, their order, and exit codes."""

import csv
import json
import signal
from datetime import date, timedelta
from pathlib import Path

import pytest

from strategy_runtime.backtesting import backtest, read_data
from strategy_runtime.demo import PRICES
from strategy_runtime.demo.strategy import SmaCross
from strategy_runtime.report.table import share
from tests.cli.conftest import Invoke
from tests.cli.support import call, line_of, started

CAREFUL = """
from strategy_runtime import Strategy


class Careful(Strategy):
    low: int = 1
    high: int = 2
    words: list[str] = []

    def on_start(self):
        print("begins")
        self.log.warning("begins")
        if self.low >= self.high:
            raise ValueError("low must be less than high")

    def on_candle(self, candle):
        if self.position(candle.symbol).is_flat:
            self.buy(candle.symbol, self.low)
"""


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def careful(bot: Path) -> Path:
    (bot / "careful.py").write_text(CAREFUL)
    return bot


def test_every_combination_is_the_run_it_would_be_by_itself(tmp_path: Path) -> None:
    done = call("sweep", "--demo", "--set", "fast=5,20", "--set", "slow=30,50", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    data, expected = read_data(PRICES), {}
    for fast in (5, 20):
        for slow in (30, 50):
            expected[str(fast), str(slow)] = backtest(SmaCross(fast=fast, slow=slow), data).summary
    rows = table(tmp_path / "results/SmaCross/sweep.csv")
    assert {(row["fast"], row["slow"]): row["fill_hash"] for row in rows} == {
        key: summary.fill_hash for key, summary in expected.items()
    }
    assert len({row["fill_hash"] for row in rows}) == 4
    for row in rows:
        summary = expected[row["fast"], row["slow"]]
        assert float(row["return"]) == summary.total_return
        assert float(row["sharpe"]) == summary.performance.sharpe
    sharpes = [float(row["sharpe"]) for row in rows]
    assert sharpes == sorted(sharpes, reverse=True)
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "SmaCross(stake=0.40)",
        "S:AAPL, S:MSFT  1d  2008-01-02 to 2013-01-01",
        "4 runs, by sharpe; buy and hold +70.85 %",
    ]
    assert lines[4].split() == ["fast", "slow", "Return", "Drawdown", "Sharpe", "Trades"]
    shown = [line.split()[:2] for line in lines[5:9]]
    assert shown == [[row["fast"], row["slow"]] for row in rows]
    assert lines[-1] == "Written: results/SmaCross/sweep.csv"


@pytest.mark.parametrize(("by", "is_rising"), [("max_drawdown", True), ("return", False)])
def test_the_best_by_the_figure_that_is_asked_for_comes_first(
    tmp_path: Path, by: str, is_rising: bool
) -> None:
    call("sweep", "--demo", "--set", "fast=5,10,20", "--by", by, "--out", "here", cwd=tmp_path)
    figures = [float(row[by]) for row in table(tmp_path / "here/sweep.csv")]
    assert len(figures) == 3
    assert figures == sorted(figures, reverse=not is_rising)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_strategy_that_fails_with_some_values_is_told_and_the_others_run(
    careful: Path, processes: int
) -> None:
    arguments = ("careful", "--data", "prices.csv", "--set", "low=1,2,3", "--set", "high=3,2")
    done = call("sweep", *arguments, "--processes", processes, cwd=careful)
    assert (done.returncode, done.stderr) == (70, "")
    assert "begins" not in done.stdout
    assert (
        "FAILED: low=2 high=2: on_start failed: ValueError: low must be less than high\n"
        in done.stdout
    )
    rows = table(careful / "results/Careful/sweep.csv")
    assert [(row["low"], row["high"], bool(row["failure"])) for row in rows] == [
        *(("2", "3", False), ("1", "3", False), ("1", "2", False)),
        *(("2", "2", True), ("3", "3", True), ("3", "2", True)),
    ]
    assert "2     2        -         -       -       -  failed" in done.stdout


EXITS = """
import asyncio
import sys

from strategy_runtime import Strategy


class Speechless(Exception):
    def __str__(self):
        raise ValueError


class Exits(Strategy):
    way: int = 0

    def __init__(self, **parameters):
        super().__init__(**parameters)
        if self.way == 1:
            sys.exit("no key")

    def on_start(self):
        if self.way == 2:
            self.task = asyncio.create_task(self.end())

    async def end(self):
        sys.exit("enough")

    async def on_candle(self, candle):
        await asyncio.sleep(0)
        if self.way == 3:
            raise Speechless
"""


@pytest.mark.parametrize("processes", [1, 2])
def test_a_strategy_that_exits_or_fails_oddly_ends_its_own_run_only(
    tmp_path: Path, processes: int
) -> None:
    (tmp_path / "bot.py").write_text(EXITS)
    arguments = ("bot:Exits", "--data", PRICES, "--set", "way=0,1,2,3")
    done = call("sweep", *arguments, "--processes", processes, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (70, "")
    assert "FAILED: way=1: Exits was not made: SystemExit: no key\n" in done.stdout
    assert "FAILED: way=2: one of its tasks ended the process: SystemExit: enough\n" in done.stdout
    assert "Speechless: <no message: its __str__ fails>\n" in done.stdout
    assert len(table(tmp_path / "results/Exits/sweep.csv")) == 4


SIDES = """
from strategy_runtime import Strategy


class Sides(Strategy):
    side: int = 0

    def on_candle(self, candle):
        if not self.position(candle.symbol).is_flat:
            self.close(candle.symbol)
        elif self.side:
            (self.buy if self.side > 0 else self.sell)(candle.symbol, 10)
"""


@pytest.mark.parametrize("by", ["sortino", "calmar", "profit_factor"])
def test_a_run_that_never_lost_is_the_best_although_it_has_no_ratio(
    bot: Path, invoke: Invoke, by: str
) -> None:
    (bot / "sides.py").write_text(SIDES)
    days = [date(2024, 1, 1) + timedelta(days=day) for day in range(60)]
    rows = [
        f"{day},{100 + row},{101 + row},{100 + row},{101 + row}" for row, day in enumerate(days)
    ]
    (bot / "rising.csv").write_text("\n".join(["time,open,high,low,close", *rows]))
    options = ("--data", "rising.csv", "--set", "side=-1,0,1", "--by", by, "--out", "here")
    assert invoke("sweep", "sides", *options).exit_code == 0
    first, second, last = table(bot / "here/sweep.csv")
    assert [each["side"] for each in (first, second, last)] == ["1", "-1", "0"]
    assert (first[by], bool(second[by]), last[by]) == ("", True, "")


HASTY = """
from strategy_runtime import Strategy


class Hasty(Strategy):
    bars: int = 0

    def on_start(self):
        self.left = self.bars

    def on_candle(self, candle):
        self.left -= 1
        if not self.left:
            self.quit("enough")
"""


def test_the_heading_is_of_the_whole_time_and_runs_that_ended_early_say_so(
    bot: Path, invoke: Invoke
) -> None:
    (bot / "hasty.py").write_text(HASTY)
    done = invoke("sweep", "hasty", "--data", "prices.csv", "--set", "bars=2,0", "--by", "return")
    whole = backtest(SmaCross(), "prices.csv").summary
    lines = done.stdout.splitlines()
    assert lines[1].endswith(f"to {whole.end.removesuffix('T00:00:00Z')}")
    assert lines[2].endswith(f"; buy and hold {share(whole.buy_and_hold, signed=True)}")
    assert [line.split()[:1] + line.split()[7:] for line in lines[5:7]] == [
        ["2", "ended", "early"],
        ["0"],
    ]


def test_the_document_has_the_summaries_and_what_failed(careful: Path, invoke: Invoke) -> None:
    arguments = ("--data", "prices.csv", "--set", "low=1,2", "--set", "high=2", "--json")
    done = invoke("sweep", "careful", *arguments)
    assert done.exit_code == 70
    document = json.loads(done.stdout)
    (run,) = document["runs"]
    assert run["parameters"] == {"low": 1, "high": 2, "words": []}
    (failed,) = document["failed"]
    assert failed["parameters"] == {"low": "2", "high": "2"}
    assert not (careful / "results").exists()


def test_a_value_that_is_json_is_one_value(careful: Path, invoke: Invoke) -> None:
    words = ("--set", 'words=["a", "b"]', "--set", 'words=["c"]')
    done = invoke("sweep", "careful", "--data", "prices.csv", *words, "--json")
    assert done.exit_code == 0, done.output
    given = [run["parameters"]["words"] for run in json.loads(done.stdout)["runs"]]
    assert given == [["a", "b"], ["c"]]


def test_columns_are_straight_with_characters_of_two_columns(careful: Path, invoke: Invoke) -> None:
    words = ("--set", 'words=["株"]', "--set", 'words=["x"]')
    done = invoke("sweep", "careful", "--data", "prices.csv", *words)
    header, wide, narrow = done.stdout.split("\n\n")[1].splitlines()
    assert wide.startswith('  ["株"]  +')
    assert narrow.startswith('   ["x"]  +')
    assert header.startswith("   words   ")


def test_more_runs_than_a_screen_has_lines_are_only_counted(careful: Path, invoke: Invoke) -> None:
    numbers = ",".join(map(str, range(3, 28)))
    done = invoke("sweep", "careful", "--data", "prices.csv", "--set", f"high={numbers}")
    assert done.exit_code == 0, done.output
    assert "\nand 5 more\n" in done.stdout
    assert len(table(careful / "results/Careful/sweep.csv")) == 25


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "low=1"], "there is nothing to compare: give a parameter several values, such "),
        ([], "there is nothing to compare"),
        (["--set", "low=1,x"], "Careful.low = 'x': must be a whole number"),
        (["--set", "lo=1,2"], "Careful has no parameter 'lo'; did you mean 'low'?"),
        (["--set", "low"], "'low' is not NAME=VALUE"),
        (["--set", "low=1,2", "--by", "luck"], "'luck' is not one of 'sharpe'"),
        (["--set", "low=1,2", "--leverage", "0"], "--leverage"),
        (["--set", "low=1,2", "--processes", "0"], "0 is not in the range x>=1"),
    ],
)
def test_invalid_arguments_are_refused_before_anything_runs(
    careful: Path, invoke: Invoke, arguments: list[str], said: str
) -> None:
    done = invoke("sweep", "careful", "--data", "prices.csv", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(
    careful: Path, invoke: Invoke
) -> None:
    arguments = ("--data", "prices.csv", "--set", "low=1,2", "--out", "prices.csv/here")
    done = invoke("sweep", "careful", *arguments)
    assert done.exit_code == 74
    assert "cannot write prices.csv/here/sweep.csv" in done.stderr
    assert done.stdout == ""


def test_a_place_that_nobody_asked_for_need_not_be_written(careful: Path, invoke: Invoke) -> None:
    (careful / "results").write_text("a file in the way")
    done = invoke("sweep", "careful", "--data", "prices.csv", "--set", "high=2,3")
    assert done.exit_code == 0
    assert "2 runs" in done.stdout
    assert "The results could not be kept: cannot write results/" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_of_its_processes(tmp_path: Path, number: int, code: int) -> None:
    (tmp_path / "slow.py").write_text(
        "import sys, time\n"
        "from strategy_runtime import Strategy\n"
        "class Slow(Strategy):\n"
        "    number: int = 0\n"
        "    def on_start(self):\n"
        "        print('begins', file=sys.stderr, flush=True)\n"
        "        time.sleep(60)\n"
    )
    arguments = ("slow", "--demo", "--set", "number=1,2", "--processes", 2)
    with started("sweep", *arguments, cwd=tmp_path) as process:
        for _ in range(2):
            line_of(process.stderr, "begins")
        process.send_signal(number)
        process.communicate(timeout=20)  # until all processes have closed the streams
        assert process.returncode == code
