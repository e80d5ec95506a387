"""The REST interface as an OpenAPI 3.1 document, generated from the structs that are sent."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from strategy_runtime.protocol.enums import OrderStatus, Side
from strategy_runtime.protocol.models import (
    Account,
    Candle,
    Capabilities,
    Order,
    OrderChanges,
    OrderHandle,
    OrderRequest,
    Position,
    Quote,
    Trade,
)
from strategy_runtime.protocol.rest import CloseRequest, ErrorEnvelope, ProtectRequest
from strategy_runtime.simulator.server.query import DEFAULT_LIMIT, MAX_LIMIT
from strategy_runtime.simulator.server.schemas import (
    COUNT,
    TEXT,
    TIME,
    list_of,
    object_of,
    ref,
    schemas,
)

__all__ = ["openapi"]

_SENT = (Account, Candle, Capabilities, ErrorEnvelope, Order, OrderHandle, Position, Quote, Trade)
_TAKEN = (CloseRequest, OrderChanges, OrderRequest, ProtectRequest)

_YES_OR_NO = {"type": "boolean"}
_STATUS = "|".join(status.value for status in OrderStatus)
_QUERY = {
    "limit": {"type": "integer", "minimum": 1, "default": DEFAULT_LIMIT},
    "side": {"type": "string", "enum": [side.value for side in Side]},
    "status": {"type": "string", "pattern": f"^({_STATUS})?(,({_STATUS})?)*$"},
    "timeframe": {"type": "string", "pattern": "^[1-9][0-9]{0,5}[smhdwM]$"},
    **dict.fromkeys(("since", "until", "start", "end"), TIME),
}
_DESCRIPTIONS = {
    "limit": f"Most items to return; never more than {MAX_LIMIT}",
    "status": "One or several, separated by commas",
    "since": "From this time on",
    "until": "Before this time",
    "start": "Only bars that start at this time or later, the first ones",
    "end": "Only bars that start at this time or earlier; without start, the last ones",
}
_REFUSALS = {
    400: "The request cannot be read or is invalid",
    401: "The key is missing or wrong",
    403: "Web pages and foreign hosts have no access",
    404: "Not found",
    408: "The body did not arrive in time",
    409: "The order is no longer open",
    413: "The body is too large",
    415: "The body is not JSON",
    417: "The expectation of the request is unknown",
    422: "The account or the market does not allow it",
    500: "The proxy failed",
    503: "The proxy is shutting down or has too many connections",
}
_ANY_TIME = (400, 401, 403, 408, 413, 415, 417, 500, 503)

_ORDERS = tuple("symbol status side client_order_id oco_group_id since until limit".split())
_CANCELLED = {
    **object_of(cancelled_count=COUNT, failed_count=COUNT, failed_order_ids={"type": "array"}),
    "required": ["cancelled_count", "failed_count"],
}
_MOVED = object_of(order_ids={"type": "array", "items": TEXT}, trigger_price=TEXT)
_PROTECTED = {
    **object_of(position_id=TEXT, stop_loss=_MOVED, take_profit=_MOVED),
    "required": ["position_id"],
}
_BREAKER = object_of(state={"enum": ["open", "closed"]}, failure_count=COUNT)
_BREAKERS = object_of(adapter=_BREAKER, exit_order=_BREAKER)
_LINK = object_of(connected=_YES_OR_NO, latency_ms=COUNT, last_heartbeat=TIME)
_PROVIDER = object_of(platform=TEXT, connected=_YES_OR_NO)
_READY = {
    **object_of(
        ready=_YES_OR_NO,
        providers={"type": "array", "items": TEXT},
        provider_count=COUNT,
        message=TEXT,
    ),
    "required": ["ready", "providers", "provider_count"],
}
_HEALTH = object_of(
    status={"enum": ["connected", "degraded"]},
    version=TEXT,
    git_sha=TEXT,
    providers={"type": "array", "items": _PROVIDER},
)
_DOCUMENT = {"type": "object"}


class _Path(NamedTuple):
    """A path: its purpose, its answer, the query and body it takes, and its own errors."""

    summary: str
    answer: dict[str, Any]
    query: tuple[str, ...] = ()
    body: str | None = None
    refusals: tuple[int, ...] = ()


_PATHS: dict[tuple[str, str], _Path] = {
    ("GET", "/account"): _Path("Balance and margin", ref("Account")),
    ("POST", "/orders"): _Path(
        "Place an order", ref("OrderHandle"), body="OrderRequest", refusals=(422,)
    ),
    ("GET", "/orders"): _Path(
        "Open orders, or those with a status, newest first; since and until apply to creation",
        list_of("Order"),
        _ORDERS,
    ),
    ("DELETE", "/orders"): _Path("Cancel open orders", _CANCELLED, ("symbol",)),
    ("GET", "/orders/history"): _Path(
        "Ended orders, the last to end first; since and until apply to creation",
        list_of("Order"),
        _ORDERS,
    ),
    ("GET", "/orders/{id}"): _Path("One order", ref("Order"), refusals=(404,)),
    ("PATCH", "/orders/{id}"): _Path(
        "Change a resting order",
        object_of(order=ref("Order")),
        body="OrderChanges",
        refusals=(404, 409),
    ),
    ("DELETE", "/orders/{id}"): _Path(
        "Cancel an order", object_of(success=_YES_OR_NO, order=ref("Order")), refusals=(404, 409)
    ),
    ("GET", "/positions"): _Path("Open positions", list_of("Position"), ("symbol",)),
    ("DELETE", "/positions"): _Path(
        "Close positions at the market", list_of("OrderHandle"), ("symbol",), refusals=(422,)
    ),
    ("GET", "/positions/{id}"): _Path("One position", ref("Position"), refusals=(404,)),
    ("DELETE", "/positions/{id}"): _Path(
        "Close a position, or a part of it",
        ref("OrderHandle"),
        body="CloseRequest",
        refusals=(404, 422),
    ),
    ("PATCH", "/positions/{id}"): _Path(
        "Move or place its stop-loss and take-profit",
        _PROTECTED,
        body="ProtectRequest",
        refusals=(404, 422),
    ),
    ("GET", "/trades"): _Path(
        "Executions, newest first",
        list_of("Trade"),
        ("symbol", "order_id", "since", "until", "limit"),
    ),
    ("GET", "/quotes/{symbol}"): _Path("Best bid and ask", ref("Quote"), refusals=(404,)),
    ("GET", "/bars/{symbol}"): _Path(
        "Closed bars, oldest first",
        list_of("Candle"),
        ("timeframe", "start", "end", "limit"),
        refusals=(404,),
    ),
    ("GET", "/capabilities"): _Path("What the proxy can do", ref("Capabilities")),
    ("GET", "/status"): _Path("The link to the provider", _LINK),
    ("GET", "/circuit-breakers"): _Path("Always closed here", _BREAKERS),
    ("POST", "/circuit-breakers/reset"): _Path("Nothing to reset here", _BREAKERS),
    ("GET", "/livez"): _Path("Whether the proxy is running", object_of(status=TEXT)),
    ("GET", "/readyz"): _Path("Whether the proxy accepts commands", _READY),
    ("GET", "/health"): _Path("Version and state of the proxy", _HEALTH),
    ("GET", "/openapi.json"): _Path("This document", _DOCUMENT),
    ("GET", "/asyncapi.json"): _Path("The event stream", _DOCUMENT),
}
_FROM_SERVER_ROOT = {"servers": [{"url": "/"}]}


def openapi(routes: Iterable[tuple[str, str]], bare: Iterable[str], version: str) -> dict[str, Any]:
    """Return the document for the paths that are served.

    Args:
        routes: Methods and paths that are served bare and under `/v1`.
        bare: Paths that are served bare only, for GET.
        version: Version of the package.

    Raises:
        KeyError: A path is served but not described.
    """
    paths: dict[str, dict[str, Any]] = {}
    for method, path in routes:
        paths.setdefault(path, {})[method.lower()] = _operation(method, path)
    for path in bare:
        paths[path] = {**_FROM_SERVER_ROOT, "get": _operation("GET", path)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "strategy-proxy",
            "version": version,
            "description": "Every path is served bare and under /v1, but for the probes and the "
            "documents.",
        },
        "servers": [{"url": "/"}, {"url": "/v1"}],
        "paths": paths,
        "components": {
            "schemas": schemas(sent=_SENT, taken=_TAKEN),
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
            {"name": name, "in": "path", "required": True, "schema": {**TEXT, "minLength": 1}}
            for name in named
        ]
        + [
            {
                "name": name,
                "in": "query",
                "required": name == "timeframe",
                "schema": _QUERY.get(name, TEXT),
                **({"description": _DESCRIPTIONS[name]} if name in _DESCRIPTIONS else {}),
            }
            for name in query
        ],
        "responses": {"200": _response(summary, answer)},
    }
    if (method, path) == ("POST", "/orders"):
        operation["responses"]["201"] = _response("Accepted", answer)
    for status in sorted((*refusals, *_ANY_TIME)):
        refused = ref("ErrorEnvelope")
        if (path, status) == ("/readyz", 503):
            refused = {"anyOf": [refused, _READY]}
        operation["responses"][str(status)] = _response(_REFUSALS[status], refused)
    if body is not None:
        operation["requestBody"] = {
            "required": method != "DELETE",
            "content": {"application/json": {"schema": ref(body)}},
        }
    return operation


def _response(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
