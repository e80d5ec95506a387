"""Orders are placed effectively once, whatever happens to the response."""

import asyncio
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from strategy_runtime import OrderEvent, OrderEventKind, OrderRejected, OrderType, Side
from strategy_runtime.clock import monotonic
from strategy_runtime.errors import ApiError, FateUnknown
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.proxy.submission import Patience
from strategy_runtime.runtime.runner import Runner
from tests.proxy.scripted import (
    CONNECTED,
    FOREIGN,
    KNOWN,
    ScriptedProxy,
    ask,
    candle,
    run,
    venue_for,
)
from tests.strategies import Scripted


def market_order() -> OrderRequest:
    return OrderRequest(
        symbol="S:X",
        side=Side.BUY,
        quantity=Decimal(1),
        order_type=OrderType.MARKET,
        client_order_id="c-1",
    )


@pytest.mark.parametrize(
    "loss",
    [(0, None), (500, "<html>oops</html>"), (503, {"code": "X", "message": "y"}), (200, "{")],
)
async def test_an_order_whose_answer_got_lost_is_looked_up_not_sent_again(
    loss: tuple[int, Any],
) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["POST", "/orders"] = [loss]
        proxy.answers["GET", "/orders"] = [(200, [FOREIGN, KNOWN])]
        handle = await ask(proxy, lambda venue: venue.submit(market_order()))
    assert handle.id == "ord-9"
    assert len([r for r in proxy.requests if r[0] == "POST"]) == 1


@pytest.mark.parametrize("status", [402, 408, 410, 425, 499])
async def test_an_answer_that_is_no_clear_refusal_leaves_the_fate_of_an_order_open(
    status: int,
) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["POST", "/orders"] = [(status, {"code": "ODD", "message": "hm"})]
        proxy.answers["GET", "/orders"] = [(200, [KNOWN])]
        handle = await ask(proxy, lambda venue: venue.submit(market_order()))
    assert handle.id == "ord-9"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 422, 501])
async def test_a_clear_refusal_is_final(status: int) -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["POST", "/orders"] = [(status, {"code": "NO", "message": "never"})]
        with pytest.raises(ApiError, match="NO: never"):
            await ask(proxy, lambda venue: venue.submit(market_order()))
    assert not [r for r in proxy.requests if r[1].startswith("/orders?")]


HASTY = Patience(deadline=0.5, settle=0.3, limit=0.6)


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_an_ended_order_is_found_where_there_is_no_list_of_those(status: int) -> None:
    ended = {**KNOWN, "client_order_id": "c-1", "status": "FILLED", "quantity": "1"}
    refusal = {"code": "NOT_OFFERED", "message": "no"}
    async with ScriptedProxy().serving() as proxy:
        venue = venue_for(proxy)
        await venue.open()
        proxy.answers["GET", "/orders/history"] = [(status, refusal)]
        proxy.answers["GET", "/orders"] = [(200, []), (200, [ended]), (200, []), (400, refusal)]
        found = await venue.orders(client_order_id="c-1")
        asked = proxy.requests[-1][1]
        # One that cannot choose by status does not have the order, as far as can be told.
        unknown = await venue.orders(client_order_id="c-1")
        await venue.close()
    assert [order.status.value for order in found] == ["FILLED"]
    assert unknown == []
    wanted = parse_qs(urlsplit(asked).query)
    assert wanted["client_order_id"] == ["c-1"]
    assert set(wanted["status"][0].split(",")) == {"FILLED", "CANCELLED", "REJECTED", "EXPIRED"}


async def test_an_order_that_did_not_arrive_is_of_unknown_fate() -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["POST", "/orders"] = [(504, "")]
        proxy.answers["GET", "/orders"] = [(200, [FOREIGN])]
        with pytest.raises(FateUnknown, match=r"S:X c-1: .*POST /orders was answered with 504"):
            await ask(proxy, lambda venue: venue.submit(market_order()), patience=HASTY)
    assert len([r for r in proxy.requests if r[0] == "POST"]) == 1
    assert len([r for r in proxy.requests if r[1].startswith("/orders?")]) >= 2


