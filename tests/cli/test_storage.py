"""Files of a live run, with real processes that end, or are killed, and are started again."""

import signal
import subprocess
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientSession

from strategy_runtime import Strategy
from strategy_runtime.cli.storage import Storage, open_storage
from strategy_runtime.clock import sleep
from strategy_runtime.errors import ConfigError
from strategy_runtime.ids import generator
from strategy_runtime.runtime.settings import read_environment, resolve
from tests.cli.support import call, line_of, proxy, started

BOT = '''
from pathlib import Path

from msgspec import Struct

from strategy_runtime import Candle, Strategy


class Memory(Struct):
    runs: int = 0
    candles: int = 0
    noted: list[int] = []


class Bot(Strategy):
    """Counts candles over all its runs, and writes down each number."""

    state: Memory = Memory()

    def on_start(self) -> None:
        self.state.runs += 1
        self.notes = Path("notes").open("a")
        print("start", self.state.runs, self.state.candles, file=self.notes, flush=True)

    def on_candle(self, candle: Candle) -> None:
        self.state.candles += 1
        self.state.noted = [*self.state.noted, self.state.candles][-200:]
        print(self.state.candles, file=self.notes, flush=True)

    def on_stop(self) -> None:
        print("stop", self.state.candles, file=self.notes, flush=True)
        self.state.noted = []
'''
KILLS = 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bot.py").write_text(BOT)
    rows = [f"2024-03-04T{n // 60 % 24:02}:{n % 60:02}:00Z" for n in range(24 * 60)]
    prices = [f"{time},10,11,9,10,1000" for time in rows]
    (tmp_path / "prices.csv").write_text(
        "\n".join(["timestamp,open,high,low,close,volume", *prices])
    )
    return tmp_path


def notes(folder: Path) -> list[str]:
    path = folder / "notes"
    return path.read_text().splitlines() if path.exists() else []


def state_file(folder: Path) -> Path:
    (found,) = (folder / "state").glob("Bot@*/state.json")
    return found


async def until_it_counts(process: "subprocess.Popen[str]", folder: Path) -> None:
    before = len(notes(folder))
    while process.poll() is None and len(notes(folder)) < before + 4:
        await sleep(0.01)


async def test_a_killed_process_goes_on_with_what_its_last_event_left(folder: Path) -> None:
    rng = generator(9)
    with proxy("--data", "prices.csv", "--speed", "6000x", cwd=folder) as (_, options):
        for _ in range(KILLS):
            with started(
                "run", "bot:Bot", *options, "--state-dir", "state", "--mode=live", cwd=folder
            ) as process:
                await until_it_counts(process, folder)
                await sleep(rng.uniform(0, 0.1))
                process.send_signal(signal.SIGKILL)
                assert process.wait() == -signal.SIGKILL
            msgspec.json.decode(state_file(folder).read_bytes())
    starts = [line.split() for line in notes(folder) if line.startswith("start")]
    assert [int(runs) for _, runs, _ in starts] == list(range(1, KILLS + 1))
    last = 0
    for line in notes(folder):
        if line.startswith("start"):
            # At most the event that was being handled when it was killed is missing.
            assert last - int(line.split()[2]) in (0, 1)
            last = int(line.split()[2])
        else:
            last += 1
            assert line == str(last)


RESTS = """
from strategy_runtime import Candle, OrderEvent, Strategy, Trade


class Rests(Strategy):
    def on_start(self) -> None:
        self.has_given = bool(self.orders() or self.positions)

    def on_connect(self) -> None:
        print("connected", flush=True)

    def on_candle(self, candle: Candle) -> None:
        if not self.has_given:
            self.has_given = True
            self.buy(candle.symbol, 1, limit=95)

    def on_order(self, event: OrderEvent) -> None:
        print(event.event, event.order.filled_quantity, event.synthetic, flush=True)

    def on_trade(self, trade: Trade) -> None:
        print("trade", trade.price, flush=True)
"""


