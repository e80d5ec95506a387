"""The OpenAPI document is valid, complete, and describes the answers."""

from typing import Any

import pytest
from msgspec.structs import fields
from openapi_spec_validator import OpenAPIV31SpecValidator

from strategy_runtime.protocol.models import (
    Account,
    Candle,
    Order,
    OrderHandle,
    Position,
    Quote,
    Trade,
)
from strategy_runtime.protocol.rest import ErrorEnvelope
from tests.simulator.server.described import validator
from tests.simulator.server.rest_client import LIMIT_ORDER, MARKET_ORDER, serving


async def document() -> dict[str, Any]:
    async with serving() as rest:
        status, found = await rest("GET", "/openapi.json")
    assert status == 200
    return dict(found)


async def test_the_document_is_valid() -> None:
    assert list(OpenAPIV31SpecValidator(await document()).iter_errors()) == []


async def test_every_path_that_is_served_is_described_and_where() -> None:
    paths = (await document())["paths"]
    async with serving() as rest:
        served = {
            (route.method.lower(), route.resource.canonical)
            for route in rest.server._app.router.routes()
            if route.resource is not None and route.method != "HEAD"
        }
    described = {
        (method, prefix + path)
        for path, methods in paths.items()
        for prefix in ([""] if "servers" in methods else ["", "/v1"])
        for method in methods
        if method != "servers"
    }
    assert described == served - {("get", path) for path in ("/", "/ws", "/v1/ws")}


async def test_what_narrows_a_list_down_says_how_and_how_much_is_given() -> None:
    paths = (await document())["paths"]
    for path, operation in (
        (path, methods["get"]) for path, methods in paths.items() if "get" in methods
    ):
        for parameter in operation["parameters"]:
            name = parameter["name"]
            if name in ("limit", "status", "since", "until", "start", "end"):
                assert parameter["description"], (path, name)
            if name == "limit":
                assert parameter["schema"]["default"] == 100
                assert parameter["description"].endswith("10000")


@pytest.mark.parametrize(
    ("method", "path", "template"),
    [
        ("GET", "/account", "/account"),
        ("GET", "/orders?status=FILLED", "/orders"),
        ("GET", "/orders/history", "/orders/history"),
        ("GET", "/orders/ord-1", "/orders/{id}"),
        ("GET", "/orders/ord-nope", "/orders/{id}"),
        ("GET", "/positions", "/positions"),
        ("GET", "/positions/pos-1", "/positions/{id}"),
        ("DELETE", "/positions/pos-1", "/positions/{id}"),
        ("GET", "/trades", "/trades"),
        ("GET", "/quotes/S:AAPL", "/quotes/{symbol}"),
        ("GET", "/bars/S:AAPL?timeframe=1m", "/bars/{symbol}"),
        ("GET", "/bars/S:AAPL?timeframe=7q", "/bars/{symbol}"),
        ("GET", "/capabilities", "/capabilities"),
        ("DELETE", "/orders", "/orders"),
        ("DELETE", "/positions", "/positions"),
        ("GET", "/status", "/status"),
        ("GET", "/circuit-breakers", "/circuit-breakers"),
        ("POST", "/circuit-breakers/reset", "/circuit-breakers/reset"),
        ("GET", "/livez", "/livez"),
        ("GET", "/readyz", "/readyz"),
        ("GET", "/health", "/health"),
        ("GET", "/asyncapi.json", "/asyncapi.json"),
    ],
)
async def test_answers_are_as_described(method: str, path: str, template: str) -> None:
    async with serving() as rest:
        rest.play()
        await rest("POST", "/orders", MARKET_ORDER)
        rest.play()
        _, found = await rest("GET", "/openapi.json")
        status, answer = await rest(method, path)
    described = found["paths"][template][method.lower()]["responses"][str(status)]
    validator(described["content"]["application/json"]["schema"], found).validate(answer)


@pytest.mark.parametrize(
    ("method", "path", "template", "body"),
    [
        ("POST", "/orders", "/orders", {**LIMIT_ORDER, "client_order_id": "mine"}),
        ("POST", "/orders", "/orders", {**LIMIT_ORDER, "quantity": "1000000"}),
        ("POST", "/orders", "/orders", {**LIMIT_ORDER, "limit_price": None}),
        ("PATCH", "/orders/ord-1", "/orders/{id}", {"limit_price": "4"}),
        ("PATCH", "/orders/ord-1", "/orders/{id}", {"stop_price": "4"}),
        ("DELETE", "/orders/ord-1", "/orders/{id}", None),
        ("PATCH", "/positions/pos-1", "/positions/{id}", {"stop_loss": "1", "take_profit": "99"}),
    ],
)
async def test_answers_to_commands_are_as_described(
    method: str, path: str, template: str, body: Any
) -> None:
    async with serving() as rest:
        rest.play()
        await rest("POST", "/orders", {**LIMIT_ORDER, "stop_loss": "2"})
        await rest("POST", "/orders", MARKET_ORDER)
        rest.play()
        _, found = await rest("GET", "/openapi.json")
        status, answer = await rest(method, path, body)
    described = found["paths"][template][method.lower()]["responses"][str(status)]
    validator(described["content"]["application/json"]["schema"], found).validate(answer)


async def test_what_is_required_to_read_an_answer_is_required() -> None:
    described = (await document())["components"]["schemas"]
    for struct in (Account, Candle, ErrorEnvelope, Order, OrderHandle, Position, Quote, Trade):
        required = {field.encode_name for field in fields(struct) if field.required}
        assert required <= set(described[struct.__name__]["required"]), struct.__name__
