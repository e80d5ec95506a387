"""A venue that answers with errors at first does not prevent the start of a run."""

import logging

import pytest

from strategy_runtime import Strategy
from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.errors import (
    AccessDenied,
    ApiError,
    ConnectionLost,
    ProtocolError,
    StrategyRuntimeError,
    Unreachable,
)
from strategy_runtime.runtime.retries import with_retries
from strategy_runtime.runtime.runner import Runner
from tests.chaos import virtual_time
from tests.chaos.plan import Fault, Kind
from tests.chaos.virtual_time import VirtualLoop, VirtualTime
from tests.runtime.virtual_run import live_run

FAULTS: list[StrategyRuntimeError] = [
    Unreachable("nobody listens"),
    ConnectionLost("reset"),
    ApiError(503, "BUSY", "later"),
    ProtocolError("half an answer"),
]


def asked(*outcomes: StrategyRuntimeError | int) -> tuple[int | StrategyRuntimeError, list[float]]:
    """Return the outcome, and the times of the requests."""
    loop, at = VirtualLoop(), list[float]()

    async def ask() -> int:
        outcome = outcomes[len(at)]
        at.append(monotonic() - 1000)
        if isinstance(outcome, StrategyRuntimeError):
            raise outcome
        return outcome

    async def work() -> int | StrategyRuntimeError:
        try:
            return await with_retries(ask, "the answer")
        except StrategyRuntimeError as error:
            return error

    return virtual_time.run(work(), loop, VirtualTime(loop)), at


def test_every_kind_of_failure_is_asked_again_after_a_growing_pause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="strategy_runtime"):
        assert asked(*FAULTS, 42) == (42, [0, 0.5, 1.5, 3.5, 7.5])
    assert caplog.messages[0] == "the answer cannot be read, asking again in 0.5 s: nobody listens"
    assert len(caplog.messages) == 4


def test_the_last_failure_is_the_one_that_is_raised() -> None:
    last = ConnectionLost("once too often")
    assert asked(*FAULTS, last) == (last, [0, 0.5, 1.5, 3.5, 7.5])


@pytest.mark.parametrize(("said", "waited"), [(None, 0.5), (0.1, 0.5), (20.0, 20.0), (3600, 60)])
def test_a_venue_that_is_asked_too_often_is_given_the_time_it_asks_for(
    said: float | None, waited: float
) -> None:
    assert asked(ApiError(429, "RATE_LIMITED", "slow", None, said), 42) == (42, [0, waited])


@pytest.mark.parametrize(
    "refusal",
    [ApiError(404, "NOT_FOUND", "?"), ApiError(501, "UNSUPPORTED", "?"), AccessDenied("no")],
)
def test_a_refusal_is_not_asked_again(refusal: StrategyRuntimeError) -> None:
    assert asked(refusal, 42) == (refusal, [0])


def test_a_run_begins_although_its_first_questions_go_wrong() -> None:
    class Begins(Strategy):
        began = 0.0

        def on_start(self) -> None:
            self.began = monotonic()

    async def wait(runner: Runner) -> None:
        await sleep(30)

    strategy = Begins()
    # After the first request, which looks for the proxy; each request is sent three times, with
    # 1.5 to 4.5 s between the first and the last.
    live_run(strategy, wait, faults=tuple(Fault(Kind.RESET_BEFORE, at) for at in range(2, 14)))
    assert 1013.5 <= strategy.began <= 1026
