"""Monitoring of a run: the log and, if wanted, the ops port and traces."""

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

from strategy_runtime.cli.errors import blamed_on
from strategy_runtime.cli.logs import set_log_context
from strategy_runtime.runtime.observer import Observer, Observers
from strategy_runtime.runtime.settings import Settings
from strategy_runtime.runtime.status import RunStatus

if TYPE_CHECKING:
    from strategy_runtime.ops import Ops

__all__ = ["Monitoring"]

_log = logging.getLogger("strategy_runtime")


class Monitoring:
    """Monitoring for the length of an `async with` block; imports only what is wanted.

    Args:
        status: Return the status of the run, or None before there is one.

    Raises:
        ConfigError: The port cannot be opened, or a package is not installed.
    """

    def __init__(self, settings: Settings, status: Callable[[], RunStatus | None]) -> None:
        self._stack = AsyncExitStack()
        self._exporter = _exporter(settings)
        self._ops = _ops(settings, status)

    async def __aenter__(self) -> Self:
        if self._ops is not None:
            await self._stack.enter_async_context(self._ops)
            _log.info("probes, metrics and status at %s", self._ops.url)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def stopping(self) -> None:
        """Report that the run is stopping."""
        if self._ops is not None:
            self._ops.health.stop()

    def observer(
        self,
        strategy: str,
        run_id: str,
        in_hand: Callable[[], dict[str, str]],
        *others: Observer | None,
    ) -> Observer | None:
        """Return the observer for a run, or None if there is nothing to observe for.

        Args:
            in_hand: Return id and simulated time of the current event; log lines show them, too.
            others: Further observers.
        """
        self._stack.callback(set_log_context, None)
        set_log_context(in_hand)
        watchers = [each for each in others if each is not None]
        if self._ops is not None:
            watchers.append(self._ops.metrics)
        if self._exporter is not None:
            from strategy_runtime.ops.tracing import Tracing

            tracing = Tracing(self._exporter, strategy, run_id, in_hand)
            self._stack.callback(tracing.close)
            watchers.append(tracing)
        return Observers(*watchers) if len(watchers) > 1 else next(iter(watchers), None)


def _exporter(settings: Settings) -> Any:
    """Return the exporter of spans, or None if traces are off."""
    if settings.traces == "off":
        return None
    from strategy_runtime.ops.tracing import exporter_of

    with blamed_on(settings.origins["traces"]):
        return exporter_of(settings.traces)


def _ops(settings: Settings, status: Callable[[], RunStatus | None]) -> "Ops | None":
    if settings.ops_port is None:
        return None
    from strategy_runtime.ops import Ops

    with blamed_on(settings.origins["ops_port"]):
        return Ops(settings.ops_host, settings.ops_port, status)
