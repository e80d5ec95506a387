"""A bracket with a slip in its prices: over the network, the strategy's log says so."""

from pathlib import Path

from tests.cli.support import call, proxy

BOT = """
from strategy_runtime import Strategy


class Bot(Strategy):
    def on_candle(self, candle):
        self.buy(candle.symbol, 1, stop_loss=0.05)
"""


def test_it_is_logged_once(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    with proxy("--demo", "--linger=0", cwd=tmp_path) as (server, urls):
        done = call("run", "bot", *urls, cwd=tmp_path)
        server.communicate(timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("stop_loss=0.05 of a buy of S:") == 1
