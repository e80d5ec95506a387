"""Liveness and readiness of a run, from the last status that the strategy's event loop stored.

The loop stores its status every second. So a probe does not need the loop, and a loop that is
blocked by a hook is recognised by the age of its status.
"""

from typing import Any

from strategy_runtime.clock import monotonic
from strategy_runtime.runtime.status import RunStatus
from strategy_runtime.strategy.views import RiskState

__all__ = ["INTERVAL_S", "Health"]

INTERVAL_S = 1.0
"""Interval at which the loop stores its status."""

_STUCK_AFTER_S = 60.0


class Health:
    """Health of a run; written by the strategy's loop, read by the server's thread.

    Args:
        stuck_after: Seconds without a status after which the loop counts as stuck.
    """

    def __init__(self, stuck_after: float = _STUCK_AFTER_S) -> None:
        self._stuck_after = stuck_after
        self._latest: tuple[float, RunStatus | None] = (monotonic(), None)
        self._is_stopping = False

    def update(self, status: RunStatus | None) -> None:
        """Store the status, which proves that the loop runs; None while connecting to the proxy."""
        self._latest = (monotonic(), status)

    def stop(self) -> None:
        """The run is ending: it is not ready from now on."""
        self._is_stopping = True

    @property
    def status(self) -> RunStatus | None:
        """The last status stored."""
        return self._latest[1]

    def liveness(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the loop runs, and the body of the response."""
        silent = monotonic() - self._latest[0]
        is_live = silent < self._stuck_after
        return is_live, {"live": is_live, "loop_silent_seconds": round(silent, 3)}

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Return whether events arrive and orders are accepted, and each condition for that."""
        status = self.status
        checks = {
            "connected": status is not None and status.connected,
            "reconciled": status is not None and status.reconciled,
            "not_halted": status is not None and status.risk_state is not RiskState.HALTED,
            "not_stopping": not self._is_stopping,
            "loop_turns": self.liveness()[0],
        }
        is_ready = all(checks.values())
        state = None if status is None else status.risk_state.value
        return is_ready, {"ready": is_ready, "risk_state": state, "checks": checks}
