"""The runner on the network venue, as `strategy-run` sets them up."""

import asyncio
import time

from strategy_runtime import Candle, Strategy
from strategy_runtime.proxy import ProxyVenue
from strategy_runtime.proxy.endpoints import Endpoints
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.threads import ThreadedVenue

__all__ = ["ours"]


class Counts(Strategy):
    """Counts candles and, if told to, answers each with an order."""

    answers: bool = False

    def on_start(self) -> None:
        self.events, self.began = 0, 0.0

    def on_candle(self, candle: Candle) -> None:
        if not self.events:
            self.began = time.process_time()
        self.events += 1
        if self.answers:
            self.buy(candle.symbol, 1)


async def ours(stream: str, requests: str, mode: str, batch: int) -> tuple[float, int]:
    """Do the same with the package, which does not need to know the batch size."""
    strategy = Counts(answers=mode == "order")
    endpoints = Endpoints(ws_url=stream, rest_url=requests)
    if mode == "free":
        loop = type(asyncio.get_running_loop())
        live = ThreadedVenue(ProxyVenue(endpoints, is_live=True), loop_factory=loop)
        await Runner(strategy, live, mode="live").run()
    else:
        venue = ProxyVenue(endpoints, is_live=False)
        await Runner(strategy, venue, mode="backtest").run()
    return strategy.began, strategy.events
