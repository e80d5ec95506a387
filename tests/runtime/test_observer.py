"""Observers are notified of an event however its handler ends."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from strategy_runtime import Candle, Strategy
from strategy_runtime.clock import sleep
from strategy_runtime.protocol.events import UnknownEvent
from strategy_runtime.runtime.observer import Handler, Observers, observed
from tests.runtime.virtual_run import live_run

EVENT = UnknownEvent(type="hologram", raw={})


class Notes:
    """Records what it is notified of."""

    def __init__(self) -> None:
        self.kept: list[tuple[str | None, Any, float]] = []

    def noting(self, kind: type[Any], hook: str | None, mode: str) -> Any:
        def note(event: Any, began: float, ended: float) -> None:
            self.kept.append((hook, event, ended - began))

        return note

    def hook_failed(self, hook: str) -> None: ...
    def request_settled(self, verb: str, outcome: str, seconds: float) -> None: ...


async def outcome_of(handler: Handler) -> tuple[object, Notes]:
    """Return the result of an event, and what was observed."""
    notes = Notes()
    handle = observed(handler, notes.noting(UnknownEvent, "on_unknown", "live"))
    try:
        result = handle(EVENT)
        if result is not None:
            await result
    except ValueError as error:
        return error, notes
    return None, notes


def gives_nothing(event: Any) -> None: ...


def gives_a_number(event: Any) -> Any:
    return 1


def raises(event: Any) -> None:
    raise ValueError("oops")


async def waits(event: Any) -> None:
    await sleep(0)


async def waits_and_raises(event: Any) -> None:
    await sleep(0)
    raise ValueError("oops")


@pytest.mark.parametrize(
    "handler", [gives_nothing, gives_a_number, raises, waits, waits_and_raises]
)
async def test_an_event_is_told_of_once_however_its_handler_ends(handler: Handler) -> None:
    error, notes = await outcome_of(handler)
    [(hook, event, seconds)] = notes.kept
    assert (hook, event) == ("on_unknown", EVENT)
    assert seconds >= 0
    assert (str(error) == "oops") is ("raises" in handler.__name__)


async def test_a_handler_that_is_cancelled_is_told_of() -> None:
    notes = Notes()

    async def forever(event: Any) -> None:
        await asyncio.Event().wait()

    result = observed(forever, notes.noting(UnknownEvent, None, "live"))(EVENT)
    assert isinstance(result, Awaitable)
    task = asyncio.ensure_future(result)
    await sleep(0)
    assert notes.kept == []
    task.cancel()
    await asyncio.wait({task})
    assert len(notes.kept) == 1


def test_several_are_told_the_same() -> None:
    one, other = Notes(), Notes()
    Observers(one, other).noting(UnknownEvent, None, "live")(EVENT, 1.0, 1.5)
    assert one.kept == other.kept == [(None, EVENT, 0.5)]


class Sleeper(Strategy):
    """Takes half a second for each candle."""

    async def on_candle(self, candle: Candle) -> None:
        await sleep(0.5)


def test_what_a_hook_took_is_told_by_the_clock_of_the_run() -> None:
    notes = Notes()
    live_run(Sleeper(), lambda runner: sleep(3), observer=notes)
    taken = [seconds for hook, event, seconds in notes.kept if hook == "on_candle"]
    assert len(taken) > 1
    assert taken == pytest.approx([0.5] * len(taken))
