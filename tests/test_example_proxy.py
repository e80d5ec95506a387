"""The example of a proxy: a real `strategy-run` trades through it, and loses nothing."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from examples.proxy import SYMBOL, Proxy
from strategy_runtime import OrderStatus
from strategy_runtime.clock import now
from tests.cli.support import ROOT, call, command, environment, line_of

BOT = """
from strategy_runtime import Candle, OrderRejected, Strategy, Trade


class Bot(Strategy):
    count: int = 0

    async def on_candle(self, candle: Candle) -> None:
        self.count += 1
        symbol = candle.symbol
        try:
            if self.count == 1:
                await self.buy(symbol, 10)
            elif self.count == 2:
                await self.buy(symbol, 10, stop_loss=candle.close / 2)
            elif self.count == 3:
                await self.buy(symbol, 10**6)
            elif self.count == 4:
                await self.cancel(await self.buy(symbol, 1, limit=candle.close / 3))
                resting = await self.buy(symbol, 5, limit=candle.close / 2)
                await self.modify(resting, limit=candle.close / 4)
            elif self.count == 5:
                await self.close(symbol)
        except OrderRejected as refusal:
            self.log.info("refused", why=str(refusal))
        self.log.info(f"candle {self.count}")

    def on_trade(self, trade: Trade) -> None:
        self.log.info(f"{trade.side} {trade.quantity} at {trade.price}")

    def on_connect(self) -> None:
        self.log.info("connected")
"""


@asynccontextmanager
async def serving(proxy: Proxy) -> AsyncIterator[str]:
    runner = web.AppRunner(proxy.application())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield "http://{}:{}".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


class Run:
    """A `strategy-run` beside the test, and what it has said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""

    async def says(self, *texts: str) -> None:
        """Wait until it has said them all."""
        assert self.process.stderr is not None
        missing = set(texts)
        while missing:
            line = (await self.process.stderr.readline()).decode()
            assert line, f"it ended without {missing}: {self.said}"
            self.said += line
            missing = {text for text in missing if text not in line}


def cut(proxy: Proxy) -> None:
    """Break all connections to the event stream, with nothing said."""
    for stream in proxy.streams:
        found: socket.socket = stream.get_extra_info("socket")
        found.shutdown(socket.SHUT_RDWR)


async def test_a_live_run_trades_through_it(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    proxy = Proxy()
    start = now().replace(microsecond=0) - timedelta(minutes=1)

    async def close(number: int, price: int) -> None:
        await proxy.end_candle(start + number * timedelta(seconds=1), Decimal(price))

    async with serving(proxy) as url, asyncio.timeout(50):
        process = await asyncio.create_subprocess_exec(
            *command("run", "bot", "--state-dir", tmp_path / "state"),
            cwd=tmp_path,
            env=environment({"GATEWAY_URL": url}),
            stderr=asyncio.subprocess.PIPE,
        )
        run = Run(process)
        await run.says("connected")
        await close(1, 100)
        await run.says("candle 1", "BUY 10 at 100")
        await close(2, 101)
        await run.says("candle 2")
        await close(3, 102)
        await run.says("candle 3")
        await close(4, 104)
        await run.says("candle 4")
        cut(proxy)
        await close(5, 50)
        await run.says("connected", "BUY 5 at 52")
        await close(6, 60)
        await run.says("candle", "SELL 15 at 60")
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert process.returncode == 0, run.said
    assert "UNSUPPORTED_OPERATION: orders with stop_loss are not offered here" in run.said
    assert "ORDER_REJECTED: 1000010 C:DEMO at 102 are more than the account can hold" in run.said
    assert "HTTP_405" in run.said, "it offers no changes"
    fills = [f"{trade.side} {trade.quantity} at {trade.price}" for trade in proxy.trades]
    assert fills == ["BUY 10 at 100", "BUY 5 at 52.0", "SELL 15 at 60"]
    ended = [order.status for order in proxy.orders.values()]
    assert ended == [OrderStatus.FILLED, OrderStatus.CANCELLED, *[OrderStatus.FILLED] * 2]
    assert proxy.account().balance == 100_000 - 40 * 10 + 8 * 5


MARKET = {"symbol": SYMBOL, "side": "BUY", "quantity": "2", "order_type": "MARKET"}


@pytest.mark.parametrize(
    ("order", "status", "said"),
    [
        ({"take_profit": "200"}, 501, "orders with take_profit are not offered here"),
        ({"time_in_force": "IOC"}, 501, "orders with time_in_force are not offered here"),
        ({"order_type": "STOP_LIMIT"}, 501, "STOP_LIMIT orders are not offered here"),
        ({"order_type": "LIMIT", "limit_price": "1", "reduce_only": True}, 501, "that only reduce"),
        ({"order_type": "LIMIT"}, 400, "an amount is missing"),
        ({"quantity": "0"}, 400, "an amount is missing"),
        ({"quantity": "many"}, 400, "$.quantity"),
        ({"symbol": "S:AAPL"}, 422, "the only symbol is C:DEMO"),
        ({"reduce_only": True}, 422, "1 C:DEMO are held, and 2 reduce nothing"),
        ({"side": "SELL", "reduce_only": True}, 422, "1 C:DEMO are held, and 2 reduce nothing"),
    ],
)
async def test_what_it_cannot_do_is_refused_with_a_reason(
    order: dict[str, object], status: int, said: str
) -> None:
    proxy = Proxy()
    async with serving(proxy) as url, aiohttp.ClientSession() as session:
        async with session.post(f"{url}/orders", json={**MARKET, "quantity": "1"}) as answer:
            assert answer.status == 201
        async with session.post(f"{url}/orders", json={**MARKET, **order}) as answer:
            assert (answer.status, said in (await answer.json())["message"]) == (status, True)
    assert len(proxy.orders) == 1


async def test_an_order_that_is_sent_again_is_not_placed_again() -> None:
    proxy = Proxy()
    async with serving(proxy) as url, aiohttp.ClientSession() as session:
        for _ in range(2):
            order = {**MARKET, "client_order_id": "mine"}
            async with session.post(f"{url}/orders", json=order) as answer:
                assert (await answer.json())["id"] == next(iter(proxy.orders))
    assert proxy.held == 2


async def test_turning_a_position_books_its_profit() -> None:
    proxy = Proxy()
    async with serving(proxy) as url, aiohttp.ClientSession() as session:
        for price, side, quantity in ((100, "BUY", "4"), (110, "SELL", "6"), (105, "BUY", "1")):
            proxy.price = Decimal(price)
            order = {**MARKET, "side": side, "quantity": quantity}
            async with session.post(f"{url}/orders", json=order) as answer:
                assert answer.status == 201
    assert (proxy.held, proxy.entry) == (Decimal(-1), Decimal(110))
    assert proxy.balance == 100_000 + 40 + 5


def test_check_passes(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    proxy = subprocess.Popen(
        [sys.executable, ROOT / "examples" / "proxy.py", "--port", "0"],
        env=environment({"PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE,
        text=True,
    )
    with proxy:
        try:
            url = line_of(proxy.stdout, "http://").split()[3]
            done = call("run", "bot", "--check", cwd=tmp_path, env={"GATEWAY_URL": url})
        finally:
            proxy.terminate()
    assert done.returncode == 0, done.stderr
    assert "(equity 100000 USD, 0 open orders, 0 positions)" in done.stdout
    assert "ok  mode  live  (default)" in done.stdout
    assert "ok  events  ws://" in done.stdout
