"""The instruments of the data."""

from strategy_runtime.clock import DAY_NS
from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.listing import listed
from tests.work import growth


def test_each_further_symbol_with_its_subscription_takes_as_many_steps() -> None:
    """A list of a whole universe, such as `sent` of an earlier run, is looked through once."""

    def list_all(symbols: int) -> object:
        names = [f"S{number}" for number in range(symbols)]
        wanted = parse_subscriptions(",".join(f"{name}:candle" for name in names))
        return listed([BarSeries(name, "1d", DAY_NS) for name in names], (), (), wanted, None)

    assert growth(list_all, 50) < 2.2
