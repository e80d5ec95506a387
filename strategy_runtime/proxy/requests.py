"""The REST client: requests to a proxy, with retries and errors that have a meaning."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote as percent_encode
from urllib.parse import urlencode

from msgspec import MsgspecError, json

from strategy_runtime.clock import sleep
from strategy_runtime.errors import (
    AccessDenied,
    ApiError,
    ConfigError,
    ConnectionLost,
    ProtocolError,
    StrategyRuntimeError,
    Unreachable,
)
from strategy_runtime.ids import Random
from strategy_runtime.protocol.rest import decode_body, decode_list, parse_error
from strategy_runtime.protocol.server_codec import encode_json
from strategy_runtime.proxy.endpoints import Endpoints
from strategy_runtime.proxy.policy import Delays, seconds_of
from strategy_runtime.proxy.transport import REDIRECTS, TRANSIENT, Answer, Transport

__all__ = ["RestClient", "query_of", "segment"]

_T = TypeVar("_T")
_TOO_MANY = 429
_UNKNOWN_KEY = 401
_FORBIDDEN = 403
_OPEN_TO_EVERY_KEY = ("account", "orders", "positions")
# Any other response to an order may come from a gateway that does not know its fate.
_REFUSALS = (*REDIRECTS, 400, 401, 403, 404, 405, 409, 413, 415, 422, _TOO_MANY, 501)
_NOT_FOUND = 404
_NO_CODE = "HTTP_"
_GOING_DOWN = "SHUTTING_DOWN"
_NAMED = 20
_ATTEMPTS = 3
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0

_log = logging.getLogger("strategy_runtime")


def segment(text: str) -> str:
    """Encode a symbol or an id as one segment of a path: `S%3AAAPL`, `BTC%2FUSD`."""
    return percent_encode(text, safe="")


class RestClient:
    """Requests to one proxy.

    Args:
        delays: Source of the minimum delays between attempts.
    """

    def __init__(
        self, transport: Transport, endpoints: Endpoints, *, delays: Delays, rng: Random
    ) -> None:
        self._transport = transport
        self._endpoints = endpoints
        self._delays = delays
        self._rng = rng
        self._base: str | None = None

    async def find_base(self) -> None:
        """Find the prefix under which the proxy answers, with a harmless request.

        Raises:
            Unreachable, ConnectionLost: There was no response.
            AccessDenied: The proxy refused us, or cannot be trusted.
            ConfigError: The response is a redirect.
            ProtocolError: The response is not that of a proxy.
        """
        bases = self._endpoints.request_bases
        status, said = _NOT_FOUND, ""
        for base in bases:
            try:
                answer = await self._transport.request("GET", f"{base}/account")
            except (AccessDenied, ConnectionLost, Unreachable) as failure:
                raise type(failure)(f"{failure}; check {self._endpoints.rest_setting}") from None
            refusal = _refusal("GET", "/account", answer, self._auth_hint(answer.status))
            if not isinstance(refusal, ApiError):
                raise refusal
            if _is_from_proxy(answer, refusal.code):
                self._base = base
                return
            if answer.status != _NOT_FOUND:
                status = answer.status
                said = f"{status}: {' '.join(refusal.message.split())}"
        where, setting = " and ".join(bases), self._endpoints.rest_setting
        if status in REDIRECTS:
            raise ConfigError(
                f"{where} redirects requests ({status}); redirects are not followed, so give the "
                f"address of the proxy itself; check {setting}"
            )
        if status in TRANSIENT:  # as from a load balancer while the proxy is down
            raise Unreachable(f"no proxy answers behind {where}, but {said}; check {setting}")
        found = "unknown" if status == _NOT_FOUND else f"answered with {said},"
        raise ProtocolError(
            f"{self._endpoints.rest_url} answers, but not like a trading proxy: GET /account is "
            f"{found} under {where}; check {setting}"
        )

    async def get(self, path: str, kind: type[_T]) -> _T:
        """GET a resource; retried without a usable response.

        Raises:
            ApiError: The proxy refused.
            AccessDenied: It does not accept our key.
            Unreachable, ConnectionLost, ProtocolError: No response, or an unreadable one.
        """
        return await self._request("GET", path, partial(_whole, kind))

    async def get_list(
        self,
        path: str,
        kind: type[_T],
        query: Mapping[str, str],
        *,
        required_id: str | None = None,
    ) -> list[_T]:
        """GET a list, likewise; an unreadable element is skipped with a warning.

        Args:
            kind: Type of the elements.
            required_id: Id whose element must not be skipped: it would seem to be absent.

        Raises:
            ApiError: The proxy refused.
            AccessDenied: It does not accept our key.
            Unreachable, ConnectionLost, ProtocolError: No response, or an unreadable one.
        """
        read = partial(_list, kind, required_id)
        return await self._request("GET", f"{path}?{urlencode(query)}", read)

    async def delete(self, path: str, kind: type[_T]) -> _T:
        """DELETE a resource, likewise."""
        return await self._request("DELETE", path, partial(_whole, kind))

    async def patch(self, path: str, document: object, kind: type[_T]) -> _T:
        """PATCH a resource; retried without a clear response.

        A PATCH names the desired state, so a second attempt is harmless. But if the second one is
        refused, the first may have been accepted nevertheless.

        Raises:
            ApiError: The proxy refused.
            Unreachable: Nothing was sent.
            ConnectionLost, ProtocolError: It was sent, and its fate is unknown.
        """
        return await self._request("PATCH", path, partial(_whole, kind), encode_json(document))

    async def post(self, path: str, document: object, kind: type[_T]) -> _T:
        """POST a document, once: a second attempt might be a second order.

        Raises:
            ApiError: The proxy refused.
            Unreachable: Nothing was sent.
            ConnectionLost, ProtocolError: It was sent, and its fate is unknown.
        """
        return await self._request(
            "POST", path, partial(_whole, kind), encode_json(document), attempts=1
        )

    async def _request(
        self,
        method: str,
        path: str,
        read: Callable[[bytes, str], _T],
        body: bytes | None = None,
        attempts: int = _ATTEMPTS,
    ) -> _T:
        if self._base is None:
            await self.find_base()
        what, pauses = path.partition("?")[0], self._delays(self._rng)
        doubt: StrategyRuntimeError | None = None
        while True:
            attempts -= 1
            try:
                answer = await self._transport.request(method, f"{self._base}{path}", body)
                if not 200 <= answer.status < 300:
                    raise _refusal(method, what, answer, self._auth_hint(answer.status))
                return read(answer.body, f"{method} {what}")
            except StrategyRuntimeError as failure:
                if method == "PATCH" and not isinstance(failure, ApiError | Unreachable):
                    doubt = failure
                if not attempts or _is_final(method, failure):
                    raise doubt or failure from None
                asked = failure.retry_after if isinstance(failure, ApiError) else None
                await sleep(max(next(pauses), min(asked or 0.0, _LONGEST_PAUSE_S)))

    def _auth_hint(self, status: int) -> str:
        """Return a hint on authentication for a 401; a 403 may have other reasons than the key."""
        return f"; {self._endpoints.auth_hint}" if status == _UNKNOWN_KEY else ""


def _is_from_proxy(answer: Answer, code: str) -> bool:
    """Whether a response is a proxy's: a JSON object or error envelope, and the path exists."""
    if not code.startswith(_NO_CODE):
        return answer.status != _NOT_FOUND  # every proxy has an account
    try:
        return 200 <= answer.status < 300 and isinstance(json.decode(answer.body), dict)
    except (MsgspecError, RecursionError, UnicodeDecodeError):
        return False


