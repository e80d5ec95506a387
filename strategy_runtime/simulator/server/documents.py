"""The REST interface as an OpenAPI 3.1 document, made of the same structs that are sent."""

from collections.abc import Iterable
from typing import Any

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
_ORDERS = "symbol status side client_order_id oco_group_id since until limit".split()
_CANCELLED = _object(cancelled_count=_COUNT, failed_count=_COUNT)

# What each path is for, the query it takes, the body it takes, what it answers with, and the
# statuses of its refusals beside 401.
_PATHS: dict[tuple[str, str], tuple[str, list[str], str | None, Any, tuple[int, ...]]] = {
    ("GET", "/account"): ("Balance and margin", [], None, _ref("Account"), ()),
    ("POST", "/orders"): (
        "Give an order",
        [],
        "OrderRequest",
        _ref("OrderHandle"),
        (400, 413, 415, 422),
    ),
    ("GET", "/orders"): ("Open orders, newest first", _ORDERS, None, _list("Order"), (400,)),
    ("DELETE", "/orders"): ("Cancel open orders", ["symbol"], None, _CANCELLED, ()),
    ("GET", "/orders/history"): ("Orders that ended", _ORDERS, None, _list("Order"), (400,)),
    ("GET", "/orders/{id}"): ("One order", [], None, _ref("Order"), (404,)),
    ("PATCH", "/orders/{id}"): (
        "Change a resting order",
        [],
        "OrderChanges",
        _object(order=_ref("Order")),
        (400, 404, 409, 413, 415),
    ),
    ("DELETE", "/orders/{id}"): (
        "Cancel an order",
        [],
        None,
        _object(success={"type": "boolean"}, order=_ref("Order")),
        (404, 409),
    ),
    ("GET", "/positions"): ("Open positions", ["symbol"], None, _list("Position"), ()),
    ("DELETE", "/positions"): (
        "Close positions at the market",
        ["symbol"],
        None,
        _list("OrderHandle"),
        (422,),
    ),
    ("GET", "/positions/{id}"): ("One position", [], None, _ref("Position"), (404,)),
    ("DELETE", "/positions/{id}"): (
        "Close a position, or a part of it",
        [],
        "CloseRequest",
        _ref("OrderHandle"),
        (400, 404, 413, 415, 422),
    ),
    ("PATCH", "/positions/{id}"): (
        "Move or place its stop-loss and take-profit",
        [],
        "OrderChanges",
        _ANY,
        (400, 404, 413, 415),
    ),
    ("GET", "/trades"): (
        "Executions, newest first",
        ["symbol", "order_id", "since", "until", "limit"],
        None,
        _list("Trade"),
        (400,),
    ),
    ("GET", "/quotes/{symbol}"): ("Best bid and ask", [], None, _ref("Quote"), (400, 404)),
    ("GET", "/bars/{symbol}"): (
        "Closed bars, oldest first",
        ["timeframe", "start", "end", "limit"],
        None,
        _list("Bar"),
        (400, 404),
    ),
    ("GET", "/capabilities"): ("What the proxy can do", [], None, _ref("Capabilities"), ()),
    ("GET", "/status"): ("The link to the provider", [], None, _ANY, ()),
    ("GET", "/circuit-breakers"): ("Always closed here", [], None, _ANY, ()),
    ("POST", "/circuit-breakers/reset"): ("Nothing to reset here", [], None, _ANY, ()),
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
    summary, query, body, answer, refusals = _PATHS[method, path]
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
