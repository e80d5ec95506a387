"""The value of positions, and how much of it is recomputed."""

from decimal import Decimal

from strategy_runtime.simulator.ledger import Holding
from strategy_runtime.simulator.valuation import Valuation
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