def _whole(kind: type[_T], body: bytes, request: str) -> _T:
    return decode_body(body, kind, request)


def _list(kind: type[_T], required_id: str | None, body: bytes, request: str) -> list[_T]:
    readable, unreadable = decode_list(body, kind, request)
    for element in unreadable:
        if required_id in element.names:
            raise ProtocolError(element.problem)
    for element in unreadable[:_NAMED]:
        named = ", ".join(sorted(element.names)) or "nameless"
        _log.warning("skipped (%s): %s", named, element.problem)
    if len(unreadable) > _NAMED:
        _log.warning("skipped, too: %d more of %s", len(unreadable) - _NAMED, request)
    return readable


def _is_final(method: str, failure: StrategyRuntimeError) -> bool:
    """Whether another attempt is pointless; a refused change is never retried."""
    if isinstance(failure, ApiError):
        is_passing = failure.status in TRANSIENT and failure.code != _GOING_DOWN
        return method == "PATCH" or not is_passing
    return isinstance(failure, AccessDenied)


def _refusal(method: str, path: str, answer: Answer, auth_hint: str) -> StrategyRuntimeError:
    """Convert an error response: to a refusal, or for an order perhaps to an unknown fate."""
    status = answer.status
    # Tickets of orders name their order, so their errors need no request.
    error = parse_error(status, answer.body, f"{method} {path}" if method == "GET" else None)
    if status == _TOO_MANY:
        error.retry_after = _seconds(answer.retry_after, error.details)
    if method == "GET" and _is_denied(path, status):
        return AccessDenied(
            f"the proxy refused {method} {path} with {status}: {error.message}{auth_hint}"
        )
    if status in _REFUSALS or error.code == _GOING_DOWN or method not in ("POST", "PATCH"):
        return error
    return ConnectionLost(
        f"{method} {path} was answered with {status} {error.code}: {error.message}"
    )


def _is_denied(path: str, status: int) -> bool:
    """Whether our key is refused; a 403 counts only for resources that every key may read."""
    return status == _UNKNOWN_KEY or (
        status == _FORBIDDEN and path.partition("/")[2].partition("/")[0] in _OPEN_TO_EVERY_KEY
    )


def _seconds(header: str | None, details: object) -> float:
    """Return the seconds to wait, from the header or else the body; proxies use either."""
    said = details.get("retry_after_seconds") if isinstance(details, dict) else None
    found = (seconds_of(each) for each in (header, said))
    return next((wait for wait in found if wait is not None), _PAUSE_S)


def query_of(**values: Any) -> dict[str, str]:
    """Return the query parameters that are not None."""
    return {name: str(value) for name, value in values.items() if value is not None}
