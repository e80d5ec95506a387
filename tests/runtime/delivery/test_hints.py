"""Hints that are added to Python errors of a strategy."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

import pytest

from strategy_runtime import Candle, HookFailed, OrderEvent, OrderStatus, Strategy, indicators
from strategy_runtime.runtime.delivery.hints import hint_for

A = "S:A"
NO_METHODS = (
    "account, now, positions, is_flat, is_ready and the like are not methods: write them without "
    "parentheses"
)
VALUE = (
    "the number of an indicator is its value, and the one before is previous: write "
    "self.fast[candle.symbol].value"
)
FAMILY = "a family has one indicator for each symbol: write self.fast[candle.symbol]"
AWARE = (
    "times are aware and in UTC: write datetime(2024, 1, 31, tzinfo=UTC), self.now for the "
    "present, and frame.tz_localize('UTC') where a frame of pandas has no zone"
)
LOOP = "hooks run in an event loop: make this one an `async def`, and await the coroutine in it"
LISTS = (
    "self.positions and self.history(symbol, n) are lists: self.position(symbol) is the position "
    "in a symbol, and candle.close a field of a candle"
)
NUMBERS = (
    "self.history(symbol, n) is a list of candles: take their numbers, as in [each.close for each "
    "in self.history(symbol, 20)]"
)
FIELDS = "fields are attributes: write candle.close, or self.account.equity"
BUY_AND_SELL = "here it is self.buy(…) and self.sell(…)"
BUY_TAKES = (
    "buy() takes symbol, quantity; by name limit, stop, trailing, trailing_percent, fraction, "
    "notional, risk, stop_loss, take_profit, time_in_force, post_only, reduce_only, oco_group, "
    "client_order_id"
)

LOG = "here it is self.log.info('bought', price=candle.close)"
ON_CANDLE = "did you mean 'on_candle' or 'on_candles' or 'on_trade'?"

Act = Callable[[Any, Any], object]


class Errs(Strategy):
    """Makes a mistake at its first candle."""

    lookback: ClassVar[int] = 3

    def __init__(self, act: Act) -> None:
        super().__init__()
        self.act = act

    def on_start(self) -> None:
        self.fast = self.sma(2)
        self.slow = 5

    @property
    def mine(self) -> int:
        return 1

    async def on_candle(self, candle: Candle) -> None:
        result: Any = self.act(self, candle)
        if hasattr(result, "__await__"):
            await result


async def notes_of(act: Act) -> list[str]:
    with pytest.raises(HookFailed) as failed:
        async with Errs(act).run_test() as pilot:
            await pilot.candles(A, closes=[10])
    return getattr(failed.value.__cause__, "__notes__", [])


async def awaited(thing: Any) -> None:
    await thing


@pytest.mark.parametrize(
    ("act", "hint"),
    [
        (lambda self, candle: candle.close > self.fast, FAMILY),
        (lambda self, candle: self.fast.value, FAMILY),
        (lambda self, candle: candle.close > self.fast[A], VALUE),
        (lambda self, candle: self.fast[A] * 1.02, VALUE),
        (lambda self, candle: self.fast[A][-1], VALUE),
        (lambda self, candle: self.account().equity, NO_METHODS),
        (lambda self, candle: self.now(), NO_METHODS),
        (lambda self, candle: self.positions(), NO_METHODS),
        (lambda self, candle: self.position(A).is_flat(), NO_METHODS),
        (lambda self, candle: candle.timestamp > datetime(2024, 1, 1), AWARE),  # noqa: DTZ001
        (lambda self, candle: self.now - datetime(2024, 1, 1), AWARE),  # noqa: DTZ001
        (lambda self, candle: {datetime(2024, 1, 2): 1}[candle.timestamp], AWARE),  # noqa: DTZ001
        (lambda self, candle: self.positions[A], LISTS),
        (lambda self, candle: self.history(A, 1)["close"], LISTS),
        (lambda self, candle: self.history(A, 1).Close, NUMBERS),
        (lambda self, candle: sum(self.history(A, 1)), NUMBERS),
        (lambda self, candle: self.history(A, 1)[0] / 2, NUMBERS),
        (lambda self, candle: candle["close"], FIELDS),
        (lambda self, candle: self.account["equity"], FIELDS),
        (lambda self, candle: candle.Close, "did you mean 'close'?"),
        (lambda self, candle: self.buy(A, 1).status, "it is .order.status"),
        (lambda self, candle: self.equity, "it is self.account.equity"),
        (lambda self, candle: self.lookbak, "did you mean 'lookback'?"),
        (lambda self, candle: self.symbol, "here it is candle.symbol"),
        (lambda self, candle: self.market_order(A, 1), BUY_AND_SELL),
        (lambda self, candle: self.submit_order(A, 1), BUY_AND_SELL),
        (lambda self, candle: self.MarketOrder(A, 1), BUY_AND_SELL),
        (lambda self, candle: self.SetHoldings(A, 1), "here it is self.target(symbol, fraction=…)"),
        (lambda self, candle: self.close_position(A), "here it is self.close(symbol)"),
        (
            lambda self, candle: self.I(candle),
            "here it is self.sma(…), self.indicator(…) and the like, in on_start",
        ),
        (lambda self, candle: self.clock.utc_now(), "here it is self.now"),
        (lambda self, candle: self.Debug("x"), LOG),
        (
            lambda self, candle: self.set_warm_up(20),
            "here it is done by the runtime, for all indicators",
        ),
        (lambda self, candle: self.cancel_order("1"), "did you mean 'cancel' or 'cancel_all'?"),
        (lambda self, candle: self.get_position(A), "here it is self.position(symbol)"),
        (lambda self, candle: self.on_candel(candle), ON_CANDLE),
        (
            lambda self, candle: self.close(A).order,
            "close() and target() return None if there is nothing to do",
        ),
        (
            lambda self, candle: OrderStatus.CANCELED,  # type: ignore[attr-defined]
            "OrderStatus has PENDING, PENDING_CANCEL, OPEN, PARTIALLY_FILLED, FILLED, CANCELLED, "
            "REJECTED, EXPIRED",
        ),
        (lambda self, candle: self.position(), "write self.position(candle.symbol)"),
        (lambda self, candle: self.position(symbol=A), "write self.position(candle.symbol)"),
        (
            lambda self, candle: self.position(A) + 1,
            "the number of units is position.quantity, a Decimal",
        ),
        (
            lambda self, candle: self.account.funds,
            "AccountView has balance, currency, equity, margin_available, margin_used, "
            "unrealized_pnl",
        ),
        (lambda self, candle: self.account.cash, "here it is margin_available"),
        (lambda self, candle: self.cash, "here it is self.account.margin_available"),
        (lambda self, candle: self.position(A).size, "here it is quantity"),
        (lambda self, candle: self.position(A).close(), "here it is self.close(symbol)"),
        (lambda self, candle: self.buy(A, 1).cancel(), "here it is self.cancel(ticket)"),
        (lambda self, candle: self.buy(A, 1).order.cancel(), "here it is self.cancel(order)"),
        (lambda self, candle: candle.date, "here it is timestamp, the start of the bar"),
        (
            lambda self, candle: self.closed_trades,
            "here it is self.position(symbol) while it is open, on_position when it closes, and "
            "results.trips after the run",
        ),
        (lambda self, candle: crossover(1, 2), "here it is crossed_above(…) or crossed_below(…)"),  # type: ignore[name-defined]  # noqa: F821
        (
            lambda self, candle: self.target(A, 0.5),
            "target() takes symbol; by name quantity, fraction, notional",
        ),
        (
            lambda self, candle: self.buy(size=0.95),
            f"here it is fraction=0.1 for a tenth of equity, or a quantity in units; {BUY_TAKES}",
        ),
        (lambda self, candle: self.buy(A, 1, sl=9), f"here it is stop_loss=; {BUY_TAKES}"),
        (lambda self, candle: self.buy(A, 1, expires=9), BUY_TAKES),
        (
            lambda self, candle: self.cancel(order_id="1"),
            "cancel() takes order",
        ),
        (lambda self, candle: self.close_all(A), "close_all() takes nothing"),
        (lambda self, candle: self.sma(A, 10), "sma() takes period; by name timeframe"),
        (
            lambda self, candle: awaited(self.close(A)),
            "None was awaited: close() and target() return it if there is nothing to do, and so "
            "does every hook that is not `async def`, such as those of Strategy itself",
        ),
        (
            lambda self, candle: setattr(self, "account", {}),
            "the runtime has this name: choose another one for what is your own",
        ),
        (lambda self, candle: asyncio.run(None), LOOP),  # type: ignore[arg-type]
        (lambda self, candle: self.log("x"), "write self.log.info('bought', price=candle.close)"),
        (
            lambda self, candle: int(self.fast[A].value),
            "an indicator is NaN until it has seen enough candles: ask whether it is_ready",
        ),
        (
            lambda self, candle: self.buy(A, 1, stop_loss=10 - self.fast[A].value),
            "an indicator is NaN until it has seen enough candles: ask whether it is_ready",
        ),
        (
            lambda self, candle: self.target(A, fraction=0.1 / self.fast[A].value),
            "an indicator is NaN until it has seen enough candles: ask whether it is_ready",
        ),
    ],
)
async def test_it_says_what_to_write_instead(act: Act, hint: str) -> None:
    assert await notes_of(act) == [hint]


@pytest.mark.parametrize("name", indicators.__all__)
def test_no_indicator_is_taken_for_a_number_without_a_hint(name: str) -> None:
    thing = getattr(indicators, name)
    is_line = isinstance(thing, type) and issubclass(thing, indicators.Line)
    error = TypeError(f"unsupported operand type(s) for *: '{name}' and 'float'")
    assert hint_for(error) == (VALUE if is_line else "")


@pytest.mark.parametrize(
    "act",
    [
        lambda self, candle: {0: 1}[2],
        lambda self, candle: self.qqqq,
        lambda self, candle: self.i,
        lambda self, candle: candle.symbol.qqqq,
        lambda self, candle: (_ for _ in ()).throw(AttributeError("mine")),
        lambda self, candle: self.act(),
        lambda self, candle: setattr(self, "mine", 2),
    ],
)
async def test_nothing_is_added_where_nothing_is_known(act: Act) -> None:
    assert await notes_of(act) == []


@pytest.mark.parametrize(
    "act",
    [
        lambda days, candle: days.loc[candle.timestamp],
        lambda days, candle: days.loc[: candle.timestamp],
        lambda days, candle: days[days.index < candle.timestamp],
    ],
)
async def test_frames_of_pandas_need_a_zone(act: Act) -> None:
    pandas = pytest.importorskip("pandas")
    days = pandas.DataFrame({"up": [True]}, index=pandas.to_datetime(["2024-01-02 14:30"]))
    assert await notes_of(lambda self, candle: act(days, candle)) == [AWARE]


async def test_an_event_says_where_the_order_is() -> None:
    class Looks(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.buy(candle.symbol, 1)

        def on_order(self, event: OrderEvent) -> None:
            event.status  # type: ignore[attr-defined]  # noqa: B018

    with pytest.raises(HookFailed) as failed:
        async with Looks().run_test() as pilot:
            await pilot.candles(A, closes=[10, 11])
    assert failed.value.__cause__ is not None
    assert failed.value.__cause__.__notes__ == ["it is .order.status"]
