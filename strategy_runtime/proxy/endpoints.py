"""Where a proxy is: two URLs and perhaps a key."""

from urllib.parse import urlsplit

from msgspec import Struct

from strategy_runtime.errors import ConfigError
from strategy_runtime.hosts import is_loopback

__all__ = [
    "DEFAULT_REST_URL",
    "DEFAULT_WS_URL",
    "KEY_SETTINGS",
    "REST_PREFIXES",
    "WS_PATHS",
    "Endpoints",
]

DEFAULT_WS_URL = "ws://localhost:8082"
DEFAULT_REST_URL = "http://localhost:8080"

KEY_SETTINGS = "--token-file, PROXY_API_KEY or PROXY_API_KEY_FILE"
"""What gives the key."""

WS_PATHS = ("/", "/ws", "/v1/ws")
"""Tried in turn where the URL has no path of its own."""

REST_PREFIXES = ("", "/v1")
"""Likewise for requests."""


class Endpoints(Struct, frozen=True, kw_only=True):
    """The addresses of one proxy.

    Attributes:
        ws_url: Of the event stream; a path or a query given is kept as it is.
        rest_url: Of the requests, without a slash at the end, and without a query.
        api_key: Sent with both where set. User name and password in a URL are sent with it.
        ws_setting, rest_setting: What to look at where a URL leads to nobody, or to somebody else.
        api_key_setting: What to look at where the key is not taken.

    Raises:
        ConfigError: A URL that cannot be one, both a key and a user name, or a key or a password
            that would cross a network in the clear.
    """

    ws_url: str = DEFAULT_WS_URL
    rest_url: str = DEFAULT_REST_URL
    api_key: str | None = None
    ws_setting: str = "PROXY_WS_URL"
    rest_setting: str = "PROXY_REST_URL"
    api_key_setting: str = KEY_SETTINGS

    def __post_init__(self) -> None:
        _check("the stream", self.ws_url, ("ws", "wss"), self.api_key)
        _check("requests", self.rest_url, ("http", "https"), self.api_key)

    @property
    def stream_urls(self) -> list[str]:
        """What to try to connect to, in turn."""
        parts = urlsplit(self.ws_url)
        if parts.path not in ("", "/"):
            return [self.ws_url]
        return [parts._replace(path=path).geturl() for path in WS_PATHS]

    @property
    def request_bases(self) -> list[str]:
        """What to put before the path of a request: the first that answers like a proxy."""
        base = self.rest_url.rstrip("/")
        if urlsplit(self.rest_url).path not in ("", "/"):
            return [base]
        return [base + prefix for prefix in REST_PREFIXES]

    @property
    def headers(self) -> dict[str, str]:
        """What identifies us."""
        return {} if self.api_key is None else {"Authorization": f"Bearer {self.api_key}"}

    @property
    def way_in(self) -> str:
        """What to do where requests are refused for who we are."""
        if self.api_key is not None:
            return f"look at {self.api_key_setting}"
        if urlsplit(self.rest_url).username is not None:
            return f"look at the user name and the password in {self.rest_setting}"
        return f"give the key by {KEY_SETTINGS}"


def _check(what: str, url: str, schemes: tuple[str, ...], api_key: str | None) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"the URL for {what}, {url!r}, cannot be read: {error}") from None
    if parts.scheme not in schemes or not host:
        raise ConfigError(
            f"the URL for {what}, {url!r}, must look like {schemes[0]}://localhost:8080"
        )
    if parts.query and schemes[0] == "http":
        raise ConfigError(
            f"the URL for {what} of {host} has a query, and requests have their own; remove "
            "everything from the question mark on"
        )
    has_name = parts.username is not None
    if has_name and api_key is not None:
        raise ConfigError(
            f"the URL for {what} of {host} has a user name in it, and there is an API key; a proxy "
            "can be shown only one of them"
        )
    if (has_name or api_key is not None) and parts.scheme == schemes[0] and not is_loopback(host):
        raise ConfigError(
            f"the {'password' if has_name else 'API key'} would cross the network in the clear to "
            f"{host}; use {schemes[1]}://"
        )
