"""State machine of the connection to the event stream, without sockets and clocks.

It is told what happened and when, and returns what to do next::

    CONNECTING ──opened──> GREETING ──greeted──> OPEN
        ^   └──refused──┐     └──────lost─────────┤
        └──after a delay── PAUSING <──────────────┘        OVER ends it, from anywhere

The rules:

* A URL without a path is tried with several; the one that worked is tried first next time.
* Attempts before the first connection are `startup_delays` apart, those after a loss
  `reconnect_delays`, which are reset only after a connection that lasted.
* A proxy that violates the framing of its stream is reconnected to, twice in a minute.
* Connections per minute are limited, whatever the proxy does with them.
* The first connection must succeed within the deadline; in a backtest, so must every later one. A
  live run retries for ever, even if it is redirected.
* CONNECTED is awaited briefly and never required: not every proxy sends it.
"""

from collections import deque
from enum import Enum
from typing import NamedTuple

from strategy_runtime.errors import ConnectionLost, ProtocolError, StrategyRuntimeError, Unreachable
from strategy_runtime.ids import Random
from strategy_runtime.proxy.policy import STABLE_AFTER_S, Delays, verdict
from strategy_runtime.proxy.transport import REDIRECTS, TRANSIENT, Closed, ConnectFailed

__all__ = ["Act", "Connection", "State", "Step"]

_NO_STREAM_HERE = (200, 404, 405, 426)  # a page, such as the front page of a gateway, or nothing
_MOST_FAULTS = 3
_LONGEST_ASKED_S = 60.0
_WINDOW_S = 60.0


class State(Enum):
    """State of the connection."""

    CONNECTING = "connecting"
    GREETING = "greeting"
    OPEN = "open"
    PAUSING = "pausing"
    OVER = "over"


class Act(Enum):
    """What to do next."""

    CONNECT = "connect"
    READ = "read"
    WAIT = "wait"
    STOP = "stop"


class Step(NamedTuple):
    """What to do, the URL to connect to, and the seconds to wait, or to read until `greeted`."""

    act: Act
    url: str = ""
    seconds: float | None = None


class Connection:
    """One strategy's connection, over as many sockets as it takes.

    Args:
        urls: URLs to try, in turn.
        setting: The setting to check, for the text of errors.
        is_live: Whether to reconnect for ever.
        deadline: Seconds for the first connection, and in a backtest for every later one.
        greeting: Seconds to wait for CONNECTED.
        most_connections: Limit per minute.

    Attributes:
        state: The current state.
    """

    def __init__(
        self,
        urls: list[str],
        *,
        setting: str,
        is_live: bool,
        deadline: float,
        greeting: float,
        most_connections: int,
        reconnect_delays: Delays,
        startup_delays: Delays,
        rng: Random,
    ) -> None:
        self.state = State.CONNECTING
        self._urls = deque(urls)
        self._setting = setting
        self._tried = 0
        self._is_live = is_live
        self._deadline = deadline
        self._greeting = greeting
        self._reconnect_delays = reconnect_delays
        self._rng = rng
        self._pauses = startup_delays(rng)
        self._since_loss = reconnect_delays(rng)
        self._was_open = False
        self._began: float | None = None
        self._changed = 0.0
        self._until = 0.0
        self._opened: deque[float] = deque(maxlen=most_connections)
        self._faults: deque[float] = deque(maxlen=_MOST_FAULTS)

    def next(self, now: float) -> Step:
        """Return what to do now; `now` is in monotonic seconds."""
        if self.state is State.PAUSING:
            if now < self._until:
                return Step(Act.WAIT, seconds=self._until - now)
            self.state = State.CONNECTING
        if self.state is State.CONNECTING:
            if self._began is None:
                self._began = now
            return Step(Act.CONNECT, url=self._urls[0])
        if self.state is State.GREETING:
            return Step(Act.READ, seconds=max(self._changed + self._greeting - now, 0.0))
        return Step(Act.STOP if self.state is State.OVER else Act.READ)

    # What happened

    def opened(self, now: float) -> None:
        """The handshake succeeded."""
        self.state, self._changed = State.GREETING, now
        self._opened.append(now)
        self._was_open, self._began, self._tried = True, None, 0

    def greeted(self) -> None:
        """The proxy has sent something, or the wait for its greeting is over."""
        if self.state is State.GREETING:
            self.state = State.OPEN

    def refused(self, failure: ConnectFailed, now: float) -> None:
        """An attempt to connect failed.

        Raises:
            AccessDenied: Further attempts would fail, too.
            Unreachable, ProtocolError, ConnectionLost: The deadline is over.
        """
        may_go_on = self._is_live and self._was_open
        fatal = verdict(failure)
        # A gateway may redirect to a page about its maintenance.
        if fatal is not None and not (may_go_on and failure.status in REDIRECTS):
            self._end(fatal)
        if failure.status in _NO_STREAM_HERE:
            self._urls.rotate(-1)
            self._tried += 1
            if self._tried < len(self._urls):
                return
        self._tried = 0
        pause = max(next(self._pauses), min(failure.retry_after or 0.0, _LONGEST_ASKED_S))
        if not may_go_on and now + pause >= (self._began or 0.0) + self._deadline:
            self._end(self._deadline_error(failure))
        self._pause(now, pause)

    def lost(self, closed: Closed, now: float, last_words: str | None = None) -> None:
        """The connection ended before the run did.

        Args:
            last_words: What failed in the proxy's backtest, if the proxy said so.

        Raises:
            ConnectionLost, ProtocolError: Reconnecting is pointless.
        """
        fatal = verdict(closed, last_words)
        if closed.is_ours:
            self._faults.append(now)
            if len(self._faults) == _MOST_FAULTS and now - self._faults[0] < _WINDOW_S:
                fatal = ProtocolError(f"the proxy keeps sending invalid frames: {closed.reason}")
        if fatal is not None:
            self._end(fatal)
        if now - self._changed >= STABLE_AFTER_S:
            self._since_loss = self._reconnect_delays(self._rng)
        self._pauses = self._since_loss
        pause = next(self._pauses)
        if len(self._opened) == self._opened.maxlen:
            pause = max(pause, self._opened[0] + _WINDOW_S - now)
        self._pause(now, pause)

    def over(self) -> None:
        """The run has ended."""
        self.state = State.OVER

    def _pause(self, now: float, seconds: float) -> None:
        self.state, self._until = State.PAUSING, now + seconds

    def _end(self, error: StrategyRuntimeError) -> None:
        self.state = State.OVER
        raise error

    def _deadline_error(self, failure: ConnectFailed) -> StrategyRuntimeError:
        url, waited = self._urls[0], f"{self._deadline:g} s"
        # Before the deadline it might have been a load balancer before a proxy that is starting.
        is_not_proxy = failure.is_not_proxy or failure.status not in (None, *TRANSIENT)
        if is_not_proxy:
            found = f"{url} answers, but not like a trading proxy: {failure.said}"
        else:
            nobody = "nobody" if failure.status is None else "no proxy"
            found = f"{nobody} answers for {waited} at {url}: {failure.said}"
        if self._was_open:
            return ConnectionLost(f"the backtest ended early, its completeness is unknown: {found}")
        if is_not_proxy:
            return ProtocolError(f"{found}; check {self._setting}; gave up after {waited}")
        return Unreachable(f"{found}; is the proxy running? check {self._setting}")
