"""Subscriptions that the loaded data cannot meet."""

from strategy_runtime.clock import DAY_NS
from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.simulator.data.load import LoadedData
from strategy_runtime.simulator.data.selection import unmet
from strategy_runtime.simulator.data.series import BarSeries
from tests.work import steps_of


def test_each_further_subscription_without_data_takes_few_steps() -> None:
    """Looking for similar names among thousands would take seconds."""
    loaded = [f"S{number:04}" for number in range(200)]
    data = LoadedData([BarSeries(symbol, "1d", DAY_NS) for symbol in loaded], [], [], [])

    def steps(missing: int) -> int:
        names = [*loaded, *(f"T{number:04}" for number in range(missing))]
        wanted = parse_subscriptions(",".join(f"{name}:candle" for name in names))
        return steps_of(lambda: unmet(wanted, data, ""))

    assert (steps(80) - steps(40)) / 40 < 100
