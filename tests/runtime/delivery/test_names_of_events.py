"""Events of positions have the right kind, whatever the proxy calls them."""

from typing import Any

import pytest
from aiohttp import web

from strategy_runtime import PositionEvent, Strategy
from strategy_runtime.proxy import ProxyVenue
from strategy_runtime.runtime.runner import Runner
from tests.proxy.scripted import COMPLETE, CONNECTED, ScriptedProxy

HELD = {
    "id": "pos-0",
    "symbol": "S:X",
    "side": "LONG",
    "quantity": "1",
    "average_entry_price": "10",
}


class Notes(Strategy):
    """Records events of positions."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, str]] = []

    def on_position(self, event: PositionEvent) -> None:
        self.told.append((event.position.id, event.event.removeprefix("POSITION_")))


@pytest.mark.parametrize("name", [{"event": "POSITION_MODIFIED"}, {}, {"event": "CHANGED"}])
async def test_opened_modified_closed(name: dict[str, str]) -> None:
    def event(id_: str, quantity: int) -> dict[str, Any]:
        position = HELD | {"id": id_, "quantity": str(quantity)}
        event_id = f"evt-{id_}-{quantity}"
        return {"type": "position", "event_id": event_id, "position": position, **name}

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        changes = ("pos-0", 3), ("pos-0", 0), ("pos-1", 5), ("pos-1", 2), ("pos-1", 0), ("pos-2", 1)
        await proxy.say(socket, CONNECTED, *(event(*change) for change in changes), COMPLETE)
        await proxy.until_acked("evt-end")

    strategy = Notes()
    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["GET", "/capabilities"] = [(200, {})]
        proxy.answers["GET", "/positions"] = [(200, [HELD])]
        await Runner(strategy, ProxyVenue(proxy.endpoints, is_live=False), mode="backtest").run()
    assert strategy.told == [
        ("pos-0", "MODIFIED"),
        ("pos-0", "CLOSED"),
        ("pos-1", "OPENED"),
        ("pos-1", "MODIFIED"),
        ("pos-1", "CLOSED"),
        ("pos-2", "OPENED"),
    ]
