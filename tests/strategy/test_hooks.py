"""Hooks."""

from collections.abc import AsyncIterator, Iterator
from functools import cache, cached_property, partial, partialmethod
from inspect import signature
from typing import Any, ClassVar, get_args

import pytest

from strategy_runtime import Candle, ConnectionEvent, Event, OrderRejected, Strategy
from strategy_runtime.strategy.hooks import EVENT_HOOKS, HOOKS


def test_a_misspelt_hook_is_refused_when_the_class_is_defined() -> None:
    with pytest.raises(TypeError, match=r"Slip.on_candel is not a hook.*did you mean 'on_candle'"):

        class Slip(Strategy):
            def on_candel(self, candle: Candle) -> None: ...


@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("on_bar", "on_candle"),
        ("on_bars", "on_candles"),
        ("on_slice", "on_candles"),
        ("on_data", "on_candle"),
        ("on_kline", "on_candle"),
        ("on_tick", "on_quote"),
        ("on_execution", "on_trade"),
        ("on_fill", "on_trade"),
        ("on_init", "on_start"),
        ("on_end", "on_stop"),
    ],
)
def test_names_of_other_engines_are_pointed_to_our_hooks(name: str, hook: str) -> None:
    with pytest.raises(TypeError, match=rf"^Ported.{name} is not a hook.*; here it is {hook} \("):
        type("Ported", (Strategy,), {name: lambda self, event: None})


@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("init", "on_start"),
        ("initialize", "on_start"),
        ("prenext", "on_candle"),
        ("next", "on_candle"),
        ("handle_data", "on_candle"),
        ("notify_order", "on_order"),
        ("notify_trade", "on_position"),
    ],
)
def test_a_method_that_only_another_engine_calls_is_refused(name: str, hook: str) -> None:
    said = (
        rf"^Ported.{name} is not a hook, and Ported does not call it, so nothing would; here it is "
        rf"{hook} \(a helper that is called from elsewhere needs another name\)$"
    )
    own = {"on_candle": lambda self, candle: self.order, name: lambda self: None}
    with pytest.raises(TypeError, match=said):
        type("Ported", (Strategy,), own)


def test_a_helper_that_is_named_as_in_another_engine_is_allowed() -> None:
    class Base(Strategy):
        def on_start(self) -> None:
            self.init()

        def init(self) -> None: ...

        @cache  # noqa: B019
        def lines(self) -> list[str]:
            return [self.next() for _ in range(2)]

        def next(self) -> str:
            return ""

    class Fine(Base):
        initialize: Any = None

        def init(self) -> None: ...


class Callers:
    """Ways in which a class calls a method `next`, each to be taken alone."""

    @property
    def of_property(self) -> Any:
        return self.next()  # type: ignore[attr-defined]

    @cached_property
    def of_cached_property(self) -> Any:
        return self.next()  # type: ignore[attr-defined]

    @classmethod
    def of_class(cls, strategy: Any) -> Any:
        return strategy.next()

    @staticmethod
    def of_none(strategy: Any) -> Any:
        return strategy.next()

    of_part = partialmethod(lambda self, _: self.next(), 1)

    def by_text(self) -> Any:
        return getattr(self, "next")()  # noqa: B009


@pytest.mark.parametrize("name", [name for name in vars(Callers) if name[:2] in ("of", "by")])
def test_a_helper_so_named_is_allowed_whatever_calls_it(name: str) -> None:
    type("Fine", (Strategy,), {"next": lambda self: None, name: vars(Callers)[name]})


def test_a_method_that_only_another_engine_calls_is_refused_in_a_class_that_is_mixed_in() -> None:
    class Mixin:
        def notify_order(self, order: object) -> None: ...

    with pytest.raises(TypeError, match=r"^Mixin.notify_order is not a hook, and Slip does not "):

        class Slip(Mixin, Strategy): ...


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("onCandle", r"; did you mean 'on_candle'.* \(a helper .* not begin with 'on'\)$"),
        ("OnStart", r"; did you mean 'on_start'"),
        ("On_Order", r"; did you mean 'on_order'"),
        ("OnData", r"; here it is on_candle \(a helper .* not begin with 'On'\)$"),
        ("onTradeTick", r"; here it is on_quote \("),
        ("OnOrderEvent", r"; did you mean 'on_order'"),
    ],
)
def test_a_hook_with_capitals_is_refused(name: str, said: str) -> None:
    with pytest.raises(TypeError, match=rf"^Slip.{name} is not a hook, .*{said}"):
        type("Slip", (Strategy,), {name: lambda self, event: None})


def test_a_name_that_only_starts_like_a_hook_is_allowed() -> None:
    type("Fine", (Strategy,), {"ON_HOLD": 1, "one": 2, "online": 3, "only_long": 4, "oneWay": 5})
    type("Fine", (Strategy,), {"OnBalance": type("OnBalance", (), {}), "onTime": 5})


def test_a_misspelt_hook_is_refused_in_a_class_that_is_mixed_in() -> None:
    class Mixin:
        def on_candel(self, candle: Candle) -> None: ...

    with pytest.raises(TypeError, match=r"Mixin.on_candel is not a hook.*did you mean 'on_candle'"):

        class Slip(Mixin, Strategy): ...


