"""The OpenAPI document is valid, complete, and describes the answers."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.simulator.server.rest_client import MARKET_ORDER, serving


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
    schema = described["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": found["components"]}).validate(answer)
