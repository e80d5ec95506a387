"""Tickets: the results of awaiting them, and what happens if nobody does."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from strategy_runtime import (
    Candle,
    OrderEvent,
    OrderEventKind,
    OrderRejected,
    OrderStatus,
    Strategy,
    WouldDeadlock,
)
from strategy_runtime.clock import sleep
from strategy_runtime.runtime.runner import Runner
from tests.runtime.virtual_run import live_run
from tests.strategies import Scripted

A, X = "S:A", "S:X"
FLAT = [10, 10, 10, 10]


async def test_an_awaited_ticket_gives_the_accepted_order() -> None:
    accepted = []

    class Waits(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            accepted.append(await self.buy(X, 1, limit=9))

    async with Waits().run_test() as pilot:
        await pilot.candles(X, closes=[10])
    (order,) = accepted
    assert (order.id, order.status) == ("ord-1", OrderStatus.OPEN)
    assert order.client_order_id == "Waits-test-1"


async def test_an_awaited_refusal_raises_with_its_reason() -> None:
    class Waits(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            with pytest.raises(OrderRejected) as refusal:
                await self.buy(X, 100_000)
            assert refusal.value.code == "ORDER_REJECTED"
            assert refusal.value.details["reject_reason"] == "INSUFFICIENT_MARGIN"
            assert "need more than the free margin of 100000 USD" in refusal.value.message

        def on_error(self, error: Exception) -> None:
            raise AssertionError("it was awaited")

    async with Waits().run_test() as pilot:
        await pilot.candles(X, closes=[10])


async def test_where_only_the_fee_is_too_much_the_refusal_has_it() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, fraction=1)})
    async with strategy.run_test(fee_rate="0.001") as pilot:
        await pilot.candles(X, closes=[10])
    (refusal,) = strategy.refusals
    assert str(refusal).endswith(
        "10000 S:X at 10, with a fee of 100, need more than the free margin of 100000 USD"
    )


async def test_a_refusal_says_that_a_sale_that_has_not_filled_pays_for_nothing_yet() -> None:
    def rotate(strategy: Scripted, _: Candle) -> None:
        strategy.buy(A, 5_000)
        strategy.close(X)
        strategy.buy(A, 5_000)

    strategy = Scripted({0: lambda s, c: s.buy(X, 9_000), 2: rotate})
    async with strategy.run_test() as pilot:
        await pilot.candles_of({X: [10, 10], A: [10, 10]})
    too_dear = "5000 S:A at 10 need more than the free margin of 10000 USD"
    assert [str(each).partition("ORDER_REJECTED: ")[2] for each in strategy.refusals] == [
        too_dear,
        f"{too_dear}; what is being closed frees margin once it has filled",
    ]


async def test_a_refusal_has_its_numbers_in_digits() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 1e12), 1: lambda s, c: s.buy(X, 1e12)})
    async with strategy.run_test(cash=Decimal("1E-8")) as pilot:
        await pilot.candles(X, closes=[1e7, 1e-8])
    assert [str(each).partition("ORDER_REJECTED: ")[2] for each in strategy.refusals] == [
        f"1000000000000 S:X at {price} need more than the free margin of 0.00000001 USD"
        for price in ("10000000", "0.00000001")
    ]


async def test_a_refusal_nobody_awaited_goes_to_on_error() -> None:
    strategy = Scripted({0: lambda s, c: s.buy(X, 100_000)})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, closes=[10])
        (refusal,) = strategy.refusals
        assert isinstance(refusal, OrderRejected)
        assert refusal.client_order_id == "Scripted-test-1"


async def test_a_refusal_without_on_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Careless(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.buy(X, 100_000)

    async with Careless().run_test() as pilot:
        await pilot.candles(X, closes=[10])
    assert "order refused: S:X Careless-test-1: ORDER_REJECTED" in caplog.text


class Meddles(Strategy):
    """Changes and cancels its first order, which the next open fills, when the backtest is over."""

    def on_candle(self, candle: Candle) -> None:
        self.bid = self.buy(X, 1, limit=5)

    def on_stop(self) -> None:
        self.modify(self.bid, limit=6)
        self.cancel(self.bid)


async def test_a_refused_change_or_cancel_is_not_called_a_refused_order(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Meddles().run_test() as pilot:
        await pilot.candles(X, closes=[10])
    of = "refused: S:X Meddles-test-1: ORDER_NOT_MODIFIABLE: the backtest is over"
    assert [line for line in caplog.messages if "refused" in line] == [
        f"change {of}",
        f"cancel {of}",
    ]


async def test_a_refusal_has_what_was_refused() -> None:
    class Tells(Meddles):
        def on_start(self) -> None:
            self.refused: list[str] = []

        def on_error(self, error: Exception) -> None:
            assert isinstance(error, OrderRejected)
            self.refused.append(error.verb)

        def on_candle(self, candle: Candle) -> None:
            super().on_candle(candle)
            self.buy(X, 100_000)

    strategy = Tells()
    async with strategy.run_test() as pilot:
        await pilot.candles(X, closes=[10])
    assert strategy.refused == ["submit", "modify", "cancel"]


async def test_awaiting_a_fill_in_a_hook_raises_at_once_and_says_why() -> None:
    class Waits(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            ticket = self.buy(X, 1)
            with pytest.raises(WouldDeadlock, match="no event is delivered before the hook has"):
                await ticket.filled()

    async with Waits().run_test() as pilot:
        await pilot.candles(X, closes=[10])


async def test_awaiting_a_fill_in_a_task_of_a_backtest_raises_at_once_and_says_why() -> None:
    class Waits(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            task = asyncio.create_task(self.buy(X, 1).filled())
            with pytest.raises(WouldDeadlock, match="in a backtest tasks wait for no events"):
                await task

    async with Waits().run_test() as pilot:
        await pilot.candles(X, closes=[10])


@pytest.mark.parametrize("waits_first", [True, False])
def test_a_task_of_a_live_run_waits_for_the_end_of_an_order(waits_first: bool) -> None:
    class Waits(Strategy):
        def on_connect(self) -> None:
            self.ends = list[tuple[OrderStatus, Decimal]]()
            self.task = asyncio.create_task(self.work())

        async def work(self) -> None:
            resting = self.buy(A, 1, limit=1)
            ended = asyncio.create_task(resting.filled())
            for ticket in (self.buy(A, 2), self.cancel(resting)):
                if not waits_first:
                    await sleep(5)
                order = await ticket.filled()
                self.ends.append((order.status, order.filled_quantity))
            assert await ended == await resting.filled()
            with pytest.raises(OrderRejected):
                await self.buy(A, 100_000).filled()

    async def until_it_has(runner: Runner) -> None:
        await sleep(5)
        await strategy.task

    strategy = Waits()
    live_run(strategy, until_it_has)
    assert strategy.ends == [
        (OrderStatus.FILLED, Decimal(2)),
        (OrderStatus.CANCELLED, Decimal(0)),
    ]


async def test_commands_leave_in_the_order_they_were_given() -> None:
    class Busy(Strategy):
        def on_candle(self, candle: Candle) -> None:
            first = self.buy(X, 1, limit=5)
            self.sell(X, 1, limit=20)
            self.modify(first, limit=6)
            self.cancel(first)
            self.buy(X, 2, limit=4)

    async with Busy().run_test() as pilot:
        await pilot.candles(X, closes=[10])
        assert [(o.limit_price, o.status) for o in pilot.orders] == [
            (Decimal(6), OrderStatus.CANCELLED),
            (Decimal(20), OrderStatus.OPEN),
            (Decimal(4), OrderStatus.OPEN),
        ]


@pytest.mark.parametrize("limits", [{}, {"max_order_notional": 1_000_000}])
async def test_the_distance_of_a_trailing_stop_can_be_changed_in_its_own_unit(
    limits: dict[str, Any],
) -> None:
    def tighten(strategy: Scripted, candle: Candle) -> None:
        absolute, percent = strategy.orders()
        strategy.modify(absolute, trailing=1)
        strategy.modify(percent, trailing=5)

    strategy = Scripted(
        {
            0: lambda s, c: (s.sell(X, 1, trailing=4), s.sell(X, 1, trailing_percent=20)),
            1: tighten,
        }
    )
    async with strategy.run_test(**limits) as pilot:
        await pilot.candles(X, closes=[20, 20])
        assert [order.stop_price for order in pilot.orders] == [19, 19]
    assert strategy.refusals == []


async def test_an_awaited_change_or_cancel_gives_the_order_as_it_is_then() -> None:
    seen: list[tuple[object, object, object]] = []

    class Changes(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            if seen:
                return
            ticket = self.buy(X, 1, limit=5)
            for awaited in (ticket, self.modify(ticket, limit=6, quantity=3), self.cancel(ticket)):
                order = await awaited
                seen.append((order.limit_price, order.quantity, order.status))

    expected = [(5, 1, "OPEN"), (6, 3, "OPEN"), (6, 3, "CANCELLED")]
    async with Changes().run_test() as pilot:
        await pilot.candles(X, closes=[10, 10])
        assert seen == expected
        (order,) = pilot.orders
        assert order.status is OrderStatus.CANCELLED


async def test_an_answer_is_not_given_once_events_have_told_more() -> None:
    class Later(Strategy):
        async def on_candle(self, candle: Candle) -> None:
            if candle.close == 10:
                self.ticket = self.buy(X, 1, limit=5)
                self.change = self.modify(self.ticket, limit=6)
            else:
                assert (await self.change).status is OrderStatus.FILLED

    async with Later().run_test() as pilot:
        await pilot.candles(X, closes=[10, 6])


async def test_a_cancel_that_a_fill_has_beaten_is_no_error() -> None:
    class Late(Scripted):
        def on_order(self, event: OrderEvent) -> None:
            # Of several events at one moment the book knows only those before this one.
            if event.event is OrderEventKind.ORDER_FILLED and len(self.orders()) > 0:
                self.cancel(self.orders()[0])

    strategy = Late(
        {0: lambda s, c: (s.buy(X, 1, limit=10), s.buy(X, 1, limit=10), s.buy(X, 1, limit=1))}
    )
    async with strategy.run_test() as pilot:
        await pilot.candles(X, bars=[FLAT] * 3)
        assert len(pilot.fills) == 2
        assert strategy.refusals == []
        assert strategy.orders() == []


async def test_cancelling_an_order_that_is_refused_meanwhile_is_told_once() -> None:
    def both(strategy: Scripted, candle: Candle) -> None:
        strategy.cancel(strategy.sell(X, 1, reduce_only=True))

    strategy = Scripted({0: both})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, closes=[10, 10])
    (refusal,) = strategy.refusals
    assert "there is no position in S:X to reduce" in str(refusal)
