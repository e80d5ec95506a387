"""Whether to try again, and when: pure functions, apart from any socket (protocol b.4, b.5)."""

import ssl
from collections.abc import Iterator

import aiohttp

from strategy_runtime.errors import (
    AccessDenied,
    ConnectionLost,
    ProtocolError,
    StrategyRuntimeError,
)
from strategy_runtime.ids import Random

__all__ = ["STABLE_AFTER_S", "backoff", "fatal_close", "fatal_failure", "knocks"]

STABLE_AFTER_S = 60.0
"""A link that lasted this long was a good one: the next loss starts the delays anew."""

_FIRST_S = 1.0
_LONGEST_S = 30.0
_LEAST_SHARE = 0.25
_FIRST_KNOCK_S = 0.25
_LONGEST_KNOCK_S = 2.0


def backoff(chance: Random) -> Iterator[float]:
    """Delays between connections: jitter under a ceiling that doubles from 1 s to 30 s.

    A delay is at least a quarter of its ceiling: a proxy that accepts and closes at once then sees
    at most 12 connections in a minute, whatever chance decides.
    """
    ceiling = _FIRST_S
    while True:
        yield chance.uniform(ceiling * _LEAST_SHARE, ceiling)
        ceiling = min(ceiling * 2, _LONGEST_S)


def knocks(chance: Random) -> Iterator[float]:
    """Delays while the proxy is not up yet: full jitter under a ceiling that doubles up to 2 s."""
    ceiling = _FIRST_KNOCK_S
    while True:
        yield chance.uniform(0, ceiling)
        ceiling = min(ceiling * 2, _LONGEST_KNOCK_S)


def fatal_close(
    code: int | None, reason: str, last_words: str | None = None
) -> StrategyRuntimeError | None:
    """What a close by the proxy means: an error that ends the run, or None to connect again.

    Ask only while the run should go on: a close after the end of a backtest is just the end.

    Args:
        last_words: What the proxy said had failed in its backtest, where it did.
    """
    said = f" ({reason})" if reason else ""
    if code == 4003:
        return ConnectionLost(f"the proxy halted the run: an acknowledgement was missing{said}")
    if code == 4004:
        return ConnectionLost(f"another strategy took over the proxy's event stream{said}")
    if code == 1011 and last_words is not None:
        return ConnectionLost(f"the proxy broke the run off: {last_words}")
    if code in (1002, 1003, 1007, 1008):
        return ProtocolError(f"the proxy refuses what we send: close code {code}{said}")
    return None


def fatal_failure(error: Exception) -> StrategyRuntimeError | None:
    """What a failed attempt to connect means: an error that ends the run, or None to try again."""
    if isinstance(error, aiohttp.WSServerHandshakeError) and error.status in (401, 403):
        return AccessDenied(
            f"the proxy refused the connection with {error.status}; check the API key"
        )
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        return AccessDenied(f"the proxy's certificate cannot be trusted: {error}")
    return None