async def test_a_proxy_that_knows_ids_again_gets_the_order_again() -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/capabilities"] = [(200, {"features": ["client_order_id_dedupe"]})]
        proxy.answers["POST", "/orders"] = [(0, None), (502, ""), (200, KNOWN)]
        handle = await ask(proxy, lambda venue: venue.submit(market_order()))
    assert handle.id == "ord-9"
    posts = [body for method, _, body in proxy.requests if method == "POST"]
    assert len(posts) == 3
    assert posts[0] == posts[1] == posts[2]


async def test_an_order_that_may_have_arrived_is_not_refused_by_a_proxy_that_goes_down() -> None:
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/capabilities"] = [(200, {"features": ["client_order_id_dedupe"]})]
        down = (503, {"code": "SHUTTING_DOWN", "message": "the proxy is shutting down"})
        proxy.answers["POST", "/orders"] = [(0, None), down, (200, KNOWN)]
        handle = await ask(proxy, lambda venue: venue.submit(market_order()))
    assert handle.id == "ord-9"


@pytest.mark.parametrize("details", [{"retry_after_seconds": 0.05}, None])
async def test_an_order_waits_as_long_as_the_proxy_says(details: dict[str, float] | None) -> None:
    refusal = {"code": "RATE_LIMITED", "message": "slow down", "details": details}
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["POST", "/orders"] = [(429, refusal), (201, KNOWN)]
        began = monotonic()
        handle = await ask(proxy, lambda venue: venue.submit(market_order()))
    assert handle.id == "ord-9"
    assert monotonic() - began >= (0.05 if details else 1.0)


async def test_an_order_that_must_wait_too_long_is_refused() -> None:
    refusal = {"code": "RATE_LIMITED", "message": "later", "details": {"retry_after_seconds": 60}}
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["POST", "/orders"] = [(429, refusal)]
        with pytest.raises(ApiError, match="RATE_LIMITED: later"):
            await ask(proxy, lambda venue: venue.submit(market_order()), patience=HASTY)


async def test_an_event_settles_the_fate_of_an_order() -> None:
    order = {**KNOWN, "client_order_id": "Scripted-bt-1", "status": "OPEN", "quantity": "1"}
    event = {"type": "order", "event": "ORDER_CREATED", "event_id": "evt-2", "order": order}

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        while not any(method == "POST" for method, _, _ in proxy.requests):  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # noqa: TID251
        await proxy.say(socket, event)
        await proxy.until_acked("evt-1", "evt-2")
        await proxy.finish(socket)

    strategy = Scripted({0: lambda s, c: s.buy("S:X", 1)})
    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["POST", "/orders"] = [(504, "")]
        proxy.answers["GET", "/orders"] = [*[(200, [])] * 3, (503, "")]
        await run(proxy, strategy, patience=Patience(settle=30.0))
    assert strategy.refusals == []
    assert len([r for r in proxy.requests if r[0] == "POST"]) == 1


async def test_after_an_order_of_unknown_fate_its_symbol_is_halted_and_the_strategy_told() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1), candle(2), candle(3, "S:Y"))
        await proxy.until_acked("evt-1", "evt-2", "evt-3")
        await proxy.finish(socket)

    strategy = Scripted({n: lambda s, c: s.buy(c.symbol, 1) for n in range(3)})
    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["POST", "/orders"] = [(504, ""), (201, {"id": "ord-1", "status": "OPEN"})]
        runner = Runner(strategy, venue_for(proxy, patience=HASTY), mode="backtest")
        await runner.run()
    assert runner.status().halted_symbols == ["S:X"]
    (anomaly,) = strategy.anomalies
    assert anomaly.startswith("S:X Scripted-bt-1: sent, and nobody can say whether it arrived")
    assert anomaly.endswith("no more orders in S:X until it is known")
    (refusal,) = strategy.refusals
    assert isinstance(refusal, OrderRejected)
    assert (refusal.code, refusal.symbol) == ("SYMBOL_HALTED", "S:X")
    posted = [body["symbol"] for method, _, body in proxy.requests if method == "POST"]
    assert posted == ["S:X", "S:Y"]


