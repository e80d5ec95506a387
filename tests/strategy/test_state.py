"""The state that a strategy declares."""

from typing import Any, ClassVar

import pytest
from msgspec import Struct

from strategy_runtime import Candle, ParameterError, Strategy
from strategy_runtime.strategy.state import initial_state, state_type_of

X = "S:X"


class Memory(Struct):
    count: int = 0
    peaks: dict[str, float] = {}


class Remembers(Strategy):
    step: int = 1
    state: Memory = Memory()

    def on_candle(self, candle: Candle) -> None:
        self.state.count += self.step
        self.state.peaks[candle.symbol] = max(
            candle.close, self.state.peaks.get(candle.symbol, 0.0)
        )


class Derived(Remembers):
    other: int = 2


async def test_hooks_change_it_and_a_test_sees_it() -> None:
    async with Remembers(step=2).run_test() as pilot:
        await pilot.candles(X, closes=[10, 12, 11])
        assert isinstance(pilot.strategy, Remembers)
        assert pilot.strategy.state == Memory(6, {X: 12.0})


async def test_it_exists_before_the_strategy_starts_and_every_instance_has_its_own() -> None:
    seen: list[int] = []

    class Looks(Remembers):
        def on_start(self) -> None:
            seen.append(self.state.count)

    for _ in range(2):
        async with Looks().run_test() as pilot:
            await pilot.candles(X, closes=[10, 12])
    assert seen == [0, 0]
    assert Remembers.state == Memory()


async def test_a_test_can_begin_with_one_of_its_own() -> None:
    strategy = Derived(state=Memory(count=7))
    async with strategy.run_test() as pilot:
        await pilot.candles(X, closes=[10])
    assert strategy.state.count == 8


def test_it_is_no_parameter() -> None:
    assert [parameter.name for parameter in Derived.parameters()] == ["step", "other"]
    assert "state" not in Derived().parameter_values
    with pytest.raises(ParameterError) as refused:
        Remembers.from_text({"state": "{}"}, {})
    assert str(refused.value) == (
        "Remembers.state = '{}': expected a Memory; it is the strategy's state, not a parameter"
    )
    with pytest.raises(ParameterError, match=r"^PARAM_STATE: .* has no parameter"):
        Remembers.from_text({}, {"PARAM_STATE": "{}"})


def test_without_a_value_it_is_made_of_its_defaults() -> None:
    class Bare(Strategy):
        state: Memory

    assert initial_state(Bare, {}) == Memory()


def test_a_class_that_declares_none_has_none_whatever_it_calls_its_attributes() -> None:
    class Plain(Strategy):
        state = "waiting"

    class Shared(Strategy):
        state: ClassVar[str] = "waiting"

    for owner in (Plain, Shared, Strategy):
        assert state_type_of(owner) is None
    assert Plain().state == Shared().state == "waiting"
    with pytest.raises(ParameterError, match="Plain has no parameter 'state'"):
        Plain(state="x")


class Demanding(Struct):
    since: str


def test_a_state_without_an_annotation_is_refused() -> None:
    class Forgets(Strategy):
        state = Memory()

    with pytest.raises(ParameterError) as caught:
        Forgets()
    assert str(caught.value) == (
        "Forgets.state has no annotation, so it would not be kept; write `state: Memory = …`"
    )


def declares(annotation: Any) -> type[Strategy]:
    return type("Bot", (Strategy,), {"__annotations__": {"state": annotation}})


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (
            dict,
            "Bot.state: what a strategy keeps beyond a run is a msgspec Struct, not <class 'dict'>;"
            " give a parameter another name",
        ),
        (
            Demanding,
            "Bot.state: every field of Demanding needs a default"
            " (Missing required argument 'since')",
        ),
    ],
)
def test_a_declaration_that_cannot_be_one_is_refused(annotation: Any, message: str) -> None:
    with pytest.raises(ParameterError) as refused:
        declares(annotation)()
    assert str(refused.value) == message


async def test_a_test_fails_where_a_live_run_could_not_save_it() -> None:
    class Slips(Remembers):
        def on_candle(self, candle: Candle) -> None:
            self.state.count = candle.close  # type: ignore[assignment]

    with pytest.raises(TypeError) as failed:
        async with Slips().run_test() as pilot:
            await pilot.candles(X, closes=[10.5])
    assert str(failed.value) == (
        "Slips.state could not be saved: Expected `int`, got `float` - at `$.count`"
    )
