"""The end of a run: `on_stop`, the exit policy and the last answers, each with a deadline."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

from strategy_runtime.clock import monotonic
from strategy_runtime.errors import HookFailed
from strategy_runtime.runtime.delivery import Burst, Delivery
from strategy_runtime.runtime.delivery.loose_ends import LooseEnds
from strategy_runtime.runtime.desk import TradingDesk
from strategy_runtime.runtime.venue import Venue
from strategy_runtime.strategy import Strategy

__all__ = ["HOOK_DEADLINE_S", "OnExit", "Shutdown"]

OnExit = Literal["keep", "cancel", "flatten"]
"""What a live run leaves behind: everything, no open orders, or no positions either."""

HOOK_DEADLINE_S = 3.0
"""Seconds that a hook may take once the run has to end."""

_ANSWERS_DEADLINE_S = 2.0
_TASKS_DEADLINE_S = 0.5
_LAST_ANSWERS_DEADLINE_S = 1.5
_CLOSING_DEADLINE_S = 4.0
# Counted from the request to stop. Every step gets some time in any case, but so little that, even
# after two hooks that used all of theirs, the run is over before the process is ended at 7.5 s.
_ALL_ANSWERS_BY_S = 5.0
_CLOSED_BY_S = 6.75
_LEAST_S = 0.15
_LEAST_FOR_WINDING_DOWN_S = 0.75

_log = logging.getLogger("strategy_runtime")


class Shutdown:
    """The end of one run, for whatever reason.

    Attributes:
        failed: The hook failure that the run raises at the end, if any.
        last_burst: The burst whose last event had been handled when the run was asked to stop;
            asking it for another one, at the very end, acknowledges that event.
    """

    def __init__(
        self,
        strategy: Strategy,
        venue: Venue,
        desk: TradingDesk,
        delivery: Delivery,
        on_exit: OnExit,
    ) -> None:
        self.failed: HookFailed | None = None
        self.last_burst: Burst = iter(())
        self._strategy = strategy
        self._venue = venue
        self._desk = desk
        self._delivery = delivery
        self._on_exit = on_exit if desk.mode == "live" else "keep"
        self._asked_at: float | None = None

    def start_deadlines(self) -> None:
        """Count deadlines from now on, since the run was asked to stop."""
        if self._asked_at is None:
            self._asked_at = monotonic()

    async def stop_strategy(self) -> None:
        """Call `on_stop`, and apply the exit policy."""
        if not await self._within(HOOK_DEADLINE_S, self._on_stop(self._strategy.on_stop)):
            _log.error("on_stop took longer than %g s and was cancelled", HOOK_DEADLINE_S)
        seconds = self._time_for(_ANSWERS_DEADLINE_S)
        if not await self._within(seconds, self._on_stop(self._delivery.settle)):
            _log.error("what on_stop asked for was not answered in %.3g s", seconds)
        if self._on_exit != "keep":
            await self._wind_down()

    def log_not_started(self) -> None:
        """Log that the exit policy is not applied, since the strategy never started."""
        if self._on_exit != "keep":
            _log.error(
                "on exit: the strategy has not started, so --on-exit %s cancels and closes nothing",
                self._on_exit,
            )

    def _on_stop(self, part: Callable[[], Awaitable[None] | None]) -> Awaitable[None]:
        return self._delivery.call("on_stop", part, stop_always=True, settle=False)

    async def _wind_down(self) -> None:
        seconds = self._time_for(_ANSWERS_DEADLINE_S, _LEAST_FOR_WINDING_DOWN_S)
        work = self._desk.wind_down(flatten=self._on_exit == "flatten")
        if not await self._within(seconds, work):
            _log.error("on exit: not everything was answered in %.3g s", seconds)

    async def finish_requests(self, loose_ends: LooseEnds) -> None:
        """Cancel the strategy's tasks, wait for the last answers, log refusals and failures."""
        await loose_ends.cancel_tasks(self._time_for(_TASKS_DEADLINE_S))
        for fault in await self._desk.finish(self._time_for(_LAST_ANSWERS_DEADLINE_S)):
            _log.error("a request failed", exc_info=fault)
        for ticket in self._desk.unreported:
            _log.error("not done (%s): %s", ticket.verb, ticket.error)
        for text in self._desk.anomalies:
            _log.error("anomaly: %s", text)

    async def close(self) -> None:
        """Acknowledge the last event and close the venue, without waiting long for the proxy."""
        next(self.last_burst, None)
        seconds = self._time_for(_CLOSING_DEADLINE_S, by=_CLOSED_BY_S)
        if not await self._within(seconds, self._venue.close()):
            _log.warning("the connection could not be closed in good order in %.3g s", seconds)

    async def _within(self, seconds: float, work: Awaitable[None]) -> bool:
        """Await a step of the shutdown; return False if it took too long."""
        try:
            async with asyncio.timeout(seconds):
                await work
        except HookFailed as failure:
            if self.failed is None:
                self.failed = failure
            else:
                _log.error("%s", failure, exc_info=failure.__cause__)
        except TimeoutError:
            return False
        return True

    def _time_for(
        self, most: float, least: float = _LEAST_S, *, by: float = _ALL_ANSWERS_BY_S
    ) -> float:
        """Return the seconds for a step, so that a run that was asked to stop ends in time."""
        if self._asked_at is None:
            return most
        left = self._asked_at + by - monotonic()
        return min(most, max(left, least))
