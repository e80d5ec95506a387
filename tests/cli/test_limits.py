"""Risk limits as options: alike in process and over the network, shown, refused if wrong."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.support import call, proxy

BOT = '''
from pathlib import Path

from strategy_runtime import Candle, Strategy


class Bot(Strategy):
    """Orders too much in every way there is, and writes down what it was refused."""

    def on_start(self) -> None:
        self.candles = 0
        self.refusals = Path("refusals").open("w")

    def on_candle(self, candle: Candle) -> None:
        self.candles += 1
        symbol = candle.symbol
        if self.candles % 7 == 0:
            self.buy(symbol, fraction=0.3)
        if self.candles % 50 == 0:
            self.buy(symbol, fraction=2)
        if self.candles % 23 == 0:
            self.close(symbol)
        if self.candles % 30 == 0:
            for _ in range(8):
                self.buy(symbol, 1, limit=candle.close * 0.9)
        if self.candles % 31 == 0:
            self.cancel_all(symbol)

    def on_error(self, error: Exception) -> None:
        limit = error.details.get("limit", "none")
        print(limit, self.risk_state, error, file=self.refusals, flush=True)
'''

LIMITS = (
    "--max-orders-per-minute=6",
    "--max-order-notional=60000",
    "--max-position-notional=80000",
    "--max-daily-loss=1500",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bot.py").write_text(BOT)
    return tmp_path


@pytest.mark.parametrize("limits", [LIMITS, LIMITS[:-1]], ids=["all", "all but the daily loss"])
def test_the_same_orders_are_refused_in_process_and_over_the_network(
    limits: tuple[str, ...], folder: Path
) -> None:
    done = call("backtest", "bot:Bot", "--demo", "--fills=in-process.csv", *limits, cwd=folder)
    assert done.returncode == 0, done.stderr
    in_process = (folder / "refusals").read_text()
    with proxy("--demo", "--fills=over-sockets.csv", "--linger=0", cwd=folder) as (server, urls):
        done = call("run", "bot:Bot", *urls, *limits, cwd=folder)
        assert done.returncode == 0, done.stderr
        server.communicate(timeout=30)
    assert (folder / "refusals").read_text() == in_process
    fills = (folder / "in-process.csv").read_text()
    assert (folder / "over-sockets.csv").read_text() == fills
    refused = Counter(line.split()[0] for line in in_process.splitlines())
    for option in limits:
        assert refused[option[2:].split("=")[0].replace("-", "_")] > 30, refused
    assert fills.count("\n") > 100


def test_a_backtest_takes_limits_from_the_environment_and_options_go_before(folder: Path) -> None:
    def refusals(*options: str, **environ: str) -> int:
        done = call("backtest", "bot:Bot", "--demo", *options, cwd=folder, env=environ)
        assert done.returncode == 0, done.stderr
        return (folder / "refusals").read_text().count("RISK_LIMIT")

    unlimited = refusals(STRATEGY_MAX_ORDER_NOTIONAL="")
    limited = refusals(STRATEGY_MAX_ORDER_NOTIONAL="20000")
    assert unlimited == 0
    assert limited > 50
    assert refusals("--max-order-notional=1e9", STRATEGY_MAX_ORDER_NOTIONAL="20000") == 0


@pytest.mark.parametrize("name", ["backtest", "run"])
def test_a_limit_that_cannot_be_one_is_refused(name: str, folder: Path) -> None:
    done = call(name, "bot:Bot", "--max-daily-loss=0", cwd=folder)
    assert done.returncode == 2
    assert "--max-daily-loss: '0' is not an amount above zero" in done.stderr


@pytest.mark.parametrize("name", ["backtest", "run", "proxy"])
def test_a_limit_that_nobody_would_read_is_refused(name: str, folder: Path) -> None:
    target = () if name == "proxy" else ("bot:Bot",)
    misspelt = {"STRATEGY_MAX_DAILY_LOS": "5"}
    done = call(name, *target, cwd=folder, env=misspelt)
    assert done.returncode == 2
    assert done.stderr == (
        "Error: STRATEGY_MAX_DAILY_LOS is not a setting, and would be ignored; did you mean "
        "'STRATEGY_MAX_DAILY_LOSS'? Rename it or remove it\n"
    )


def test_a_broken_line_of_an_env_file_is_refused(folder: Path) -> None:
    (folder / "bot.env").write_text("LOG_LEVEL=info\nSTRATEGY_MAX_DAILY_LOSS 5\n")
    done = call("run", "bot:Bot", "--env-file=bot.env", cwd=folder)
    assert done.returncode == 2
    assert done.stderr == (
        "Error: --env-file bot.env line 2: this is not NAME=VALUE, or a quotation mark is missing\n"
    )


def test_the_result_of_a_backtest_has_the_limits_that_were_set(folder: Path) -> None:
    done = call("backtest", "bot:Bot", "--demo", "--json", "--max-daily-loss=1.5e3", cwd=folder)
    options = json.loads(done.stdout)["options"]
    shown = {name: text for name, text in options.items() if name.startswith("max_")}
    assert shown == {"max_volume_share": None, "max_daily_loss": "1500"}


def test_check_shows_the_limits_and_where_they_come_from(folder: Path) -> None:
    with proxy("--demo", cwd=folder) as (_, urls):
        done = call(
            *("run", "bot:Bot", *urls, "--check", "--max-daily-loss", "500"),
            cwd=folder,
            env={"STRATEGY_MAX_ORDER_NOTIONAL": "2e4"},
        )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["max-daily-loss", "500", "--max-daily-loss"] in rows
    assert ["max-order-notional", "20000", "STRATEGY_MAX_ORDER_NOTIONAL"] in rows
    assert ["max-position-notional", "-", "default"] in rows


def test_a_live_run_remembers_how_its_day_began(folder: Path) -> None:
    rows = [f"2024-03-04T00:{n:02}:00Z,10,11,9,10,1000" for n in range(60)]
    (folder / "prices.csv").write_text("\n".join(["time,open,high,low,close,volume", *rows]))
    run = ("run", "bot:Bot", "--mode=live", "--state-dir=state", "--max-daily-loss=500")
    with proxy("--data=prices.csv", "--speed=3000x", "--linger=0", cwd=folder) as (server, urls):
        call(*run, *urls, cwd=folder)
        server.communicate(timeout=30)
    (path,) = (folder / "state").glob("Bot@*/day.json")
    assert json.loads(path.read_text()) == {"day": "2024-03-04", "equity": "100000"}
