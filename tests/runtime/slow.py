"""An in-memory network on which some requests are slow."""

from collections.abc import Callable
from typing import Any

import msgspec

from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.errors import ConnectionLost
from strategy_runtime.proxy.transport import Answer
from tests.chaos.world import MemoryNetwork

__all__ = ["Asked", "SlowNetwork", "slow"]

_TIMEOUT_S = 10.0


class Asked(msgspec.Struct):
    """A request and its times.

    Attributes:
        body: Its JSON body; empty if it has none.
        since: When it was sent.
        until: When it was answered or given up; None while it is pending.
    """

    method: str
    url: str
    body: dict[str, Any]
    since: float
    until: float | None = None


Delay = Callable[[Asked], float]


class SlowNetwork(MemoryNetwork):
    """The proxy acts at once, but its answers take as long as `delay` says.

    A request with a delay beyond the timeout never arrives.

    Attributes:
        asked: All requests, in the order in which they were sent.
    """

    def __init__(self, *args: Any, delay: Delay, asked: list[Asked]) -> None:
        super().__init__(*args)
        self.asked = asked
        self._delay = delay

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        """Send a request, and return its answer if it comes in time."""
        said = msgspec.json.decode(body) if body else {}
        asked = Asked(method, url.partition("memory")[2], said, monotonic())
        self.asked.append(asked)
        try:
            seconds = self._delay(asked)
            if seconds >= _TIMEOUT_S:
                await sleep(_TIMEOUT_S)
                raise ConnectionLost(f"{method} {url} timed out")
            answer = await super().request(method, url, body)
            await sleep(seconds)
            return answer
        finally:
            asked.until = monotonic()

    async def close(self) -> None:
        """Record the end of the run as a request."""
        self.asked.append(Asked("CLOSE", "", {}, monotonic()))


def slow(delay: Delay, asked: list[Asked]) -> Callable[..., MemoryNetwork]:
    """Return the factory of such a network, for `live_run`."""
    return lambda *args: SlowNetwork(*args, delay=delay, asked=asked)
