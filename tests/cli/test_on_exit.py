"""A signal while the proxy owes an answer: `--on-exit` is carried out all the same."""

import asyncio
import re
import signal
from pathlib import Path

from aiohttp import web

from tests.cli.support import started
from tests.proxy.scripted import CONNECTED, ScriptedProxy, candle

BUYS = """
from strategy_runtime import Candle, Strategy


class Bot(Strategy):
    def on_candle(self, candle: Candle) -> None:
        self.buy(candle.symbol, 1, limit=5)
"""

CANCELLED = {
    "id": "ord-1",
    "symbol": "S:A",
    "side": "BUY",
    "order_type": "LIMIT",
    "quantity": "1",
    "status": "CANCELLED",
}


async def test_an_order_without_an_answer_keeps_no_other_from_being_cancelled(
    tmp_path: Path,
) -> None:
    (tmp_path / "bot.py").write_text(BUYS)

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1, "S:A"))
        await asked(proxy, "POST", 1)
        await proxy.say(socket, candle(2, "S:B"))
        await proxy.until_closed(socket)

    async def asked(proxy: ScriptedProxy, method: str, times: int) -> None:
        while sum(each[0] == method for each in proxy.requests) < times:
            proxy.heard.clear()
            await proxy.heard.wait()

    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["POST", "/orders"] = [(201, {"id": "ord-1", "status": "OPEN"}), (-1, None)]
        proxy.answers["DELETE", "/orders/ord-1"] = [(200, {"success": True, "order": CANCELLED})]
        live = ("--mode", "live", "--state-dir", "none", "--on-exit", "cancel")
        with started("run", "bot", *proxy.flags, *live, cwd=tmp_path) as process:
            await asked(proxy, "POST", 2)
            process.send_signal(signal.SIGTERM)
            _, said = await asyncio.to_thread(process.communicate, timeout=10)
    assert process.returncode == 0, said
    assert ("DELETE", "/orders/ord-1", None) in proxy.requests
    assert "on exit: not everything was answered in 2 s" in said
    assert "anomaly: S:B Bot-" in said
    assert "on_stop took longer" not in said


HELD = {
    "id": "pos-1",
    "symbol": "S:A",
    "side": "LONG",
    "quantity": "5",
    "average_entry_price": "10",
}


async def test_what_could_not_be_left_behind_as_wanted_is_said(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(BUYS)

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1, "S:A"))
        await proxy.until_closed(socket)

    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["POST", "/orders"] = [
            (201, {"id": "ord-1", "status": "OPEN"}),
            (422, {"code": "ORDER_REJECTED", "message": "the market is closed"}),
        ]
        proxy.answers["DELETE", "/orders/ord-1"] = [(400, {"code": "NO", "message": "not now"})]
        proxy.answers["GET", "/positions"] = [(200, [HELD])]
        live = ("--mode", "live", "--state-dir", "none", "--on-exit", "flatten")
        with started("run", "bot", *proxy.flags, *live, cwd=tmp_path) as process:
            while not any(each[0] == "POST" for each in proxy.requests):
                proxy.heard.clear()
                await proxy.heard.wait()
            process.send_signal(signal.SIGTERM)
            _, said = await asyncio.to_thread(process.communicate, timeout=10)
    assert process.returncode == 0, said
    refused = r'"not done \(cancel\): S:A Bot-\w+-1: NO: not now".*"level":"error"'
    closed = r'"not done \(submit\): S:A Bot-\w+-2: ORDER_REJECTED: the market is closed"'
    assert re.search(refused, said), said
    assert re.search(closed, said), said
