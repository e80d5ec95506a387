"""What can happen to a live process: full or read-only disks, limits, signals, clock changes."""

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

from tests.cli.support import call, insist, interrupt, line_of, proxy, started

BOT = '''
from strategy_runtime import Candle, Strategy


class Bot(Strategy):
    """Gives an order at every bar, and tells what became of it."""

    def on_candle(self, candle: Candle) -> None:
        long = self.position(candle.symbol).quantity > 3
        self.sell(candle.symbol, 2) if long else self.buy(candle.symbol, 1)

    def on_trade(self, trade) -> None:
        print("trade", flush=True)

    def on_error(self, error) -> None:
        print(type(error).__name__, error, flush=True)

    def on_stop(self) -> None:
        print("on_stop was called", flush=True)
'''
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="mounts and limits as Linux does")

HEADER = "timestamp,open,high,low,close,volume"


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    """A folder with a strategy that trades at every bar, and a day of prices."""
    (tmp_path / "bot.py").write_text(BOT)
    rows = [f"2024-03-04T{n // 60:02}:{n % 60:02}:00Z,10,11,9,10,1000" for n in range(24 * 60)]
    (tmp_path / "prices.csv").write_text("\n".join([HEADER, *rows]))
    return tmp_path


@contextmanager
def trading(
    bot: Path,
    *options: object,
    env: dict[str, str] | None = None,
    stderr: IO[str] | int = subprocess.PIPE,
) -> Iterator["subprocess.Popen[str]"]:
    """Start a live run against a proxy that plays ten bars per second."""
    with (
        proxy("--data", "prices.csv", "--speed", "600x", cwd=bot) as (_, urls),
        started(
            "run", "bot", *urls, "--mode=live", *options, cwd=bot, env=env, stderr=stderr
        ) as process,
    ):
        yield process


@pytest.mark.parametrize("level", ["info", "warning"])
def test_the_log_has_every_order_unless_told_otherwise(bot: Path, level: str) -> None:
    with trading(bot, "--state-dir", "none", "--log-level", level) as process:
        line_of(process.stdout, "trade")
        said = stops_in_good_order(process)
    for what in ("accepted", "filled"):
        assert (f"order {what}: buy 1 " in said) is (level == "info")


# Disks


def stops_in_good_order(process: "subprocess.Popen[str]") -> str:
    interrupt(process, signal.SIGTERM)
    printed, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "on_stop was called" in printed
    return said


@on_linux
def test_a_full_disk_refuses_orders_until_there_is_room_again(bot: Path) -> None:
    with trading(bot, "--state-dir", bot / "state") as process:
        line_of(process.stdout, "trade")
        (journal,) = (bot / "state").glob("*/intents.jsonl")
        # A limit on the size of files has the same effect as a full disk.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        refused = line_of(process.stdout, "JOURNAL_FAILED")
        assert str(journal) in refused
        assert "an order that is not in it is not sent; make room, or give another" in refused
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        line_of(process.stdout, "trade")
        stops_in_good_order(process)


