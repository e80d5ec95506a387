"""Capabilities are true: what they list works, and what they do not list does not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from strategy_runtime.protocol.enums import OrderType, PositionMode
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.server import ProxyServer
from tests.simulator.server.rest_client import Rest, bars
from tests.simulator.server.stream_client import Client, named

RICH = ExchangeOptions(mode=PositionMode.HEDGING, leverage=Decimal(5))
PLAIN = ExchangeOptions()

Proof = Callable[[Rest], Awaitable[bool]]


@asynccontextmanager
async def serving(options: ExchangeOptions, **more: Any) -> AsyncIterator[Rest]:
    exchange = Exchange([bars("S:AAPL", 9)], options)
    server = ProxyServer(exchange, ws_port=0, rest_port=0, **more)
    async with server, aiohttp.ClientSession() as session:
        yield Rest(exchange, server, session)


async def give(rest: Rest, **fields: Any) -> tuple[int, Any]:
    order = {"symbol": "S:AAPL", "side": "BUY", "quantity": "1", "order_type": "MARKET"}
    status, answer = await rest("POST", "/orders", {**order, **fields})
    return status, answer


async def bracket_orders(rest: Rest) -> bool:
    _, entry = await give(rest, stop_loss="5", take_profit="99")
    rest.play()
    legs = (await rest("GET", "/orders"))[1]
    return [leg.get("parent_order_id") for leg in legs] == [entry["id"]] * 2


async def client_order_id_dedupe(rest: Rest) -> bool:
    _, first = await give(rest, client_order_id="c")
    rest.play()
    status, again = await give(rest, client_order_id="c")
    trades = (await rest("GET", "/trades"))[1]
    return (status, again["id"], again["status"], len(trades)) == (200, first["id"], "FILLED", 1)


async def hedging(rest: Rest) -> bool:
    await give(rest)
    await give(rest, side="SELL")
    rest.play()
    return len((await rest("GET", "/positions"))[1]) == 2


async def leverage(rest: Rest) -> bool:
    """Exactly up to the limit: equity is 100,000 and the price 10."""
    most = Decimal((await rest("GET", "/capabilities"))[1]["max_leverage"])
    beyond, _ = await give(rest, quantity=str(10_001 * most))
    within, _ = await give(rest, quantity=str(9_999 * most))
    assert (beyond, within) == (422, 201)
    return most > 1


async def instants(rest: Rest) -> bool:
    async with serving(rest.exchange.options) as fresh:
        fresh.exchange.extend(bars("S:MSFT", 9))
        client = await Client(fresh.session, fresh.server).connect()
        frames = await client.frames(3)
        return [frame.get("more") for frame in frames if frame["type"] == "candle"] == [True, None]


async def lock_step(rest: Rest) -> bool:
    async with serving(rest.exchange.options) as fresh:
        client = await Client(fresh.session, fresh.server).connect()
        await client.frames(2)
        await client.nothing_more()
        await client.ack("evt-1")
        return named(await client.frames(1)) == ["candle evt-2"]


async def oco(rest: Rest) -> bool:
    group = {"oco_group_id": "g", "side": "SELL"}
    await give(rest, **group)
    _, other = await give(rest, **group, order_type="LIMIT", limit_price="99")
    rest.play()
    return bool((await rest("GET", f"/orders/{other['id']}"))[1]["status"] == "CANCELLED")


async def reduce_only(rest: Rest) -> bool:
    status, refusal = await give(rest, reduce_only=True)
    return (status, refusal["details"]["reject_code"]) == (422, "REDUCE_ONLY_VIOLATED")


async def short_selling(rest: Rest) -> bool:
    await give(rest, side="SELL")
    rest.play()
    return [each["side"] for each in (await rest("GET", "/positions"))[1]] == ["SHORT"]


async def trailing_stop(rest: Rest) -> bool:
    status, _ = await give(
        rest,
        side="SELL",
        order_type="TRAILING_STOP",
        trailing_distance="1",
        trailing_type="ABSOLUTE",
    )
    return status == 201


PROOFS: dict[str, Proof] = {
    proof.__name__: proof
    for proof in (
        bracket_orders,
        client_order_id_dedupe,
        hedging,
        instants,
        leverage,
        lock_step,
        oco,
        reduce_only,
        short_selling,
        trailing_stop,
    )
}
NOT_IN_GENERAL = {"hedging", "leverage"}


async def features(rest: Rest) -> set[str]:
    return set((await rest("GET", "/capabilities"))[1]["features"])


async def test_each_promise_is_put_to_the_test() -> None:
    async with serving(RICH) as rest:
        assert await features(rest) == set(PROOFS)
    async with serving(PLAIN) as rest:
        assert await features(rest) == set(PROOFS) - NOT_IN_GENERAL
    async with serving(PLAIN, speed=1.0) as rest:
        assert await features(rest) == set(PROOFS) - NOT_IN_GENERAL - {"lock_step"}


@pytest.mark.parametrize("feature", PROOFS)
@pytest.mark.parametrize("options", [RICH, PLAIN], ids=["rich", "plain"])
async def test_what_is_promised_works_and_what_is_not_does_not(
    options: ExchangeOptions, feature: str
) -> None:
    async with serving(options) as rest:
        rest.play()
        promised = feature in await features(rest)
        assert await PROOFS[feature](rest) is promised


async def test_the_order_types_are_those_that_are_taken() -> None:
    prices = {
        "LIMIT": {"limit_price": "5"},
        "STOP": {"stop_price": "50"},
        "STOP_LIMIT": {"stop_price": "50", "limit_price": "51"},
        "TRAILING_STOP": {"trailing_distance": "1", "trailing_type": "PERCENT"},
    }
    async with serving(PLAIN) as rest:
        rest.play()
        known = (await rest("GET", "/capabilities"))[1]["supported_order_types"]
        assert set(known) == {kind.value for kind in OrderType}
        for kind in known:
            status, refusal = await give(rest, order_type=kind, **prices.get(kind, {}))
            assert status == 201, refusal


@pytest.mark.parametrize("options", [RICH, PLAIN], ids=["rich", "plain"])
async def test_the_position_mode_is_the_one_in_force(options: ExchangeOptions) -> None:
    async with serving(options) as rest:
        rest.play()
        mode = (await rest("GET", "/capabilities"))[1]["position_mode"]
        assert (mode == "HEDGING") is await hedging(rest)


@pytest.mark.parametrize(
    "fields",
    [
        {"leverage": "2"},
        {"margin_mode": "CROSS"},
        {"hidden": True},
        {"display_quantity": "0.5"},
    ],
)
async def test_what_no_feature_stands_for_is_refused_by_name(fields: dict[str, Any]) -> None:
    async with serving(RICH) as rest:
        status, refusal = await give(rest, **fields)
    (name,) = fields
    assert (status, refusal["code"], refusal["details"]["field"]) == (400, "INVALID_VALUE", name)
    assert refusal["message"] == f"{name} is not supported"
