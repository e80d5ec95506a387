"""Detection of the mode."""

import pytest

from strategy_runtime.cli.mode import mode_of
from strategy_runtime.errors import AccessDenied, ApiError, ProtocolError, StrategyRuntimeError
from strategy_runtime.protocol.models import Capabilities
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from strategy_runtime.strategy.desk import Mode
from tests.chaos import virtual_time
from tests.chaos.busy import steps
from tests.chaos.virtual_time import VirtualLoop, VirtualTime


class Saying(SimulatedVenue):
    """Gives these answers, one after the other."""

    def __init__(self, *answers: StrategyRuntimeError | list[str]) -> None:
        super().__init__(Exchange([steps("S:A", [1.0])]))
        self.answers = list(answers)

    async def capabilities(self) -> Capabilities:
        answer = self.answers.pop(0)
        if isinstance(answer, StrategyRuntimeError):
            raise answer
        known = await super().capabilities()
        return Capabilities(
            supported_asset_classes=known.supported_asset_classes,
            supported_order_types=known.supported_order_types,
            position_mode=known.position_mode,
            features=answer,
        )


def found(venue: Saying) -> str:
    loop = VirtualLoop()
    return virtual_time.run(mode_of(venue, "auto"), loop, VirtualTime(loop))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_one_that_cannot_say_it_at_the_moment_is_asked_again(status: int) -> None:
    trouble = ApiError(status, "TROUBLE", "warming up")
    assert found(Saying(trouble, trouble, trouble, ["lock_step"])) == "backtest"
    assert found(Saying(trouble, [])) == "live"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_one_that_does_not_offer_to_say_it_is_live(status: int) -> None:
    assert found(Saying(ApiError(status, "NO", "no such path"))) == "live"


def test_one_that_refuses_to_say_it_is_taken_for_neither() -> None:
    with pytest.raises(ProtocolError) as caught:
        found(Saying(ApiError(400, "INVALID_REQUEST", "what?")))
    assert str(caught.value) == (
        "the proxy does not say whether it plays a backtest or trades live "
        "(INVALID_REQUEST: what?); say it with --mode, or STRATEGY_MODE"
    )


def test_a_key_that_is_refused_is_said_to_be() -> None:
    with pytest.raises(AccessDenied):
        found(Saying(AccessDenied("no")))


@pytest.mark.parametrize(
    ("wanted", "said", "warned"),
    [
        ("live", [], ""),
        ("backtest", ["lock_step"], ""),
        ("live", ApiError(404, "NO", "no such path"), ""),
        ("backtest", ApiError(503, "TROUBLE", "warming up"), ""),
        ("live", ["lock_step"], "the mode is live, but the proxy plays a backtest"),
        ("backtest", [], "should it trade live, this run keeps neither a journal"),
    ],
)
def test_what_was_said_counts_and_a_proxy_that_says_otherwise_is_warned_of(
    wanted: Mode,
    said: StrategyRuntimeError | list[str],
    warned: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = VirtualLoop()
    assert virtual_time.run(mode_of(Saying(said), wanted), loop, VirtualTime(loop)) == wanted
    assert warned in caplog.text
    assert bool(warned) is bool(caplog.records)
