"""The error envelope around every request, and the optional key before it (protocol a.2, f.3)."""

from collections.abc import Awaitable, Callable
from hmac import compare_digest

from aiohttp import web
from aiohttp.typedefs import Middleware

from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.rest import ErrorEnvelope
from strategy_runtime.protocol.server_codec import encode_json

__all__ = ["BODY", "PROBES", "body", "guard"]

BODY = web.RequestKey("body", bytes)
"""The whole body of a request, read before its handler is called."""

PROBES = frozenset({"/livez", "/readyz", "/health"})

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def body(document: object, status: int = 200) -> web.Response:
    """A JSON response."""
    return web.Response(body=encode_json(document), status=status, content_type="application/json")


def guard(api_key: str | None) -> Middleware:
    """The middleware: asks for the key where one is set, and answers every failure in JSON."""

    @web.middleware
    async def middleware(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            if api_key is not None and request.path not in PROBES:
                _demand_key(request, api_key)
            return await handler(request)
        except ApiError as error:
            return _refusal(error)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            refusal = _refusal(_explained(request, error))
            if "Allow" in error.headers:
                refusal.headers["Allow"] = error.headers["Allow"]
            return refusal

    return middleware


def _demand_key(request: web.Request, api_key: str) -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    given = token.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")
    if not given:
        message = "a key is needed: Authorization: Bearer <key>"
        raise ApiError(401, "UNAUTHORIZED", message, {"code": "MISSING_API_KEY"})
    # A header may hold any bytes; those that are no UTF-8 arrive as lone surrogates.
    if not compare_digest(given.encode(errors="surrogateescape"), api_key.encode()):
        message = "the key is not the right one"
        raise ApiError(401, "UNAUTHORIZED", message, {"code": "INVALID_API_KEY"})


def _explained(request: web.Request, error: web.HTTPException) -> ApiError:
    message = {
        400: f"{request.path} is the event stream; connect to it with a WebSocket",
        404: f"there is no {request.path}",
        405: f"{request.path} does not take {request.method}",
        413: "the body is larger than 1 MiB",
    }.get(error.status, error.reason)
    return ApiError(error.status, "INVALID_REQUEST", message)


def _refusal(error: ApiError) -> web.Response:
    return body(ErrorEnvelope(error.code, error.message, error.details), error.status)
