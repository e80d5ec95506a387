"""The addresses of the proxy: a pair of URLs, or one URL from which both are derived."""

from urllib.parse import urlsplit, urlunsplit

from strategy_runtime.runtime.settings.environment import DEFAULT, Environment
from strategy_runtime.runtime.settings.table import SETTINGS
from strategy_runtime.runtime.settings.values import check_url

__all__ = ["GATEWAY_VARIABLES", "find_addresses"]

GATEWAY_VARIABLES = ("GATEWAY_URL", "TEKTII_TRADING_GATEWAY_URL", "TRADING_GATEWAY_URL")
"""Variables with the URL of a gateway, from which both URLs are derived."""
_PAIR = tuple(setting for setting in SETTINGS if setting.name in ("ws_url", "rest_url"))


def find_addresses(environment: Environment) -> dict[str, tuple[str, str]]:
    """Return text and origin of both URLs, from the first pair of variables of which one is set.

    Empty if none is set.

    Raises:
        ConfigError: The URL of a gateway is invalid.
    """
    values = environment.values
    pairs = [[setting.variables[rank] for setting in _PAIR] for rank in range(2)]
    chosen = environment.first_of((*pairs[0], *pairs[1], *GATEWAY_VARIABLES))
    if chosen is None:
        return {}
    if chosen in GATEWAY_VARIABLES:
        origin = environment.origin(chosen)
        ws_url, rest_url = _gateway_urls(values[chosen].strip(), origin)
        return {"ws_url": (ws_url, origin), "rest_url": (rest_url, origin)}
    pair = next(each for each in pairs if chosen in each)
    return {
        setting.name: (values[variable].strip(), environment.origin(variable))
        if variable in values
        else (setting.default, DEFAULT)
        for setting, variable in zip(_PAIR, pair, strict=True)
    }


def _gateway_urls(text: str, origin: str) -> tuple[str, str]:
    """Without a path, the paths of both are looked for, as those of any proxy (`Endpoints`)."""
    check_url(text, origin, ("http", "https", "ws", "wss"), "http://localhost:8080")
    parts = urlsplit(text)
    path = parts.path.rstrip("/")
    prefix = f"{path.removesuffix('/v1')}/v1" if path else ""
    safe = "s" if parts.scheme in ("https", "wss") else ""
    return (
        urlunsplit((f"ws{safe}", parts.netloc, f"{prefix}/ws" if prefix else "", "", "")),
        urlunsplit((f"http{safe}", parts.netloc, prefix, "", "")),
    )
