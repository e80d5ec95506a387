"""A live run forgets orders that ended long ago, but their tickets still work."""

from pathlib import Path
from weakref import ref

import pytest

from strategy_runtime import Candle, OrderRejected, OrderStatus, Strategy
from strategy_runtime.clock import sleep
from strategy_runtime.runtime import runner
from strategy_runtime.strategy.ticket import Ticket
from tests.runtime.virtual_run import live_run


class Remembers(Strategy):
    """Places an order at each candle, and later asks for those of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.candles = 0
        self.old: list[Ticket] = []
        self.said: list[object] = []
        self.errors: list[Exception] = []

    async def on_candle(self, candle: Candle) -> None:
        self.candles += 1
        if self.candles == 1:
            bought = self.buy("S:A", 1, client_order_id="mine")
            bid = self.buy("S:A", 1, limit=1)
            self.old = [bought, bid, self.modify(bid, limit=2), self.cancel(bid)]
            self.old.append(self.buy("S:A", 10**9))
        elif self.candles < 10:
            self.buy("S:A", 1)
        elif self.candles == 10:
            self.said = [ticket.order.status for ticket in self.old]
            bought, bid, *_ = self.old
            self.said.append((await bought).filled_quantity)
            self.said.append((await self.cancel(bid)).limit_price)
            refused = self.modify(bought, limit=3)
            with pytest.raises(OrderRejected):
                await refused
            self.said.append(refused.order.status)
            for about in (bid.client_order_id, bid.order):
                with pytest.raises(ValueError, match="or it ended before the last 2; its ticket"):
                    self.cancel(about)
            with pytest.raises(ValueError, match="'mine' has been used in this run"):
                self.buy("S:A", 1, client_order_id="mine")

    def on_error(self, error: Exception) -> None:
        self.errors.append(error)


def test_a_ticket_knows_its_order_however_long_ago_that_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "_MOST_ENDED", 2)
    strategy = Remembers()
    live_run(strategy, lambda runner: sleep(20))
    filled, cancelled = OrderStatus.FILLED, OrderStatus.CANCELLED
    ended = [filled, cancelled, cancelled, cancelled, OrderStatus.REJECTED]
    assert strategy.said == [*ended, 1, 2, filled]
    assert [getattr(error, "code", error) for error in strategy.errors] == ["ORDER_REJECTED"]


def test_as_many_are_remembered_as_the_documents_say() -> None:
    strategies = Path(__file__).parents[3] / "docs" / "strategies.md"
    said = f"remembers the last {runner._MOST_ENDED:,} orders that have ended"
    assert said in strategies.read_text(encoding="utf-8")


class Moves(Strategy):
    """Has a resting order, and changes its price at each candle."""

    def __init__(self) -> None:
        super().__init__()
        self.moves: list[ref[Ticket]] = []

    def on_candle(self, candle: Candle) -> None:
        if not self.moves:
            self.bid = self.buy("S:A", 1, limit=1)
        self.moves.append(ref(self.modify(self.bid, limit=1 + len(self.moves) / 100)))


def test_a_ticket_that_nobody_holds_is_gone_though_its_order_rests() -> None:
    strategy = Moves()
    live_run(strategy, lambda runner: sleep(20))
    assert len(strategy.moves) > 10
    assert [move for move in strategy.moves[:-1] if move() is not None] == []
