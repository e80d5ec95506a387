"""The faults of one run, drawn from a seed before the run starts."""

import itertools
from collections.abc import Callable
from enum import Enum

from msgspec import Struct

from strategy_runtime.ids import Random

__all__ = ["Fault", "Kind", "Plan", "drawn"]


class Kind(Enum):
    """Kinds of faults. The value starts with what is counted until the fault occurs."""

    # At the nth frame from the proxy.
    DROP = "frame: the connection breaks, and what is under way is lost"
    CLOSE = "frame: the proxy closes with a code"
    VANISH = "frame: it never arrives, and all others do"
    HALF_OPEN = "frame: nothing passes any more, and nobody is told"
    STALL = "frame: nothing passes for some seconds"
    DUPLICATE = "frame: it arrives twice"
    REPEAT = "frame: the last ones arrive again"
    SWAP = "frame: it changes places with the next, where neither is a bar"
    DAMAGED = "frame: a damaged copy comes before it"
    UNKNOWN = "frame: one of a type nobody knows comes before it"
    PINGS = "frame: pings come before it"
    RESTART = "frame: the proxy is away for some seconds"
    SIGTERM = "frame: the strategy is asked to stop, and started again"
    SIGKILL = "frame: the strategy ends without a word, and is started again"
    JUMP = "frame: the wall clock is set by a day"
    # At the nth acknowledgement.
    LOST_ACK = "ack: it is lost, and the connection breaks"
    DUPLICATE_ACK = "ack: it arrives twice"
    # At the nth attempt to connect.
    REFUSED = "connect: nobody listens"
    TURNED_AWAY = "connect: the handshake is answered with a status"
    # At the nth request.
    NOT_SENT = "request: nobody listens"
    LOST_BEFORE = "request: it is lost on the way there"
    LOST_AFTER = "request: its answer is lost on the way back"
    RESET_BEFORE = "request: the connection breaks on the way there"
    RESET_AFTER = "request: the connection breaks on the way back"
    STATUS_BEFORE = "request: a status instead of the deed"
    STATUS_AFTER = "request: the deed, and a status that denies it"
    HTML = "request: the deed, and a page of HTML"
    TRUNCATED = "request: the deed, and half of the answer"
    STALE = "request: lists are those of some seconds ago"
    UNFILTERED = "request: the filter of a list is ignored"
    # At the nth candle of the strategy.
    SLEEPS = "hook: it sleeps"
    BLOCKS = "hook: it blocks its thread"
    RAISES = "hook: it raises, at times since it calls itself without end"

    @property
    def counter(self) -> str:
        """What is counted until the fault occurs."""
        return self.value.partition(":")[0]


_CLOSES = (1000, 1001, 1006, 1011, 1012, 1013, 4000)
_TURNED_AWAY = (404, 429, 500, 502, 503)
_BEFORE = (429, 500, 502, 503, 504)
_AFTER = (500, 502, 503, 504)

_LIVE_ONLY = {
    Kind.VANISH,
    Kind.HALF_OPEN,
    Kind.RESTART,
    Kind.SIGTERM,
    Kind.SIGKILL,
    Kind.BLOCKS,
    Kind.RAISES,
    Kind.STATUS_BEFORE,
    Kind.LOST_BEFORE,
    Kind.RESET_BEFORE,
    Kind.NOT_SENT,
}
"""Faults that may change a backtest: it ends, or one of its orders is refused."""

_HARMLESS_WHERE_IDS_ARE_KNOWN = {
    Kind.STATUS_BEFORE,
    Kind.LOST_BEFORE,
    Kind.RESET_BEFORE,
    Kind.NOT_SENT,
}


class Fault(Struct, frozen=True):
    """One fault, at the nth of what its kind counts.

    Attributes:
        number: A code, a status or a count, depending on the kind.
        seconds: How long it lasts.
    """

    kind: Kind
    at: int
    number: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind.name} at {self.kind.counter} {self.at} ({self.number}, {self.seconds})"


class Plan:
    """The faults of one run.

    Attributes:
        faults: All of them.
    """

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        self._at: dict[str, dict[int, Fault]] = {kind.counter: {} for kind in Kind}
        for fault in faults:
            self._at[fault.kind.counter][fault.at] = fault
        self._numbers = {counter: itertools.count(1) for counter in self._at}

    def next(self, counter: str) -> Fault | None:
        """Count one more, and return its fault, if any."""
        return self._at[counter].get(next(self._numbers[counter]))

    def __str__(self) -> str:
        return "; ".join(map(str, self.faults))


def drawn(
    rng: Random, *, is_live: bool, knows_ids: bool, count: int, reach: dict[str, int]
) -> Plan:
    """Draw a plan.

    Args:
        knows_ids: Whether the proxy deduplicates orders by id, so that they can be resent.
        count: Approximate number of faults.
        reach: Highest number of each counter at which a fault may occur.
    """
    forbidden = set() if is_live else set(_LIVE_ONLY)
    if knows_ids:
        forbidden -= _HARMLESS_WHERE_IDS_ARE_KNOWN
    kinds = [kind for kind in Kind if kind not in forbidden]
    return Plan([_fault(rng, rng.choice(kinds), reach) for _ in range(count)])


def _fault(rng: Random, kind: Kind, reach: dict[str, int]) -> Fault:
    numbers: dict[Kind, Callable[[], int]] = {
        Kind.CLOSE: lambda: rng.choice(_CLOSES),
        Kind.TURNED_AWAY: lambda: rng.choice(_TURNED_AWAY),
        Kind.STATUS_BEFORE: lambda: rng.choice(_BEFORE),
        Kind.STATUS_AFTER: lambda: rng.choice(_AFTER),
        Kind.REPEAT: lambda: rng.randint(2, 12),
        Kind.PINGS: lambda: rng.randint(1, 50),
        Kind.DAMAGED: lambda: rng.randrange(1_000_000),
        Kind.JUMP: lambda: rng.choice((-86_400, 86_400)),
    }
    at = rng.randint(1, reach[kind.counter])
    number = numbers[kind]() if kind in numbers else 0
    return Fault(kind, at, number, round(rng.uniform(0.1, 5.0), 2))
