"""The REST interface as an OpenAPI 3.1 document, made of the same structs that are sent."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from strategy_runtime.protocol.models import (
    Account,
    Capabilities,
    Order,
    OrderChanges,
    OrderHandle,
    OrderRequest,
    Position,
    Trade,
)
from strategy_runtime.protocol.rest import CloseRequest, ErrorEnvelope

__all__ = ["openapi"]

_REF = "#/components/schemas/{name}"
_STRUCTS = [
    Account,
    Capabilities,
    CloseRequest,
    ErrorEnvelope,
    Order,
    OrderChanges,
    OrderHandle,
    OrderRequest,
    Position,
    Trade,
]
_DECIMAL = {"type": "string", "format": "decimal"}
_TIME = {"type": "string", "format": "date-time"}
_TEXT = {"type": "string"}
_COUNT = {"type": "integer"}
_BAR: dict[str, Any] = {
    "title": "Bar",
    "type": "object",
    "properties": {
        **dict.fromkeys(("symbol", "provider", "timeframe"), _TEXT),
        "timestamp": _TIME,
        **dict.fromkeys(("open", "high", "low", "close", "volume"), _DECIMAL),
    },
}
_QUOTE: dict[str, Any] = {
    "title": "Quote",
    "type": "object",
    "properties": {
        **dict.fromkeys(("symbol", "provider"), _TEXT),
        "timestamp": _TIME,
        **dict.fromkeys(("bid", "ask", "last", "bid_size", "ask_size", "volume"), _DECIMAL),
    },
    "required": ["symbol", "provider", "bid", "ask", "last", "timestamp"],
}
_BAR["required"] = list(_BAR["properties"])


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": _REF.format(name=name)}


def _list(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _ref(name)}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


_ANY = {"type": "object"}
_ORDERS = (
    "symbol",
    "status",
    "side",
    "client_order_id",
    "oco_group_id",
    "since",
    "until",
    "limit",
)
_CANCELLED = _object(cancelled_count=_COUNT, failed_count=_COUNT)


class _Path(NamedTuple):
    """What a path is for: the query and body it takes, its answer, its refusals beside 401."""

    summary: str
    answer: dict[str, Any] = _ANY
    query: tuple[str, ...] = ()
    body: str | None = None
    refusals: tuple[int, ...] = ()


_WITH_BODY = (400, 413, 415)
_PATHS: dict[tuple[str, str], _Path] = {
    ("GET", "/account"): _Path("Balance and margin", _ref("Account")),
    ("POST", "/orders"): _Path(
        "Give an order", _ref("OrderHandle"), body="OrderRequest", refusals=(*_WITH_BODY, 422)
    ),
    ("GET", "/orders"): _Path(
        "Open orders, newest first", _list("Order"), _ORDERS, refusals=(400,)
    ),
    ("DELETE", "/orders"): _Path("Cancel open orders", _CANCELLED, ("symbol",)),
    ("GET", "/orders/history"): _Path(
        "Orders that ended", _list("Order"), _ORDERS, refusals=(400,)
    ),
    ("GET", "/orders/{id}"): _Path("One order", _ref("Order"), refusals=(404,)),
    ("PATCH", "/orders/{id}"): _Path(
        "Change a resting order",
        _object(order=_ref("Order")),
        body="OrderChanges",
        refusals=(*_WITH_BODY, 404, 409),
    ),
    ("DELETE", "/orders/{id}"): _Path(
        "Cancel an order",
        _object(success={"type": "boolean"}, order=_ref("Order")),
        refusals=(404, 409),
    ),
    ("GET", "/positions"): _Path("Open positions", _list("Position"), ("symbol",)),
    ("DELETE", "/positions"): _Path(
        "Close positions at the market", _list("OrderHandle"), ("symbol",), refusals=(422,)
    ),
    ("GET", "/positions/{id}"): _Path("One position", _ref("Position"), refusals=(404,)),
    ("DELETE", "/positions/{id}"): _Path(
        "Close a position, or a part of it",
        _ref("OrderHandle"),
        body="CloseRequest",
        refusals=(*_WITH_BODY, 404, 422),
    ),
    ("PATCH", "/positions/{id}"): _Path(
        "Move or place its stop-loss and take-profit",
        body="OrderChanges",
        refusals=(*_WITH_BODY, 404),
    ),
    ("GET", "/trades"): _Path(
        "Executions, newest first",
        _list("Trade"),
        ("symbol", "order_id", "since", "until", "limit"),
        refusals=(400,),
    ),
    ("GET", "/quotes/{symbol}"): _Path("Best bid and ask", _ref("Quote"), refusals=(400, 404)),
    ("GET", "/bars/{symbol}"): _Path(
        "Closed bars, oldest first",
        _list("Bar"),
        ("timeframe", "start", "end", "limit"),
        refusals=(400, 404),
    ),
    ("GET", "/capabilities"): _Path("What the proxy can do", _ref("Capabilities")),
    ("GET", "/status"): _Path("The link to the provider"),
    ("GET", "/circuit-breakers"): _Path("Always closed here"),
    ("POST", "/circuit-breakers/reset"): _Path("Nothing to reset here"),
}


def openapi(routes: Iterable[tuple[str, str]], version: str) -> dict[str, Any]:
    """The document for the paths that are served.

    Args:
        routes: Method and path of each.
        version: Of the package.

    Raises:
        KeyError: A path is served that is not described.
    """
    _, components = msgspec.json.schema_components(_STRUCTS, ref_template=_REF)
    for component in components.values():
        for field in component.get("properties", {}).values():
            if field.get("default", ...) is None:
                del field["default"]  # a field that is left out, not one that is null
    paths: dict[str, dict[str, Any]] = {}
    for method, path in routes:
        paths.setdefault(path, {})[method.lower()] = _operation(method, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "strategy-proxy",
            "version": version,
            "description": "Every path is served bare and under /v1.",
        },
        "servers": [{"url": "/"}, {"url": "/v1"}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Bar": _BAR, "Quote": _QUOTE},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": [{}, {"bearer": []}, {"key": []}],
    }


def _operation(method: str, path: str) -> dict[str, Any]:
    summary, answer, query, body, refusals = _PATHS[method, path]
    named = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
    operation: dict[str, Any] = {
        "summary": summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {**_TEXT, "minLength": 1}}
            for name in named
        ]
        + [
            {
                "name": name,
                "in": "query",
                "required": name == "timeframe",
                "schema": {"type": "integer", "minimum": 1} if name == "limit" else _TEXT,
            }
            for name in query
        ],
        "responses": {"200": _response(summary, answer)},
    }
    if (method, path) == ("POST", "/orders"):
        operation["responses"]["201"] = _response("Accepted", answer)
    for status in (*refusals, 401):
        operation["responses"][str(status)] = _response("Refused", _ref("ErrorEnvelope"))
    if body is not None:
        operation["requestBody"] = {
            "required": method != "DELETE",
            "content": {"application/json": {"schema": _ref(body)}},
        }
    return operation


def _response(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
