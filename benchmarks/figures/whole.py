"""Whole programs, ours and one with backtesting.py, on the same file, from start to result."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import market
from benchmarks.engines import CASH, digest
from benchmarks.measure import Sample, in_turns, medians, run, spent
from benchmarks.peers import interpreter
from benchmarks.scale import Scale
from benchmarks.tables import Table, rounded
from benchmarks.whole import fills_in

__all__ = ["measure"]

_PEER = "backtesting_py"
_READS = """
import csv, sys
rows = csv.reader(open(sys.argv[1], newline=""))
next(rows)
for row in rows: [float(cell) for cell in row[1:]]
"""


def measure(scale: Scale) -> list[Table]:
    """Measure from start to result, and the memory of runs of several lengths."""
    return [_whole(scale), _memory(scale)]


def _whole(scale: Scale) -> Table:
    path = scale.market / "AAPL.csv"
    market.write_csv(market.make("AAPL", scale.bars, seed=7), path)
    expected, fills = _ours_digest(path, scale)
    cases: dict[str, Callable[[], Sample]] = {
        "csv.reader and float(), nothing else": partial(spent, sys.executable, "-c", _READS, path),
        "strategy-backtest, no orders": partial(
            spent, *_backtest("benchmarks.strategies:NoOrders", path), cwd=scale.market
        ),
        "strategy-backtest": partial(
            spent, *_backtest("benchmarks.strategies:SmaCross", path), cwd=scale.market
        ),
    }
    cases["strategy-backtest, with report and files"] = partial(
        spent,
        *_backtest("benchmarks.strategies:SmaCross", path, "--out", scale.market / "out"),
        cwd=scale.market,
    )
    note = "The engines of others are left out of the short run."
    if scale.peer_repeats:
        python, missing = interpreter([_PEER])
        note = f"The fills of both are the same, {fills:,}."
        if missing:
            note = f"backtesting.py is left out: {missing[_PEER]}."
        elif _peer_digest(python, path) != expected:
            note = "backtesting.py is left out: its fills differ."
        else:
            program = (python, "-m", "benchmarks.whole.backtesting_py", path)
            cases["backtesting.py"] = partial(spent, *program)
    found = {name: medians(samples) for name, samples in in_turns(cases, scale.repeats).items()}
    ours = found["strategy-backtest"]
    return Table(
        title=f"Whole program, {scale.bars:,} bars of CSV, start to result",
        rows=[
            {
                "program": name,
                "CPU s": rounded(each["cpu_s"]),
                "wall s": rounded(each["wall_s"]),
                "CPU of ours": rounded(each["cpu_s"] / ours["cpu_s"]),
                "wall of ours": rounded(each["wall_s"] / ours["wall_s"]),
                "peak MiB": rounded(each["rss_mb"]),
            }
            for name, each in found.items()
        ],
        note=note,
    )


def _memory(scale: Scale) -> Table:
    rows = []
    day = market.make("AAPL", 24 * 60, seed=7)
    for bars in (scale.bars, 3 * scale.bars, 10 * scale.bars):
        path = scale.market / "LONG.csv"
        market.write_days(day, path, bars)
        found = spent(*_backtest("benchmarks.strategies:NoOrders", path), cwd=scale.market)
        path.unlink()
        rows.append(
            {
                "bars": bars,
                "peak MiB": rounded(found["rss_mb"]),
                "CPU µs/bar": rounded(found["cpu_s"] / bars * 1e6),
            }
        )
    return Table(
        title="Memory of a run from disk, a strategy without orders, measured once", rows=rows
    )


def _backtest(strategy: str, path: Path, *more: object) -> list[object]:
    command = (sys.executable, "-m", "strategy_runtime.cli.backtest", strategy, "--data", path)
    return [*command, "--cash", CASH, "--json", *more]


def _ours_digest(path: Path, scale: Scale) -> tuple[str, int]:
    file = scale.market / "fills.csv"
    run(*_backtest("benchmarks.strategies:SmaCross", path, "--fills", file))
    fills = fills_in(file)
    return digest(fills), len(fills)


def _peer_digest(python: Path, path: Path) -> str:
    said = run(python, "-m", "benchmarks.whole.backtesting_py", path, "--fills")
    found: str = json.loads(said.splitlines()[-1])["digest"]
    return found
