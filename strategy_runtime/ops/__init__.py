"""Watching a run from outside: probes, metrics and status over HTTP."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from strategy_runtime.ops.health import Health
from strategy_runtime.ops.metrics import Metrics
from strategy_runtime.ops.server import OpsServer
from strategy_runtime.runtime.status import RunStatus

__all__ = ["Ops"]


class Ops:
    """The ops port of one run, from `async with` to its end.

    Args:
        status: How the run stands; None as long as there is none. Called every second in the loop
            that enters, which thereby shows that it turns. It is the server's thread that has it
            called: a timer in that loop would be looked at in each of its turns.

    Attributes:
        health: What the probes are answered from.
        metrics: The observer that the run is to be given.

    Raises:
        ConfigError: The port cannot be had, or prometheus-client is not installed.
    """

    def __init__(self, host: str, port: int, status: Callable[[], RunStatus | None]) -> None:
        self.health = Health()
        self.metrics = Metrics(self.health)
        self._server = OpsServer(self.health, self.metrics, host, port, self._beat)
        self._status = status
        self._loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.url

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._leave_status()
        self._server.__enter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.__exit__()

    def _beat(self) -> None:
        with suppress(RuntimeError):  # the loop has been closed meanwhile
            self._loop.call_soon_threadsafe(self._leave_status)

    def _leave_status(self) -> None:
        self.health.leave(self._status())
