"""A backtest whose proxy sends no events of orders: the strategy still learns of its fills."""

from typing import Any

import pytest
from aiohttp import web

from strategy_runtime import Candle, OrderEvent, Strategy, Trade
from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.events import PositionEvent
from strategy_runtime.proxy import ProxyVenue
from strategy_runtime.runtime.delivery.failures import OnError
from strategy_runtime.runtime.runner import Runner
from tests.proxy.scripted import COMPLETE, CONNECTED, ScriptedProxy, candle

ORDER = {
    "id": "ord-1",
    "client_order_id": "Notes-bt-1",
    "symbol": "S:X",
    "side": "BUY",
    "order_type": "MARKET",
    "quantity": "5",
    "filled_quantity": "0",
    "status": "OPEN",
}
FILLED = {**ORDER, "status": "FILLED", "filled_quantity": "5", "average_fill_price": "10"}
TRADE = {
    "id": "trd-1",
    "order_id": "ord-1",
    "symbol": "S:X",
    "side": "BUY",
    "quantity": "5",
    "price": "10",
    "commission": "0",
    "commission_currency": "USD",
    # A wall-clock time, not one of the backtest.
    "timestamp": "2031-01-01T00:00:00Z",
}
POSITION = {
    "id": "pos-1",
    "symbol": "S:X",
    "side": "LONG",
    "quantity": "5",
    "average_entry_price": "10",
}


class Notes(Strategy):
    """Buys at its first candle, and records which hooks are called when."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []
        self.bars = 0

    def on_candle(self, candle: Candle) -> None:
        self.bars += 1
        if self.bars == 1:
            self.buy("S:X", 5)
        self.notes.append(f"candle {self.bars}: {self.position('S:X').quantity}")

    def on_order(self, event: OrderEvent) -> None:
        words = " synthetic" if event.synthetic else ""
        self.notes.append(f"order {event.order.status}{words} at {self.now:%H:%M}")

    def on_trade(self, trade: Trade) -> None:
        self.notes.append(f"trade {trade.id} at {self.now:%H:%M}")

    def on_position(self, event: PositionEvent) -> None:
        self.notes.append(f"position {event.position.quantity}")


class Stumbling(Notes):
    """Fails at every event of an order."""

    def on_order(self, event: OrderEvent) -> None:
        super().on_order(event)
        raise ValueError("stumbled")


async def run(
    *created: dict[str, Any],
    behind: int = 1,
    kind: type[Notes] = Notes,
    on_error: OnError | None = None,
    answered: str = "OPEN",
) -> tuple[list[str], ScriptedProxy]:
    """Run a strategy whose order fills after the second candle.

    The given events of it come after the candle of the given number.
    """

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED)
        for number in range(1, 6):
            await proxy.say(socket, candle(number))
            await proxy.until_acked(f"evt-{number}")
            proxy.answers["GET", "/orders"] = [(200, [ORDER] if number == 1 else [])]
            if number == behind:
                await proxy.say(socket, *created)
            if number == 2:
                proxy.answers["GET", "/orders/history"] = [(200, [FILLED])]
                proxy.answers["GET", "/trades"] = [(200, [TRADE])]
                proxy.answers["GET", "/positions"] = [(200, [POSITION])]
        await proxy.say(socket, COMPLETE)
        await proxy.until_acked("evt-end")

    strategy = kind()
    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["GET", "/capabilities"] = [(200, {})]
        proxy.answers["POST", "/orders"] = [(201, {"id": "ord-1", "status": answered})]
        venue = ProxyVenue(proxy.endpoints, is_live=False)
        await Runner(strategy, venue, mode="backtest", on_error=on_error).run()
    return strategy.notes, proxy


@pytest.mark.parametrize("answered", ["OPEN", "PENDING"])
async def test_a_fill_that_no_event_tells_of_is_asked_for(
    answered: str, caplog: pytest.LogCaptureFixture
) -> None:
    notes, _ = await run(answered=answered)
    assert notes == [
        "candle 1: 0",
        "candle 2: 0",
        "candle 3: 0",
        "order FILLED synthetic at 14:04",
        "trade trd-1 at 14:04",
        "position 5",
        "candle 4: 5",
        "candle 5: 5",
    ]
    said = "the proxy sends no events of orders: from now on it is asked for them"
    assert caplog.messages.count(said) == 1


@pytest.mark.parametrize(("kind", "on_error"), [(Notes, None), (Stumbling, "continue")])
async def test_a_proxy_that_tells_of_orders_is_never_asked(
    kind: type[Notes], on_error: OnError | None, caplog: pytest.LogCaptureFixture
) -> None:
    created = {"type": "order", "event": "ORDER_CREATED", "event_id": "evt-c", "order": ORDER}
    notes, proxy = await run(created, kind=kind, on_error=on_error)
    assert notes == [
        "candle 1: 0",
        "order OPEN at 14:02",
        *[f"candle {number}: 0" for number in range(2, 6)],
    ]
    assert [method for method, _, _ in proxy.requests][-1] == "POST"
    assert "tells nothing" not in caplog.text


async def test_a_proxy_that_tells_of_orders_an_instant_late_is_not_asked_either() -> None:
    created = {"type": "order", "event": "ORDER_CREATED", "event_id": "evt-c", "order": ORDER}
    _, proxy = await run(created, behind=2)
    assert [method for method, _, _ in proxy.requests][-1] == "POST"


@pytest.mark.parametrize("first", [3, 4])
async def test_an_event_whose_question_has_no_answer_is_not_acknowledged(first: int) -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED)
        for number in range(1, first):
            await proxy.say(socket, candle(number))
            await proxy.until_acked(f"evt-{number}")
            proxy.answers["GET", "/orders"] = [(200, [ORDER])]
        proxy.answers["GET", "/orders"] = [(404, {"code": "GONE", "message": "it is"})]
        await proxy.say(socket, candle(first), candle(first + 1))
        await proxy.until_closed(socket)

    strategy = Notes()
    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["GET", "/capabilities"] = [(200, {})]
        proxy.answers["POST", "/orders"] = [(201, {"id": "ord-1", "status": "OPEN"})]
        venue = ProxyVenue(proxy.endpoints, is_live=False)
        with pytest.raises(ApiError, match="GONE"):
            await Runner(strategy, venue, mode="backtest").run()
    assert strategy.bars == first
    assert [each for ack in proxy.acks for each in ack][-1] == f"evt-{first - 1}"
