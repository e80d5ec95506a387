"""Whether to try again, and when, apart from any socket."""

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
from strategy_runtime.proxy.transport import Closed, ConnectFailed

__all__ = [
    "CLOSE_TOO_BIG",
    "STABLE_AFTER_S",
    "Delays",
    "backoff",
    "knocks",
    "retries",
    "seconds_of",
    "verdict",
]

STABLE_AFTER_S = 60.0
"""A link that lasted this long was a good one: the next loss starts the delays anew."""

CLOSE_TOO_BIG = 1009
_CLOSE_INTERNAL = 1011
_CLOSE_FOR_WHAT_WE_SENT = (1002, 1003, 1007, 1008, CLOSE_TOO_BIG)
_NO_ENTRY = (401, 403)

_FIRST_S = 1.0
_LONGEST_S = 5.0
_FIRST_KNOCK_S = 0.25
_LONGEST_KNOCK_S = 2.0
_FIRST_RETRY_S = 1.0
_LONGEST_RETRY_S = 8.0


Delays = Callable[[Random], Iterator[float]]
"""A source of delays in seconds, one after the other."""


def backoff(chance: Random) -> Iterator[float]:
    """Delays between connections: full jitter under a ceiling that doubles from 1 s to 5 s.

    So a dead link is found and replaced within 15 s even where others were lost just before. What
    keeps a proxy from a storm of connections is the limit in a minute, see `Connection`.
    """
    return _jitter(chance, _FIRST_S, _LONGEST_S)


def knocks(chance: Random) -> Iterator[float]:
    """Delays while the proxy is not up yet: full jitter under a ceiling that doubles up to 2 s."""
    return _jitter(chance, _FIRST_KNOCK_S, _LONGEST_KNOCK_S)


def retries(chance: Random) -> Iterator[float]:
    """Delays between attempts at one question: 1 s, doubling up to 8 s, half more or less."""
    pause = _FIRST_RETRY_S
    while True:
        yield pause * chance.uniform(0.5, 1.5)
        pause = min(pause * 2, _LONGEST_RETRY_S)


def _jitter(chance: Random, ceiling: float, longest: float) -> Iterator[float]:
    while True:
        yield chance.uniform(0, ceiling)
        ceiling = min(ceiling * 2, longest)


def seconds_of(said: object) -> float | None:
    """How long a proxy asks to wait, from a header or a body: a number of seconds or, as proxies of
    the web have it, the date until which; None where it is neither.
    """
    try:
        wait = float(said) if isinstance(said, str | int | float) else -1.0
    except ValueError:
        return _seconds_until(str(said))
    except OverflowError:  # a whole number beyond all floats
        return None
    return wait if isfinite(wait) and wait >= 0 else None


def _seconds_until(date: str) -> float | None:
    from email.utils import parsedate_to_datetime  # few runs need it

    try:
        return max((parsedate_to_datetime(date) - now()).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):  # no date, or without a zone, or in no calendar
        return None


def verdict(
    ended: Closed | ConnectFailed, last_words: str | None = None
) -> StrategyRuntimeError | None:
    """What the end of a connection, or of an attempt, means: an error that ends the run, or None.

    None says: try again. Ask only while the run should go on: a close after the end of a backtest
    is just the end.

    Args:
        last_words: What the proxy said had failed in its backtest, where it did.
    """
    if isinstance(ended, ConnectFailed):
        if ended.status in _NO_ENTRY:
            return AccessDenied(
                f"the proxy refused the connection with {ended.status}; check the API key "
                f"({KEY_SETTINGS})"
            )
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
        return ConnectionLost(f"the proxy broke the run off: {last_words}")
    if code in _CLOSE_FOR_WHAT_WE_SENT:
        return ProtocolError(f"the proxy refuses what we send: close code {code}{said}")
    return None
