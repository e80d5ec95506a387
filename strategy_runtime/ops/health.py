"""Whether a run lives, and whether it is ready: answered from what the strategy's loop left last.

The loop leaves its status every second. So an answer needs nothing of the loop, and a loop that has
stopped turning, because a hook blocks it, shows by the age of what it left.
"""

from typing import Any

from strategy_runtime.clock import monotonic
from strategy_runtime.runtime.status import RunStatus
from strategy_runtime.strategy.views import RiskState

__all__ = ["INTERVAL_S", "Health"]

INTERVAL_S = 1.0
"""How often the loop leaves its status."""

_STUCK_AFTER_S = 60.0


class Health:
    """What is known of a run; written by the strategy's loop, read by the server's thread.

    Args:
        stuck_after: Seconds without a sign of the loop after which it counts as stuck.
    """

    def __init__(self, stuck_after: float = _STUCK_AFTER_S) -> None:
        self._stuck_after = stuck_after
        self._latest: tuple[float, RunStatus | None] = (monotonic(), None)
        self._is_stopping = False

    def leave(self, status: RunStatus | None) -> None:
        """The loop turns; `status` is None while the proxy is being looked for."""
        self._latest = (monotonic(), status)

    def stop(self) -> None:
        """The run is being ended: from now on it is not ready."""
        self._is_stopping = True

    @property
    def status(self) -> RunStatus | None:
        """What was left last."""
        return self._latest[1]

    def liveness(self) -> tuple[bool, dict[str, Any]]:
        """Whether the loop turns, and the answer that says so."""
        silent = monotonic() - self._latest[0]
        is_live = silent < self._stuck_after
        return is_live, {"live": is_live, "loop_silent_seconds": round(silent, 3)}

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Whether events come and orders are taken, and which of the conditions does not hold."""
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
