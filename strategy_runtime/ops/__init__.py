"""Monitoring of a run: probes, metrics and status over HTTP."""

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
    """The ops port of one run, open inside `async with`.

    Args:
        status: Returns the status of the run, or None before it starts. Called every second in the
            event loop that entered, which proves that the loop runs. The server's thread schedules
            the call, since a timer of the loop itself would cost time in every iteration.

    Attributes:
        health: Data behind the probes.
        metrics: The observer to pass to the run.

    Raises:
        ConfigError: The port is not available, or prometheus-client is not installed.
    """

    def __init__(self, host: str, port: int, status: Callable[[], RunStatus | None]) -> None:
        self.health = Health()
        self.metrics = Metrics(self.health)
        self._server = OpsServer(self.health, self.metrics, host, port, self._beat)
        self._status = status
        self._loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        """URL it listens on."""
        return self._server.url

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._update_status()
        self._server.__enter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.__exit__()

    def _beat(self) -> None:
        with suppress(RuntimeError):  # the loop may be closed already
            self._loop.call_soon_threadsafe(self._update_status)

    def _update_status(self) -> None:
        self.health.update(self._status())
