"""The account between the events of a fill, and separate positions of a hedging account."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest
from aiohttp import web

from strategy_runtime import (
    AccountEvent,
    Candle,
    ConnectionEvent,
    Event,
    HookFailed,
    OrderEvent,
    OrderEventKind,
    PositionEvent,
    Strategy,
    Trade,
)
from strategy_runtime.proxy import ProxyVenue
from strategy_runtime.runtime.runner import Runner
from tests.proxy.scripted import CONNECTED, ScriptedProxy, candle
from tests.strategies import Scripted

X = "S:X"
FLAT = [10, 10, 10, 10]


class Accountant(Scripted):
    """Records equity and average price at every event."""

    def __init__(self, script: dict[int, Callable[[Scripted, Candle], object]]) -> None:
        super().__init__(script)
        self.notes: list[tuple[str, Decimal, Decimal, Decimal]] = []

    def note(self, name: str) -> None:
        account, held = self.account, self.position(X)
        self.notes.append((name, account.equity, held.quantity, held.average_entry_price))

    def by_fill(self) -> list[list[tuple[float, ...]]]:
        found: list[list[tuple[float, ...]]] = []
        for name, *numbers in self.notes:
            found += [[]] if name == "order" else []
            found[-1].append(tuple(map(float, numbers)))
        return found

    def on_order(self, event: OrderEvent) -> None:
        if event.event is OrderEventKind.ORDER_FILLED:
            self.note("order")

    def on_trade(self, trade: Trade) -> None:
        self.note("trade")

    def on_account(self, event: AccountEvent) -> None:
        assert self.account.equity == event.account.equity
        self.note("account")

    def on_position(self, event: PositionEvent) -> None:
        self.note("position")


async def test_what_a_fill_realises_is_in_the_account_from_its_first_event_on() -> None:
    strategy = Accountant(
        {
            0: lambda s, c: s.buy(X, 10),
            2: lambda s, c: s.sell(X, 15),
            3: lambda s, c: s.buy(X, 1),
            4: lambda s, c: s.close(X),
        }
    )
    async with strategy.run_test(cash=1000, fee_min="1") as pilot:
        await pilot.candles(X, closes=[10, 10, 12, 12, 11, 11])
        assert pilot.equity == 1000 + 20 + 4 - 4
    heard: list[list[str]] = []
    for name, *_ in strategy.notes:
        heard += [[]] if name == "order" else []
        heard[-1].append(name)
    told, turned = ["order", "trade", "account", "position"], ["position"]
    assert heard == [told, told + turned, told, told]
    fills = strategy.by_fill()
    for (before, *_), *others in fills:  # the trade brings the fee
        assert {equity for equity, *_ in others} == {before - 1}
    assert [first for first, *_ in fills] == [
        (1000, 10, 10),
        (1019, -5, 12),
        (1018, -4, 12),
        (1021, 0, 0),
    ]


async def test_equity_on_an_account_that_hedges_is_right_at_every_event() -> None:
    strategy = Accountant(
        {
            0: lambda s, c: s.buy(X, 10),
            1: lambda s, c: s.sell(X, 4),
            2: lambda s, c: s.sell(X, 6),
            3: lambda s, c: s.close_all(),
        }
    )
    async with strategy.run_test(cash=1000, mode="HEDGING") as pilot:
        await pilot.candles(X, closes=[10, 12, 15, 16, 20])
        assert pilot.equity == 1000 + 100 - 32 - 30
        assert pilot.exchange.positions() == []
    fills = strategy.by_fill()
    assert [len({equity for equity, *_ in fill}) for fill in fills] == [1] * 6
    assert [fill[-1][:2] for fill in fills[:3]] == [(1000, 10), (1020, 6), (1038, 0)]


@pytest.mark.parametrize("hook", ["on_order", "on_trade"])
async def test_a_position_that_was_turned_round_can_be_closed_in_the_hooks_of_the_fill(
    hook: str,
) -> None:
    def close_if_short(strategy: Scripted, event: object) -> None:
        if strategy.position(X).is_short and not strategy.orders(X):
            strategy.close(X)

    kind = type("Turning", (Scripted,), {hook: close_if_short})
    strategy = kind({0: lambda s, c: s.buy(X, 10), 1: lambda s, c: s.sell(X, 15)})
    async with strategy.run_test() as pilot:
        await pilot.candles(X, closes=[10] * 4)
        assert strategy.refusals == []
        assert pilot.position(X).is_flat
        assert [fill.quantity for fill in pilot.fills] == [10, 15, 5]


async def test_close_takes_a_quantity_off_the_larger_side_oldest_first() -> None:
    strategy = Scripted(
        {
            0: lambda s, c: (s.buy(X, 6), s.sell(X, 1), s.buy(X, 4)),
            1: lambda s, c: s.close(X, 7),
            2: lambda s, c: s.sell(X, 2),
            3: lambda s, c: s.close(X, 1),
        }
    )
    async with strategy.run_test(mode="HEDGING") as pilot:
        await pilot.candles(X, closes=[10] * 3)
        held = [position.signed_quantity for position in pilot.exchange.positions()]
        assert held == [-1, 3]
        with pytest.raises(HookFailed) as caught:
            await pilot.candles(X, closes=[10])
    assert "S:X is held long and short in equal size, so a quantity could come" in str(
        caught.value.__cause__
    )


async def test_a_position_that_was_closed_in_part_is_still_the_oldest() -> None:
    strategy = Scripted(
        {
            0: lambda s, c: (s.buy(X, 6), s.buy(X, 4)),
            1: lambda s, c: s.close(X, 2),
            2: lambda s, c: s.close(X, 1),
        }
    )
    async with strategy.run_test(mode="HEDGING") as pilot:
        await pilot.candles(X, closes=[10] * 4)
        assert [position.quantity for position in pilot.exchange.positions()] == [3, 4]


@pytest.mark.parametrize("asked_for", [[], ["S:C", "S:A", "S:B"]])
async def test_positions_are_listed_and_closed_oldest_first_whatever_was_looked_at(
    asked_for: list[str],
) -> None:
    def enter(strategy: Scripted, candle: Candle) -> None:
        for symbol in asked_for:
            assert strategy.position(symbol).is_flat
        strategy.buy("S:B", 1)
        strategy.sell("S:A", 1)
        strategy.buy("S:C", 1)

    def turn(strategy: Scripted, candle: Candle) -> None:
        strategy.sell("S:B", 2)
        strategy.close("S:A")

    def leave(strategy: Scripted, candle: Candle) -> None:
        assert [held.symbol for held in strategy.positions] == ["S:B", "S:C", "S:A"]
        strategy.close_all()

    strategy = Scripted({0: enter, 3: turn, 6: lambda s, c: s.buy("S:A", 1), 9: leave})
    async with strategy.run_test() as pilot:
        await pilot.candles_of({symbol: [*FLAT, 10] for symbol in ("S:A", "S:B", "S:C")})
        assert [fill.symbol for fill in pilot.fills[-3:]] == ["S:A", "S:B", "S:C"]
        assert [order.symbol for order in pilot.orders[-3:]] == ["S:B", "S:C", "S:A"]


class Holds(Strategy):
    """Records its position at every event."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Decimal] = []
        self.hears = asyncio.Condition()

    async def on_event(self, event: Event) -> None:
        if not isinstance(event, ConnectionEvent | AccountEvent):
            self.held.append(self.position(X).quantity)
            async with self.hears:
                self.hears.notify_all()

    async def has_heard(self, count: int) -> None:
        async with self.hears:
            await self.hears.wait_for(lambda: len(self.held) >= count)


async def test_live_a_position_may_come_before_the_fill_that_moved_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("strategy_runtime.runtime.link.link._UNDER_WAY_S", 0.0)
    at = "2024-03-04T14:00:00Z"
    about = {"symbol": X, "side": "BUY", "quantity": "5"}
    held = about | {"id": "p-1", "side": "LONG", "updated_at": at}
    filled = about | {"id": "o-1", "status": "FILLED", "updated_at": at}
    fill = about | {"id": "t-1", "order_id": "o-1", "price": "10", "timestamp": at}

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1))
        await strategy.has_heard(1)
        await proxy.say(socket, {"type": "position", "position": held})
        await proxy.say(socket, {"type": "order", "event": "ORDER_FILLED", "order": filled})
        await proxy.say(socket, {"type": "trade", "trade": fill}, candle(2))
        await strategy.has_heard(5)
        runner.stop()

    strategy = Holds()
    async with ScriptedProxy(scene).serving() as proxy:
        venue = ProxyVenue(proxy.endpoints, is_live=True)
        runner = Runner(strategy, venue, mode="live")
        async with asyncio.timeout(20):
            await runner.run()
    assert strategy.held == [0, 5, 5, 5, 5]
