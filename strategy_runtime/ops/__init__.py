"""Watching a run from outside: probes, metrics and status over HTTP."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from strategy_runtime.clock import sleep
from strategy_runtime.ops.health import INTERVAL_S, Health
from strategy_runtime.ops.metrics import Metrics
from strategy_runtime.ops.server import OpsServer
from strategy_runtime.runtime.status import RunStatus

__all__ = ["Ops"]


class Ops:
    """The ops port of one run, from `async with` to its end.

    Args:
        status: How the run stands; None as long as there is none. Called every second in the loop
            that enters, which thereby shows that it turns.

    Attributes:
        health: What the probes are answered from.
        metrics: The observer that the run is to be given.

    Raises:
        ConfigError: The port cannot be had, or prometheus-client is not installed.
    """

    def __init__(self, host: str, port: int, status: Callable[[], RunStatus | None]) -> None:
        self.health = Health()
        self.metrics = Metrics(self.health)
        self._server = OpsServer(self.health, self.metrics, host, port)
        self._status = status
        self._beat: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.url

    async def __aenter__(self) -> Self:
        self._server.__enter__()
        self._beat = asyncio.create_task(self._leave_status(), name="strategy-runtime ops")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.wait({self._beat})
        self._server.__exit__(kind, error, trace)

    async def _leave_status(self) -> None:
        while True:
            self.health.leave(self._status())
            await sleep(INTERVAL_S)