@on_linux
def test_a_log_goes_on_after_its_disk_was_full_and_has_a_line_about_the_gap(bot: Path) -> None:
    log = bot / "log"
    with log.open("a") as stderr, trading(bot, "--state-dir", "none", stderr=stderr) as process:
        line_of(process.stdout, "trade")
        full = (log.stat().st_size, resource.RLIM_INFINITY)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, full)
        for _ in range(3):
            line_of(process.stdout, "trade")
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        for _ in range(3):
            line_of(process.stdout, "trade")
        interrupt(process, signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0
    before, after = log.read_text().split("\nlines are missing here: File too large\n")
    assert "order filled" in before
    assert "order filled" in after
    assert json.loads(after.splitlines()[-1])["event"] == "stopped"


# Limits


@on_linux
@pytest.mark.parametrize(
    ("thread", "options"),
    [("strategy-runtime I/O", []), ("strategy-runtime ops", ["--ops-port", "0"])],
)
def test_a_run_that_cannot_have_its_threads_does_not_begin(
    bot: Path, thread: str, options: list[str]
) -> None:
    # No system has room for such a stack; the error is the same at a container's process limit.
    (bot / "bot.py").write_text(f"import threading\nthreading.stack_size(2**47)\n{BOT}")
    with trading(bot, "--state-dir", "none", *options) as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == 2, said
    assert said.splitlines()[-1] == (
        f"Error: the thread '{thread}' cannot be started: can't start new thread; allow more of "
        "them, with ulimit -u or in the container's limits"
    )
    assert "Traceback" not in said


@on_linux
def test_a_run_that_may_not_open_its_files_does_not_begin(bot: Path) -> None:
    (bot / "bot.py").write_text(
        "import os, resource\n"
        "highest = max(map(int, os.listdir('/proc/self/fd')))\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (highest, highest))\n"
        f"{BOT}"
    )
    with trading(bot, "--state-dir", "none") as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == 74, said
    assert said.endswith("Error: Too many open files; allow more of them, as with ulimit -n\n")
    assert "Traceback" not in said


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """Mount a file system; skip the test if that is not allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        may = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        may = False
    if not may:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write a file until there is no room left."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))


@on_linux
def test_a_disk_that_is_really_full(bot: Path) -> None:
    state = bot / "state"
    with mounted(state, "size=64k"), trading(bot, "--state-dir", state) as process:
        line_of(process.stdout, "trade")
        fill(state / "ballast")
        refused = line_of(process.stdout, "JOURNAL_FAILED")
        assert "intents.jsonl cannot be written (" in refused
        (state / "ballast").unlink()
        line_of(process.stdout, "trade")
        stops_in_good_order(process)


@on_linux
def test_a_disk_that_cannot_be_written(bot: Path) -> None:
    state = bot / "state"
    with mounted(state, "ro"):
        with trading(bot, "--state-dir", state) as process:
            _, said = process.communicate(timeout=30)
        assert process.returncode == 2
        assert f"Error: --state-dir: {state} cannot be used: Read-only file system\n" in said
        # The folder is the default: the run goes on without a journal, and says so.
        with trading(bot, env={"XDG_STATE_HOME": str(state)}) as process:
            warning = line_of(process.stderr, "cannot be used")
            assert "Read-only file system): no journal of orders is kept" in warning
            line_of(process.stdout, "trade")
            stops_in_good_order(process)
        ended = call("backtest", "bot", "--data", bot / "prices.csv", "--out", state / "r", cwd=bot)
        assert ended.returncode == 74
        assert f"Error: cannot write {state}/r/fills.csv: Read-only file system\n" in ended.stderr


# Signals


BLOCKED = """
import time

from strategy_runtime import Strategy


class Bot(Strategy):
    def on_candle(self, candle):
        print("blocked", flush=True)
        time.sleep(3600)

    def on_stop(self):
        print("on_stop was called", flush=True)
"""

ENDLESS = """
import asyncio

from strategy_runtime import Strategy


class Bot(Strategy):
    def on_candle(self, candle):
        print("running", flush=True)

    async def on_stop(self):
        print("stopping", flush=True)
        await asyncio.sleep(3600)
"""


def test_a_hook_that_blocks_its_thread_is_ended_with_its_process(bot: Path) -> None:
    (bot / "bot.py").write_text(BLOCKED)
    with trading(bot) as process:
        line_of(process.stdout, "blocked")
        interrupt(process, signal.SIGTERM)
        printed, said = process.communicate(timeout=30)
    assert process.returncode == 143
    assert said.endswith("did not stop within 7.5 s of SIGTERM; ended\n")
    assert "on_stop" not in printed


IN_A_POOL = BLOCKED.replace("time.sleep(3600)", "await asyncio.to_thread(time.sleep, 3600)")


def test_a_thread_that_goes_on_is_ended_with_its_process(bot: Path) -> None:
    (bot / "bot.py").write_text(
        f"import asyncio\n{IN_A_POOL.replace('def on_c', 'async def on_c')}"
    )
    with trading(bot) as process:
        line_of(process.stdout, "blocked")
        interrupt(process, signal.SIGTERM)
        printed, said = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "on_stop was called" in printed
    assert said.endswith("did not stop within 7.5 s of SIGTERM; ended\n")


KEPT_WAITING = """
import asyncio
from pathlib import Path

from msgspec import Struct

from strategy_runtime import Candle, Strategy


class Memory(Struct):
    stops: int = 0


class Bot(Strategy):
    state: Memory = Memory()

    async def on_candle(self, candle):
        print("ready", flush=True)
        while not Path("stopped").exists():
            await asyncio.sleep(0.01)
        print("ordering", flush=True)
        await self.buy(candle.symbol, 1)

    async def on_stop(self):
        self.state.stops += 1
        await asyncio.sleep(3600)
"""


@pytest.mark.parametrize("mode", ["live", "backtest"])
def test_a_proxy_that_answers_nothing_any_more_keeps_no_run_from_ending(
    bot: Path, mode: str
) -> None:
    (bot / "bot.py").write_text(KEPT_WAITING)
    kept = ("--state-dir", bot / "state", "--record", bot / "recording.jsonl")
    with (
        proxy("--data", "prices.csv", cwd=bot) as (server, urls),
        started("run", "bot", *urls, "--mode", mode, "--on-exit=cancel", *kept, cwd=bot) as process,
    ):
        line_of(process.stdout, "ready")
        interrupt(server, signal.SIGSTOP)
        (bot / "stopped").touch()
        line_of(process.stdout, "ordering")
        interrupt(process, signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "the connection could not be closed in good order in 0." in said
    assert "nobody can say whether it arrived: the run ended before it was answered" in said
    assert '"candle"' in (bot / "recording.jsonl").read_text()
    if mode == "live":
        (state,) = (bot / "state").glob("*/state.json")
        assert '"stops": 1' in state.read_text()


SIGNALLED = """
import os
import signal
import time

from strategy_runtime import Strategy


class Bot(Strategy):
    count = 0

    def on_candle(self, candle):
        self.count += 1
        time.sleep(1)  # so that others come meanwhile, and wait
        if self.count == 3:
            os.kill(os.getpid(), signal.SIGTERM)
            if ORDERS:
                self.buy(candle.symbol, 1)
        print("candle", self.count, flush=True)

    def on_error(self, error):
        print(error, flush=True)

    def on_stop(self):
        print("on_stop was called", flush=True)
"""


@pytest.mark.parametrize("orders", [True, False])
def test_no_event_follows_the_signal_and_what_its_hook_orders_is_sent(
    bot: Path, orders: bool
) -> None:
    (bot / "bot.py").write_text(f"ORDERS = {orders}\n{SIGNALLED}")
    with trading(bot) as process:
        printed, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert printed.splitlines() == ["candle 1", "candle 2", "candle 3", "on_stop was called"]


def test_a_second_signal_ends_at_once_whatever_is_under_way(bot: Path) -> None:
    (bot / "bot.py").write_text(ENDLESS)
    with trading(bot) as process:
        line_of(process.stdout, "running")
        interrupt(process, signal.SIGTERM)
        line_of(process.stdout, "stopping")
        insist(process, signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.endswith("ended at once by a second signal\n")


def test_signals_that_come_together_are_one(bot: Path) -> None:
    once = "os.kill(os.getpid(), signal.SIGTERM)"
    thrice = f"for _ in range(3): {once}; time.sleep(0.01)"
    (bot / "bot.py").write_text("ORDERS = False\n" + SIGNALLED.replace(once, thrice))
    with trading(bot) as process:
        printed, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert printed.endswith("on_stop was called\n")


# The wall clock

JUMPS = """
import time

from strategy_runtime import Strategy

really = time.time
DAY = 86_400


class Bot(Strategy):
    def on_start(self):
        self.count, self.was = 0, self.now
        self.every("1s", self.tick)

    def on_candle(self, candle):
        self.count += 1
        if self.count in (5, 10):
            ahead = DAY if self.count == 5 else -DAY
            time.time = lambda: really() + ahead
            time.time_ns = lambda: int((really() + ahead) * 1e9)
            print("jump", (self.now - self.was).days, flush=True)
        print("bar", flush=True)
        self.buy(candle.symbol, 1)

    def tick(self):
        print("tick", flush=True)

    def on_trade(self, trade):
        print("trade", flush=True)

    def on_disconnect(self):
        print("lost", flush=True)

    def on_stop(self):
        print("on_stop was called", flush=True)
"""


def after_the_last_jump(printed: list[str]) -> list[str]:
    jumps = [place for place, line in enumerate(printed) if line.startswith("jump")]
    return printed[jumps[1] :] if len(jumps) == 2 else []


def test_a_clock_that_is_set_neither_stalls_nor_hurries_anything(bot: Path) -> None:
    (bot / "bot.py").write_text(JUMPS)
    with trading(bot) as process:
        printed = [line_of(process.stdout)]
        while printed.count("trade\n") < 20 or "tick\n" not in after_the_last_jump(printed):
            printed.append(line_of(process.stdout))
        stops_in_good_order(process)
    assert [line for line in printed if line.startswith("jump")] == ["jump 1\n", "jump -1\n"]
    assert "lost\n" not in printed
    # One per second, and one for the day that the clock jumped over.
    assert printed.count("tick\n") <= printed.count("bar\n") / 2
