"""Reading of CSV and Parquet files, beside the standard library and pyarrow."""

import csv
import gc
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks import market
from benchmarks.measure import Sample, in_turns, medians
from benchmarks.scale import Scale
from benchmarks.tables import Table, rounded
from strategy_runtime.simulator.data.load import load_bars

__all__ = ["measure"]


def measure(scale: Scale) -> list[Table]:
    """Measure the readers alone."""
    columns = market.make("AAPL", scale.bars, seed=7)
    path = scale.market / "AAPL.csv"
    market.write_csv(columns, path)
    cases: dict[str, Callable[[], Sample]] = {
        "csv.reader and float()": partial(_timed, partial(_plainly, path)),
        "ours, CSV": partial(_timed, partial(load_bars, [path])),
    }
    if find_spec("pyarrow") is not None:
        from pyarrow import csv as arrow_csv
        from pyarrow import parquet

        other = scale.market / "AAPL.parquet"
        parquet.write_table(arrow_csv.read_csv(path), other)
        cases["pyarrow read_table"] = partial(_timed, partial(parquet.read_table, other))
        cases["ours, Parquet"] = partial(_timed, partial(load_bars, [other]))
    found = {name: medians(samples) for name, samples in in_turns(cases, scale.repeats).items()}
    rows = [
        {
            "reader": name,
            "CPU µs/bar": rounded(each["cpu_s"] / scale.bars * 1e6),
            "wall s": rounded(each["wall_s"]),
        }
        for name, each in found.items()
    ]
    return [Table(title=f"Loading {scale.bars:,} bars", rows=rows)]


def _timed(read: Callable[[], object]) -> Sample:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    read()
    return {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}


def _plainly(path: Path) -> list[list[float]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        next(reader)
        return [[float(cell) for cell in row[1:]] for row in reader]
