"""The REST client: one request, one answer or one error with a meaning."""

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
_EVERYBODYS = ("account", "orders", "positions")
# Any other answer to an order may be that of somebody who does not know what became of it.
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
    """A symbol or an id as one segment of a path: `S%3AAAPL`, `BTC%2FUSD`."""
    return percent_encode(text, safe="")


class RestClient:
    """Requests to one proxy.

    Args:
        delays: Source of delays between attempts, at least.
    """

    def __init__(
        self, transport: Transport, endpoints: Endpoints, *, delays: Delays, chance: Random
    ) -> None:
        self._transport = transport
        self._endpoints = endpoints
        self._delays = delays
        self._chance = chance
        self._base: str | None = None

    async def find_base(self) -> None:
        """Find the prefix the proxy answers under, with a harmless request.

        Raises:
            Unreachable, ConnectionLost: No answer.
            AccessDenied: None for us, or none that can be trusted.
            ConfigError: The answer is a redirect.
            ProtocolError: Somebody answers, and not like a proxy.
        """
        bases = self._endpoints.request_bases
        status, said = _NOT_FOUND, ""
        for base in bases:
            try:
                answer = await self._transport.request("GET", f"{base}/account")
            except (AccessDenied, ConnectionLost, Unreachable) as failure:
                raise type(failure)(f"{failure}; check {self._endpoints.rest_setting}") from None
            refusal = _refusal("GET", "/account", answer, self._way_in(answer.status))
            if not isinstance(refusal, ApiError):
                raise refusal
            if _is_of_a_proxy(answer, refusal.code):
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
        if status in TRANSIENT:  # so says what stands in front of a proxy that is not up
            raise Unreachable(f"no proxy answers behind {where}, but {said}; check {setting}")
        found = "unknown" if status == _NOT_FOUND else f"answered with {said},"
        raise ProtocolError(
            f"{self._endpoints.rest_url} answers, but not like a trading proxy: GET /account is "
            f"{found} under {where}; check {setting}"
        )

    async def ask(self, path: str, kind: type[_T]) -> _T:
        """GET a resource; tried again when nothing or nothing useful came back.

        Raises:
            ApiError: The proxy refused.
            AccessDenied: It does not take our key.
            Unreachable, ConnectionLost, ProtocolError: No answer, or none that can be read.
        """
        return await self._answered("GET", path, partial(_whole, kind))

    async def listed(
        self,
        path: str,
        kind: type[_T],
        query: Mapping[str, str],
        *,
        unless: str | None = None,
    ) -> list[_T]:
        """GET a list, likewise; an element that cannot be read is passed over, with a warning.

        Args:
            kind: Of the elements.
            unless: The id of what must not be passed over, for then it would not seem to be there.

        Raises:
            ApiError: The proxy refused.
            AccessDenied: It does not take our key.
            Unreachable, ConnectionLost, ProtocolError: No answer, or none that can be read.
        """
        read = partial(_list, kind, unless)
        return await self._answered("GET", f"{path}?{urlencode(query)}", read)

    async def remove(self, path: str, kind: type[_T]) -> _T:
        """DELETE a resource, likewise."""
        return await self._answered("DELETE", path, partial(_whole, kind))

    async def change(self, path: str, document: object, kind: type[_T]) -> _T:
        """PATCH a resource; what is not clearly answered is sent again.

        It says how things are to be, so that a second attempt changes nothing. But where that is
        refused, the first may have been taken all the same.

        Raises:
            ApiError: The proxy refused.
            Unreachable: Nothing was sent.
            ConnectionLost, ProtocolError: It was sent, and its fate is not known.
        """
        return await self._answered("PATCH", path, partial(_whole, kind), encode_json(document))

    async def send(self, path: str, document: object, kind: type[_T]) -> _T:
        """POST a document, once: a second attempt might be a second order.

        Raises:
            ApiError: The proxy refused.
            Unreachable: Nothing was sent.
            ConnectionLost, ProtocolError: It was sent, and its fate is not known.
        """
        return await self._answered(
            "POST", path, partial(_whole, kind), encode_json(document), attempts=1
        )

    async def _answered(
        self,
        method: str,
        path: str,
        read: Callable[[bytes, str], _T],
        body: bytes | None = None,
        attempts: int = _ATTEMPTS,
    ) -> _T:
        if self._base is None:
            await self.find_base()
        what, pauses = path.partition("?")[0], self._delays(self._chance)
        doubt: StrategyRuntimeError | None = None
        while True:
            attempts -= 1
            try:
                answer = await self._transport.request(method, f"{self._base}{path}", body)
                if not 200 <= answer.status < 300:
                    raise _refusal(method, what, answer, self._way_in(answer.status))
                return read(answer.body, f"{method} {what}")
            except StrategyRuntimeError as failure:
                if method == "PATCH" and not isinstance(failure, ApiError | Unreachable):
                    doubt = failure
                if not attempts or _is_final(method, failure):
                    raise doubt or failure from None
                asked = failure.retry_after if isinstance(failure, ApiError) else None
                await sleep(max(next(pauses), min(asked or 0.0, _LONGEST_PAUSE_S)))

    def _way_in(self, status: int) -> str:
        """What to add to a refusal; one with 403 may have other reasons than the key."""
        return f"; {self._endpoints.way_in}" if status == _UNKNOWN_KEY else ""


def _is_of_a_proxy(answer: Answer, code: str) -> bool:
    """Whether a proxy gave an answer: it has an object, or a refusal in one, and knows the path."""
    if not code.startswith(_NO_CODE):
        return answer.status != _NOT_FOUND  # no proxy is without an account
    try:
        return 200 <= answer.status < 300 and isinstance(json.decode(answer.body), dict)
    except (MsgspecError, RecursionError, UnicodeDecodeError):
        return False


def _whole(kind: type[_T], body: bytes, request: str) -> _T:
    return decode_body(body, kind, request)


def _list(kind: type[_T], unless: str | None, body: bytes, request: str) -> list[_T]:
    readable, unreadable = decode_list(body, kind, request)
    for element in unreadable:
        if unless in element.names:
            raise ProtocolError(element.problem)
    for element in unreadable[:_NAMED]:
        named = ", ".join(sorted(element.names)) or "nameless"
        _log.warning("skipped (%s): %s", named, element.problem)
    if len(unreadable) > _NAMED:
        _log.warning("skipped, too: %d more of %s", len(unreadable) - _NAMED, request)
    return readable


def _is_final(method: str, failure: StrategyRuntimeError) -> bool:
    """Whether another attempt would end no better; a change that was refused is not asked again."""
    if isinstance(failure, ApiError):
        is_passing = failure.status in TRANSIENT and failure.code != _GOING_DOWN
        return method == "PATCH" or not is_passing
    return isinstance(failure, AccessDenied)


def _refusal(method: str, path: str, answer: Answer, way_in: str) -> StrategyRuntimeError:
    """What an unsuccessful answer means: a refusal, or, to an order, that its fate is not known."""
    status = answer.status
    # What a ticket says of a refusal names its order.
    error = parse_error(status, answer.body, f"{method} {path}" if method == "GET" else None)
    if status == _TOO_MANY:
        error.retry_after = _seconds(answer.retry_after, error.details)
    if method == "GET" and _is_denied(path, status):
        return AccessDenied(
            f"the proxy refused {method} {path} with {status}: {error.message}{way_in}"
        )
    if status in _REFUSALS or error.code == _GOING_DOWN or method not in ("POST", "PATCH"):
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
