"""The test kit: the pilot's candles and quotes reach the strategy in order, and fill orders."""

import re
from datetime import date, datetime
from typing import Any

import pytest

from strategy_runtime import Candle, HookFailed, Quote, Strategy
from strategy_runtime.simulator.data.series import QuoteSeries


class Watcher(Strategy):
    """Records events, and buys one unit at its first quote."""

    def on_start(self) -> None:
        self.seen: list[str] = []

    def on_candle(self, candle: Candle) -> None:
        self.seen.append(f"{self.now:%H:%M:%S} {candle.symbol} {candle.close:g}")

    def on_quote(self, quote: Quote) -> None:
        if not self.seen:
            self.buy(quote.symbol, 1)
        self.seen.append(f"{self.now:%H:%M:%S} {quote.symbol} {quote.bid:g}/{quote.ask:g}")


async def test_quotes_come_a_second_apart_and_fill_orders() -> None:
    strategy = Watcher()
    async with strategy.run_test() as pilot:
        await pilot.quotes("X", [(10, 11), (12, 13)])
        assert strategy.seen == ["14:30:00 X 10/11", "14:30:01 X 12/13"]
        assert [str(fill.price) for fill in pilot.fills] == ["13.0"]
        assert pilot.position("X").quantity == 1
        await pilot.quotes("X", [(20, 21)])
        assert strategy.seen[-1] == "14:30:02 X 20/21"
        assert pilot.equity == 100_000 - 13 + 20.5


async def test_quotes_and_candles_of_several_symbols_follow_one_another() -> None:
    strategy = Watcher()
    async with strategy.run_test() as pilot:
        await pilot.candles("A", closes=[5, 6])
        await pilot.quotes("B", [(1, 2)])
        await pilot.quotes("A", [(5, 7)])
        await pilot.candles("A", closes=[8])
    assert strategy.seen == [
        "14:31:00 A 5",
        "14:32:00 A 6",
        "14:32:00 B 1/2",
        "14:32:01 A 5/7",
        "14:33:02 A 8",
    ]


async def test_what_a_bar_left_of_its_volume_does_not_hold_up_orders_at_quotes() -> None:
    class Sells(Strategy):
        def on_candle(self, candle: Candle) -> None:
            if not self.orders() and not self.position(candle.symbol):
                self.buy(candle.symbol, 3)
            elif self.position(candle.symbol):
                self.sell(candle.symbol, 2)

    async with Sells().run_test(max_volume_share="0.02") as pilot:
        await pilot.candles("X", bars=[(4, 4, 4, 4, 200)] * 2)
        await pilot.quotes("X", [(3, 4)])
        assert [str(fill.quantity) for fill in pilot.fills] == ["3", "2"]


async def test_no_quotes_are_no_trouble() -> None:
    async with Watcher().run_test() as pilot:
        await pilot.quotes("X", [])
        assert pilot.orders == []


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"fee_rat": "0.1"}, "there is no option 'fee_rat'; did you mean 'fee_rate'"),
        ({"max_order_notonal": 1}, "no option 'max_order_notonal'; did you mean 'max_order_not"),
        ({"on_error": "contine"}, "on_error= is 'stop' or 'continue', not 'contine'"),
        ({"start": datetime(2024, 1, 1)}, "start= is a datetime with a time zone, such as"),  # noqa: DTZ001
        ({"start": date(2024, 1, 1)}, "not datetime.date(2024, 1, 1)"),
    ],
)
async def test_options_that_cannot_be_are_refused(option: dict[str, Any], said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(said)):
        async with Watcher().run_test(**option):
            pass


@pytest.mark.parametrize(
    "row",
    [
        [1, 2, 1],
        [1, 2, 3, 4],
        [1, 2, 1, float("nan")],
        [1] * 6,
        [1, 1, 0, 1],
        [-1] * 4,
        [1, float("inf"), 1, 1],
        [1, 1, 1, 1, -1],
        {"open": 1, "high": 1, "low": 1, "close": 1},
        "1 1 1 1",
        1,
    ],
)
async def test_rows_that_are_no_bars_are_refused(row: list[float]) -> None:
    async with Watcher().run_test() as pilot:
        with pytest.raises(ValueError, match=r"is no bar of X: give open, high, low, close and"):
            await pilot.candles("X", bars=[row])


