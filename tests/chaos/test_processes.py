"""Real processes that are killed or stopped at any moment, and restarted.

`pytest tests/chaos/test_processes.py --signal-points 200` tries more moments.
"""

import asyncio
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import IO

import pytest

from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.ids import Random, generator
from strategy_runtime.runtime.store import Journal
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.server import ProxyServer
from tests.chaos.busy import steps
from tests.figures import Tell

BAR_S = 0.02
STOP_WITHIN_S = 8.0
SETTLED_S = 18.0

BOT = '''
import json
from pathlib import Path

from strategy_runtime import Candle, Strategy

HERE = Path(__file__).parent


class Bot(Strategy):
    """Buys or sells at every bar, unless configured to be quiet."""

    quiet: bool = False

    def on_start(self) -> None:
        self.given = (HERE / "given").open("a")

    def on_connect(self) -> None:
        (HERE / "connected").touch()

    def on_candle(self, candle: Candle) -> None:
        if self.quiet:
            return
        long = self.position("S:A").quantity > 3
        ticket = self.sell("S:A", 2) if long else self.buy("S:A", 1)
        print(ticket.client_order_id, file=self.given, flush=True)

    def on_stop(self) -> None:
        held = {net.symbol: str(net.quantity) for net in self.positions}
        (HERE / "held").write_text(json.dumps(held))
'''


@pytest.fixture
def points(pytestconfig: pytest.Config) -> int:
    count: int = pytestconfig.getoption("--signal-points")
    return count


def market() -> Exchange:
    prices = (100.0 + number % 7 for number in range(100_000))
    return Exchange([steps("S:A", prices, volume=1e9)])


class Bench:
    """A proxy that replays by the clock, and a folder in which a strategy runs against it."""

    def __init__(self, folder: Path, server: ProxyServer, rng: Random) -> None:
        self.folder = folder
        self.state = folder / "state"
        self._server = server
        self._rng = rng
        (folder / "bot.py").write_text(BOT)

    async def start(self, *options: str) -> asyncio.subprocess.Process:
        """Start the strategy in its own process."""
        (self.folder / "connected").unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            return await self._spawn(log, *options)

    async def _spawn(self, log: IO[bytes], *options: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "strategy_runtime.cli.run",
            "bot:Bot",
            f"--ws-url={self._server.ws_url}",
            f"--rest-url={self._server.rest_url}",
            f"--state-dir={self.state}",
            "--mode=live",
            *options,
            cwd=self.folder,
            stderr=log,
        )

    async def until_connected(self, process: asyncio.subprocess.Process) -> None:
        """Wait until it has connected, or ended."""
        while process.returncode is None and not (self.folder / "connected").exists():
            await sleep(0.01)

    async def end_anywhere(self, number: int) -> float:
        """Start it, send it a signal at some moment, and return how long it took to end."""
        process = await self.start()
        if self._rng.random() < 0.2:
            await sleep(self._rng.uniform(0, 0.6))
        else:
            await self.until_connected(process)
            await sleep(self._rng.uniform(0, 0.3))
        began = monotonic()
        process.send_signal(number)
        code = await process.wait()
        log = (self.folder / "log").read_text()[-3000:]
        assert code == (-number if number == signal.SIGKILL else 0) or (
            # Python itself had not started far enough to handle it.
            code == -number and not (self.folder / "connected").exists()
        ), (code, log)
        return monotonic() - began

    @property
    def journal(self) -> Path:
        """Folder of the journal."""
        (found,) = self.state.iterdir()
        return found


def unsettled(folder: Path) -> list[str]:
    journal = Journal(folder)
    journal.close()
    return list(journal.unsettled)


async def held_by(bench: Bench) -> str:
    """Return what the strategy finds when it is restarted and does nothing."""
    is_in_doubt = bool(unsettled(bench.journal))
    process = await bench.start("--set", "quiet=true")
    await bench.until_connected(process)
    await sleep(SETTLED_S if is_in_doubt else 25 * BAR_S)
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    return (bench.folder / "held").read_text()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
async def test_ended_at_any_moment(
    number: signal.Signals, points: int, tmp_path: Path, tell: Tell
) -> None:
    exchange, rng, slowest, orphans = market(), generator(number), 0.0, 0
    async with ProxyServer(exchange, ws_port=0, rest_port=0, speed=60 / BAR_S) as server:
        bench = Bench(tmp_path, server, rng)
        for _ in range(points):
            slowest = max(slowest, await bench.end_anywhere(number))
            if bench.state.exists():
                orphans += len(unsettled(bench.journal))
        held = await held_by(bench)
        positions = exchange.positions()
        booked = Counter(order.client_order_id for order in exchange.order_history(limit=1_000_000))
        assert unsettled(bench.journal) == []
    given = set((tmp_path / "given").read_text().split())
    assert set(booked) <= given
    assert set(booked.values()) == {1}
    net = str(positions[0].signed_quantity) if positions else "0"
    assert held == (f'{{"S:A": "{net}"}}' if positions else "{}")
    if number == signal.SIGTERM:
        assert slowest < STOP_WITHIN_S
        assert orphans == 0
    tell(
        f"{number.name} at {points} moments: {len(booked):,} orders, none doubled, one position on "
        f"both sides, {orphans} intents for the next run to settle, the slowest end {slowest:.2f} s"
    )
