"""The REST client: one request, one answer or one error with a meaning (protocol f)."""

import asyncio
from collections.abc import Mapping
from math import isfinite
from typing import Any, TypeVar
from urllib.parse import quote as percent_encode

import aiohttp
from aiohttp import hdrs
from yarl import URL

from strategy_runtime.clock import sleep
from strategy_runtime.errors import (
    AccessDenied,
    ApiError,
    ConnectionLost,
    StrategyRuntimeError,
    Unreachable,
)
from strategy_runtime.protocol.rest import decode_body, parse_error
from strategy_runtime.protocol.server_codec import encode_json
from strategy_runtime.proxy.endpoints import Endpoints

__all__ = ["RestClient", "segment"]

_T = TypeVar("_T")
_TIMEOUT = aiohttp.ClientTimeout(total=10.0, sock_connect=5.0)
_TRANSIENT = (502, 503, 504)
_ATTEMPTS = 3
_TOO_MANY = 429
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 5.0


def segment(text: str) -> str:
    """A symbol or an id as one segment of a path: `S%3AAAPL`, `BTC%2FUSD`."""
    return percent_encode(text, safe="")


class RestClient:
    """Requests to one proxy."""

    def __init__(self, session: aiohttp.ClientSession, endpoints: Endpoints) -> None:
        self._session = session
        self._endpoints = endpoints
        self._base: str | None = None

    async def find_base(self) -> None:
        """Find the prefix the proxy answers under, with a harmless request.

        Raises:
            Unreachable, ConnectionLost, AccessDenied: No answer, or none for us.
        """
        bases = self._endpoints.request_bases
        for base in bases:
            status, body, _ = await self._once("GET", base, "/account", None, {})
            error = parse_error(status, body)
            if status in (401, 403):
                raise AccessDenied(f"the proxy refused the request with {status}: {error.message}")
            if status != 404 or not error.code.startswith("HTTP_"):
                self._base = base
                return
        raise Unreachable(
            f"{self._endpoints.rest_url} answers, but not like a trading proxy: GET /account is "
            f"unknown under {' and '.join(bases)}; check PROXY_REST_URL"
        )

    async def ask(self, path: str, kind: type[_T], query: Mapping[str, str] | None = None) -> _T:
        """GET a resource; tried again when nothing or nothing useful came back.

        Raises:
            ApiError: The proxy refused.
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
        failure: StrategyRuntimeError | None = None
        for _ in range(attempts):
            try:
                status, answer, wait = await self._once(method, self._base or "", path, body, query)
            except (ConnectionLost, Unreachable) as error:
                failure = error
                continue
            if 200 <= status < 300:
                return decode_body(answer, kind, f"{method} {path}")
            failure = _refusal(method, path, status, answer, wait)
            if status == _TOO_MANY and attempts > 1:
                await sleep(
                    min(
                        (failure.retry_after if isinstance(failure, ApiError) else None)
                        or _PAUSE_S,
                        _LONGEST_PAUSE_S,
                    )
                )
                continue
            if status not in _TRANSIENT or (
                isinstance(failure, ApiError) and failure.code == "SHUTTING_DOWN"
            ):
                break
        if failure is None:
            raise ConnectionLost(f"{method} {path} was not answered")
        raise failure

    async def _once(
        self, method: str, base: str, path: str, body: bytes | None, query: Mapping[str, str]
    ) -> tuple[int, bytes, str | None]:
        """Status, body and, where there is one, the header that says when to ask again."""
        url = URL(base + path, encoded=True).extend_query(query)
        headers = dict(self._endpoints.headers)
        if body is not None:
            headers[hdrs.CONTENT_TYPE] = "application/json"
        try:
            async with self._session.request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
            ) as response:
                wait = response.headers.get(hdrs.RETRY_AFTER)
                return response.status, await response.read(), wait
        except aiohttp.ClientConnectorCertificateError as error:
            raise AccessDenied(f"the proxy's certificate cannot be trusted: {error}") from None
        except aiohttp.ClientConnectorError as error:
            raise Unreachable(f"nobody answers at {base}: {error.strerror or error}") from None
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            what = "timed out" if isinstance(error, TimeoutError) else f"failed: {error}"
            raise ConnectionLost(f"{method} {base}{path} {what}") from None


def _refusal(
    method: str, path: str, status: int, answer: bytes, wait: str | None
) -> ApiError | ConnectionLost:
    """What an unsuccessful answer means: a refusal, or (5xx to an order) that nobody knows."""
    error = parse_error(status, answer)
    if status == _TOO_MANY:
        error.retry_after = _seconds(wait, error.details)
    is_definite = status < 500 or status == 501 or error.code == "SHUTTING_DOWN"
    if is_definite or method not in ("POST", "PATCH"):
        return error
    return ConnectionLost(
        f"{method} {path} was answered with {status} {error.code}: {error.message}"
    )


def _seconds(header: str | None, details: object) -> float:
    """How long to wait: the header, or what the body says; some proxies have only the one, some
    only the other."""
    said = details.get("retry_after_seconds") if isinstance(details, dict) else None
    for text in (header, said):
        try:
            number = float(text) if isinstance(text, str | int | float) else -1.0
        except ValueError:  # a date: read by nobody here, the body has seconds
            continue
        if isfinite(number) and number >= 0:
            return number
    return _PAUSE_S


def query_of(**values: Any) -> dict[str, str]:
    """The query parameters that are set."""
    return {name: str(value) for name, value in values.items() if value is not None}
