"""A proxy that changes an order by cancel and replace: to the strategy it stays the same order."""

from typing import Any

import pytest
from aiohttp import web

from strategy_runtime import Candle, OrderEvent, Strategy
from strategy_runtime.proxy import ProxyVenue
from strategy_runtime.runtime.runner import Runner
from tests.proxy.scripted import COMPLETE, CONNECTED, ScriptedProxy, candle

FIRST = {
    "id": "ord-1",
    "client_order_id": "Moves-bt-1",
    "symbol": "S:X",
    "side": "BUY",
    "order_type": "LIMIT",
    "limit_price": "9",
    "quantity": "5",
    "status": "OPEN",
    "updated_at": "2024-03-04T14:02:00Z",
}
SECOND = {**FIRST, "id": "ord-2", "limit_price": "9.5"}


def told(kind: str, order: dict[str, Any], **changed: str) -> dict[str, Any]:
    """Return an event of an order."""
    return {
        "type": "order",
        "event": f"ORDER_{kind}",
        "event_id": f"evt-{order['id']}-{kind}",
        "order": order | changed,
    }


class Moves(Strategy):
    """Places a bid at its first candle, changes it at the second, and cancels it at the third."""

    def __init__(self) -> None:
        super().__init__()
        self.bars = 0
        self.heard: list[tuple[str, str, bool]] = []
        self.open: list[list[str]] = []

    def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        self.open.append([order.id for order in self.orders()])
        if self.bars == 1:
            self.bid = self.buy("S:X", 5, limit=9)
        elif self.bars == 2:
            self.modify(self.bid, limit=9.5)
        elif self.bars == 3:
            self.cancel(self.bid)

    def on_order(self, event: OrderEvent) -> None:
        is_ours = event.order.client_order_id == self.bid.client_order_id
        self.heard.append((event.event, event.order.id, is_ours and not event.order.external))


@pytest.mark.parametrize("name", ["Moves-bt-1", "of the broker's own", None])
async def test_it_is_the_same_order_to_the_strategy(name: str | None) -> None:
    second = SECOND | {"client_order_id": name}

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1), told("CREATED", FIRST), candle(2))
        await proxy.until_acked("evt-2")
        await proxy.say(socket, told("CANCELLED", FIRST, status="CANCELLED"))
        await proxy.say(socket, told("CREATED", second), candle(3))
        await proxy.until_acked("evt-3")
        await proxy.say(socket, told("CANCELLED", second, status="CANCELLED"), candle(4), COMPLETE)
        await proxy.until_acked("evt-end")

    strategy = Moves()
    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["GET", "/capabilities"] = [(200, {})]
        proxy.answers["POST", "/orders"] = [(201, {"id": "ord-1", "status": "OPEN"})]
        proxy.answers["PATCH", "/orders/ord-1"] = [
            (200, {"order": second, "previous_order_id": "ord-1"})
        ]
        proxy.answers["DELETE", "/orders/ord-2"] = [
            (200, {"success": True, "order": second | {"status": "CANCELLED"}})
        ]
        await Runner(strategy, ProxyVenue(proxy.endpoints, is_live=False), mode="backtest").run()
    assert strategy.open == [[], ["ord-1"], ["ord-2"], []]
    assert strategy.heard == [
        ("ORDER_CREATED", "ord-1", True),
        ("ORDER_CREATED", "ord-2", True),
        ("ORDER_CANCELLED", "ord-2", True),
    ]
