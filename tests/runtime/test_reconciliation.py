"""The book against a venue that knows more than was heard."""

import asyncio

from aiohttp import web

from strategy_runtime import Strategy
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.runtime.runner import Runner
from tests.proxy.scripted import CONNECTED, ScriptedProxy

ORDER = {
    "id": "ord-1",
    "client_order_id": "c-1",
    "symbol": "S:X",
    "side": "BUY",
    "order_type": "LIMIT",
    "quantity": "5",
    "limit_price": "10",
    "filled_quantity": "0",
    "status": "OPEN",
}
FILLED = {**ORDER, "status": "FILLED", "filled_quantity": "5", "average_fill_price": "10"}
POSITION = {"id": "p-1", "symbol": "S:X", "side": "LONG", "quantity": "5"}


async def test_an_order_filled_in_the_gap_is_no_longer_open() -> None:
    async def first(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED)
        proxy.answers["GET", "/orders"] = [(200, [])]
        proxy.answers["GET", "/orders/history"] = [(200, [FILLED])]
        proxy.answers["GET", "/positions"] = [(200, [POSITION])]

    async def second(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        # What the snapshot already holds comes as an event, too.
        filled = {"type": "order", "event": "ORDER_FILLED", "event_id": "evt-1", "order": FILLED}
        await proxy.say(socket, CONNECTED, filled)
        await proxy.until_acked("evt-1")
        runner.stop()
        await asyncio.Event().wait()

    seen: list[str] = []

    class Looks(Strategy):
        def on_disconnect(self) -> None:
            seen.append(f"lost: {len(self.orders())} open, {self.position('S:X').quantity}")

        def on_reconnect(self, gap: float) -> None:
            seen.append(f"back: {len(self.orders())} open, {self.position('S:X').quantity}")

        def on_stop(self) -> None:
            seen.append(f"end: {len(self.orders())} open, {self.position('S:X').quantity}")

    async with ScriptedProxy(first, second).serving() as proxy:
        proxy.answers["GET", "/orders"] = [(200, [ORDER])]
        endpoints = Endpoints(ws_url=f"ws://{proxy.url}", rest_url=f"http://{proxy.url}")
        runner = Runner(Looks(), ProxyVenue(endpoints, is_live=True), mode="live")
        async with asyncio.timeout(20):
            await runner.run()
    assert seen == ["lost: 1 open, 0", "back: 0 open, 5", "end: 0 open, 5"]