async def test_an_event_of_the_order_ends_the_halt_of_its_symbol() -> None:
    order = {**KNOWN, "client_order_id": "Scripted-bt-1", "status": "OPEN", "quantity": "1"}
    event = {"type": "order", "event": "ORDER_CREATED", "event_id": "evt-2", "order": order}

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await proxy.until_acked("evt-1")
        await proxy.say(socket, event, candle(3))
        await proxy.until_acked("evt-2", "evt-3")
        await proxy.finish(socket)

    strategy = Scripted({n: lambda s, c: s.buy("S:X", 1) for n in range(2)})
    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["POST", "/orders"] = [(504, ""), (201, {"id": "ord-2", "status": "OPEN"})]
        await run(proxy, strategy, patience=HASTY)
    assert strategy.refusals == []
    assert len([r for r in proxy.requests if r[0] == "POST"]) == 2


async def test_after_a_reconnection_it_is_asked_what_became_of_the_order() -> None:
    own = {**KNOWN, "client_order_id": "Scripted-bt-1"}

    async def first(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await proxy.until_acked("evt-1")
        proxy.answers["GET", "/orders"] = [(200, [own])]

    async def second(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(2))
        await proxy.until_acked("evt-2")
        await proxy.finish(socket)

    strategy = Scripted({0: lambda s, c: s.buy("S:X", 1), 1: lambda s, c: s.sell("S:X", 1)})
    async with ScriptedProxy(first, second).serving() as proxy:
        proxy.answers["POST", "/orders"] = [(504, ""), (201, {"id": "ord-2", "status": "OPEN"})]
        await run(proxy, strategy, patience=HASTY)
    assert strategy.anomalies[1:] == [
        "S:X Scripted-bt-1 arrived and is OPEN; orders in S:X are sent again"
    ]
    assert len([r for r in proxy.requests if r[0] == "POST"]) == 2


async def test_an_order_that_was_found_filled_is_told_as_filled_by_its_event() -> None:
    own = {**KNOWN, "client_order_id": "Watcher-bt-1", "quantity": "1"}
    own |= {"status": "FILLED", "filled_quantity": "1", "remaining_quantity": "0"}
    own |= {"average_fill_price": "10"}

    async def first(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await proxy.until_acked("evt-1")
        proxy.answers["GET", "/orders"] = [(200, [own])]

    async def second(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        filled = {"type": "order", "event_id": "evt-2", "event": "ORDER_FILLED", "order": own}
        await proxy.say(socket, CONNECTED, filled)
        await proxy.until_acked("evt-2")
        await proxy.finish(socket)

    class Watcher(Scripted):
        def on_order(self, event: OrderEvent) -> None:
            self.heard = event.event, self.position("S:X").quantity

    strategy = Watcher({0: lambda s, c: s.buy("S:X", 1)})
    async with ScriptedProxy(first, second).serving() as proxy:
        proxy.answers["POST", "/orders"] = [(504, "")]
        await run(proxy, strategy, patience=HASTY)
    assert strategy.anomalies[1:] == [
        "S:X Watcher-bt-1 arrived and is FILLED; orders in S:X are sent again"
    ]
    assert strategy.heard == (OrderEventKind.ORDER_FILLED, Decimal(1))


async def test_a_refusal_reaches_the_strategy_with_code_and_details() -> None:
    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await proxy.until_acked("evt-1")
        await proxy.finish(socket)

    strategy = Scripted({0: lambda s, c: s.buy("S:X", 1)})
    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["POST", "/orders"] = [
            (422, {"code": "ORDER_REJECTED", "message": "closed", "details": {"reject_code": "M"}})
        ]
        await run(proxy, strategy)
    (refusal,) = strategy.refusals
    assert isinstance(refusal, OrderRejected)
    assert (refusal.code, refusal.message) == ("ORDER_REJECTED", "closed")
    assert refusal.details == {"reject_code": "M"}
