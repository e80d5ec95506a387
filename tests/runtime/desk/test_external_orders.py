"""Orders on the account that the strategy did not place: seen, marked, and left alone."""

from decimal import Decimal

from strategy_runtime import Candle, OrderEvent, Strategy, Trade
from strategy_runtime.clock import sleep
from strategy_runtime.protocol.enums import OrderType, Side
from strategy_runtime.protocol.models import Order, OrderRequest
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from tests.runtime.virtual_run import live_run, market


def resting(exchange: Exchange, limit: int, name: str | None) -> None:
    """Place a bid for one unit far below the market, as somebody else."""
    exchange.submit(
        OrderRequest(
            symbol="S:A",
            side=Side.BUY,
            quantity=Decimal(1),
            order_type=OrderType.LIMIT,
            limit_price=Decimal(limit),
            client_order_id=name,
        )
    )


class Looks(Strategy):
    """Places a bid at 5, cancels all its orders at the fifth candle, and records what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.candles = 0
        self.told: set[tuple[str | None, bool]] = set()
        self.own: list[list[Order]] = []
        self.others: list[list[Order]] = []

    def on_start(self) -> None:
        self.note()

    def on_candle(self, candle: Candle) -> None:
        self.candles += 1
        if self.candles == 1:
            self.buy("S:A", 1, limit=5)
            self.buy("S:A", 1, limit=5, client_order_id="named")
        elif self.candles == 5:
            self.note()
            self.cancel_all()
        elif self.candles == 25:
            self.note()
            for order in self.orders(external=True):
                self.cancel(order)

    def note(self) -> None:
        self.own.append(self.orders())
        self.others.append(self.orders("S:A", external=True))

    def on_order(self, event: OrderEvent) -> None:
        self.told.add((event.order.client_order_id, event.order.external))


def names(orders: list[Order]) -> list[str | None]:
    return [order.client_order_id for order in orders]


class Fills(Strategy):
    """Buys two units at its first candle, and records what is executed on the account."""

    def __init__(self) -> None:
        super().__init__()
        self.executed: list[tuple[int, bool]] = []
        self.is_first = True

    def on_candle(self, candle: Candle) -> None:
        if self.is_first:
            self.is_first = False
            self.buy("S:A", 2)

    def on_trade(self, trade: Trade) -> None:
        self.executed.append((int(trade.quantity), trade.external))


def test_executions_of_others_are_marked() -> None:
    exchange, strategy = market(), Fills()

    async def during(runner: Runner) -> None:
        await sleep(3)
        resting(exchange, 20, "by-hand")
        await sleep(3)

    live_run(strategy, during, exchange=exchange)
    assert strategy.executed == [(2, False), (1, True)]


def test_what_others_ordered_is_marked_and_not_reached_by_cancel_all() -> None:
    exchange = market()
    resting(exchange, 1, "by-hand")
    resting(exchange, 2, "Looks-earlier-7")
    strategy = Looks()

    async def during(runner: Runner) -> None:
        await sleep(1.5)
        resting(exchange, 3, None)
        resting(exchange, 4, "Other-1")
        await sleep(3)
        others = [line for line in runner.status().open_orders if line.external]
        assert [(line.limit_price, line.stop_price) for line in others] == [
            ("1", None),
            ("3", None),
            ("4", None),
        ]
        await sleep(25)

    live_run(strategy, during, exchange=exchange)
    assert [names(each) for each in strategy.own] == [
        ["Looks-earlier-7"],
        ["Looks-earlier-7", "Looks-bt-1", "named"],
        [],
    ]
    assert [names(each) for each in strategy.others] == [
        ["by-hand"],
        ["by-hand", None, "Other-1"],
        ["by-hand", None, "Other-1"],
    ]
    assert all(order.external for each in strategy.others for order in each)
    assert {name for name, external in strategy.told if external} == {"by-hand", None, "Other-1"}
    assert {name for name, external in strategy.told if not external} >= {"Looks-bt-1", "named"}
    assert exchange.orders() == []  # an order that is named is cancelled, even if it is external


def test_what_others_ordered_is_left_on_exit() -> None:
    exchange = market()
    resting(exchange, 1, "by-hand")

    class Bids(Strategy):
        def on_start(self) -> None:
            self.buy("S:A", 1, limit=5, stop_loss=4)

    async def during(runner: Runner) -> None:
        await sleep(3)

    live_run(Bids(), during, exchange=exchange, on_exit="flatten")
    assert names(exchange.orders()) == ["by-hand"]


def test_legs_of_an_order_belong_to_whom_the_order_does() -> None:
    exchange = market()
    seen: list[tuple[str | None, bool]] = []

    class Enters(Strategy):
        def on_start(self) -> None:
            self.buy("S:A", 1, stop_loss=4, client_order_id="entry")

        def on_order(self, event: OrderEvent) -> None:
            seen.append((event.order.client_order_id, event.order.external))

    async def during(runner: Runner) -> None:
        await sleep(2.5)
        exchange.submit(
            OrderRequest(
                symbol="S:A",
                side=Side.BUY,
                quantity=Decimal(2),
                order_type=OrderType.MARKET,
                client_order_id="other",
                stop_loss=Decimal(4),
            )
        )
        await sleep(3)

    live_run(Enters(), during, exchange=exchange)
    assert set(seen) == {("entry", False), ("entry-sl", False), ("other", True), ("other-sl", True)}
