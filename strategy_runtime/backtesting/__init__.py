"""Backtests from Python: in a notebook, or in a loop over parameters.

::

    from strategy_runtime.backtesting import backtest, read_data, sweep

    data = read_data("prices.csv")
    print(backtest(SmaCross(fast=5), data, fee_rate=0.001))
    print(sweep(SmaCross, data, {"fast": (5, 10, 20), "slow": (30, 50)}, fee_rate=0.001))

They are the runs of `strategy-backtest` and `strategy-sweep`: the same data and options give the
same fills.
"""

from strategy_runtime.backtesting.reading import read_data
from strategy_runtime.backtesting.run import Backtest, backtest
from strategy_runtime.backtesting.sweeping import sweep
from strategy_runtime.report.comparison import Comparison, Trial
from strategy_runtime.report.files import write_results
from strategy_runtime.report.results import Results
from strategy_runtime.simulator.data.load import LoadedData

__all__ = [
    "Backtest",
    "Comparison",
    "LoadedData",
    "Results",
    "Trial",
    "backtest",
    "read_data",
    "sweep",
    "write_results",
]
