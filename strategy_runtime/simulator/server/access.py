"""Access control of the proxy: no web pages, and nobody without the key if there is one.

Browsers let any page send requests and open WebSockets to loopback. Such requests carry an
`Origin`; after DNS rebinding, they carry the page's own name as their `Host`.
"""

from hmac import compare_digest

from aiohttp import web

from strategy_runtime.errors import ApiError, ConfigError
from strategy_runtime.hosts import host_in, is_loopback

__all__ = ["SHORTEST_KEY", "Access"]

PROBES = frozenset({"/livez", "/readyz", "/health"})
SHORTEST_KEY = 32


class Access:
    """Checks every request, including the upgrade to a WebSocket.

    If only this machine can connect, requests must name it as their host. Otherwise the names that
    lead here are unknown, and the key keeps strangers out.

    Args:
        host: Address the proxy listens on.
        api_key: Key that every request except probes must have, if set.

    Raises:
        ConfigError: Other machines can connect, and the key is missing or too short.
    """

    def __init__(self, host: str, api_key: str | None) -> None:
        self._is_local = is_loopback(host)
        self._api_key = api_key
        if not self._is_local and len(api_key or "") < SHORTEST_KEY:
            lack = "a key" if api_key is None else "a longer key"
            raise ConfigError(
                f"listening on {host} needs {lack}: anyone who can reach it could trade. Give "
                f"--token-file FILE, with at least {SHORTEST_KEY} characters in it, or listen on "
                "127.0.0.1"
            )

    def check(self, request: web.BaseRequest) -> bool:
        """Admit a request; return False for a probe, which needs no key and so shows no sender.

        Raises:
            ApiError: 403 for a web page or a foreign host, 401 without the right key.
        """
        if "Origin" in request.headers:
            raise _forbidden(
                "ORIGIN_NOT_ALLOWED",
                "web pages have no access: Origin is refused; a program leaves that header out "
                "(suppress_origin=True in websocket-client)",
            )
        if self._is_local and not is_loopback(host_in(request.headers.get("Host", ""))):
            raise _forbidden(
                "HOST_NOT_ALLOWED", "the Host is not this machine; use localhost or 127.0.0.1"
            )
        if self._api_key is None:
            return True
        if request.path in PROBES:
            return False
        _demand_key(request, self._api_key)
        return True


def _forbidden(code: str, message: str) -> ApiError:
    return ApiError(403, "UNAUTHORIZED", message, {"code": code})


def _demand_key(request: web.BaseRequest, api_key: str) -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    given = token.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")
    if not given:
        message = "a key is needed: Authorization: Bearer <key>"
        raise ApiError(401, "UNAUTHORIZED", message, {"code": "MISSING_API_KEY"})
    # A header may hold any bytes; those that are not UTF-8 arrive as lone surrogates.
    if not compare_digest(given.encode(errors="surrogateescape"), api_key.encode()):
        message = "the key is not the right one"
        raise ApiError(401, "UNAUTHORIZED", message, {"code": "INVALID_API_KEY"})
