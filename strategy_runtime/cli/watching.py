"""Who looks on while a strategy runs: the log, and the ops port and traces where wanted."""

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

from strategy_runtime.cli.errors import blamed_on
from strategy_runtime.cli.logs import follow
from strategy_runtime.runtime.observer import Observer, Observers
from strategy_runtime.runtime.settings import Settings
from strategy_runtime.runtime.status import RunStatus

if TYPE_CHECKING:
    from strategy_runtime.ops import Ops

__all__ = ["Watching"]

_log = logging.getLogger("strategy_runtime")


class Watching:
    """From `async with` to its end; nothing is imported of what is not wanted.

    Args:
        status: How the run stands; None as long as there is none.

    Raises:
        ConfigError: The port cannot be had, or a package is not installed.
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
        """The run is being ended."""
        if self._ops is not None:
            self._ops.health.stop()

    def observer(
        self,
        strategy: str,
        run_id: str,
        in_hand: Callable[[], dict[str, str]],
        *others: Observer | None,
    ) -> Observer | None:
        """The observer to give to a run, or None where nobody watches.

        Args:
            in_hand: Id and simulated time of the event in hand; log lines have them too.
            others: Who looks on, too.
        """
        self._stack.callback(follow, None)
        follow(in_hand)
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
    """Where spans go; None where none are wanted."""
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
