"""A cancel that has been answered, while the event of the order's end is still to come."""

from decimal import Decimal

import pytest
from aiohttp import web

from strategy_runtime import Candle, OrderEvent, OrderStatus, Strategy, Ticket
from strategy_runtime.protocol.models import Order
from strategy_runtime.proxy import ProxyVenue
from strategy_runtime.runtime.risk.limited import desk_for
from strategy_runtime.runtime.risk.limits import Limits
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.proxy.scripted import CONNECTED, ScriptedProxy, at_once, candle
from tests.simulator.support import A, B, market, over_sockets

BID = {"symbol": "S:X", "side": "BUY", "order_type": "LIMIT", "limit_price": "9", "quantity": "5"}


def told(kind: str, number: int, **order: str) -> dict[str, object]:
    names = {"id": f"ord-{number}", "client_order_id": f"Replaces-bt-{number}"}
    return {"type": "order", "event": kind, "order": BID | names | order}


class Replaces(Strategy):
    """Cancels its bid at the second candle and places another, and lists its bids at the third.

    The first event of an order that has ended ends the run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.candles = 0
        self.bids: list[Ticket] = []
        self.listed: list[str] = []
        self.then: list[Order] = []
        self.heard: list[str] = []
        self.held = 0.0

    async def on_candle(self, candle: Candle) -> None:
        self.candles += 1
        if self.candles == 3:
            self.listed = [order.id for order in self.orders("S:X")]
            self.then = [bid.order for bid in self.bids]
            await self.cancel(self.bids[0])  # nothing is asked of the proxy any more
            return
        for bid in self.bids:
            self.cancel(bid)
        self.bids.append(self.buy("S:X", 5, limit=9))

    def on_order(self, event: OrderEvent) -> None:
        self.heard.append(event.event)
        self.held = float(self.position("S:X").quantity)
        if not event.order.is_open:
            self.quit("it has ended")


async def replaced(answer: str, *events: dict[str, object]) -> tuple[Replaces, list[str]]:
    """Run through three candles, and the events of orders that come behind all of them.

    Args:
        answer: The status of the order in the proxy's answer to the cancel.
    """

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, candle(1), candle(2), candle(3), *events)
        await proxy.until_closed(socket)

    strategy = Replaces()
    async with ScriptedProxy(scene).serving() as proxy:
        placed = [(201, {"id": f"ord-{number}", "status": "OPEN"}) for number in (1, 2)]
        proxy.answers["POST", "/orders"] = placed
        after = BID | {"id": "ord-1", "status": answer}
        proxy.answers["DELETE", "/orders/ord-1"] = [(200, {"success": True, "order": after})]
        venue = ProxyVenue(proxy.endpoints, is_live=True, retry_delays=at_once)
        await Runner(strategy, venue, mode="live").run()
    return strategy, [path for method, path, _ in proxy.requests if method == "DELETE"]


async def test_the_order_is_not_listed_any_more_and_its_event_still_comes() -> None:
    strategy, cancels = await replaced(
        "CANCELLED",
        told("ORDER_CREATED", 1, status="OPEN"),
        told("ORDER_CANCELLED", 1, status="CANCELLED"),
    )
    assert strategy.listed == ["ord-2"]
    assert [order.status for order in strategy.then] == [OrderStatus.CANCELLED, OrderStatus.OPEN]
    assert strategy.heard == ["ORDER_CREATED", "ORDER_CANCELLED"]
    assert cancels == ["/orders/ord-1"]


async def test_a_fill_from_before_the_cancel_is_told_and_booked() -> None:
    strategy, _ = await replaced(
        "CANCELLED",
        told("ORDER_PARTIALLY_FILLED", 1, status="PARTIALLY_FILLED", filled_quantity="2"),
        told("ORDER_CANCELLED", 1, status="CANCELLED", filled_quantity="2"),
    )
    assert strategy.heard == ["ORDER_PARTIALLY_FILLED", "ORDER_CANCELLED"]
    assert strategy.held == 2


async def test_an_order_that_is_still_being_cancelled_stays_listed() -> None:
    strategy, _ = await replaced("PENDING_CANCEL", told("ORDER_CANCELLED", 1, status="CANCELLED"))
    assert strategy.listed == ["ord-1", "ord-2"]
    assert [order.is_open for order in strategy.then] == [True, True]


class CancelsAtOnce(Strategy):
    """Awaits the cancel of a bid at each candle."""

    async def on_candle(self, candle: Candle) -> None:
        await self.cancel(self.buy(candle.symbol, 1, limit=1))
        assert self.orders() == []


async def test_answered_cancels_are_not_kept_for_a_whole_backtest() -> None:
    async with CancelsAtOnce().run_test() as pilot:
        await pilot.candles("S:X", closes=[10.0] * 200)
        kept: dict[str, Order] = pilot.strategy._desk._cancelled  # type: ignore[attr-defined]
        assert len(pilot.orders) == 200
    assert kept == {}


class Withdraws(Strategy):
    """Cancels all its bids at each candle of two symbols, and places one."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[str]] = []

    def on_candle(self, candle: Candle) -> None:
        self.seen.append([order.id for order in self.orders()])
        self.cancel_all()
        self.buy(candle.symbol, 1, limit=1)


class Hears(Withdraws):
    """Also hears of its orders, so that its run is one of events."""

    def on_order(self, event: OrderEvent) -> None: ...


@pytest.mark.parametrize("kind", [Withdraws, Hears])
async def test_in_a_backtest_a_cancelled_order_is_not_listed_in_the_next_hook(
    kind: type[Withdraws],
) -> None:
    strategy, exchange = kind(), market(*[5.0] * 8, symbols=(A, B))
    await Runner(strategy, SimulatedVenue(exchange), mode="backtest").run()
    assert strategy.seen == [[], *([f"ord-{number}"] for number in range(1, 16))]
    another = kind()
    async with over_sockets(market(*[5.0] * 8, symbols=(A, B))) as venue:
        await Runner(another, venue, mode="backtest").run()
    assert another.seen == strategy.seen


class Renews(Strategy):
    """Cancels its bid at the candle of one symbol, and places another at that of the next."""

    def on_candle(self, candle: Candle) -> None:
        if candle.symbol == A:
            self.cancel_all()
        else:
            self.buy(A, 10, limit=1)


class RenewsAndHears(Renews):
    def on_order(self, event: OrderEvent) -> None: ...


@pytest.mark.parametrize("kind", [Renews, RenewsAndHears])
async def test_a_cancelled_order_does_not_count_for_the_limits_of_the_next_hook(
    kind: type[Strategy],
) -> None:
    exchange = market(*[5.0] * 8, symbols=(A, B))
    desk = desk_for(Limits(max_position_notional=Decimal(15)))
    runner = Runner(kind(), SimulatedVenue(exchange), mode="backtest", desk=desk)
    await runner.run()
    assert (len(exchange.outcome().orders), runner.refused_orders) == (8, 0)


class CancelsTwice(Strategy):
    """Awaits the cancel of a bid at each candle, and then cancels all that are left."""

    def __init__(self) -> None:
        super().__init__()
        self.cancels: list[Ticket] = []

    async def on_candle(self, candle: Candle) -> None:
        await self.cancel(self.buy(candle.symbol, 1, limit=1))
        self.cancels += self.cancel_all()


async def test_in_a_backtest_an_order_whose_cancel_was_awaited_is_not_cancelled_again() -> None:
    strategy = CancelsTwice()
    await Runner(strategy, SimulatedVenue(market(*[5.0] * 64)), mode="backtest").run()
    assert strategy.cancels == []
