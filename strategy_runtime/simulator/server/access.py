"""Who may talk to the proxy: no web page, and nobody without the key where there is one.

Browsers let any page send requests to loopback and open WebSockets to it. Such requests carry an
`Origin`; those of a page whose name was made to point here carry that name as their `Host`.
"""

from hmac import compare_digest

from aiohttp import web

from strategy_runtime.errors import ApiError, ConfigError
from strategy_runtime.hosts import host_in, is_loopback

__all__ = ["SHORTEST_KEY", "Access"]

PROBES = frozenset({"/livez", "/readyz", "/health"})
SHORTEST_KEY = 32


class Access:
    """Decides over every request, the upgrade to a WebSocket included.

    Where only this machine can connect, the request has to name it as its host. Elsewhere nobody
    knows what names lead here, and it is the key that keeps strangers out.

    Args:
        host: What the proxy listens on.
        api_key: Demanded from everyone but the probes, where set.

    Raises:
        ConfigError: Others can connect, and the key is missing or could be guessed.
    """

    def __init__(self, host: str, api_key: str | None) -> None:
        self._is_local = is_loopback(host)
        self._api_key = api_key
        if not self._is_local and len(api_key or "") < SHORTEST_KEY:
            lack = "a key" if api_key is None else "a longer key"
            raise ConfigError(
                f"listening on {host} needs {lack}: whoever reaches it could trade. Give "
                f"--token-file FILE, with at least {SHORTEST_KEY} characters in it, or listen on "
                "127.0.0.1"
            )

    def check(self, request: web.BaseRequest) -> bool:
        """Let a request pass; False where it is a stranger's, who may ask for this all the same.

        Raises:
            ApiError: 403 for a web page or a foreign host, 401 without the key.
        """
        if "Origin" in request.headers:
            raise _forbidden(
                "ORIGIN_NOT_ALLOWED",
                "web pages have no access: Origin is refused; a program leaves that header out "
                "(suppress_origin=True in websocket-client)",
            )
        if self._is_local and not is_loopback(host_in(request.headers.get("Host", ""))):
            raise _forbidden(
                "HOST_NOT_ALLOWED", "the Host is none of this machine's; use localhost or 127.0.0.1"
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
    # A header may hold any bytes; those that are no UTF-8 arrive as lone surrogates.
    if not compare_digest(given.encode(errors="surrogateescape"), api_key.encode()):
        message = "the key is not the right one"
        raise ApiError(401, "UNAUTHORIZED", message, {"code": "INVALID_API_KEY"})
