"""Run one engine over a folder of bars, and print what it used.

`python -m benchmarks.engines NAME FOLDER [STRATEGY]`
"""

import gc
import json
import resource
import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks import market
from benchmarks.engines import Run, digest


def main(name: str, folder: str, *strategy: str) -> None:
    began = time.perf_counter()
    columns = market.read(Path(folder))
    prepared: Run = import_module(f"benchmarks.engines.{name}").prepare(columns, *strategy)
    gc.collect()
    gc.freeze()
    loaded = time.perf_counter()
    cpu = time.process_time()
    get_fills = prepared()
    cpu = time.process_time() - cpu
    wall = time.perf_counter() - loaded
    fills = get_fills()
    print(
        json.dumps(
            {
                "cpu_s": cpu,
                "wall_s": wall,
                "load_s": loaded - began,
                "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "fills": len(fills),
                "digest": digest(fills),
            }
        )
    )


main(*sys.argv[1:])
