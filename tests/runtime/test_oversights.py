"""Mistakes that do not fail but prevent trades: the results warn of them."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from strategy_runtime import Candle, Indicator, PriceIndicator, Strategy
from strategy_runtime.backtesting import backtest
from strategy_runtime.demo import PRICES
from strategy_runtime.indicators import Sma

NO_PRICE = (
    "there are no prices of {}, although position, last, history or an indicator was asked for; {}"
).format


class Silent(PriceIndicator):
    """Never sets its value."""

    def push(self, price: float) -> None: ...


class Asks(Strategy):
    """Calls a function at every candle."""

    lookback: ClassVar[int] = 2

    def __init__(self, act: Callable[[Any], object]) -> None:
        super().__init__()
        self.act = act

    def on_start(self) -> None:
        self.fast = self.sma(5)

    def on_candle(self, candle: Candle) -> None:
        self.act(self)
        self.position(candle.symbol)


def warnings_of(strategy: Strategy) -> list[str]:
    return backtest(strategy, PRICES, subscriptions="S:AAPL:candle").summary.warnings


@pytest.mark.parametrize(
    "act",
    [
        lambda self: self.position("AAPL"),
        lambda self: self.last("AAPL"),
        lambda self: self.history("AAPL", 2),
        lambda self: self.close("AAPL"),
        lambda self: self.fast["AAPL"],
    ],
)
def test_a_symbol_of_which_nothing_came_is_named(act: Callable[[Any], object]) -> None:
    assert warnings_of(Asks(act)) == [NO_PRICE("AAPL", "did you mean 'S:AAPL'?")]


def test_those_of_which_something_came_are_named_where_none_is_like_it() -> None:
    asks = Asks(lambda self: (self.last("X"), self.last("Y")))
    assert warnings_of(asks) == [NO_PRICE("X, Y", "there are prices of S:AAPL")]


def test_who_asks_for_what_comes_is_told_nothing() -> None:
    assert warnings_of(Asks(lambda self: (self.last("S:AAPL"), self.fast["S:AAPL"]))) == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Sma(5_000), "no Sma ever had a value: it takes 5000 candles"),
        (
            lambda: Silent(3),
            "no Silent ever had a value: it takes 3 candles, and has to pass each value to _set",
        ),
    ],
)
def test_indicators_without_a_value_are_named(make: Callable[[], Indicator], said: str) -> None:
    class Waits(Strategy):
        def on_start(self) -> None:
            self.slow = self.indicator(make)

        def on_candle(self, candle: Candle) -> None: ...

    assert warnings_of(Waits()) == [said]


def test_an_indicator_of_a_timeframe_that_never_came_is_told_so() -> None:
    class Waits(Strategy):
        def on_start(self) -> None:
            self.slow = self.sma(3, timeframe="1w")

        def on_candle(self, candle: Candle) -> None:
            assert not self.slow[candle.symbol].is_ready

    assert warnings_of(Waits()) == [
        "no Sma ever had a value: it follows candles of 1w, and none came; subscribe to them, too"
    ]


@pytest.mark.parametrize("line", ["value", "previous"])
def test_a_breakout_that_no_close_can_make_is_told_why(line: str) -> None:
    class Breakout(Strategy):
        def on_start(self) -> None:
            self.high = self.highest(20)

        def on_candle(self, candle: Candle) -> None:
            if candle.close > getattr(self.high[candle.symbol], line):
                self.buy(candle.symbol, 1)

    told = (
        "nothing was traded: no close is beyond the value of a Highest, which includes the candle "
        "in hand; compare with its .previous"
    )
    assert warnings_of(Breakout()) == ([told] if line == "value" else [])


@pytest.mark.parametrize("of_the_class", [True, False])
def test_an_indicator_of_no_family_is_named(of_the_class: bool) -> None:
    class Alone(Strategy):
        def on_start(self) -> None:
            self.of_its_family = self.sma(5_000, timeframe="1d")["S:AAPL"]
            if not of_the_class:
                self.slow = Sma(3)

        def on_candle(self, candle: Candle) -> None: ...

    if of_the_class:
        Alone.slow = Sma(3)
    assert warnings_of(Alone()) == [
        "slow is a single Sma that never had a value, since nothing feeds it: make it with "
        "self.indicator(lambda: Sma(…)) in on_start, and write self.slow[candle.symbol]",
        "no Sma ever had a value: it takes 5000 candles",
    ]


def test_an_indicator_that_the_strategy_feeds_itself_is_not() -> None:
    class Feeds(Strategy):
        def on_start(self) -> None:
            self.slow = Sma(3)

        def on_candle(self, candle: Candle) -> None:
            self.slow.update(candle)

    assert warnings_of(Feeds()) == []


def test_a_run_that_was_ended_early_is_told_nothing() -> None:
    class Leaves(Strategy):
        def on_start(self) -> None:
            self.slow = self.sma(50)

        def on_candle(self, candle: Candle) -> None:
            self.quit("enough")

    assert warnings_of(Leaves()) == []


class Compares(Strategy):
    """Trades the only symbol that it names, in three ways."""

    only: str = ""
    several: list[str] = []  # noqa: RUF012  # a parameter, of which each run has its own

    def on_candle(self, candle: Candle) -> None:
        if candle.symbol in (self.only, *self.several):
            self.buy(candle.symbol, 1)


class Literal(Strategy):
    def on_candle(self, candle: Candle) -> None:
        if candle.symbol in ("AAPL", "GOOG") or any(candle.symbol == "AAPL" for _ in range(2)):
            self.buy(candle.symbol, 1)


CALLS = (
    "nothing was traded in S:AAPL, which {} calls 'AAPL': where it compares symbols, write 'S:AAPL'"
)


@pytest.mark.parametrize(
    "strategy", [Compares(only="AAPL"), Compares(several=["GOOG", "AAPL"]), Literal()]
)
def test_a_symbol_that_is_named_without_its_prefix(strategy: Strategy) -> None:
    assert warnings_of(strategy) == [CALLS.format(type(strategy).__name__)]


def test_a_symbol_that_is_traded_may_be_called_anything() -> None:
    class Says(Strategy):
        def on_candle(self, candle: Candle) -> None:
            if candle.symbol.removeprefix("S:") == "AAPL":
                self.buy(candle.symbol, 1)

    assert warnings_of(Says()) == []
    assert warnings_of(Compares(only="S:AAPL")) == []
    assert warnings_of(Compares(only="GOOG")) == []
