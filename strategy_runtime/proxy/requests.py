"""The REST client: one request, one answer or one error with a meaning (protocol f)."""

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote as percent_encode
from urllib.parse import urlencode

from strategy_runtime.clock import sleep
from strategy_runtime.errors import (
    AccessDenied,
    ApiError,
    ConnectionLost,
    ProtocolError,
    StrategyRuntimeError,
    Unreachable,
)
from strategy_runtime.protocol.rest import decode_body, parse_error
from strategy_runtime.protocol.server_codec import encode_json
from strategy_runtime.proxy.endpoints import Endpoints
from strategy_runtime.proxy.policy import seconds_of
from strategy_runtime.proxy.transport import Answer, Transport

__all__ = ["RestClient", "query_of", "segment"]

_T = TypeVar("_T")
_TRANSIENT = (500, 502, 503, 504)
_ATTEMPTS = 3
_TOO_MANY = 429
_UNKNOWN_KEY = 401
_FORBIDDEN = 403
_EVERYBODYS = ("account", "orders", "positions")
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 5.0


def segment(text: str) -> str:
    """A symbol or an id as one segment of a path: `S%3AAAPL`, `BTC%2FUSD`."""
    return percent_encode(text, safe="")


class RestClient:
    """Requests to one proxy."""

    def __init__(self, transport: Transport, endpoints: Endpoints) -> None:
        self._transport = transport
        self._endpoints = endpoints
        self._base: str | None = None

    async def find_base(self) -> None:
        """Find the prefix the proxy answers under, with a harmless request.

        Raises:
            Unreachable, ConnectionLost, AccessDenied: No answer, or none for us.
            ProtocolError: Somebody answers, and not like a proxy.
        """
        bases = self._endpoints.request_bases
        for base in bases:
            status, body, _ = await self._transport.request("GET", f"{base}/account")
            error = parse_error(status, body)
            if status in (401, 403):
                raise AccessDenied(f"the proxy refused the request with {status}: {error.message}")
            if status != 404 or not error.code.startswith("HTTP_"):
                self._base = base
                return
        raise ProtocolError(
            f"{self._endpoints.rest_url} answers, but not like a trading proxy: GET /account is "
            f"unknown under {' and '.join(bases)}; check {self._endpoints.rest_setting}"
        )

    async def ask(self, path: str, kind: type[_T], query: Mapping[str, str] | None = None) -> _T:
        """GET a resource; tried again when nothing or nothing useful came back.

        Raises:
            ApiError: The proxy refused.
            AccessDenied: It does not take our key.
            Unreachable, ConnectionLost, ProtocolError: No answer, or none that can be read.
        """
        return await self._answered("GET", path, kind, None, query or {}, _ATTEMPTS)

    async def remove(self, path: str, kind: type[_T]) -> _T:
        """DELETE a resource, likewise."""
        return await self._answered("DELETE", path, kind, None, {}, _ATTEMPTS)

    async def send(self, method: str, path: str, document: object, kind: type[_T]) -> _T:
        """POST or PATCH a document, once: a second attempt might be a second order.

        Raises:
            ApiError: The proxy refused.
            Unreachable: Nothing was sent.
            ConnectionLost, ProtocolError: It was sent, and its fate is not known.
        """
        return await self._answered(method, path, kind, encode_json(document), {}, 1)

    async def _answered(
        self,
        method: str,
        path: str,
        kind: type[_T],
        body: bytes | None,
        query: Mapping[str, str],
        attempts: int,
    ) -> _T:
        if self._base is None:
            await self.find_base()
        url = f"{self._base}{path}?{urlencode(query)}" if query else f"{self._base}{path}"
        failure: StrategyRuntimeError | None = None
        for _ in range(attempts):
            try:
                answer = await self._transport.request(method, url, body)
            except (ConnectionLost, Unreachable) as error:
                failure = error
                continue
            if 200 <= answer.status < 300:
                try:
                    return decode_body(answer.body, kind, f"{method} {path}")
                except ProtocolError as error:
                    failure = error
                    continue
            failure = _refusal(method, path, answer)
            if method == "GET" and _is_denied(path, answer.status):
                raise AccessDenied(f"the proxy refused {method} {path} with {failure}")
            if answer.status == _TOO_MANY and attempts > 1:
                await sleep(
                    min(
                        (failure.retry_after if isinstance(failure, ApiError) else None)
                        or _PAUSE_S,
                        _LONGEST_PAUSE_S,
                    )
                )
                continue
            if answer.status not in _TRANSIENT or (
                isinstance(failure, ApiError) and failure.code == "SHUTTING_DOWN"
            ):
                break
        if failure is None:
            raise ConnectionLost(f"{method} {path} was not answered")
        raise failure


def _refusal(method: str, path: str, answer: Answer) -> ApiError | ConnectionLost:
    """What an unsuccessful answer means: a refusal, or (5xx to an order) that nobody knows."""
    status = answer.status
    error = parse_error(status, answer.body)
    if status == _TOO_MANY:
        error.retry_after = _seconds(answer.retry_after, error.details)
    is_definite = status < 500 or status == 501 or error.code == "SHUTTING_DOWN"
    if is_definite or method not in ("POST", "PATCH"):
        return error
    return ConnectionLost(
        f"{method} {path} was answered with {status} {error.code}: {error.message}"
    )


def _is_denied(path: str, status: int) -> bool:
    """Whether our key is not taken any more: it may be good and still not give a right to bars."""
    return status == _UNKNOWN_KEY or (
        status == _FORBIDDEN and path.partition("/")[2].partition("/")[0] in _EVERYBODYS
    )


def _seconds(header: str | None, details: object) -> float:
    """How long to wait: the header, or what the body says; some proxies have only the one, some
    only the other."""
    said = details.get("retry_after_seconds") if isinstance(details, dict) else None
    found = (seconds_of(each) for each in (header, said))
    return next((wait for wait in found if wait is not None), _PAUSE_S)


def query_of(**values: Any) -> dict[str, str]:
    """The query parameters that are set."""
    return {name: str(value) for name, value in values.items() if value is not None}
