"""The value of positions, and how much of it is recomputed."""

import asyncio
from decimal import Decimal

from strategy_runtime import Candle, Strategy
from strategy_runtime.protocol.enums import PositionMode
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.ledger import Holding
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.valuation import Valuation
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.simulator.support import A, minutes
from tests.work import Watched, steps_of


def test_what_a_fill_changes_of_the_sums_takes_the_same_with_any_number_of_positions() -> None:
    def work(count: int) -> int:
        holdings = Watched(
            {
                str(number): Holding("S:A", str(number), Decimal(2), Decimal(10), 0, 0)
                for number in range(count)
            }
        )
        valuation = Valuation(holdings, lambda symbol: Decimal("7.5"))
        assert valuation.profit() == 5 * count
        assert valuation.size() == 15 * count

        def fill() -> None:
            changed = holdings["3"]
            changed.quantity, changed.cost = Decimal(-2), Decimal("-14")
            valuation.renew((changed,), None)
            assert valuation.profit() == 5 * count - 6
            assert valuation.size() == 15 * count
            assert valuation.added_to(Decimal(1)) == 15 * count - 29
            worth, size = valuation.instead({"3": Decimal(-20)})
            assert worth == 15 * count - 35
            assert size == 15 * count + 5

        return steps_of(fill)

    assert work(100) == work(1000)


class Adds(Strategy):
    """Opens so many positions, and counts the work of looking at the account once they are held."""

    count: int

    def on_start(self) -> None:
        self.is_first = True
        self.work = 0

    def on_candle(self, candle: Candle) -> None:
        if self.is_first:
            self.is_first = False
            for _ in range(self.count):
                self.buy(candle.symbol, 1)
        else:
            self.work = steps_of(lambda: self.account)


def test_the_price_of_a_symbol_is_found_once_for_all_of_its_positions() -> None:
    def work(count: int) -> int:
        strategy = Adds(count=count)
        options = ExchangeOptions(mode=PositionMode.HEDGING)
        venue = SimulatedVenue(Exchange([minutes(A, [10, 10])], options))
        asyncio.run(Runner(strategy, venue, mode="backtest").run())
        return strategy.work

    per_position = (work(200) - work(100)) / 100
    assert 0 < per_position < 50
