"""Lots and ticks as options: orders are rounded alike in process and over the network."""

import csv
from pathlib import Path

from tests.cli.support import call, proxy

BOT = '''
from strategy_runtime import Candle, Strategy


class Bot(Strategy):
    """Buys a part of its equity below each close, with a stop, and sells half of what it holds."""

    def on_candle(self, candle: Candle) -> None:
        symbol = candle.symbol
        self.cancel_all(symbol)
        self.buy(symbol, fraction=0.1, limit=candle.close * 0.997, stop_loss=candle.close * 0.9)
        if self.position(symbol).is_long:
            self.close(symbol, self.position(symbol).quantity / 2)
'''
STEPS = ("--lot-size", "S:AAPL=10,*=1", "--tick-size=0.05")


def test_orders_are_rounded_alike_in_process_and_over_the_network(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    done = call("backtest", "bot:Bot", "--demo", "--fills=in-process.csv", *STEPS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with proxy("--demo", "--fills=over-sockets.csv", "--linger=0", cwd=tmp_path) as (server, urls):
        done = call("run", "bot:Bot", *urls, *STEPS, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        server.communicate(timeout=30)
    fills = (tmp_path / "in-process.csv").read_text()
    assert (tmp_path / "over-sockets.csv").read_text() == fills
    rows = list(csv.DictReader(fills.splitlines()))
    assert len(rows) > 100
    for row in rows:
        lot = 10 if row["symbol"] == "S:AAPL" else 1
        assert int(row["quantity"]) % lot == 0
        if row["rule"] == "limit_touch":
            assert round(float(row["price"]) * 100) % 5 == 0
    assert {row["rule"] for row in rows} >= {"limit_touch"}