async def test_what_filled_while_it_was_killed_is_told_by_the_next_process(tmp_path: Path) -> None:
    (tmp_path / "rests.py").write_text(RESTS)
    closes = [100] * 400 + [90] * 6000
    rows = [
        f"{datetime(2024, 3, 4, tzinfo=UTC) + timedelta(minutes=n):%Y-%m-%dT%H:%M:%SZ}"
        f",{close},{close},{close},{close},1000"
        for n, close in enumerate(closes)
    ]
    header = "timestamp,open,high,low,close,volume"
    (tmp_path / "prices.csv").write_text("\n".join([header, *rows]))
    with proxy("--data", "prices.csv", "--speed", "6000x", cwd=tmp_path) as (_, options):
        live = ("rests", *options, "--state-dir", "state", "--mode=live")
        with started("run", *live, cwd=tmp_path) as process:
            line_of(process.stdout, "ORDER_CREATED 0 False")
            process.send_signal(signal.SIGKILL)
        async with ClientSession() as session:
            while True:
                async with session.get(f"{options[-1]}/positions") as answer:
                    if await answer.json():
                        break
                await sleep(0.05)
        for told in (["ORDER_FILLED 1 True\n", "trade 90.0\n"], []):
            with started("run", *live, cwd=tmp_path) as process:
                assert [line_of(process.stdout) for _ in told] == told
                assert line_of(process.stdout) == "connected\n"
                process.send_signal(signal.SIGTERM)
                rest, said = process.communicate(timeout=30)
                assert (process.returncode, rest) == (0, ""), said


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://localhost:8080", "localhost-8080"),
        ("http://127.0.0.1:8080", "localhost-8080"),
        ("http://[::1]:8080/", "localhost-8080"),
        ("HTTP://LOCALHOST:8080", "localhost-8080"),
        ("http://localhost", "localhost-80"),
        ("https://Far.example", "far.example-443"),
        ("https://far.example:443", "far.example-443"),
        ("https://far.example:8443", "far.example-8443"),
        ("https://far.example/v1/", "far.example-443"),
        ("https://far.example/paper", "far.example-443-paper"),
        ("https://far.example/brokers/a/v1", "far.example-443-brokers-a"),
    ],
)
def test_a_proxy_has_one_folder_whichever_of_its_names_is_given(
    url: str, name: str, tmp_path: Path
) -> None:
    flags = {"rest_url": url, "state_dir": str(tmp_path)}
    with ExitStack() as until:
        open_storage(Strategy(), resolve(flags, read_environment({})), until)
        assert [path.name for path in tmp_path.iterdir()] == [f"Strategy@{name}"]
        with pytest.raises(ConfigError, match=f"Strategy@{name} is running already"):
            open_storage(Strategy(), resolve(flags, read_environment({})), until)


def test_what_earlier_runs_have_kept_at_the_default_place_is_not_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    settings = resolve({"rest_url": "http://localhost:8080"}, read_environment({}))
    folder = tmp_path / "strategy-runtime" / "Strategy@localhost-8080"
    (folder / "lock").mkdir(parents=True)
    with ExitStack() as until:
        assert open_storage(Strategy(), settings, until) == Storage()
    assert "no journal of orders is kept; see --state-dir" in caplog.text
    (folder / "state.json").write_text("{}")
    with ExitStack() as until, pytest.raises(ConfigError) as refused:
        open_storage(Strategy(), settings, until)
    assert str(refused.value) == (
        f"{folder} cannot be used: Is a directory; it has the journal and the state of earlier "
        "runs, which this run must not ignore: make it usable, or give another --state-dir, such "
        "as none, which keeps nothing"
    )


async def test_what_on_stop_changes_is_saved(folder: Path) -> None:
    with (
        proxy("--data", "prices.csv", "--speed", "6000x", cwd=folder) as (_, options),
        started(
            "run", "bot:Bot", *options, "--state-dir", "state", "--mode=live", cwd=folder
        ) as process,
    ):
        await until_it_counts(process, folder)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        path = state_file(folder)
        assert f"the state of Bot begins anew; it is kept in state/{path.parent.name}" in line_of(
            process.stderr, "begins anew"
        )
    assert msgspec.json.decode(path.read_bytes()) == {
        "runs": 1,
        "candles": int(notes(folder)[-1].removeprefix("stop ")),
        "noted": [],
    }


def test_a_file_of_another_shape_is_refused_before_the_run_begins(folder: Path) -> None:
    with proxy("--data", "prices.csv", "--speed", "600x", cwd=folder) as (_, options):
        port = options[-1].rpartition(":")[2]
        path = folder / "state" / f"Bot@localhost-{port}" / "state.json"
        path.parent.mkdir(parents=True)
        path.write_text('{"runs": 1, "candels": 7}')
        ended = call("run", "bot:Bot", *options, "--state-dir=state", "--mode=live", cwd=folder)
    assert ended.returncode == 74
    assert (
        f"state/{path.parent.name}/state.json does not fit Memory, the state of Bot: it has no "
        "field for `$.candels`; correct one of the two, or move the file away to begin anew"
    ) in ended.stderr
    assert notes(folder) == []
    assert path.read_text() == '{"runs": 1, "candels": 7}'


def test_a_backtest_begins_anew_and_keeps_nothing(folder: Path) -> None:
    for _ in range(2):
        with proxy("--data", "prices.csv", cwd=folder) as (_, options):
            ended = call("run", "bot:Bot", *options, "--state-dir=state", cwd=folder)
        assert ended.returncode == 0, ended.stderr
        ended = call("backtest", "bot:Bot", "--data=prices.csv", "--verify", cwd=folder)
        assert ended.returncode == 0, ended.stderr
    starts = [line for line in notes(folder) if line.startswith("start")]
    assert starts == ["start 1 0"] * 6
    assert not (folder / "state").exists()


def test_without_a_place_for_it_it_says_so(folder: Path) -> None:
    (folder / "home").write_text("no folder")
    with (
        proxy("--data", "prices.csv", "--speed", "6000x", cwd=folder) as (_, options),
        started(
            "run",
            "bot:Bot",
            *options,
            "--mode=live",
            cwd=folder,
            env={"HOME": str(folder / "home")},
        ) as process,
    ):
        said = line_of(process.stderr, "cannot be used")
    assert "no journal of orders is kept, and no state; see --state-dir" in said
