"""Sweeps from Python: the same runs as those of `backtest`, the best first."""

import asyncio
import re
import sys
import threading
import tracemalloc
from decimal import Decimal
from enum import Enum
from math import isnan
from typing import Any

import pytest
from msgspec.structs import replace

from strategy_runtime import Candle, ConfigError, ParameterError, Strategy
from strategy_runtime.backtesting import Comparison, Trial, backtest, read_data, sweep
from strategy_runtime.demo import PRICES
from strategy_runtime.demo.strategy import SmaCross

DATA = read_data(PRICES)


class Fails(Strategy):
    """Fails unless lots are whole, and prints and logs a lot."""

    lots: Decimal = Decimal(1)

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        if self.lots < 0:
            raise RuntimeError("less than nothing")

    def on_candle(self, candle: Candle) -> None:
        print("a candle")
        self.log.warning("a candle")
        if self.lots % 1:
            raise ValueError("no part of a lot")
        if self.position(candle.symbol).is_flat:
            self.buy(candle.symbol, self.lots)


class Stops(Strategy):
    """Contains a forgotten breakpoint."""

    def on_candle(self, candle: Candle) -> None:
        breakpoint()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_breakpoint_does_not_wait_at_a_prompt_that_nobody_sees(
    monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setattr(sys, "breakpointhook", sys.__breakpointhook__)  # that of pytest shows it
    failures = [each.failure for each in sweep(Stops, DATA, [{}, {}], processes=processes).failed]
    assert [each.partition(": ")[2] for each in failures] == 2 * [
        "RuntimeError: breakpoint() in a sweep, where nobody sees its prompt: run these parameters "
        "alone, with strategy-backtest or backtest()"
    ]
    assert sys.breakpointhook is sys.__breakpointhook__
    monkeypatch.setenv("PYTHONBREAKPOINT", "0")
    assert not sweep(Stops, DATA, [{}, {}], processes=processes).failed


@pytest.mark.parametrize("processes", [1, 2, None])
def test_every_combination_is_the_run_it_would_be_by_itself(processes: int | None) -> None:
    parameters = {"fast": (5, 20), "slow": range(30, 51, 20), "stake": Decimal("0.3")}
    compared = sweep(SmaCross, DATA, parameters, by="return", processes=processes, fee_rate=0.001)
    expected = {}
    for fast in (5, 20):
        for slow in (30, 50):
            strategy = SmaCross(fast=fast, slow=slow, stake=Decimal("0.3"))
            expected[fast, slow] = backtest(strategy, DATA, fee_rate=0.001).summary.fill_hash
    assert len(set(expected.values())) == 4
    found = {}
    for trial in compared.trials:
        assert trial.summary is not None
        found[trial.parameters["fast"], trial.parameters["slow"]] = trial.summary.fill_hash
    assert found == expected
    returns = [trial.summary.total_return for trial in compared.trials if trial.summary]
    assert returns == sorted(returns, reverse=True)
    best = compared.trials[0]
    assert backtest(SmaCross(**best.parameters), DATA, fee_rate=0.001).summary.total_return == max(
        returns
    )


@pytest.mark.parametrize("processes", [1, 2])
def test_what_all_runs_have_in_common_is_in_memory_once(processes: int) -> None:
    """With hundreds of symbols it would be most of what a run leaves behind."""
    compared = sweep(SmaCross, DATA, {"fast": (5, 10, 15)}, processes=processes)
    first, *others = [trial.summary for trial in compared.trials if trial.summary]
    assert len(others) == 2
    for each in others:
        assert each.data is first.data
        assert each.sent is first.sent
        assert each.data_faults is first.data_faults


def test_a_comparison_remembers_figures_only() -> None:
    summary = backtest(SmaCross(), DATA).summary
    large = replace(summary, data=summary.data * 5000, sent=summary.sent * 5000)
    trials = [Trial({"fast": fast}, large) for fast in range(20)]
    tracemalloc.start()
    try:
        compared = Comparison(trials, "sharpe")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(compared.trials) == 20
    assert kept < 200_000


def test_sets_of_parameters_may_be_given_one_by_one() -> None:
    compared = sweep(SmaCross, PRICES, [{"fast": 5}, {"fast": 5, "slow": 60}], cash=1000)
    assert sorted(len(trial.parameters) for trial in compared.trials) == [1, 2]
    header = str(compared).split("\n\n")[1].splitlines()[0].split()
    assert header == ["slow", "Return", "Drawdown", "Sharpe", "Trades"]


def test_a_set_that_the_class_refuses_fails_alone() -> None:
    class Ordered(SmaCross):
        def __init__(self, **parameters: Any) -> None:
            super().__init__(**parameters)
            if self.fast >= self.slow:
                raise ParameterError("fast must be below slow")

    compared = sweep(Ordered, DATA, {"fast": (5, 30), "slow": 20}, processes=1)
    (refused,) = compared.failed
    assert (refused.parameters["fast"], len(compared.trials)) == (30, 2)
    assert refused.failure == "Ordered was not made: ParameterError: fast must be below slow"


def test_runs_that_fail_are_told_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    compared = sweep(Fails, DATA, {"lots": ["1", Decimal("0.5"), -1]}, processes=2)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert [str(trial.parameters["lots"]) for trial in compared.trials] == ["1", "0.5", "-1"]
    failures = [trial.failure for trial in compared.failed]
    assert re.fullmatch(
        r"on_candle failed at candle S:AAPL .*: ValueError: no part of a lot", failures[0]
    )
    assert failures[1] == "Fails was not made: RuntimeError: less than nothing"
    assert f"FAILED: lots=-1: {failures[1]}" in repr(compared)


def test_runs_whose_orders_were_refused_are_told_apart() -> None:
    compared = sweep(SmaCross, DATA, {"stake": ("0.4", "30")})
    lines = str(compared).split("\n\n")[1].splitlines()
    refused = compared.table()["refused_orders"]
    assert refused[0] == 0
    assert refused[1] > 0
    assert [line.rpartition("  ")[2] for line in lines[2:]] == [f"{refused[1]:.0f} orders refused"]
    assert "refused" not in lines[1]


def test_a_comparison_makes_a_data_frame() -> None:
    compared = sweep(SmaCross, DATA, {"fast": (5, 10), "slow": (30,)}, by="max_drawdown")
    table = compared.table()
    assert set(table["fast"]) == {5, 10}
    assert "slow" not in table
    assert table["max_drawdown"] == sorted(table["max_drawdown"])
    hashes = [each.summary.fill_hash for each in compared.trials if each.summary]
    assert table["fill_hash"] == hashes
    assert all(isinstance(each, float) for each in table["equity"])
    assert table["complete"] == [True, True]
    failed = sweep(Fails, DATA, {"lots": (Decimal("0.5"), Decimal("1.5"))}).table()
    assert all(map(isnan, failed["sharpe"]))
    assert all("no part of a lot" in each for each in failed["failure"])


def test_a_sweep_runs_in_a_notebook_and_in_a_thread() -> None:
    """In a notebook an event loop is running; in a thread no signal can be handled."""
    found: list[Comparison] = []

    def run() -> None:
        for processes in (1, 2):
            found.append(sweep(SmaCross, DATA, {"fast": (5, 10)}, processes=processes))

    async def cell() -> None:
        run()

    asyncio.run(cell())
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert len({str(each) for each in found}) == 1
    assert len(found) == 4


def test_values_may_be_of_a_class_that_other_processes_could_not_send_back() -> None:
    class Pace(Enum):
        SLOW = "slow"
        FAST = "fast"

    class Paced(SmaCross):
        pace: Pace = Pace.SLOW

    compared = sweep(Paced, DATA, {"pace": list(Pace)}, processes=2)
    assert {trial.parameters["pace"] for trial in compared.trials} == set(Pace)
    assert not compared.failed


def test_subscriptions_without_data_are_in_the_warnings_of_each_run() -> None:
    wanted = "S:AAPL:candle,S:IBM:candle"
    compared = sweep(SmaCross, DATA, {"fast": (5, 10)}, subscriptions=wanted)
    for trial in compared.trials:
        assert trial.summary is not None
        assert trial.summary.warnings == [
            "nothing came of S:IBM:candle: S:IBM was not loaded",
        ]


@pytest.mark.parametrize(
    ("parameters", "options", "error", "message"),
    [
        (
            {"fst": (5, 10)},
            {},
            ParameterError,
            "SmaCross has no parameter 'fst'; did you mean",
        ),
        ({"fast": (5, 1)}, {}, ParameterError, "SmaCross.fast = 1: must be "),
        (
            {"fast": ()},
            {},
            ConfigError,
            "fast has no values: write them as in {'fast': (5, 10, 20)",
        ),
        ([], {}, ConfigError, "parameters are values by name, such as {'fast': (5, 10, 20)}, or a"),
        ([5, 10], {}, ConfigError, "and not [5, 10]"),
        (5, {}, ConfigError, "and not 5"),
        (
            {"fast": 5},
            {"by": "sharp"},
            ConfigError,
            "there is no figure 'sharp' to order runs by",
        ),
        ({"fast": 5}, {"by": "luck"}, ConfigError, "there are sharpe, sortino, calmar, return"),
        ({"fast": 5}, {"by": None}, ConfigError, "there is no figure None to order runs by"),
        (
            {"fast": 5},
            {"processes": 0},
            ConfigError,
            "processes must be a whole number above 0",
        ),
        ({"fast": 5}, {"processes": "2"}, ConfigError, "a whole number above 0, not '2'"),
        ({"fast": 5}, {"fee": 0.1}, TypeError, "there is no option 'fee'; here it is fee_rate"),
        (
            {"fast": 5},
            {"subscriptions": "S:X:candle"},
            ConfigError,
            "matches nothing that was",
        ),
    ],
)
def test_invalid_arguments_are_refused_before_anything_runs(
    parameters: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as refused:
        sweep(SmaCross, DATA, parameters, **options)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (SmaCross(), "sweep() takes the class of your strategy: sweep(SmaCross, …)"),
        (int, "and no type"),
        ("bot:SmaCross", "and no str"),
    ],
)
def test_what_is_no_class_of_a_strategy_is_refused(kind: Any, message: str) -> None:
    with pytest.raises(TypeError) as refused:
        sweep(kind, DATA, {"fast": (5, 10)})
    assert message in str(refused.value)
