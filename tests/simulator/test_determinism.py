"""The same run gives the same events, byte for byte, whatever seeds Python's hashes."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

RUN = """
import asyncio, hashlib
from datetime import UTC, datetime
from decimal import Decimal
from strategy_runtime.demo import PRICES
from strategy_runtime.demo.strategy import SmaCross
from strategy_runtime.protocol.server_codec import encode_event
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.load import load_bars
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.venue import SimulatedVenue

log = hashlib.sha256()


class Logged(SmaCross):
    def on_event(self, event):
        moment = datetime(2024, 1, 1, tzinfo=UTC)
        log.update(encode_event(event, event_id="x", timestamp=moment))


options = ExchangeOptions(fee_rate=Decimal("0.001"), max_volume_share=Decimal("0.0001"))
exchange = Exchange(load_bars([PRICES]).series, options)
asyncio.run(Runner(Logged(), SimulatedVenue(exchange), mode="backtest").run())
outcome = exchange.outcome()
print(len(outcome.fills), log.hexdigest())
"""


def test_the_event_log_is_the_same_under_three_hash_seeds() -> None:
    logs = []
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", RUN], env=environment, capture_output=True, text=True, check=True
        )
        logs.append(done.stdout)
    assert int(logs[0].split()[0]) > 50
    assert logs[0] == logs[1] == logs[2]
