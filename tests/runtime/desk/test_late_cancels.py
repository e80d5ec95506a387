"""A cancel that comes after the fill, with the different answers of proxies."""

import pytest
from aiohttp import web

from strategy_runtime import Candle, OrderRejected, OrderStatus, Strategy
from strategy_runtime.proxy import ProxyVenue
from strategy_runtime.runtime.runner import Runner
from tests.proxy.scripted import COMPLETE, CONNECTED, ScriptedProxy, at_once, candle

ORDER = {
    "id": "ord-1",
    "client_order_id": "Cancels-bt-1",
    "symbol": "S:X",
    "side": "BUY",
    "order_type": "LIMIT",
    "limit_price": "9",
    "quantity": "5",
    "status": "OPEN",
}
FILLED = ORDER | {"status": "FILLED", "filled_quantity": "5"}


class Cancels(Strategy):
    """Places a bid, cancels it at once, and records the outcome."""

    def __init__(self) -> None:
        super().__init__()
        self.found = ""

    async def on_candle(self, candle: Candle) -> None:
        bid = await self.buy("S:X", 5, limit=9)
        try:
            self.found = (await self.cancel(bid)).status
        except OrderRejected as refusal:
            self.found = refusal.code


async def found_out(status: int, **answers: list[tuple[int, object]]) -> str:
    """What a strategy finds out about its order, whose cancel is refused with a status.

    Args:
        answers: Those of the proxy to questions below `/orders/`.
    """

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1), COMPLETE)
        await proxy.until_acked("evt-end")

    strategy = Cancels()
    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["GET", "/capabilities"] = [(200, {})]
        proxy.answers["POST", "/orders"] = [(201, {"id": "ord-1", "status": "OPEN"})]
        proxy.answers["DELETE", "/orders/ord-1"] = [(status, {"code": "NO", "message": ""})]
        for name, replies in answers.items():
            proxy.answers["GET", f"/orders/{name.replace('_', '-')}"] = replies
        venue = ProxyVenue(proxy.endpoints, is_live=False, retry_delays=at_once)
        await Runner(strategy, venue, mode="backtest").run()
    return strategy.found


@pytest.mark.parametrize("status", [400, 404, 409, 422, 502])
@pytest.mark.parametrize("is_filled", [True, False])
async def test_it_ends_as_the_order_has(status: int, is_filled: bool) -> None:
    found = await found_out(status, history=[(200, []), (200, [FILLED if is_filled else ORDER])])
    assert found == (OrderStatus.FILLED if is_filled else "NO")


@pytest.mark.parametrize("listed", [(404, {"code": "NO"}), (200, [])])
async def test_where_no_list_has_the_order_it_is_asked_for_by_its_id(
    listed: tuple[int, object],
) -> None:
    found = await found_out(409, history=[listed], ord_1=[(200, FILLED)])
    assert found == OrderStatus.FILLED
