"""Start-up time and memory of imports and commands."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.measure import Sample, child, in_turns, medians, spent
from benchmarks.scale import Scale
from benchmarks.tables import Table, rounded

__all__ = ["measure"]

_ONE_BAR = "timestamp,open,high,low,close,volume\n2024-01-02,1,1,1,1,1\n2024-01-03,1,1,1,1,1\n"


def measure(scale: Scale) -> list[Table]:
    """Measure CPU time beyond that of a bare interpreter."""
    (scale.market / "two.csv").write_text(_ONE_BAR, encoding="utf-8")
    cli = "strategy_runtime.cli"
    programs = {
        "bare interpreter": ["-c", "pass"],
        "import msgspec, asyncio": ["-c", "import msgspec, asyncio"],
        "import strategy_runtime": ["-c", "import strategy_runtime"],
        "strategy-run --help": ["-m", f"{cli}.run", "--help"],
        "strategy-backtest --help": ["-m", f"{cli}.backtest", "--help"],
        "strategy-backtest, two bars": [
            *("-m", f"{cli}.backtest", "strategy_runtime.demo.strategy:SmaCross"),
            *("--data", "two.csv", "--symbol", "X", "--json"),
        ],
        "import aiohttp": ["-c", "import aiohttp"],
        "import strategy_runtime.proxy": ["-c", "import strategy_runtime.proxy.venue"],
    }
    cases: dict[str, Callable[[], Sample]] = {
        name: partial(spent, sys.executable, *arguments, cwd=scale.market)
        for name, arguments in programs.items()
    }
    cases["strategy-run, connected, two bars"] = partial(_connected, scale.market / "two.csv")
    found = {
        name: medians(samples) for name, samples in in_turns(cases, scale.repeats * 2 + 1).items()
    }
    bare = found["bare interpreter"]
    rows = [
        {
            "program": name,
            "CPU ms over bare": rounded((each["cpu_s"] - bare["cpu_s"]) * 1e3),
            "wall ms": rounded(each["wall_s"] * 1e3),
            "peak MiB": rounded(each["rss_mb"]),
        }
        for name, each in found.items()
    ]
    return [Table(title="Start-up and memory", rows=rows)]


def _connected(path: Path) -> Sample:
    sample = child("benchmarks.whole.over_sockets", path, path.with_suffix(".fills"))
    return {
        "cpu_s": sample["client_cpu_s"],
        "wall_s": sample["client_wall_s"],
        "rss_mb": sample["client_rss_mb"],
    }
