"""When a run is live, and when it is ready."""

from typing import Any

import pytest

from strategy_runtime import RiskState
from strategy_runtime.clock import sleep
from strategy_runtime.ops.health import Health
from tests.chaos import virtual_time
from tests.chaos.virtual_time import VirtualLoop, VirtualTime
from tests.ops.support import status


def checks(health: Health) -> dict[str, bool]:
    is_ready, said = health.readiness()
    assert said["ready"] is is_ready is all(said["checks"].values())
    found: dict[str, bool] = said["checks"]
    return found


def test_a_run_in_good_order_is_ready() -> None:
    health = Health()
    health.update(status())
    assert health.readiness()[0]
    assert health.liveness()[0]


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"connected": False}, "connected"),
        ({"reconciled": False}, "reconciled"),
        ({"risk_state": RiskState.HALTED}, "not_halted"),
    ],
)
def test_what_does_not_hold_is_named(change: dict[str, Any], check: str) -> None:
    health = Health()
    health.update(status(**change))
    assert [name for name, holds in checks(health).items() if not holds] == [check]


def test_a_run_that_only_reduces_is_ready_and_says_so() -> None:
    health = Health()
    assert health.readiness()[1]["risk_state"] is None
    health.update(status(risk_state=RiskState.REDUCING))
    is_ready, said = health.readiness()
    assert is_ready
    assert said["risk_state"] == "REDUCING"


def test_before_the_proxy_has_answered_it_lives_and_is_not_ready() -> None:
    health = Health()
    health.update(None)
    assert health.liveness()[0]
    assert not checks(health)["connected"]


def test_a_run_that_is_being_stopped_is_not_ready() -> None:
    health = Health()
    health.update(status())
    health.stop()
    assert [name for name, holds in checks(health).items() if not holds] == ["not_stopping"]


def test_a_loop_that_leaves_nothing_any_more_is_stuck() -> None:
    health = Health(stuck_after=0.0)
    health.update(status())
    is_live, said = health.liveness()
    assert not is_live
    assert said["loop_silent_seconds"] >= 0
    assert [name for name, holds in checks(health).items() if not holds] == ["loop_turns"]


def test_a_loop_may_be_silent_for_a_minute() -> None:
    async def silent() -> None:
        health = Health()
        health.update(status())
        await sleep(59)
        assert health.liveness()[0]
        await sleep(1)
        assert not health.liveness()[0]

    loop = VirtualLoop()
    virtual_time.run(silent(), loop, VirtualTime(loop))
