"""Retry policy: back-off delays, and which failures end a run. No I/O."""

from collections.abc import Callable, Iterator
from math import isfinite

from strategy_runtime.clock import now
from strategy_runtime.errors import (
    AccessDenied,
    ConnectionLost,
    ProtocolError,
    StrategyRuntimeError,
)
from strategy_runtime.ids import Random
from strategy_runtime.protocol.enums import CloseCode
from strategy_runtime.proxy.endpoints import KEY_SETTINGS
from strategy_runtime.proxy.transport import REDIRECTS, Closed, ConnectFailed

__all__ = [
    "CLOSE_TOO_BIG",
    "STABLE_AFTER_S",
    "Delays",
    "reconnect_delays",
    "retry_delays",
    "seconds_of",
    "startup_delays",
    "verdict",
]

STABLE_AFTER_S = 60.0
"""A connection that lasted this long was stable: the next loss resets the back-off."""

CLOSE_TOO_BIG = 1009
_CLOSE_INTERNAL = 1011
_CLOSE_FOR_WHAT_WE_SENT = (1002, 1003, 1007, 1008, CLOSE_TOO_BIG)
_NO_ENTRY = (401, 403)

_FIRST_S = 1.0
_LONGEST_S = 5.0
_FIRST_STARTUP_S = 0.25
_LONGEST_STARTUP_S = 2.0
_FIRST_RETRY_S = 1.0
_LONGEST_RETRY_S = 8.0


Delays = Callable[[Random], Iterator[float]]
"""A source of successive delays, in seconds."""


def reconnect_delays(rng: Random) -> Iterator[float]:
    """Delays between connections: full jitter under a ceiling that doubles from 1 s to 5 s.

    So a dead connection is detected and replaced within 15 s, even after other losses. The limit
    per minute protects the proxy from a storm of connections, see `Connection`.
    """
    return _jitter(rng, _FIRST_S, _LONGEST_S)


def startup_delays(rng: Random) -> Iterator[float]:
    """Delays while the proxy is starting: full jitter under a ceiling that doubles up to 2 s."""
    return _jitter(rng, _FIRST_STARTUP_S, _LONGEST_STARTUP_S)


def retry_delays(rng: Random) -> Iterator[float]:
    """Delays between attempts at one request: 1 s, doubling up to 8 s, each ±50 %."""
    pause = _FIRST_RETRY_S
    while True:
        yield pause * rng.uniform(0.5, 1.5)
        pause = min(pause * 2, _LONGEST_RETRY_S)


def _jitter(rng: Random, ceiling: float, longest: float) -> Iterator[float]:
    while True:
        yield rng.uniform(0, ceiling)
        ceiling = min(ceiling * 2, longest)


def seconds_of(said: object) -> float | None:
    """Parse a retry delay from a header or body: a number of seconds, or an HTTP date.

    Returns None if it is neither.
    """
    try:
        wait = float(said) if isinstance(said, str | int | float) else -1.0
    except ValueError:
        return _seconds_until(str(said))
    except OverflowError:  # an integer too large for a float
        return None
    return wait if isfinite(wait) and wait >= 0 else None


def _seconds_until(date: str) -> float | None:
    from email.utils import parsedate_to_datetime  # rarely needed

    try:
        return max((parsedate_to_datetime(date) - now()).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):  # not a date, without a zone, or out of range
        return None


def verdict(
    ended: Closed | ConnectFailed, last_words: str | None = None
) -> StrategyRuntimeError | None:
    """Return the error with which a lost connection or failed attempt ends the run.

    None means: try again. Do not call this after the end of a backtest, when a close is normal.

    Args:
        last_words: What failed in the proxy's backtest, if the proxy said so.
    """
    if isinstance(ended, ConnectFailed):
        if ended.status in _NO_ENTRY:
            return AccessDenied(
                f"the proxy refused the connection with {ended.status}; check the API key "
                f"({KEY_SETTINGS})"
            )
        if ended.status in REDIRECTS:
            return ProtocolError(ended.said)
        if ended.is_untrusted:
            return AccessDenied(f"{ended.said}; check --ws-url or PROXY_WS_URL")
        return None
    if ended.is_ours:
        return None
    code, said = ended.code, f" ({ended.reason})" if ended.reason else ""
    if code == CloseCode.ACK_TIMEOUT:
        return ConnectionLost(f"the proxy halted the run: an acknowledgement was missing{said}")
    if code == CloseCode.SUPERSEDED:
        return ConnectionLost(f"another strategy took over the proxy's event stream{said}")
    if code == _CLOSE_INTERNAL and last_words is not None:
        return ConnectionLost(f"the proxy aborted the run: {last_words}")
    if code in _CLOSE_FOR_WHAT_WE_SENT:
        return ProtocolError(f"the proxy refuses what we send: close code {code}{said}")
    return None
