"""The address of a proxy: two URLs and an optional key."""

from urllib.parse import urlsplit

from msgspec import Struct

from strategy_runtime.errors import ConfigError
from strategy_runtime.hosts import is_loopback

__all__ = ["KEY_SETTINGS", "Endpoints"]

KEY_SETTINGS = "--token-file, PROXY_API_KEY or PROXY_API_KEY_FILE"
"""The settings that provide the key, for the text of errors."""

_WS_PATHS = ("/", "/ws", "/v1/ws")
"""Paths tried in turn if the URL has none."""

_REST_PREFIXES = ("", "/v1")
"""Prefixes of requests tried in turn if the URL has no path."""


class Endpoints(Struct, frozen=True, kw_only=True):
    """The addresses of one proxy.

    Attributes:
        ws_url: URL of the event stream; its path and query, if any, are kept.
        rest_url: URL of the requests, without a query.
        api_key: Sent to both URLs if set. User name and password in a URL are sent to that URL.
        ws_setting, rest_setting: The settings to check if no proxy answers at a URL.
        api_key_setting: The setting to check if the key is refused.

    Raises:
        ConfigError: The REST URL has a query, there are both a key and a user name, or a key or
            password would cross a network unencrypted.
    """

    ws_url: str = "ws://localhost:8082"
    rest_url: str = "http://localhost:8080"
    api_key: str | None = None
    ws_setting: str = "PROXY_WS_URL"
    rest_setting: str = "PROXY_REST_URL"
    api_key_setting: str = KEY_SETTINGS

    def __post_init__(self) -> None:
        key = self.api_key, self.api_key_setting
        _check(self.ws_setting, self.ws_url, ("ws", "wss"), *key)
        _check(self.rest_setting, self.rest_url, ("http", "https"), *key)

    @property
    def stream_urls(self) -> list[str]:
        """URLs of the event stream to try, in turn."""
        parts = urlsplit(self.ws_url)
        if parts.path not in ("", "/"):
            return [self.ws_url]
        return [parts._replace(path=path).geturl() for path in _WS_PATHS]

    @property
    def request_bases(self) -> list[str]:
        """Base URLs of requests; the first that answers like a proxy is the one to use."""
        base = self.rest_url.rstrip("/")
        if urlsplit(self.rest_url).path not in ("", "/"):
            return [base]
        return [base + prefix for prefix in _REST_PREFIXES]

    @property
    def headers(self) -> dict[str, str]:
        """Headers that authenticate us."""
        return {} if self.api_key is None else {"Authorization": f"Bearer {self.api_key}"}

    @property
    def auth_hint(self) -> str:
        """What to do if requests are refused for lack of authentication."""
        if self.api_key is not None:
            return f"check {self.api_key_setting}"
        if urlsplit(self.rest_url).username is not None:
            return f"check the user name and the password in {self.rest_setting}"
        return f"set the key with {KEY_SETTINGS}"


def _check(
    setting: str, url: str, schemes: tuple[str, str], api_key: str | None, key_setting: str
) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.query and schemes[0] == "http":
        raise ConfigError(
            f"{setting} has a query, and requests have their own; remove everything from the "
            "question mark on"
        )
    has_name = parts.username is not None
    if has_name and api_key is not None:
        raise ConfigError(
            f"{setting} has a user name in it, and {key_setting} a key; a proxy can be shown only "
            "one of them"
        )
    if (has_name or api_key is not None) and parts.scheme == schemes[0] and not is_loopback(host):
        raise ConfigError(
            f"{setting}: the {'password' if has_name else 'API key'} would cross the network in "
            f"the clear to {host}; use {schemes[1]}://"
        )