def test_a_name_like_no_hook_lists_them_all() -> None:
    with pytest.raises(TypeError, match=r"The hooks are on_account, on_anomaly, on_candle"):

        class Slip(Strategy):
            def on_zzzzzz(self) -> None: ...


@pytest.mark.parametrize(
    ("name", "hook", "said"),
    [
        ("on_candle", lambda self: None, r"1 argument: write `def on_candle\(self, candle\)`"),
        ("on_start", lambda self, event: None, r"no arguments: write `def on_start\(self\)`"),
        ("on_error", lambda: None, r"1 argument: write `def on_error\(self, error\)`"),
    ],
)
def test_a_hook_that_cannot_be_called_is_refused_when_the_class_is_defined(
    name: str, hook: object, said: str
) -> None:
    with pytest.raises(TypeError, match=rf"^Slip.{name} is called with {said}$"):
        type("Slip", (Strategy,), {name: hook})


def test_a_hook_with_a_yield_is_refused() -> None:
    def sync_hook(self: Strategy, candle: Candle) -> Iterator[None]:
        yield

    async def async_hook(self: Strategy, candle: Candle) -> AsyncIterator[None]:
        yield

    for hook in (sync_hook, async_hook):
        with pytest.raises(TypeError, match=r"^Slip.on_candle has a yield, so calling it would"):
            type("Slip", (Strategy,), {"on_candle": hook})


def test_a_hook_may_take_more_than_it_is_given() -> None:
    type("Free", (Strategy,), {"on_candle": lambda *all_of_it, **more: None})
    type("Extended", (Strategy,), {"on_candle": lambda self, candle, more=1: None})


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_called_with_what_its_definition_says(name: str) -> None:
    assert ("self", *HOOKS[name]) == tuple(signature(getattr(Strategy, name)).parameters)


async def test_a_hook_may_give_back_its_ticket() -> None:
    class Short(Strategy):
        told: ClassVar[list[Exception]] = []

        def on_candle(self, candle: Candle) -> None:
            return self.sell(candle.symbol, 1, reduce_only=True)  # type: ignore[return-value]

        def on_error(self, error: Exception) -> None:
            self.told.append(error)

    async with Short().run_test() as pilot:
        await pilot.candles("S:X", closes=[10])
    (refusal,) = Short.told
    assert isinstance(refusal, OrderRejected)


async def test_a_class_may_leave_out_the_base_classes_constructor() -> None:
    class Own(Strategy):
        size: int = 3

        def __init__(self) -> None:
            self.seen = 0

        def on_candle(self, candle: Candle) -> None:
            self.seen += 1
            self.buy(candle.symbol, self.size)

    strategy = Own()
    async with strategy.run_test() as pilot:
        await pilot.candles("S:X", closes=[10, 10])
        assert [fill.quantity for fill in pilot.fills] == [3]
    assert strategy.seen == 2


def test_a_timer_needs_a_function() -> None:
    class Timed(Strategy):
        pass

    for verb, when in (("every", "1d"), ("at", "09:30")):
        with pytest.raises(
            TypeError, match=rf"^{verb}\(\) was given no function, and Timed has no"
        ):
            getattr(Timed(), verb)(when)
        with pytest.raises(TypeError, match=rf"^{verb}\(\) needs a function to call, not 5$"):
            getattr(Timed(), verb)(when, 5)


def test_a_timer_with_a_yield_is_refused() -> None:
    class Timed(Strategy):
        def look(self) -> Iterator[None]:
            yield self.close_all()  # type: ignore[misc]

        async def gaze(self) -> AsyncIterator[None]:
            yield

    timed: Any = Timed()
    for function in (timed.look, partial(timed.gaze)):
        with pytest.raises(
            TypeError, match=r"^every\(\) was given a function with a yield, so .* run nothing: "
        ):
            timed.every("1h", function)


async def test_a_hook_may_be_set_in_the_constructor() -> None:
    class Chooses(Strategy):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[str] = []
            self.on_candle = self.look  # type: ignore[method-assign]

        def look(self, candle: Candle) -> None:
            self.seen.append(candle.symbol)

    strategy = Chooses()
    async with strategy.run_test() as pilot:
        await pilot.candles("S:X", closes=[10, 10])
    assert strategy.seen == ["S:X", "S:X"]


async def test_the_hook_of_timers_may_be_set_in_the_constructor() -> None:
    class Ticks(Strategy):
        def __init__(self) -> None:
            super().__init__()
            self.ticks = 0
            self.on_timer = self.count  # type: ignore[method-assign]

        def on_start(self) -> None:
            self.every("1m")

        def count(self) -> None:
            self.ticks += 1

    strategy = Ticks()
    async with strategy.run_test() as pilot:
        await pilot.candles("S:X", closes=[10, 10])
    assert strategy.ticks == 2


def test_every_event_has_a_hook() -> None:
    without = {event.__name__ for event in {*get_args(Event)} - EVENT_HOOKS.keys()}
    assert not without, "give them a hook in EVENT_HOOKS: without one, they end every run"


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
