"""JSON responses, and the envelope of all errors."""

from aiohttp import web

from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.rest import ErrorEnvelope
from strategy_runtime.protocol.server_codec import encode_json

__all__ = ["BODY", "body", "explained", "refusal"]

BODY = web.RequestKey("body", bytes)
"""The whole body of a request, read before its handler is called."""


def body(document: object, status: int = 200) -> web.Response:
    """Return a JSON response."""
    return web.Response(body=encode_json(document), status=status, content_type="application/json")


def refusal(error: ApiError) -> web.Response:
    """Return an error in its envelope."""
    return body(ErrorEnvelope(error.code, error.message, error.details), error.status)


def explained(request: web.BaseRequest, error: web.HTTPException) -> ApiError:
    """Return an error of aiohttp in our words."""
    message = {
        400: f"{request.path} is the event stream; connect to it with a WebSocket",
        404: f"there is no {request.path}",
        405: f"{request.path} does not take {request.method}",
    }.get(error.status, error.text or error.reason)
    return ApiError(error.status, "INVALID_REQUEST", message)
