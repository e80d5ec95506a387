"""Contract line 2: hooks."""

import pytest

from strategy_runtime import Candle, ConnectionEvent, Strategy
from strategy_runtime.strategy.hooks import HOOKS


def test_a_misspelt_hook_is_refused_when_the_class_is_defined() -> None:
    with pytest.raises(TypeError, match=r"Slip.on_candel is not a hook.*did you mean 'on_candle'"):

        class Slip(Strategy):
            def on_candel(self, candle: Candle) -> None: ...


def test_a_name_like_no_hook_lists_them_all() -> None:
    with pytest.raises(TypeError, match=r"The hooks are on_account, on_anomaly, on_candle"):

        class Slip(Strategy):
            def on_zzzzzz(self) -> None: ...


def test_every_hook_exists_on_the_base_class_with_a_docstring() -> None:
    for name in HOOKS:
        assert getattr(Strategy, name).__doc__, name


async def test_hooks_may_be_sync_or_async() -> None:
    calls: list[str] = []

    class Both(Strategy):
        async def on_start(self) -> None:
            calls.append("start")

        def on_connect(self) -> None:
            calls.append("connect")

        async def on_connection(self, event: ConnectionEvent) -> None:
            calls.append("connection")

        async def on_candle(self, candle: Candle) -> None:
            calls.append("candle")

        def on_stop(self) -> None:
            calls.append("stop")

    async with Both().run_test() as pilot:
        await pilot.candles("S:X", closes=[1, 2])
    assert calls == ["start", "connect", "connection", "candle", "candle", "stop"]


async def test_the_catch_all_sees_every_event_after_its_own_hook() -> None:
    calls: list[str] = []

    class All(Strategy):
        def on_candle(self, candle: Candle) -> None:
            calls.append("own")

        def on_event(self, event: object) -> None:
            calls.append(type(event).__name__)

    async with All().run_test() as pilot:
        await pilot.candles("S:X", closes=[1])
    assert calls == ["ConnectionEvent", "own", "Candle", "BacktestComplete"]


def test_verbs_outside_a_run_say_so() -> None:
    with pytest.raises(RuntimeError, match="is not running: verbs and views work inside hooks"):
        Strategy().buy("S:X", 1)