async def test_prices_may_be_arrays() -> None:
    numpy = pytest.importorskip("numpy")
    strategy = Watcher()
    async with strategy.run_test() as pilot:
        await pilot.candles("A", closes=numpy.array([5.0, 6.0]))
        await pilot.candles("A", bars=numpy.array([[6.0, 7.0, 5.0, 7.0]]))
    assert strategy.seen == ["14:31:00 A 5", "14:32:00 A 6", "14:33:00 A 7"]


async def test_nothing_is_fed_behind_the_end() -> None:
    async with Watcher().run_test() as pilot:
        await pilot.candles("A", closes=[5])
    assert pilot.position("A").is_flat
    for feed in (pilot.candles("A", closes=[6]), pilot.quotes("A", [(1, 2)])):
        with pytest.raises(RuntimeError, match=r"^the run is over: feed it within `async with st"):
            await feed


async def test_an_await_that_a_test_forgets_fails_it() -> None:
    with pytest.raises(HookFailed) as failed:
        async with Watcher().run_test() as pilot:
            pilot.candles("A", closes=[5])  # type: ignore[unused-coroutine]
    assert str(failed.value) == (
        "code outside of hooks failed at Pilot.candles(), which it called without await, so that "
        "it did not run: write `await` before the call"
    )


class Fails(Strategy):
    """Raises in one of two hooks."""

    hook: str

    def on_candle(self, candle: Candle) -> None:
        self._fail("on_candle")

    def on_stop(self) -> None:
        self._fail("on_stop")

    def _fail(self, hook: str) -> None:
        if hook == self.hook:
            raise LookupError(hook)


@pytest.mark.parametrize("hook", ["on_candle", "on_stop"])
async def test_a_debugger_that_is_called_for_a_failed_test_begins_in_the_hook(hook: str) -> None:
    with pytest.raises(HookFailed) as failed:
        async with Fails(hook=hook).run_test() as pilot:
            await pilot.candles("A", closes=[5])
    assert isinstance(failed.value.__cause__, LookupError)
    assert [each.name for each in failed.traceback[-2:]] == [hook, "_fail"]


async def test_what_is_no_symbol_is_refused() -> None:
    async with Watcher().run_test() as pilot:
        with pytest.raises(TypeError, match="a symbol is a text such as"):
            await pilot.candles(5, closes=[1])  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="a symbol is a text such as"):
            await pilot.quotes(5, [(1, 2)])  # type: ignore[arg-type]


async def test_quotes_of_the_past_are_refused() -> None:
    async with Watcher().run_test() as pilot:
        await pilot.quotes("X", [(10, 11)])
        late = pilot.exchange
        with pytest.raises(ValueError, match="quotes of X begin before the simulated instant"):
            late.extend_quotes(_one_quote_at(0))


def _one_quote_at(stamp: int) -> QuoteSeries:
    series = QuoteSeries("X")
    series.append(stamp, 1, 2)
    return series


class TestBot(Strategy):
    """If pytest collected it as a test class, a warning would fail the session."""


async def test_a_strategy_may_be_called_as_tests_are() -> None:
    async with TestBot().run_test() as pilot:
        await pilot.candles("X", closes=[10])
        assert pilot.orders == []


@pytest.mark.parametrize("pair", [(11, 10), (1, float("nan")), (0, 1), (-2, -1)])
async def test_what_is_no_quote_is_refused(pair: tuple[float, float]) -> None:
    async with Watcher().run_test() as pilot:
        with pytest.raises(ValueError, match="is no quote: write bid and ask, the lower one first"):
            await pilot.quotes("X", [pair])


class Shy(Strategy):
    """Places an order that is too large, and one that is not."""

    size: int = 2000

    def on_candle(self, candle: Candle) -> None:
        self.tickets = [self.buy(candle.symbol, self.size), self.buy(candle.symbol, 5)]


async def test_what_a_test_holds_can_be_read_in_a_debugger() -> None:
    strategy = Shy(size=3000)
    async with strategy.run_test(max_order_notional=1000) as pilot:
        assert repr(strategy) == "Shy(size=3000)"
        await pilot.candles("A", closes=[5])
        assert [*map(repr, strategy.tickets)] == [
            "<Ticket submit A Shy-test-1 refused: RISK_LIMIT>",
            "<Ticket submit A Shy-test-2 settled>",
        ]
        assert repr(pilot) == "<Pilot of Shy(size=3000): orders 1, fills 0, equity 100000>"
